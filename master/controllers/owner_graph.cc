#include "master/controllers/owner_graph.h"

#include <algorithm>

namespace kubemu {

void OwnerGraph::Put(const Object& object) {
  const std::string& uid = object.meta().uid();
  const auto it = objects_.find(uid);
  if (it != objects_.end()) Unlink(it->second);
  objects_[uid] = object;
  for (const auto& owner : object.meta().owner_references()) {
    dependents_[owner.uid()].insert(uid);
  }
}

void OwnerGraph::Remove(const Object& object) {
  const auto it = objects_.find(object.meta().uid());
  if (it == objects_.end()) return;
  Unlink(it->second);
  objects_.erase(it);
}

void OwnerGraph::Unlink(const Object& object) {
  for (const auto& owner : object.meta().owner_references()) {
    const auto it = dependents_.find(owner.uid());
    if (it == dependents_.end()) continue;
    it->second.erase(object.meta().uid());
    if (it->second.empty()) dependents_.erase(it);
  }
}

Object OwnerGraph::Find(const std::string& uid) const {
  const auto it = objects_.find(uid);
  return it == objects_.end() ? Object() : it->second;
}

Object OwnerGraph::OwnerOf(const Object& dependent,
                           const k8s::meta::v1::OwnerReference& reference) const {
  const Object owner = Find(reference.uid());
  if (!owner) return owner;
  const std::string& ns = owner.meta().namespace_();
  return ns.empty() || ns == dependent.meta().namespace_() ? owner : Object();
}

std::vector<Object> OwnerGraph::DependentsOf(const std::string& uid) const {
  std::vector<Object> result;
  const auto it = dependents_.find(uid);
  if (it == dependents_.end()) return result;
  for (const std::string& dependent : it->second) result.push_back(Find(dependent));
  return result;
}

bool HasFinalizer(const Object& object, const std::string& finalizer) {
  const auto& finalizers = object.meta().finalizers();
  return std::find(finalizers.begin(), finalizers.end(), finalizer) != finalizers.end();
}

}  // namespace kubemu
