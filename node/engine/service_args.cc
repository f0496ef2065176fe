#include "node/engine/service_args.h"

#include <charconv>

#include "messages/core/strings.h"
#include "node/engine/command_parser.h"

namespace kubemu {
namespace {

struct Flags {
  ServerSpec server;  // what all of its ports do
  std::vector<ServerSpec> listens;
  std::string answer = "hello";
  Duration start_delay = ContainerProgram().start_delay;
  Duration exit_after{};
  bool exits = false;
  int exit_code = 0;
  bool drains = false;
  bool ignores_term = false;
};

// How long a client has to send its next request on an open connection, and be told that it was
// the last one, before the connection is closed under its hands.
constexpr Duration kDrainIdle = 1s;

bool ParseProbability(std::string_view text, double* value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && stop == end && *value >= 0 && *value <= 1;
}

bool ParseCall(std::string_view url, Flags* flags) {
  FetchTarget target;
  if (!FetchTarget::Parse(url, &target)) return false;
  flags->server.calls.push_back(std::move(target));
  return true;
}

bool ParseOnTerm(std::string_view how, Flags* flags) {
  flags->drains = how == "drain";
  flags->ignores_term = how == "ignore";
  return how == "exit" || flags->drains || flags->ignores_term;
}

bool AddListen(std::string_view text, Flags* flags) {
  ServerSpec server;
  if (!ParseListen(text, &server)) return false;
  flags->listens.push_back(std::move(server));
  return true;
}

enum class FlagResult { kOk, kUnknown, kBadValue };

FlagResult Apply(std::string_view name, std::string_view value, Flags* flags) {
  bool ok = true;
  if (name == "listen") {
    ok = AddListen(value, flags);
  } else if (name == "answer") {
    flags->answer = std::string(value);
  } else if (name == "delay") {
    ok = ParseSleep(value, &flags->server.delay);
  } else if (name == "jitter") {
    ok = ParseSleep(value, &flags->server.jitter);
  } else if (name == "fail") {
    ok = ParseProbability(value, &flags->server.fail);
  } else if (name == "call") {
    ok = ParseCall(value, flags);
  } else if (name == "ready-after") {
    ok = ParseSleep(value, &flags->server.ready_after);
  } else if (name == "start-delay") {
    ok = ParseSleep(value, &flags->start_delay);
  } else if (name == "exit-after") {
    flags->exits = true;
    ok = ParseSleep(value, &flags->exit_after);
  } else if (name == "on-term") {
    ok = ParseOnTerm(value, flags);
  } else if (name == "exit-code") {
    ok = ParseInteger(value, &flags->exit_code) && flags->exit_code >= 0 && flags->exit_code < 256;
  } else {
    return FlagResult::kUnknown;
  }
  return ok ? FlagResult::kOk : FlagResult::kBadValue;
}

// "" if all flags are good.
std::string ParseFlags(const std::vector<std::string>& args, Flags* flags) {
  for (size_t i = 0; i < args.size(); ++i) {
    std::string_view flag = args[i];
    if (!flag.starts_with("--")) return StrCat("unexpected argument \"", flag, "\"");
    flag.remove_prefix(2);
    if (flag == "echo") {
      flags->server.protocol = ServerSpec::Protocol::kEcho;
      continue;
    }
    if (flag == "proxy-protocol") {
      flags->server.proxy_protocol = true;
      continue;
    }
    const size_t equals = flag.find('=');
    const std::string_view name = flag.substr(0, equals);
    std::string_view value;
    if (equals != std::string_view::npos) {
      value = flag.substr(equals + 1);
    } else if (i + 1 < args.size()) {
      value = args[++i];
    } else {
      return StrCat("flag --", name, " needs a value");
    }
    const FlagResult result = Apply(name, value, flags);
    if (result == FlagResult::kUnknown) return StrCat("unknown flag --", name);
    if (result == FlagResult::kBadValue)
      return StrCat("flag --", name, ": bad value \"", value, "\"");
  }
  return "";
}

}  // namespace

bool ParseListen(std::string_view text, ServerSpec* server) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return ParseInteger(text, &server->port) && server->port > 0;
  const std::string_view host = text.substr(0, colon);
  if (host == "localhost") {
    server->local_only = true;
  } else if (!host.empty()) {
    const absl::StatusOr<Ipv4> ip = Ipv4::Parse(host);
    if (!ip.ok()) return false;
    server->local_only = ip->IsLoopback();
  }
  return ParseInteger(text.substr(colon + 1), &server->port) && server->port > 0;
}

void ParseServiceArgs(const std::vector<std::string>& args, const std::string& pod,
                      const std::string& node, ContainerProgram* program) {
  Flags flags;
  const std::string error = ParseFlags(args, &flags);
  if (!error.empty()) {
    program->steps = {{.kind = Step::Kind::kEcho, .text = "kubemu/service: " + error},
                      {.kind = Step::Kind::kExit, .code = 2}};
    return;
  }
  if (flags.listens.empty()) AddListen(":8080", &flags);
  for (const ServerSpec& listen : flags.listens) {
    ServerSpec server = flags.server;
    server.port = listen.port;
    server.local_only = listen.local_only;
    server.server = "kubemu";
    server.body = StrCat(flags.answer, "\npod: ", pod, "\nnode: ", node, "\n");
    program->servers.push_back(std::move(server));
  }
  program->start_delay = flags.start_delay;
  program->handles_term = !flags.ignores_term;
  program->drains = flags.drains;
  program->drain_idle = kDrainIdle;
  if (flags.exits) {
    program->steps = {{.kind = Step::Kind::kSleep, .duration = flags.exit_after},
                      {.kind = Step::Kind::kExit, .code = flags.exit_code}};
  }
}

}  // namespace kubemu
