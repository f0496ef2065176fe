// What Iptables says about itself.
#include <utility>

#include "messages/core/strings.h"
#include "messages/inspect.h"
#include "node/iptables/explain.h"
#include "node/iptables/iptables.h"

namespace kubemu {
namespace {

// "10.0.0.1:80"; without a port if `port_needed` is false.
absl::StatusOr<SocketAddress> AddressOf(const std::string& key, const std::string& text,
                                        bool port_needed) {
  const bool has_port = text.find(':') != std::string::npos;
  const auto address = SocketAddress::Parse(has_port ? text : text + ":0");
  if (!address.ok() || (port_needed && address->port == 0) || address->ip.IsNone()) {
    return absl::InvalidArgumentError(
        StrCat("--", key, " \"", text, "\" is not an IPv4 address ",
               port_needed ? "and" : "with or without",
               port_needed ? " a port, such as 10.96.0.10:80" : " a port, such as 10.244.1.5"));
  }
  return *address;
}

}  // namespace

void Iptables::OnInspect(const Message& message, Env& env) {
  const auto& request = message.As<bus::InspectRequest>();
  if (request.question() == "iptables-save") {
    return AnswerInspect(message, AnswerSave(request), env);
  }
  if (request.question() == "explain") {
    return AnswerInspect(message, AnswerExplain(request, env.now), env);
  }
  AnswerInspect(message, UnknownQuestion(request.question(), {"iptables-save", "explain"}), env);
}

absl::StatusOr<std::string> Iptables::AnswerSave(const bus::InspectRequest& request) const {
  auto arguments = InspectArguments(request, {"table", "counters"});
  if (!arguments.ok()) return arguments.status();
  const std::string& wanted = (*arguments)["table"];
  std::string text;
  for (iptables::Table table : iptables::kAllTables) {
    if (!wanted.empty() && wanted != iptables::TableName(table)) continue;
    text += ruleset_.Save(table, (*arguments)["counters"] == "yes");
  }
  if (text.empty()) {
    return absl::InvalidArgumentError(
        StrCat("there is no table \"", wanted, "\" here; filter and nat are"));
  }
  return text;
}

absl::StatusOr<std::string> Iptables::AnswerExplain(const bus::InspectRequest& request,
                                                    Time now) const {
  auto arguments = InspectArguments(
      request, {"from", "to", "protocol", "in-interface", "out-interface", "format"});
  if (!arguments.ok()) return arguments.status();
  const auto from = AddressOf("from", (*arguments)["from"], false);
  if (!from.ok()) return from.status();
  const auto to = AddressOf("to", (*arguments)["to"], true);
  if (!to.ok()) return to.status();
  iptables::Packet packet;
  if (const std::string& protocol = (*arguments)["protocol"]; protocol == "udp") {
    packet.protocol = iptables::Protocol::kUdp;
  } else if (!protocol.empty() && protocol != "tcp") {
    return absl::InvalidArgumentError(
        StrCat("--protocol \"", protocol, "\" is not supported; tcp and udp are"));
  }
  if (!routes_.HasNode()) {
    return absl::FailedPreconditionError(
        "this node has no network yet: kube-proxy has not told it; ask again in a moment");
  }
  packet.source = from->ip;
  packet.source_port = from->port;
  packet.destination = to->ip;
  packet.destination_port = to->port;
  packet.in_interface = (*arguments)["in-interface"];
  packet.out_interface = (*arguments)["out-interface"];
  const auto explanation = iptables::Explain(ruleset_, conntrack_, routes_, packet, now);
  return (*arguments)["format"] == "json" ? iptables::ExplainJson(explanation)
                                          : iptables::ExplainText(explanation);
}

}  // namespace kubemu
