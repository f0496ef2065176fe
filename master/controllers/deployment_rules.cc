#include "master/controllers/deployment_rules.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::Deployment;
using k8s::apps::v1::ReplicaSet;

// "25%" of `total`, or a plain number.
int Resolve(const k8s::intstr::IntOrString& value, int total, bool round_up) {
  if (value.type() == 0) return value.int_val();
  const std::string& text = value.str_val();
  int64_t percent = 0;
  if (!text.ends_with('%') ||
      !ParseInteger(std::string_view(text).substr(0, text.size() - 1), &percent)) {
    return 0;
  }
  const int64_t product = percent * total;
  return static_cast<int>(round_up ? (product + 99) / 100 : product / 100);
}

std::optional<int> NumberIn(const ReplicaSet& set, std::string_view annotation) {
  const std::string* text = FindEntry(set.metadata().annotations(), annotation);
  int value = 0;
  if (text == nullptr || !ParseInteger(*text, &value)) return std::nullopt;
  return value;
}

int AvailableOf(const RevisionSets& sets) {
  int available = 0;
  for (const RevisionSet& set : sets.all) available += set.get().status().available_replicas();
  return available;
}

// By how many pods an old ReplicaSet's share changes when the Deployment is resized.
int Fraction(const Deployment& deployment, const RevisionSet& set) {
  const int wanted = deployment.spec().replicas();
  if (wanted == 0) return -set.replicas;
  const int max_now = wanted + MaxSurge(deployment);
  int max_before = NumberIn(set.get(), kMaxReplicasAnnotation).value_or(0);
  if (max_before == 0) max_before = deployment.status().replicas();
  if (max_before == 0) return 0;
  const double size = static_cast<double>(set.replicas) * max_now / max_before;
  return static_cast<int>(std::lround(size)) - set.replicas;
}

int Proportion(const Deployment& deployment, const RevisionSet& set, int to_add, int added) {
  if (set.replicas == 0 || to_add == 0 || to_add == added) return 0;
  const int fraction = Fraction(deployment, set);
  return to_add > 0 ? std::min(fraction, to_add - added) : std::max(fraction, to_add - added);
}

bool IsActive(const RevisionSet& set) {
  return set.replicas > 0;
}

// The only active ReplicaSet, or, without any, the latest; nullptr if several are active.
RevisionSet* ActiveOrLatest(RevisionSets* sets) {
  RevisionSet* active = nullptr;
  for (RevisionSet& set : sets->all) {
    if (!IsActive(set)) continue;
    if (active != nullptr) return nullptr;
    active = &set;
  }
  if (active != nullptr) return active;
  if (sets->current() != nullptr) return sets->current();
  return sets->all.empty() ? nullptr : &sets->all.back();
}

bool IsSaturated(const Deployment& deployment, const RevisionSet* current) {
  if (current == nullptr) return false;
  const int wanted = deployment.spec().replicas();
  return current->replicas == wanted &&
         NumberIn(current->get(), kDesiredReplicasAnnotation) == wanted &&
         current->get().status().available_replicas() == wanted;
}

void ScaleInProportion(const Deployment& deployment, RevisionSets* sets) {
  std::vector<RevisionSet*> active;
  for (RevisionSet& set : sets->all) {
    if (IsActive(set)) active.push_back(&set);
  }
  const int wanted = deployment.spec().replicas();
  const int allowed = wanted > 0 ? wanted + MaxSurge(deployment) : 0;
  const int to_add = allowed - sets->Replicas();
  // The largest takes the most; among equals, growing favours the newest, shrinking the oldest.
  if (to_add > 0) std::reverse(active.begin(), active.end());
  std::stable_sort(active.begin(), active.end(),
                   [](const auto* a, const auto* b) { return a->replicas > b->replicas; });
  int added = 0;
  for (RevisionSet* set : active) {
    const int share = Proportion(deployment, *set, to_add, added);
    set->replicas += share;
    added += share;
  }
  if (!active.empty() && to_add != 0) {
    active[0]->replicas = std::max(0, active[0]->replicas + to_add - added);
  }
}

// Takes pods that are not available from old ReplicaSets, at most `most`.
int ShrinkUnhealthy(const std::vector<RevisionSet*>& old, int most) {
  int taken = 0;
  for (RevisionSet* set : old) {
    const int unhealthy = set->replicas - set->get().status().available_replicas();
    const int count = std::clamp(unhealthy, 0, most - taken);
    set->replicas -= count;
    taken += count;
  }
  return taken;
}

int ShrinkHealthy(const Deployment& deployment, const RevisionSets& sets,
                  const std::vector<RevisionSet*>& old) {
  const int least = deployment.spec().replicas() - MaxUnavailable(deployment);
  int spare = std::max(0, AvailableOf(sets) - least);
  int taken = 0;
  for (RevisionSet* set : old) {
    const int count = std::min(set->replicas, spare);
    set->replicas -= count;
    spare -= count;
    taken += count;
  }
  return taken;
}

bool PlanOld(const Deployment& deployment, RevisionSets* sets) {
  const std::vector<RevisionSet*> old = sets->Old();
  const RevisionSet* current = sets->current();
  const int least = deployment.spec().replicas() - MaxUnavailable(deployment);
  const int new_unavailable =
      current == nullptr ? 0 : current->replicas - current->get().status().available_replicas();
  const int most = sets->Replicas() - least - new_unavailable;
  if (most <= 0) return false;
  const int unhealthy = ShrinkUnhealthy(old, most);
  return unhealthy + ShrinkHealthy(deployment, *sets, old) > 0;
}

}  // namespace

bool IsRollingUpdate(const Deployment& deployment) {
  return deployment.spec().strategy().type() != "Recreate";
}

Bounds ResolveBounds(const Deployment& deployment) {
  const auto& rolling = deployment.spec().strategy().rolling_update();
  const int replicas = deployment.spec().replicas();
  Bounds bounds{Resolve(rolling.max_surge(), replicas, true),
                Resolve(rolling.max_unavailable(), replicas, false)};
  if (bounds.surge == 0 && bounds.unavailable == 0) bounds.unavailable = 1;
  return bounds;
}

int MaxSurge(const Deployment& deployment) {
  return IsRollingUpdate(deployment) ? ResolveBounds(deployment).surge : 0;
}

int MaxUnavailable(const Deployment& deployment) {
  const int replicas = deployment.spec().replicas();
  if (!IsRollingUpdate(deployment) || replicas == 0) return 0;
  return std::min(ResolveBounds(deployment).unavailable, replicas);
}

const ReplicaSet& RevisionSet::get() const {
  return object.As<ReplicaSet>();
}

int64_t RevisionSet::revision() const {
  const std::string* text = FindEntry(object.meta().annotations(), kRevisionAnnotation);
  int64_t revision = 0;
  return text != nullptr && ParseInteger(*text, &revision) ? revision : 0;
}

bool RevisionSet::changed() const {
  return replicas != get().spec().replicas();
}

std::vector<RevisionSet*> RevisionSets::Old() {
  std::vector<RevisionSet*> old;
  for (RevisionSet& set : all) {
    if (IsOld(set)) old.push_back(&set);
  }
  return old;
}

int RevisionSets::Replicas() const {
  int replicas = 0;
  for (const RevisionSet& set : all) replicas += set.replicas;
  return replicas;
}

int64_t RevisionSets::MaxOldRevision() const {
  int64_t most = 0;
  for (const RevisionSet& set : all) {
    if (IsOld(set)) most = std::max(most, set.revision());
  }
  return most;
}

RevisionSets SortOut(const Deployment& deployment, std::vector<Object> objects) {
  const auto age = [](const Object& object) {
    return std::tuple(object.meta().creation_timestamp().seconds(), object.meta().name());
  };
  std::sort(objects.begin(), objects.end(),
            [&](const Object& a, const Object& b) { return age(a) < age(b); });
  const std::string wanted = CanonicalTemplate(deployment.spec().template_());
  RevisionSets sets;
  for (Object& object : objects) {
    const ReplicaSet& set = object.As<ReplicaSet>();
    if (sets.newest < 0 && CanonicalTemplate(set.spec().template_()) == wanted) {
      sets.newest = static_cast<int>(sets.all.size());
    }
    const int replicas = set.spec().replicas();
    sets.all.push_back(RevisionSet{std::move(object), replicas});
  }
  return sets;
}

int NewSetReplicas(const Deployment& deployment, const RevisionSets& sets) {
  const int wanted = deployment.spec().replicas();
  if (!IsRollingUpdate(deployment)) return wanted;
  const int own = sets.current() == nullptr ? 0 : sets.current()->replicas;
  const int room = wanted + MaxSurge(deployment) - sets.Replicas();
  return own + std::clamp(wanted - own, 0, std::max(0, room));
}

bool PlanRollingUpdate(const Deployment& deployment, RevisionSets* sets) {
  RevisionSet* current = sets->current();
  if (current != nullptr) {
    const int wanted = deployment.spec().replicas();
    current->replicas = current->replicas > wanted ? wanted : NewSetReplicas(deployment, *sets);
    if (current->changed()) return true;
  }
  return PlanOld(deployment, sets);
}

bool PlanScaling(const Deployment& deployment, RevisionSets* sets) {
  const int wanted = deployment.spec().replicas();
  if (RevisionSet* only = ActiveOrLatest(sets)) {
    only->replicas = wanted;
  } else if (IsSaturated(deployment, sets->current())) {
    for (RevisionSet* set : sets->Old()) set->replicas = 0;
  } else if (IsRollingUpdate(deployment)) {
    ScaleInProportion(deployment, sets);
  }
  return std::any_of(sets->all.begin(), sets->all.end(),
                     [](const RevisionSet& set) { return set.changed(); });
}

bool NeedsScaling(const Deployment& deployment, const RevisionSets& sets) {
  return std::any_of(sets.all.begin(), sets.all.end(), [&](const RevisionSet& set) {
    const std::optional<int> desired = NumberIn(set.get(), kDesiredReplicasAnnotation);
    return IsActive(set) && desired && *desired != deployment.spec().replicas();
  });
}

std::vector<Object> PastHistoryLimit(const Deployment& deployment, RevisionSets& sets) {
  const int limit = deployment.spec().revision_history_limit();
  std::vector<Object> past;
  if (!deployment.spec().has_revision_history_limit() ||
      limit == std::numeric_limits<int32_t>::max()) {
    return past;
  }
  std::vector<RevisionSet*> old = sets.Old();
  std::erase_if(old,
                [](const RevisionSet* set) { return set->object.meta().has_deletion_timestamp(); });
  std::stable_sort(old.begin(), old.end(),
                   [](const auto* a, const auto* b) { return a->revision() < b->revision(); });
  for (size_t i = 0; i + static_cast<size_t>(limit) < old.size(); ++i) {
    const ReplicaSet& set = old[i]->get();
    if (set.status().replicas() == 0 && set.spec().replicas() == 0 &&
        set.metadata().generation() <= set.status().observed_generation()) {
      past.push_back(old[i]->object);
    }
  }
  return past;
}

}  // namespace kubemu
