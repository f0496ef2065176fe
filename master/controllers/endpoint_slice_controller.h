#ifndef KUBEMU_MASTER_CONTROLLERS_ENDPOINT_SLICE_CONTROLLER_H_
#define KUBEMU_MASTER_CONTROLLERS_ENDPOINT_SLICE_CONTROLLER_H_

#include <map>
#include <string>

#include "master/controllers/endpoint_slice_plan.h"
#include "master/controllers/service_reconciler.h"

namespace kubemu {

// Keeps the EndpointSlices of every service with a selector equal to its pods: at
// "master/controllers/endpointslice". An endpoint is ready when its pod is Ready and not
// terminating (or the service publishes all), serving when its pod is Ready. Slices of deleted
// services are left to the garbage collector.
// Rules: pkg/controller/endpointslice, endpointslice/reconciler.go.
class EndpointSliceController : public ServiceReconciler {
 public:
  struct Options {
    size_t max_endpoints_per_slice = 100;
    // Between two looks at one service; the first is at once.
    Duration interval = 5ms;
    Duration interval_per_pod = 10us;
  };

  explicit EndpointSliceController(Options options);
  EndpointSliceController() : EndpointSliceController(Options()) {}

 protected:
  void OwnChanged(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  bool ReconcileService(const std::string& key, const Object& service, Env& env) override;

 private:
  static constexpr size_t kSlices = kFirstOwn;
  static constexpr size_t kNodes = kFirstOwn + 1;

  void SliceChanged(const Informer::Change& change, Trace trace, Env& env);
  std::map<std::string, EndpointGroup> GroupsOf(const Object& service) const;
  WantedEndpoint EndpointOf(const Object& service, const Object& pod) const;

  const Options options_;
  std::map<std::string, std::map<std::string, Object>> slices_;  // by service, then by key
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_ENDPOINT_SLICE_CONTROLLER_H_
