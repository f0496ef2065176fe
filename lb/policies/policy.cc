#include "lb/policies/policy.h"

#include "lb/policies/least_connections.h"
#include "lb/policies/maglev.h"
#include "lb/policies/random_two.h"
#include "lb/policies/smooth_weighted.h"
#include "lb/policies/source_hash.h"

namespace kubemu {

std::string_view PolicyName(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::kRoundRobin:
      return "round-robin";
    case PolicyKind::kLeastConnections:
      return "least-connections";
    case PolicyKind::kRandomTwo:
      return "random-two";
    case PolicyKind::kWeighted:
      return "weighted";
    case PolicyKind::kSourceHash:
      return "source-hash";
    case PolicyKind::kMaglev:
      return "maglev";
  }
  return "";
}

std::optional<PolicyKind> ParsePolicy(std::string_view name) {
  for (const PolicyKind kind : kAllPolicies) {
    if (PolicyName(kind) == name) return kind;
  }
  return std::nullopt;
}

std::unique_ptr<Policy> MakePolicy(PolicyKind kind, MaglevTables* tables) {
  switch (kind) {
    case PolicyKind::kLeastConnections:
      return std::make_unique<LeastConnections>();
    case PolicyKind::kRandomTwo:
      return std::make_unique<RandomTwo>();
    case PolicyKind::kSourceHash:
      return std::make_unique<SourceHash>();
    case PolicyKind::kMaglev:
      return std::make_unique<Maglev>(tables);
    case PolicyKind::kRoundRobin:
    case PolicyKind::kWeighted:
      break;  // the weights make the difference
  }
  return std::make_unique<SmoothWeighted>();
}

}  // namespace kubemu
