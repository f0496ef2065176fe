#include "node/iptables/explain.h"

#include <utility>

#include "messages/core/strings.h"

namespace kubemu::iptables {
namespace {

Outcome RunOnce(const Ruleset& ruleset, const Packet& packet, const LocalAddresses& local, Time now,
                std::vector<bool> plan, PacketTrace* trace) {
  Random unused(0);
  Rehearsal rehearsal{.plan = std::move(plan)};
  Outcome outcome;
  outcome.verdict = Rehearse(ruleset, packet, {local, unused, now, &rehearsal}, trace);
  outcome.draws = std::move(rehearsal.draws);
  for (const Rehearsal::Draw& draw : outcome.draws) {
    outcome.odds *= draw.hit ? draw.odds : 1 - draw.odds;
  }
  return outcome;
}

std::vector<bool> PlanOf(const std::vector<Rehearsal::Draw>& draws) {
  std::vector<bool> plan;
  for (const Rehearsal::Draw& draw : draws) plan.push_back(draw.hit);
  return plan;
}

// Asking twice gets the same answer, asking for another source port perhaps another.
const Outcome& Choose(const std::vector<Outcome>& outcomes, const Tuple& tuple) {
  double left = Random(StableHash(tuple.ToString())).Fraction();
  for (const Outcome& outcome : outcomes) {
    if (left < outcome.odds) return outcome;
    left -= outcome.odds;
  }
  return outcomes.back();
}

size_t CountFrom(const Conntrack& conntrack, const Packet& packet) {
  size_t count = 0;
  for (const auto& [id, connection] : conntrack.connections()) {
    const Tuple& tuple = connection.original;
    count += tuple.protocol == packet.protocol && tuple.source.ip == packet.source &&
             tuple.destination == SocketAddress{packet.destination, packet.destination_port};
  }
  return count;
}

}  // namespace

std::vector<Outcome> AllOutcomes(const Ruleset& ruleset, const Packet& packet,
                                 const LocalAddresses& local, Time now) {
  std::vector<Outcome> outcomes;
  std::vector<bool> plan;
  // The draws as the digits of a number: from all hits down, the last one that can change first.
  while (outcomes.size() < kOutcomesMax) {
    Outcome outcome = RunOnce(ruleset, packet, local, now, plan, nullptr);
    plan = PlanOf(outcome.draws);
    if (outcome.odds > 0) outcomes.push_back(std::move(outcome));
    while (!plan.empty() && !plan.back()) plan.pop_back();
    if (plan.empty()) break;
    plan.back() = false;
  }
  return outcomes;
}

Explanation Explain(const Ruleset& ruleset, const Conntrack& conntrack, const Routes& routes,
                    Packet packet, Time now) {
  // What a node says to itself comes from a process of its own.
  packet.local_process = packet.source == routes.node_ip();
  const Tuple tuple{packet.protocol,
                    {packet.source, packet.source_port},
                    {packet.destination, packet.destination_port}};
  Explanation explanation;
  if (packet.source_port == 0) {
    explanation.known_from_source = CountFrom(conntrack, packet);
  } else if (const Connection* known = conntrack.Peek(tuple)) {
    explanation.known = *known;
    explanation.expires_in = known->expires - now;
  }
  explanation.outcomes = AllOutcomes(ruleset, packet, routes.local(), now);
  const Outcome& chosen = Choose(explanation.outcomes, tuple);
  explanation.chosen =
      RunOnce(ruleset, packet, routes.local(), now, PlanOf(chosen.draws), &explanation.trace);
  const Verdict& verdict = explanation.chosen.verdict;
  explanation.destination = verdict.dnat.value_or(tuple.destination);
  explanation.source =
      verdict.masquerade ? routes.MasqueradeAddress(explanation.destination) : packet.source;
  explanation.hop = routes.Find(explanation.destination);
  explanation.packet = std::move(packet);
  return explanation;
}

}  // namespace kubemu::iptables
