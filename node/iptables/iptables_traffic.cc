// What Iptables does with connections and datagrams.
#include <utility>

#include "messages/core/strings.h"
#include "messages/proto/node.pb.h"
#include "node/iptables/iptables.h"

namespace kubemu {

using iptables::Connection;
using iptables::Packet;
using iptables::Protocol;
using iptables::Routes;
using iptables::Verdict;

namespace {

// The range of ports for connections whose opener leaves the choice to us (Linux's
// ip_local_port_range).
constexpr uint64_t kFirstFreePort = 32768;
constexpr uint64_t kFreePorts = 28232;

// What the refusing rule says, for whoever asks why: "KUBE-SERVICES rule 3 (ns/svc has no
// endpoints)".
std::string RuleDetail(const Verdict& verdict, const iptables::Ruleset& ruleset) {
  std::string text = StrCat("iptables: ", verdict.chain, " rule ", verdict.rule_number);
  const auto* chain = ruleset.Find(iptables::Table::kFilter, verdict.chain);
  if (chain == nullptr || verdict.rule_number == 0) return text;
  const auto comment = iptables::RuleComment(chain->rules[verdict.rule_number - 1]);
  if (!comment.empty()) StrAppend(&text, " (", comment, ")");
  return text;
}

iptables::Tuple TupleOf(const Packet& packet) {
  return {packet.protocol,
          {packet.source, packet.source_port},
          {packet.destination, packet.destination_port}};
}

template <typename Body>
void SetAddresses(SocketAddress source, SocketAddress destination, Body* body) {
  body->set_source_ip(source.ip.bits());
  body->set_source_port(source.port);
  body->set_destination_ip(destination.ip.bits());
  body->set_destination_port(destination.port);
}

}  // namespace

template <typename Body>
Packet Iptables::PacketOf(const Message& message, const Body& body, Env& env) const {
  Packet packet;
  packet.protocol = body.protocol() == bus::UDP ? Protocol::kUdp : Protocol::kTcp;
  packet.source = Ipv4(body.source_ip());
  packet.source_port = static_cast<uint16_t>(body.source_port());
  packet.destination = Ipv4(body.destination_ip());
  packet.destination_port = static_cast<uint16_t>(body.destination_port());
  // The kubelet leaves its address to the kernel, which takes that of the way out. A pod in the
  // node's own network is a process of the node like any other.
  const bool kubelet = message.from == kubelet_;
  if (kubelet && packet.source.IsNone()) {
    packet.source = routes_.MasqueradeAddress({packet.destination, packet.destination_port});
  }
  packet.local_process =
      kubelet || (message.from.starts_with(pods_) && packet.source == routes_.node_ip());
  if (packet.source_port == 0) PickSourcePort(&packet, env);
  return packet;
}

void Iptables::PickSourcePort(Packet* packet, Env& env) const {
  for (int i = 0; i < iptables::Conntrack::kPortAttemptsMax; ++i) {
    packet->source_port = static_cast<uint16_t>(kFirstFreePort + env.random.Uniform(kFreePorts));
    if (!conntrack_.Knows(TupleOf(*packet))) return;
  }
}

Iptables::Decision Iptables::Decide(const Message& message, const Packet& packet, Env& env) {
  Decision decision;
  if (!routes_.HasNode()) {
    ++statistics_.unreachable;
    decision.Refuse(bus::FlowClose::UNREACHABLE, "iptables: this node has no network yet");
    return decision;
  }
  const Verdict verdict =
      iptables::Evaluate(ruleset_, packet, {routes_.local(), env.random, env.now});
  if (verdict.action == Verdict::Action::kDrop) {
    ++statistics_.dropped;
    return decision;
  }
  if (verdict.action == Verdict::Action::kReject) {
    ++statistics_.rejected;
    decision.Refuse(bus::FlowClose::REFUSED, RuleDetail(verdict, ruleset_));
    return decision;
  }
  const SocketAddress destination =
      verdict.dnat.value_or(SocketAddress{packet.destination, packet.destination_port});
  Routes::Hop hop = routes_.Find(destination);
  // What another node sent here ends here, unless it was for a Service: two nodes that each think
  // the other has a pod must not play ball with its packets.
  const bool from_peer = message.from.ends_with("/iptables");
  if (hop.kind == Routes::Kind::kPeer && from_peer && !verdict.dnat) hop.kind = Routes::Kind::kNone;
  if (hop.kind == Routes::Kind::kNone || hop.kind == Routes::Kind::kNoListener) {
    ++statistics_.unreachable;
    if (routes_.IsOwnPodAddress(destination.ip)) AskForPods(env);
    const bool nobody = hop.kind == Routes::Kind::kNone;
    decision.Refuse(nobody ? bus::FlowClose::UNREACHABLE : bus::FlowClose::REFUSED,
                    StrCat(nobody ? "no route to " : "nobody listens on ", destination.ToString()));
    return decision;
  }
  if (hop.kind == Routes::Kind::kPeer && IsDown(ProcessOf(hop.address), env)) {
    ++statistics_.unreachable;
    decision.Refuse(bus::FlowClose::UNREACHABLE, StrCat("no link to ", ProcessOf(hop.address),
                                                        ", where ", destination.ToString(), " is"));
    return decision;
  }
  const absl::StatusOr<Connection*> connection =
      conntrack_.Add(packet, verdict, routes_.MasqueradeAddress(destination), env.random, env.now);
  if (!connection.ok()) {
    if (!absl::IsAlreadyExists(connection.status())) {
      // The kernel drops the newcomer ("nf_conntrack: table full, dropping packet").
      ++statistics_.table_full;
      return decision;
    }
    ++statistics_.refused;
    const auto text = connection.status().message();
    decision.Refuse(bus::FlowClose::RESET,
                    StrCat("conntrack: ", std::string_view(text.data(), text.size())));
    return decision;
  }
  ++statistics_.forwarded;
  decision.connection = *connection;
  decision.to = std::move(hop.address);
  return decision;
}

bool Iptables::IsDoubled(const Message& message, const Packet& packet) const {
  const Connection* known = conntrack_.Peek(TupleOf(packet));
  if (known == nullptr) return false;
  const auto flow = flow_of_.find(known->id);
  if (flow == flow_of_.end()) return false;
  const Flow& first = flows_.at(flow->second);
  return first.opener == message.from && first.opener_flow == message.As<bus::FlowOpen>().flow();
}

void Iptables::OnFlowOpen(const Message& message, Env& env) {
  const auto& open = message.As<bus::FlowOpen>();
  Packet packet = PacketOf(message, open, env);
  if (IsDoubled(message, packet)) return;
  // One client, one port, two ways to here (this node's port, and lb): packets could not be told
  // apart, flows can.
  if (conntrack_.Knows(TupleOf(packet))) PickSourcePort(&packet, env);
  Decision decision = Decide(message, packet, env);
  if (decision.connection == nullptr) {
    if (decision.reason == bus::FlowClose::REASON_UNSPECIFIED) return;
    return FlowRelay::Refuse(message, decision.reason, std::move(decision.detail), env);
  }
  const iptables::Tuple leaves = decision.connection->translated();
  bus::FlowOpen next = open;
  SetAddresses(leaves.source, leaves.destination, &next);
  const uint64_t connection = decision.connection->id;
  const uint64_t id = relay_.Forward(message, decision.to, std::move(next), env);
  if (id == 0 || flows_.contains(id)) {  // no room, or doubled after all
    conntrack_.Remove(connection);
    return;
  }
  flows_[id] = {connection, message.from, open.flow(), std::move(decision.to)};
  flow_of_[connection] = id;
}

void Iptables::OnFlow(const Message& message, Env& env) {
  const FlowRelay::Passed passed = relay_.Receive(message, env);
  const auto it = flows_.find(passed.flow);
  if (it == flows_.end()) return;
  if (passed.ended) return Forget({passed.flow});
  Connection* connection = conntrack_.FindById(it->second.connection);
  if (connection == nullptr) return;
  conntrack_.Touch(connection, passed.from_far_side, env.now);
  if (message.kind == bus::FLOW_DATA && message.As<bus::FlowData>().fin()) {
    conntrack_.SetState(connection, Connection::State::kClosing, env.now);
  }
}

void Iptables::OnDatagram(const Message& message, Env& env) {
  const auto& datagram = message.As<bus::Datagram>();
  const Packet packet = PacketOf(message, datagram, env);
  bool is_reply = false;
  Connection* connection = conntrack_.Find(TupleOf(packet), &is_reply);
  if (connection == nullptr) {
    connection = Decide(message, packet, env).connection;
    if (connection == nullptr) return;
    datagram_senders_[connection->id] = message.from;
  } else {
    conntrack_.Touch(connection, is_reply, env.now);
  }
  bus::Datagram next = datagram;
  if (is_reply) {
    SetAddresses(connection->original.destination, connection->original.source, &next);
    const auto sender = datagram_senders_.find(connection->id);
    if (sender != datagram_senders_.end()) env.outbox.Send(sender->second, std::move(next));
    return;
  }
  const iptables::Tuple leaves = connection->translated();
  SetAddresses(leaves.source, leaves.destination, &next);
  Routes::Hop hop = routes_.Find(leaves.destination);
  if (!hop.address.empty()) env.outbox.Send(std::move(hop.address), std::move(next));
}

}  // namespace kubemu
