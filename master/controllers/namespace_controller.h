#ifndef KUBEMU_MASTER_CONTROLLERS_NAMESPACE_CONTROLLER_H_
#define KUBEMU_MASTER_CONTROLLERS_NAMESPACE_CONTROLLER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "master/controllers/reconciler.h"

namespace kubemu {

// Empties namespaces that are being deleted, then finalizes them; makes the system's namespaces
// when they are missing. At "master/controllers/namespace".
//
// Each round lists every namespaced kind, deletes what is found, and is repeated until one finds
// nothing (after 20 ms if there was something to delete, else after 40 ms, 80 ms ... 1 s); then the
// finalizer "kubernetes" is taken away and the API server removes the object. What still remains
// stands in the namespace's conditions. Rules:
// pkg/controller/namespace/deletion/namespaced_resources_deleter.go.
class NamespaceController : public Reconciler {
 public:
  static constexpr Duration kRetryMin = 20ms;
  static constexpr Duration kRetryMax = 1s;
  static constexpr int kListMax = 1000;  // objects of one kind in one round

  NamespaceController();

 protected:
  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  void Reconcile(const std::string& key, Env& env) override;
  bool Answered(const std::string& key, const CallResult& result, Env& env) override;
  void OnTick(Env& env) override;
  Time OwnWake() const override { return next_check_; }

 private:
  struct Round {
    std::set<uint64_t> lists;               // calls that are not answered yet
    std::map<std::string, int> remaining;   // resource -> objects found
    std::map<std::string, int> finalizers;  // finalizer -> objects that have it
    bool complete = false;                  // every list was answered
    bool deleted = false;                   // something was still to be deleted
    int waits = 0;                          // rounds in a row in which nothing was
  };
  void ListAll(const std::string& ns, Env& env);
  void Listed(const std::string& ns, const CallResult& result, Env& env);
  void EndRound(const std::string& ns, Env& env);
  void UpdateStatus(const std::string& ns, Env& env);
  void Finalize(const Object& ns, Env& env);

  std::map<std::string, Round> rounds_;  // of the namespaces that are being deleted
  Time next_check_{};                    // whether the system's namespaces exist
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_NAMESPACE_CONTROLLER_H_
