#ifndef KUBEMU_MASTER_APISERVER_ADMISSION_H_
#define KUBEMU_MASTER_APISERVER_ADMISSION_H_

#include <optional>

#include "master/apiserver/cache.h"
#include "master/apiserver/call.h"
#include "messages/object.h"

namespace google::protobuf {
class Message;
}

namespace kubemu {

// The admission plugins that upstream has on by default and that kubemu's kinds need:
// NamespaceLifecycle, ServiceAccount, DefaultTolerationSeconds, Priority, TaintNodesByCondition.
// Changes a new object, or says why it may not be. `object` has its namespace and defaults.
std::optional<ApiStatus> AdmitCreate(const ApiCall& call, const Cache& cache,
                                     google::protobuf::Message* object);

// A pod that needs the ServiceAccount "default" of a namespace that does not have it yet: its
// controller is about to make it, so that the pod waits a moment before it is refused
// (plugin/pkg/admission/serviceaccount: 10 attempts, 100 to 200 ms apart).
bool WaitsForServiceAccount(const ApiCall& call, const Cache& cache);

// A node process may touch only what belongs to its node (NodeRestriction and the Node
// authorizer). `call.process` says who asks; `old` is what the write is about, none if there is no
// such object. Secrets and ConfigMaps it may get one by one, those that its pods refer to. Everyone
// else may do everything.
std::optional<ApiStatus> AuthorizeNode(const ApiCall& call, const Object& old, const Cache& cache);

// True for processes that are nodes: all but the master, the load balancer, the laboratory and
// clients of the HTTP face ("").
bool IsNodeProcess(std::string_view process);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_ADMISSION_H_
