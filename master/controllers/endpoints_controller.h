#ifndef KUBEMU_MASTER_CONTROLLERS_ENDPOINTS_CONTROLLER_H_
#define KUBEMU_MASTER_CONTROLLERS_ENDPOINTS_CONTROLLER_H_

#include <string>

#include "master/controllers/service_reconciler.h"

namespace kubemu {

// Keeps the classic Endpoints object of every service with a selector: at
// "master/controllers/endpoints". Deletes it with its service. Only one object per service holds
// all addresses, so it is cut at kAddressesMax (with upstream's annotation).
// Rules: pkg/controller/endpoint/endpoints_controller.go.
class EndpointsController : public ServiceReconciler {
 public:
  static constexpr size_t kAddressesMax = 1000;

  struct Options {
    // Between two looks at one service; the first is at once. Longer than for EndpointSlices:
    // nothing in kubemu waits for Endpoints, and each write is of all addresses.
    Duration interval = 100ms;
    Duration interval_per_pod = 1ms;
  };

  explicit EndpointsController(Options options);
  EndpointsController() : EndpointsController(Options()) {}

 protected:
  void OwnChanged(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  bool ReconcileService(const std::string& key, const Object& service, Env& env) override;

 private:
  static constexpr size_t kEndpoints = kFirstOwn;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_ENDPOINTS_CONTROLLER_H_
