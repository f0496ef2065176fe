#include "master/controllers/namespace_controller.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "master/controllers/conditions.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_namespace.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Namespace;

constexpr const char* kSystemNamespaces[] = {"default", "kube-node-lease", "kube-public",
                                             "kube-system"};
constexpr Duration kSystemCheck = 60s;  // pkg/controlplane/controller/systemnamespaces
constexpr const char* kFinalizer = "kubernetes";

bool IsSystem(const std::string& name) {
  return std::find(std::begin(kSystemNamespaces), std::end(kSystemNamespaces), name) !=
         std::end(kSystemNamespaces);
}

// "pods. has 2 resource instances, services. has 1 resource instances": upstream's words.
std::string CountsText(const std::map<std::string, int>& counts, std::string_view has) {
  std::vector<std::string> pieces;
  for (const auto& [name, count] : counts) {
    pieces.push_back(StrCat(name, has, count, " resource instances"));
  }
  return StrJoin(pieces, ", ");
}

}  // namespace

NamespaceController::NamespaceController() {
  Watch({.kind = &KindOf<Namespace>()});
}

void NamespaceController::Changed(size_t, const Informer::Change& change, Trace trace, Env& env) {
  if (!change.after) {
    rounds_.erase(change.key);
    if (IsSystem(change.key)) next_check_ = env.now;
    return;
  }
  if (!change.after.meta().has_deletion_timestamp()) return;
  // Our own status updates begin no new round.
  if (rounds_.contains(change.key)) return;
  queue().Add(change.key, trace);
}

void NamespaceController::OnTick(Env& env) {
  if (next_check_ > env.now) return;
  next_check_ = env.now + kSystemCheck;
  for (const char* name : kSystemNamespaces) {
    if (!source(0).Find(name)) queue().Add(name, Trace{});
  }
}

void NamespaceController::Reconcile(const std::string& key, Env& env) {
  const Object ns = source(0).Find(key);
  if (!ns) {
    if (!IsSystem(key)) return;
    Namespace created;
    created.mutable_metadata()->set_name(key);
    Create(Object::From(std::move(created)), env);
    return;
  }
  if (!ns.meta().has_deletion_timestamp()) return;
  if (ns.As<Namespace>().spec().finalizers().empty()) return;
  const Round& round = rounds_[key];
  if (round.complete && round.remaining.empty()) return Finalize(ns, env);
  ListAll(key, env);
}

void NamespaceController::ListAll(const std::string& ns, Env& env) {
  Round& round = rounds_[ns];
  const int waits = round.waits;
  round = Round{};
  round.waits = waits;
  for (const Kind* kind : AllKinds()) {
    if (!kind->namespaced) continue;
    bus::ApiRequest request;
    request.set_verb(bus::LIST);
    request.set_kind(static_cast<uint32_t>(kind->id));
    request.set_namespace_(ns);
    request.set_limit(kListMax);
    round.lists.insert(Call(std::move(request), Object(), env));
  }
}

bool NamespaceController::Answered(const std::string& key, const CallResult& result, Env& env) {
  const auto it = rounds_.find(key);
  if (it == rounds_.end()) return result.ok() || result.reason == "AlreadyExists";
  if (it->second.lists.erase(result.call) == 0) {
    // A deletion that somebody else overtook is as good as done; the next round looks again.
    return result.ok() || result.code == 404 || result.code == 409;
  }
  if (!result.ok()) {
    it->second.lists.clear();
    return false;  // the round is begun again after a back-off
  }
  Listed(key, result, env);
  if (it->second.lists.empty()) EndRound(key, env);
  return true;
}

void NamespaceController::Listed(const std::string& ns, const CallResult& result, Env& env) {
  Round& round = rounds_[ns];
  for (const Object& object : result.objects) {
    ++round.remaining[object.kind().group_resource()];
    for (const std::string& finalizer : object.meta().finalizers()) ++round.finalizers[finalizer];
    if (object.meta().has_deletion_timestamp()) continue;
    Delete(object, "Background", env);
    round.deleted = true;
  }
}

void NamespaceController::EndRound(const std::string& ns, Env& env) {
  Round& round = rounds_[ns];
  round.complete = true;
  UpdateStatus(ns, env);
  round.waits = round.deleted ? 0 : round.waits + 1;
  const Duration delay = kRetryMin * (1 << std::min(round.waits, 10));
  const bool is_empty = round.remaining.empty();
  queue().AddAt(ns, env.outbox.cause(), is_empty ? Time{} : env.now + std::min(delay, kRetryMax));
}

// Says what remains; upstream's types, reasons and messages.
void NamespaceController::UpdateStatus(const std::string& ns, Env& env) {
  const Object current = source(0).Find(ns);
  if (!current) return;
  const Round& round = rounds_[ns];
  Namespace changed = current.As<Namespace>();
  auto* status = changed.mutable_status();
  bool differs = status->phase() != "Terminating";
  status->set_phase("Terminating");
  auto* conditions = status->mutable_conditions();
  const auto set = [&](const char* type, bool bad, const char* reason, const std::string& text) {
    differs |= SetCondition(conditions, type, bad ? "True" : "False", reason, text, env.wall);
  };
  set("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered",
      "All resources successfully discovered");
  set("NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
      "All legacy kube types successfully parsed");
  set("NamespaceDeletionContentFailure", false, "ContentDeleted",
      "All content successfully deleted, may be waiting on finalization");
  if (round.remaining.empty()) {
    set("NamespaceContentRemaining", false, "ContentRemoved", "All content successfully removed");
  } else {
    set("NamespaceContentRemaining", true, "SomeResourcesRemain",
        "Some resources are remaining: " + CountsText(round.remaining, ". has "));
  }
  if (round.finalizers.empty()) {
    set("NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers",
        "All content-preserving finalizers finished");
  } else {
    set("NamespaceFinalizersRemaining", true, "SomeFinalizersRemain",
        "Some content in the namespace has finalizers remaining: " +
            CountsText(round.finalizers, " in "));
  }
  if (differs) Update(Object::From(std::move(changed)), "status", env);
}

void NamespaceController::Finalize(const Object& ns, Env& env) {
  Namespace changed = ns.As<Namespace>();
  auto* finalizers = changed.mutable_spec()->mutable_finalizers();
  const auto it = std::find(finalizers->begin(), finalizers->end(), kFinalizer);
  if (it == finalizers->end()) return;
  finalizers->erase(it);
  Update(Object::From(std::move(changed)), "finalize", env);
}

}  // namespace kubemu
