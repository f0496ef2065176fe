#include "node/network/resolver.h"

#include <algorithm>

#include "messages/core/strings.h"
#include "messages/proto/flow.pb.h"

namespace kubemu {
namespace {

constexpr char kNotKnown[] = "Name or service not known";
constexpr char kNoAddress[] = "No address associated with hostname";
constexpr char kTemporary[] = "Temporary failure in name resolution";

// The number of "ndots:5"; none of another option.
template <class Integer>
void ReadOption(std::string_view option, std::string_view name, Integer limit, Integer* value) {
  if (!option.starts_with(name) || option.size() <= name.size() || option[name.size()] != ':') {
    return;
  }
  Integer number{};
  if (!ParseInteger(option.substr(name.size() + 1), &number) || number < Integer{}) return;
  *value = std::min(number, limit);
}

// Words between spaces and tabs.
std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  size_t at = 0;
  while (true) {
    at = line.find_first_not_of(" \t", at);
    if (at == std::string_view::npos) return words;
    const size_t end = std::min(line.find_first_of(" \t", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
}

// Calls found(address, first name) for each line of /etc/hosts with that name, until it is true.
template <class Found>
void EachHostsLine(std::string_view hosts, std::string_view name, Found found) {
  const std::string wanted = AsciiLower(name);
  for (std::string_view line : StrSplit(hosts, '\n')) {
    line = line.substr(0, line.find('#'));
    const std::vector<std::string_view> words = Words(line);
    for (size_t i = 1; i < words.size(); ++i) {
      if (AsciiLower(words[i]) == wanted && found(words[0], words[1])) return;
    }
  }
}

}  // namespace

ResolverConfig ReadDnsConfig(const bus::DnsConfig& config) {
  ResolverConfig result;
  for (uint32_t ip : config.nameservers()) result.nameservers.emplace_back(ip);
  result.searches.assign(config.searches().begin(), config.searches().end());
  int seconds = 5;
  for (const std::string& option : config.options()) {
    ReadOption(option, "ndots", Resolvers::kNdotsMax, &result.ndots);
    ReadOption(option, "timeout", static_cast<int>(Resolvers::kTimeoutMax / 1s), &seconds);
    ReadOption(option, "attempts", Resolvers::kAttemptsMax, &result.attempts);
  }
  result.timeout = std::chrono::seconds(std::max(seconds, 1));
  result.attempts = std::max(result.attempts, 1);
  return result;
}

std::string ResolvConfText(const bus::DnsConfig& config) {
  std::string text;
  if (!config.searches().empty()) {
    text += "search";
    for (const std::string& search : config.searches()) StrAppend(&text, " ", search);
    text += "\n";
  }
  for (uint32_t ip : config.nameservers()) {
    StrAppend(&text, "nameserver ", Ipv4(ip).ToString(), "\n");
  }
  if (!config.options().empty()) {
    text += "options";
    for (const std::string& option : config.options()) StrAppend(&text, " ", option);
    text += "\n";
  }
  return text;
}

std::vector<std::string> CandidateNames(std::string_view name, const ResolverConfig& config) {
  if (name.empty() || !dns::SplitName(name)) return {};
  if (name.ends_with('.')) return {std::string(name.substr(0, name.size() - 1))};
  std::vector<std::string> names;
  const bool first = static_cast<size_t>(std::count(name.begin(), name.end(), '.')) >= config.ndots;
  if (first) names.emplace_back(name);
  for (const std::string& search : config.searches) {
    if (search.empty() || search == ".") continue;
    std::string candidate = StrCat(name, ".", search);
    if (dns::SplitName(candidate)) names.push_back(std::move(candidate));
  }
  if (!first) names.emplace_back(name);
  return names;
}

HostsLine FindHostsLine(std::string_view hosts, std::string_view name) {
  HostsLine found;
  EachHostsLine(hosts, name, [&](std::string_view ip, std::string_view first) {
    found = {std::string(ip), std::string(first)};
    return true;
  });
  return found;
}

Ipv4 FindInHosts(std::string_view hosts, std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  Ipv4 found;
  EachHostsLine(hosts, name, [&](std::string_view text, std::string_view) {
    const absl::StatusOr<Ipv4> ip = Ipv4::Parse(text);
    if (ip.ok()) found = *ip;
    return ip.ok();
  });
  return found;
}

void Resolvers::Start(uint64_t tag, const std::string& container, NetPod& pod,
                      const std::string& name, Env& env) {
  Lookup lookup;
  lookup.tag = tag;
  lookup.container = container;
  lookup.config = ReadDnsConfig(pod.dns);
  for (std::string& candidate : CandidateNames(name, lookup.config)) {
    lookup.questions.push_back({std::move(candidate), dns::kA, dns::kClassIn});
  }
  Begin(std::move(lookup), pod, env);
}

void Resolvers::StartQueries(uint64_t tag, const std::string& container, NetPod& pod,
                             std::vector<dns::Question> questions, Env& env) {
  Lookup lookup;
  lookup.tag = tag;
  lookup.container = container;
  lookup.config = ReadDnsConfig(pod.dns);
  lookup.questions = std::move(questions);
  lookup.all = true;
  Begin(std::move(lookup), pod, env);
}

void Resolvers::Begin(Lookup lookup, NetPod& pod, Env& env) {
  lookup.pod = pod.address;
  lookup.trace = env.outbox.cause();
  lookup.result.tag = lookup.tag;
  // Without a name server glibc asks 127.0.0.1, where nobody listens.
  const bool cannot = lookup.config.nameservers.empty() || lookups_.size() >= kInFlightMax;
  if (lookup.questions.empty() || cannot) {
    lookup.result.error = lookup.questions.empty() ? kNotKnown : kTemporary;
    finished_.push_back(std::move(lookup.result));
    return;
  }
  const uint64_t number = next_++;
  Send(number, lookups_[number] = std::move(lookup), pod, env);
}

// The question that is due, to the name server whose turn it is.
void Resolvers::Send(uint64_t number, Lookup& lookup, NetPod& pod, Env& env) {
  if (lookup.sent == 0) {
    // A socket of its own for each question.
    by_port_.erase({lookup.pod, lookup.port});
    lookup.id = static_cast<uint16_t>(env.random.Uniform(0x10000));
    lookup.port = pod.TakePort();
    by_port_[{lookup.pod, lookup.port}] = number;
  }
  const std::vector<Ipv4>& servers = lookup.config.nameservers;
  const Ipv4 server = servers[static_cast<size_t>(lookup.sent) % servers.size()];
  ++lookup.sent;
  dns::Message query;
  query.header.id = lookup.id;
  query.header.recursion_desired = true;
  query.questions = {lookup.questions[lookup.next]};
  bus::Datagram datagram;
  datagram.set_protocol(bus::UDP);
  datagram.set_source_ip(pod.ip.bits());
  datagram.set_source_port(lookup.port);
  datagram.set_destination_ip(server.bits());
  datagram.set_destination_port(kPort);
  datagram.set_data(dns::Build(query, dns::kUdpBytesMax));
  const bool local = server.IsLoopback() || server == pod.ip;
  env.outbox.SendAs(pod.address, local ? pod.address : iptables_, std::move(datagram));
  deadlines_.erase({lookup.deadline, number});
  lookup.deadline = env.now + lookup.config.timeout;
  deadlines_.emplace(lookup.deadline, number);
}

bool Resolvers::Receive(const Message& message, NetPod& pod, Env& env) {
  const auto& datagram = message.As<bus::Datagram>();
  const auto known =
      by_port_.find({pod.address, static_cast<uint16_t>(datagram.destination_port())});
  if (known == by_port_.end()) return false;
  const uint64_t number = known->second;
  Lookup& lookup = lookups_.at(number);
  absl::StatusOr<dns::Message> reply = dns::Parse(datagram.data());
  const auto& servers = lookup.config.nameservers;
  const bool from_server =
      datagram.source_port() == kPort &&
      std::find(servers.begin(), servers.end(), Ipv4(datagram.source_ip())) != servers.end();
  // Anything else at this port may be forged: the answer is still to come.
  if (!from_server || !reply.ok() || !reply->header.response || reply->header.id != lookup.id) {
    return true;
  }
  if (reply->questions.size() != 1 || !(reply->questions[0] == lookup.questions[lookup.next])) {
    return true;
  }
  OnReply(number, lookup, *std::move(reply), pod, env);
  return true;
}

void Resolvers::OnReply(uint64_t number, Lookup& lookup, dns::Message reply, NetPod& pod,
                        Env& env) {
  if (lookup.all) {
    lookup.result.replies.emplace_back(lookup.questions[lookup.next], std::move(reply));
    return GoOn(number, lookup, pod, env);
  }
  for (const dns::Record& record : reply.answers) {
    if (record.type == dns::kA) lookup.result.addresses.push_back(record.address);
  }
  if (!lookup.result.addresses.empty()) return Finish(number);
  if (reply.header.rcode == dns::kNoError) lookup.no_data = true;
  const bool missing = reply.header.rcode == dns::kNoError || reply.header.rcode == dns::kNxDomain;
  if (!missing) lookup.server_failed = true;
  GoOn(number, lookup, pod, env);
}

void Resolvers::GoOn(uint64_t number, Lookup& lookup, NetPod& pod, Env& env) {
  lookup.sent = 0;
  if (++lookup.next < lookup.questions.size()) return Send(number, lookup, pod, env);
  if (!lookup.all) {
    lookup.result.error = lookup.server_failed ? kTemporary
                          : lookup.no_data     ? kNoAddress
                                               : kNotKnown;
  }
  Finish(number);
}

void Resolvers::Finish(uint64_t number) {
  const auto it = lookups_.find(number);
  finished_.push_back(std::move(it->second.result));
  by_port_.erase({it->second.pod, it->second.port});
  deadlines_.erase({it->second.deadline, number});
  lookups_.erase(it);
}

void Resolvers::Tick(std::map<std::string, NetPod>& pods, Env& env) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= env.now) {
    const uint64_t number = deadlines_.begin()->second;
    Lookup& lookup = lookups_.at(number);
    NetPod& pod = pods.at(lookup.pod);
    env.outbox.Because(lookup.trace);
    const int tries = lookup.config.attempts * static_cast<int>(lookup.config.nameservers.size());
    if (lookup.sent < tries) {
      Send(number, lookup, pod, env);
    } else if (lookup.all) {
      lookup.result.replies.emplace_back(lookup.questions[lookup.next], std::nullopt);
      GoOn(number, lookup, pod, env);
    } else {
      // No name server: the other names would fare no better.
      lookup.result.error = kTemporary;
      Finish(number);
    }
  }
}

void Resolvers::Abandon(const std::string& pod, const std::string& container) {
  for (auto it = lookups_.begin(); it != lookups_.end();) {
    const Lookup& lookup = it->second;
    if (lookup.pod != pod || (!container.empty() && lookup.container != container)) {
      ++it;
      continue;
    }
    by_port_.erase({lookup.pod, lookup.port});
    deadlines_.erase({lookup.deadline, it->first});
    it = lookups_.erase(it);
  }
}

}  // namespace kubemu
