#include "master/controllers/owned_index.h"

#include "messages/api/kinds.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

const OwnedIndex::Objects& NoObjects() {
  static const OwnedIndex::Objects kNone;
  return kNone;
}

}  // namespace

const k8s::meta::v1::OwnerReference* ControllerOf(const k8s::meta::v1::ObjectMeta& meta) {
  for (const auto& owner : meta.owner_references()) {
    if (owner.controller()) return &owner;
  }
  return nullptr;
}

k8s::meta::v1::OwnerReference ControllerReference(const Object& owner) {
  k8s::meta::v1::OwnerReference reference;
  reference.set_api_version(owner.kind().api_version());
  reference.set_kind(std::string(owner.kind().kind));
  reference.set_name(owner.meta().name());
  reference.set_uid(owner.meta().uid());
  reference.set_controller(true);
  reference.set_block_owner_deletion(true);
  return reference;
}

OwnedIndex::Objects& OwnedIndex::SlotOf(const Object& object) {
  const auto* owner = ControllerOf(object.meta());
  return owner != nullptr ? by_owner_[owner->uid()] : orphans_[object.meta().namespace_()];
}

void OwnedIndex::Remove(const Object& object) {
  Objects& slot = SlotOf(object);
  slot.erase(object.key());
  if (!slot.empty()) return;
  const auto* owner = ControllerOf(object.meta());
  if (owner != nullptr) {
    by_owner_.erase(owner->uid());
  } else {
    orphans_.erase(object.meta().namespace_());
  }
}

void OwnedIndex::Apply(const Informer::Change& change) {
  if (change.before && change.after) {
    Objects& slot = SlotOf(change.after);
    if (&SlotOf(change.before) != &slot) Remove(change.before);
    SlotOf(change.after)[change.key] = change.after;
  } else if (change.after) {
    SlotOf(change.after)[change.key] = change.after;
  } else if (change.before) {
    Remove(change.before);
  }
}

const OwnedIndex::Objects& OwnedIndex::OwnedBy(const std::string& uid) const {
  const auto at = by_owner_.find(uid);
  return at == by_owner_.end() ? NoObjects() : at->second;
}

const OwnedIndex::Objects& OwnedIndex::OrphansIn(const std::string& ns) const {
  const auto at = orphans_.find(ns);
  return at == orphans_.end() ? NoObjects() : at->second;
}

}  // namespace kubemu
