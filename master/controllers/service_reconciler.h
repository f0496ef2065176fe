#ifndef KUBEMU_MASTER_CONTROLLERS_SERVICE_RECONCILER_H_
#define KUBEMU_MASTER_CONTROLLERS_SERVICE_RECONCILER_H_

#include <map>
#include <string>

#include "master/controllers/reconciler.h"
#include "master/controllers/service_members.h"

namespace kubemu {

// A reconciler whose keys are services and which acts on the pods they select.
class ServiceReconciler : public Reconciler {
 protected:
  static constexpr size_t kServices = 0;
  static constexpr size_t kPods = 1;
  static constexpr size_t kFirstOwn = 2;  // sources of the derived class

  // A service is reconciled at once, and again after that at the earliest after `per_pod` for each
  // of its pods, and `base` besides if something was written. What happens to its pods meanwhile
  // becomes one write, and a service of thousands of pods does not take the processor for itself.
  struct Pace {
    Duration base;
    Duration per_pod;
  };
  explicit ServiceReconciler(Pace pace);

  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) final;
  void Reconcile(const std::string& key, Env& env) final;
  // `service` is none if it was deleted. Returns whether anything was written.
  virtual bool ReconcileService(const std::string& key, const Object& service, Env& env) = 0;
  // A change of one of the derived class's own sources.
  virtual void OwnChanged(size_t source, const Informer::Change& change, Trace trace, Env& env) = 0;

  // Puts the service into the queue.
  void Touch(const std::string& service, Trace trace, Env& env);
  const ServiceMembers& members() const { return members_; }

 private:
  const Pace pace_;
  ServiceMembers members_;
  std::map<std::string, Time> not_before_;  // of services that exist
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_SERVICE_RECONCILER_H_
