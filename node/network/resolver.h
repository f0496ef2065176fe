#ifndef KUBEMU_NODE_NETWORK_RESOLVER_H_
#define KUBEMU_NODE_NETWORK_RESOLVER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/component.h"
#include "messages/core/ip.h"
#include "messages/core/time.h"
#include "messages/dns/dns_message.h"
#include "messages/proto/node.pb.h"
#include "node/network/net_pod.h"

namespace kubemu {

// A pod's /etc/resolv.conf, as glibc reads it (resolv.conf(5)).
struct ResolverConfig {
  std::vector<Ipv4> nameservers;
  std::vector<std::string> searches;
  size_t ndots = 1;
  Duration timeout = 5s;
  int attempts = 2;
};
// Options that are not known are read past; numbers have resolv.conf(5)'s limits.
ResolverConfig ReadDnsConfig(const bus::DnsConfig& config);
// The file's text, as the engine writes it.
std::string ResolvConfText(const bus::DnsConfig& config);

// The names that are asked for in turn until one has addresses: a name with ndots dots or more
// first as it is, then with each search domain; one with fewer the other way round; one that ends
// with a dot only as it is. Empty: it is no name.
std::vector<std::string> CandidateNames(std::string_view name, const ResolverConfig& config);

// The first line of /etc/hosts that has the name, of any address family: its address and its first
// name; "" if there is none.
struct HostsLine {
  std::string ip;
  std::string name;
};
HostsLine FindHostsLine(std::string_view hosts, std::string_view name);
// The first IPv4 address that /etc/hosts has for the name; none if it has none.
Ipv4 FindInHosts(std::string_view hosts, std::string_view name);

// How a name's lookup ended.
struct Resolved {
  uint64_t tag = 0;
  std::vector<Ipv4> addresses;
  std::string error;  // getaddrinfo's, if there are none: "Name or service not known"
  // Of StartQueries: each question with what came back; none: nothing.
  std::vector<std::pair<dns::Question, std::optional<dns::Message>>> replies;
};

// The name lookups that the containers of this node have in flight: each has one query out at a
// time, from the pod's address to its name server.
class Resolvers {
 public:
  static constexpr size_t kInFlightMax = 8192;
  static constexpr uint16_t kPort = 53;
  static constexpr Duration kTimeoutMax = 30s;  // resolv.conf(5)
  static constexpr int kAttemptsMax = 5;
  static constexpr size_t kNdotsMax = 15;

  explicit Resolvers(std::string node) : iptables_(std::move(node) + "/iptables") {}

  // The addresses of a name, as getaddrinfo for IPv4 finds them by DNS: its result may be there at
  // once.
  void Start(uint64_t tag, const std::string& container, NetPod& pod, const std::string& name,
             Env& env);
  // All of these questions, one after the other (nslookup).
  void StartQueries(uint64_t tag, const std::string& container, NetPod& pod,
                    std::vector<dns::Question> questions, Env& env);

  // A datagram to that pod. False if it answers no query of it.
  bool Receive(const Message& message, NetPod& pod, Env& env);
  // Asks again what has not been answered in time. A pod that is gone has abandoned its lookups.
  void Tick(std::map<std::string, NetPod>& pods, Env& env);
  Time NextWake() const { return deadlines_.empty() ? kNever : deadlines_.begin()->first; }

  // Ends what a container (or, with "", the whole pod) has in flight; no results.
  void Abandon(const std::string& pod, const std::string& container);

  std::vector<Resolved> TakeFinished() { return std::exchange(finished_, {}); }
  size_t in_flight() const { return lookups_.size(); }

 private:
  struct Lookup {
    uint64_t tag = 0;
    std::string pod;
    std::string container;
    ResolverConfig config;
    std::vector<dns::Question> questions;  // one after the other
    bool all = false;                      // of them; else up to the first with addresses
    size_t next = 0;                       // the question that is out
    int sent = 0;                          // times that it was sent
    bool no_data = false;                  // a name was there, without addresses
    bool server_failed = false;
    uint16_t id = 0;
    uint16_t port = 0;
    Time deadline = kNever;
    Trace trace;
    Resolved result;
  };

  void Begin(Lookup lookup, NetPod& pod, Env& env);
  void Send(uint64_t number, Lookup& lookup, NetPod& pod, Env& env);
  void OnReply(uint64_t number, Lookup& lookup, dns::Message reply, NetPod& pod, Env& env);
  void GoOn(uint64_t number, Lookup& lookup, NetPod& pod, Env& env);
  void Finish(uint64_t number);

  const std::string iptables_;
  uint64_t next_ = 1;
  std::map<uint64_t, Lookup> lookups_;
  std::map<std::pair<std::string, uint16_t>, uint64_t> by_port_;  // pod and local port
  std::set<std::pair<Time, uint64_t>> deadlines_;
  std::vector<Resolved> finished_;
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_NETWORK_RESOLVER_H_
