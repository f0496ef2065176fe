#include "messages/faults/fault_plan.h"

#include <algorithm>

namespace kubemu {
namespace {

bool AddressMatches(const std::string& pattern, const std::string& address) {
  if (pattern.empty()) return true;
  return address.starts_with(pattern) &&
         (address.size() == pattern.size() || address[pattern.size()] == '/');
}

bool Matches(const FaultRule& rule, const Message& message) {
  return (rule.kind == bus::MESSAGE_KIND_UNSPECIFIED || rule.kind == message.kind) &&
         AddressMatches(rule.from, message.from) && AddressMatches(rule.to, message.to);
}

}  // namespace

FaultDecision FaultPlan::Decide(const Message& message, Random& random) const {
  FaultDecision decision;
  for (const FaultRule& rule : rules_) {
    if (!Matches(rule, message)) continue;
    if (random.Chance(rule.loss)) return FaultDecision{0, Duration{}, rule.id};
    if (random.Chance(rule.duplicate)) ++decision.copies;
    Duration delay = rule.delay;
    if (rule.jitter > Duration{}) {
      const uint64_t width = 2 * static_cast<uint64_t>(rule.jitter.count()) + 1;
      delay += Duration(static_cast<int64_t>(random.Uniform(width))) - rule.jitter;
    }
    decision.delay += std::max(delay, Duration{});
  }
  return decision;
}

}  // namespace kubemu
