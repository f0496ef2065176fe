#ifndef KUBEMU_MASTER_CONTROLLERS_GARBAGE_COLLECTOR_H_
#define KUBEMU_MASTER_CONTROLLERS_GARBAGE_COLLECTOR_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>

#include "master/controllers/owner_graph.h"
#include "master/controllers/reconciler.h"

namespace kubemu {

// Deletes objects whose owners are gone, and serves the finalizers of the two other ways to delete
// an owner. At "master/controllers/garbagecollector". Keys are uids.
//
//  * Background: an object none of whose owners exists any more is deleted.
//  * Foreground (finalizer "foregroundDeletion"): the owner's dependents are deleted first; the
//    owner goes when none is left that blocks it.
//  * Orphan (finalizer "orphan"): the dependents lose their reference, then the owner goes.
//
// An owner that the caches never showed is asked for at the API server before anything is deleted
// because of it. Events are not watched: nobody owns them.
// Rules: pkg/controller/garbagecollector/garbagecollector.go.
class GarbageCollector : public Reconciler {
 public:
  static constexpr size_t kAbsentMax = 10'000;  // owners that are known not to exist
  static constexpr size_t kOrphansMax = 500;    // dependents that lose an owner in one go

  GarbageCollector();

 protected:
  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  void Reconcile(const std::string& key, Env& env) override;
  bool Answered(const std::string& key, const CallResult& result, Env& env) override;

 private:
  using OwnerReference = k8s::meta::v1::OwnerReference;
  enum class OwnerState { kSolid, kWaiting, kAbsent, kUnknown };

  void Added(const Object& object, Trace trace);
  void Removed(const Object& object, Trace trace);

  OwnerState StateOf(const Object& object, const OwnerReference& owner) const;
  void AskForOwner(const Object& object, const OwnerReference& owner, Env& env);
  void Collect(const Object& object, Env& env);
  void DropReferences(const Object& object, const std::set<std::string>& owners, Env& env);
  void ServeForeground(const Object& owner, Env& env);
  void ServeOrphan(const Object& owner, Env& env);
  void RemoveFinalizer(const Object& object, const std::string& finalizer, Env& env);

  static std::string AbsentKey(const std::string& ns, const std::string& uid);
  void RememberAbsent(const std::string& absent_key);

  OwnerGraph graph_;
  std::set<std::string> absent_;
  std::deque<std::string> absent_order_;  // oldest first
  struct Question {
    std::string absent_key;
    std::string uid;
  };
  std::map<uint64_t, Question> questions_;  // by call number: is this owner there?
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_GARBAGE_COLLECTOR_H_
