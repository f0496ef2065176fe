#ifndef KUBEMU_MASTER_CONTROLLERS_OWNER_GRAPH_H_
#define KUBEMU_MASTER_CONTROLLERS_OWNER_GRAPH_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "messages/object.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

// Which object owns which (metadata.ownerReferences), by uid. Owners that were never seen have
// dependents all the same.
class OwnerGraph {
 public:
  // The object appeared or changed.
  void Put(const Object& object);
  void Remove(const Object& object);

  // None if no object with that uid is known.
  Object Find(const std::string& uid) const;
  // The owner that a reference of `dependent` means: same uid, and in the dependent's namespace or
  // without one. None if it is not known.
  Object OwnerOf(const Object& dependent, const k8s::meta::v1::OwnerReference& reference) const;
  // Of the owner with that uid, in order of their uids.
  std::vector<Object> DependentsOf(const std::string& uid) const;
  bool HasDependents(const std::string& uid) const { return dependents_.contains(uid); }

 private:
  void Unlink(const Object& object);

  std::map<std::string, Object> objects_;                    // by uid
  std::map<std::string, std::set<std::string>> dependents_;  // owner's uid -> their uids
};

bool HasFinalizer(const Object& object, const std::string& finalizer);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_OWNER_GRAPH_H_
