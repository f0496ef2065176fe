#include "node/iptables/conntrack.h"

#include <algorithm>

#include "messages/core/strings.h"

namespace kubemu::iptables {
namespace {

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 32;
}

Tuple Reverse(const Tuple& tuple) {
  return {tuple.protocol, tuple.destination, tuple.source};
}

}  // namespace

std::string Tuple::ToString() const {
  return StrCat(ProtocolName(protocol), " ", source.ToString(), " -> ", destination.ToString());
}

size_t Conntrack::TupleHash::operator()(const Tuple& tuple) const {
  uint64_t hash = static_cast<uint64_t>(tuple.protocol);
  hash = Mix(hash, uint64_t{tuple.source.ip.bits()} << 16 | tuple.source.port);
  return Mix(hash, uint64_t{tuple.destination.ip.bits()} << 16 | tuple.destination.port);
}

Connection* Conntrack::Find(const Tuple& tuple, bool* is_reply) {
  const auto it = by_tuple_.find(tuple);
  if (it == by_tuple_.end()) return nullptr;
  Connection& connection = connections_.at(it->second);
  if (is_reply != nullptr) *is_reply = connection.original != tuple;
  return &connection;
}

Connection* Conntrack::FindById(uint64_t id) {
  const auto it = connections_.find(id);
  return it == connections_.end() ? nullptr : &it->second;
}

bool Conntrack::IsFree(const Tuple& wanted, uint16_t source_port) const {
  Tuple tuple = wanted;
  tuple.source.port = source_port;
  return !by_tuple_.contains(Reverse(tuple));
}

std::optional<SocketAddress> Conntrack::PickSource(const Tuple& wanted, bool random_port,
                                                   Random& random) {
  SocketAddress source = wanted.source;
  if (!random_port && IsFree(wanted, source.port)) return source;
  for (int attempt = 0; attempt < kPortAttemptsMax; ++attempt) {
    source.port = static_cast<uint16_t>(kPortMin + random.Uniform(65536 - kPortMin));
    if (IsFree(wanted, source.port)) return source;
  }
  return std::nullopt;
}

absl::StatusOr<Connection*> Conntrack::Add(const Packet& packet, const Verdict& verdict,
                                           Ipv4 masquerade_address, Random& random, Time now) {
  const Tuple original{packet.protocol,
                       {packet.source, packet.source_port},
                       {packet.destination, packet.destination_port}};
  if (by_tuple_.contains(original)) {
    return absl::AlreadyExistsError(StrCat("connection ", original.ToString(), " is known"));
  }
  if (connections_.size() >= max_) {
    return absl::ResourceExhaustedError(
        StrCat("the connection table is full (", max_, " connections)"));
  }
  Tuple translated = original;
  if (verdict.dnat) translated.destination = *verdict.dnat;
  if (verdict.masquerade) translated.source.ip = masquerade_address;
  const std::optional<SocketAddress> source =
      PickSource(translated, verdict.masquerade && verdict.random_fully, random);
  if (!source) {
    return absl::ResourceExhaustedError(StrCat("no free source port for ", translated.ToString()));
  }
  translated.source = *source;
  const uint64_t id = next_id_++;
  Connection& connection = connections_[id];
  connection = {.id = id, .original = original, .reply = Reverse(translated)};
  connection.expires = now + TimeoutOf(connection);
  by_tuple_[original] = id;
  by_tuple_[connection.reply] = id;
  connection.check = connection.expires;
  checks_.emplace(connection.check, id);
  return &connection;
}

Duration Conntrack::TimeoutOf(const Connection& connection) const {
  const bool is_new = connection.state == Connection::State::kNew;
  if (connection.original.protocol != Protocol::kTcp) {
    return is_new ? timeouts_.udp_new : timeouts_.udp_established;
  }
  switch (connection.state) {
    case Connection::State::kNew:
      return timeouts_.tcp_new;
    case Connection::State::kEstablished:
      return timeouts_.tcp_established;
    case Connection::State::kClosing:
      return timeouts_.tcp_close_wait;
    case Connection::State::kClosed:
      return timeouts_.tcp_closed;
  }
  return timeouts_.tcp_new;
}

void Conntrack::Touch(Connection* connection, bool is_reply, Time now) {
  if (is_reply && connection->state == Connection::State::kNew) {
    connection->state = Connection::State::kEstablished;
  }
  connection->expires = now + TimeoutOf(*connection);
}

void Conntrack::SetState(Connection* connection, Connection::State state, Time now) {
  connection->state = state;
  connection->expires = now + TimeoutOf(*connection);
  // It may expire sooner than it did before.
  MoveCheck(connection);
}

void Conntrack::MoveCheck(Connection* connection) {
  checks_.erase({connection->check, connection->id});
  connection->check = connection->expires;
  checks_.emplace(connection->check, connection->id);
}

void Conntrack::Remove(uint64_t id) {
  const auto it = connections_.find(id);
  if (it == connections_.end()) return;
  by_tuple_.erase(it->second.original);
  by_tuple_.erase(it->second.reply);
  checks_.erase({it->second.check, id});
  connections_.erase(it);
}

std::vector<Connection> Conntrack::Expire(Time now) {
  std::vector<Connection> expired;
  while (!checks_.empty() && checks_.begin()->first <= now) {
    Connection* connection = FindById(checks_.begin()->second);
    if (connection->expires > now) {
      MoveCheck(connection);
      continue;
    }
    expired.push_back(*connection);
    Remove(connection->id);
  }
  std::stable_sort(expired.begin(), expired.end(),
                   [](const Connection& a, const Connection& b) { return a.expires < b.expires; });
  return expired;
}

Time Conntrack::NextExpiry() const {
  return checks_.empty() ? kNever : checks_.begin()->first;
}

}  // namespace kubemu::iptables
