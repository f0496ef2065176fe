#ifndef KUBEMU_MASTER_CONTROLLERS_SERVICE_ACCOUNT_CONTROLLER_H_
#define KUBEMU_MASTER_CONTROLLERS_SERVICE_ACCOUNT_CONTROLLER_H_

#include <string>

#include "master/controllers/reconciler.h"

namespace kubemu {

// Keeps in every namespace what pods need there: the ServiceAccount "default" and the ConfigMap
// "kube-root-ca.crt". At "master/controllers/serviceaccount".
// Rules: pkg/controller/serviceaccount/serviceaccounts_controller.go,
// pkg/controller/certificates/rootcacertpublisher.
class ServiceAccountController : public Reconciler {
 public:
  struct Options {
    std::string root_ca;  // PEM of the authority that signed the API server's certificate, or ""
  };

  explicit ServiceAccountController(Options options);
  ServiceAccountController() : ServiceAccountController(Options()) {}

 protected:
  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  void Reconcile(const std::string& key, Env& env) override;
  bool Answered(const std::string& key, const CallResult& result, Env& env) override;

 private:
  void ReconcileRootCa(const std::string& ns, Env& env);

  const Options options_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_SERVICE_ACCOUNT_CONTROLLER_H_
