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

  // A service is reconciled at once, and again `min_interval` after that at the earliest: what
  // happens to its pods meanwhile becomes one write.
  explicit ServiceReconciler(Duration min_interval);

  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) final;
  // A change of one of the derived class's own sources.
  virtual void OwnChanged(size_t source, const Informer::Change& change, Trace trace, Env& env) = 0;

  // Puts the service into the queue.
  void Touch(const std::string& service, Trace trace, Env& env);
  // To be called by Reconcile when it writes.
  void Wrote(const std::string& service, Env& env);
  const ServiceMembers& members() const { return members_; }

 private:
  const Duration min_interval_;
  ServiceMembers members_;
  std::map<std::string, Time> not_before_;  // of services that exist
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_SERVICE_RECONCILER_H_
