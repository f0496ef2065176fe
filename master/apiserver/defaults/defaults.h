#ifndef KUBEMU_MASTER_APISERVER_DEFAULTS_DEFAULTS_H_
#define KUBEMU_MASTER_APISERVER_DEFAULTS_DEFAULTS_H_

namespace google::protobuf {
class Message;
}

namespace kubemu {

// Fills in what the writer of an object left out, before it is validated and stored: restartPolicy
// Always, probe periods, a Service's type, a Deployment's 25 %, ... Kinds without defaults stay as
// they are. Doing it twice changes nothing.
// Rules: pkg/apis/{core,apps,discovery}/v1/defaults.go; a Service's ipFamilies and a Namespace's
// finalizer: their registry strategies.
void ApplyDefaults(google::protobuf::Message* object);

// What an update of a Service means beside what it says. What the cluster once allocated and the
// new object leaves out (clusterIP, nodePorts, healthCheckNodePort) stays as it was; what the new
// type has no use for, and the writer did not change, goes (nodePorts, clusterIPs, policies, ...).
// Other kinds stay as they are. To be called before defaults and validation.
// REQUIRES: both are objects of the same kind.
// Rules: pkg/registry/core/service, patchAllocatedValues and dropTypeDependentFields.
void CarryOver(const google::protobuf::Message& old_object, google::protobuf::Message* new_object);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_DEFAULTS_DEFAULTS_H_
