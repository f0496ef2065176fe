#include "master/master.h"

namespace kubemu {

// Controllers are named as in kube-controller-manager's --controllers.
void Master::AddTo(Process& process) {
  process.Add("master/store", &store_);
  process.Add("master/apiserver", &apiserver_);
  process.Add("master/scheduler", &scheduler_);
  process.Add("master/controllers/deployment", &deployment_);
  process.Add("master/controllers/replicaset", &replicaset_);
  process.Add("master/controllers/endpointslice", &endpoint_slice_);
  process.Add("master/controllers/endpointslicemirroring", &endpoint_slice_mirroring_);
  process.Add("master/controllers/endpoints", &endpoints_);
  process.Add("master/controllers/namespace", &namespace_);
  process.Add("master/controllers/serviceaccount", &service_account_);
  process.Add("master/controllers/nodeipam", &node_ipam_);
  process.Add("master/controllers/nodelifecycle", &node_lifecycle_);
  process.Add("master/controllers/tainteviction", &taint_eviction_);
  process.Add("master/controllers/garbagecollector", &garbage_collector_);
  process.Add("master/controllers/podgc", &pod_garbage_collector_);
}

}  // namespace kubemu
