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

// An update that leaves out what the cluster once allocated means "as it was": a Service's
// clusterIP, nodePorts and healthCheckNodePort. To be called before defaults and validation.
// REQUIRES: both are objects of the same kind.
// Rule: pkg/registry/core/service/storage/storage.go, patchAllocatedValues.
void KeepAllocatedValues(const google::protobuf::Message& old_object,
                         google::protobuf::Message* new_object);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_DEFAULTS_DEFAULTS_H_
