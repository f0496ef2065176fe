#ifndef KUBEMU_MASTER_CONTROLLERS_ENDPOINT_SLICE_MIRRORING_CONTROLLER_H_
#define KUBEMU_MASTER_CONTROLLERS_ENDPOINT_SLICE_MIRRORING_CONTROLLER_H_

#include <map>
#include <string>
#include <vector>

#include "master/controllers/reconciler.h"
#include "messages/proto/k8s/discovery.pb.h"

namespace kubemu {

// Makes EndpointSlices of Endpoints that people wrote by hand for a service without selector, since
// kube-proxy reads slices only: at "master/controllers/endpointslicemirroring". One slice for each
// set of ports. What another controller looks after (label endpointslice.kubernetes.io/skip-mirror)
// is left alone. Rules: pkg/controller/endpointslicemirroring.
class EndpointSliceMirroringController : public Reconciler {
 public:
  // Addresses of one subset; more are left out (maxEndpointsPerSubset).
  static constexpr int kEndpointsPerSubsetMax = 1000;

  EndpointSliceMirroringController();

 protected:
  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  void Reconcile(const std::string& key, Env& env) override;

 private:
  // Whether the Endpoints of that key are to be mirrored.
  bool Wanted(const std::string& key) const;

  std::map<std::string, std::map<std::string, Object>> slices_;  // by service, then by key
};

// The slices that say the same as `endpoints`, by PortsKey of their ports.
std::map<std::string, k8s::discovery::v1::EndpointSlice> MirrorOf(const Object& endpoints);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_ENDPOINT_SLICE_MIRRORING_CONTROLLER_H_
