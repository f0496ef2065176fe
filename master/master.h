#ifndef KUBEMU_MASTER_MASTER_H_
#define KUBEMU_MASTER_MASTER_H_

#include <memory>
#include <utility>

#include "master/apiserver/apiserver.h"
#include "master/controllers/deployment_controller.h"
#include "master/controllers/endpoint_slice_controller.h"
#include "master/controllers/endpoint_slice_mirroring_controller.h"
#include "master/controllers/endpoints_controller.h"
#include "master/controllers/garbage_collector.h"
#include "master/controllers/namespace_controller.h"
#include "master/controllers/node_ipam_controller.h"
#include "master/controllers/node_lifecycle_controller.h"
#include "master/controllers/pod_garbage_collector.h"
#include "master/controllers/replicaset_controller.h"
#include "master/controllers/service_account_controller.h"
#include "master/controllers/taint_eviction_controller.h"
#include "master/scheduler/scheduler.h"
#include "master/store/store.h"
#include "messages/process.h"
#include "messages/program.h"

namespace kubemu {

// The program kubemu-master: a switchboard over its parts, without logic of its own.
class Master : public Program {
 public:
  struct Options {
    ApiServer::Options apiserver;
    NodeIpamController::Options node_ipam;
    NodeLifecycleController::Options node_lifecycle;
  };

  Master(Options options, std::unique_ptr<Storage> storage)
      : store_(std::move(storage)),
        apiserver_(std::move(options.apiserver)),
        node_ipam_(options.node_ipam),
        node_lifecycle_(options.node_lifecycle) {}

  // OK, or why the store cannot serve.
  const absl::Status& store_status() const { return store_.status(); }
  const ApiServer& apiserver() const { return apiserver_; }

  void AddTo(Process& process) override;
  absl::Status Commit() override { return store_.Commit(); }

 private:
  Store store_;
  ApiServer apiserver_;
  Scheduler scheduler_;
  DeploymentController deployment_;
  ReplicaSetController replicaset_;
  EndpointSliceController endpoint_slice_;
  EndpointSliceMirroringController endpoint_slice_mirroring_;
  EndpointsController endpoints_;
  NamespaceController namespace_;
  ServiceAccountController service_account_;
  NodeIpamController node_ipam_;
  NodeLifecycleController node_lifecycle_;
  TaintEvictionController taint_eviction_;
  GarbageCollector garbage_collector_;
  PodGarbageCollector pod_garbage_collector_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_MASTER_H_
