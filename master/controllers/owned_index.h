#ifndef KUBEMU_MASTER_CONTROLLERS_OWNED_INDEX_H_
#define KUBEMU_MASTER_CONTROLLERS_OWNED_INDEX_H_

#include <map>
#include <string>

#include "messages/api/informer.h"
#include "messages/object.h"

namespace k8s::meta::v1 {
class ObjectMeta;
class OwnerReference;
}  // namespace k8s::meta::v1

namespace kubemu {

// The owner that controls the object (at most one has `controller` set); nullptr: an orphan.
const k8s::meta::v1::OwnerReference* ControllerOf(const k8s::meta::v1::ObjectMeta& meta);

// A reference to `owner` as its controller, which also blocks its foreground deletion.
k8s::meta::v1::OwnerReference ControllerReference(const Object& owner);

// The objects of one kind by who controls them, kept change by change, so that a controller never
// looks at all objects to find its own.
class OwnedIndex {
 public:
  using Objects = std::map<std::string, Object>;  // by key

  void Apply(const Informer::Change& change);
  const Objects& OwnedBy(const std::string& uid) const;
  // Those without a controller, in one namespace.
  const Objects& OrphansIn(const std::string& ns) const;

 private:
  Objects& SlotOf(const Object& object);
  void Remove(const Object& object);

  std::map<std::string, Objects> by_owner_;  // by uid
  std::map<std::string, Objects> orphans_;   // by namespace
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_OWNED_INDEX_H_
