#include "master/apiserver/validation/validation.h"

#include "google/protobuf/message.h"
#include "master/apiserver/validation/cluster.h"
#include "master/apiserver/validation/config.h"
#include "master/apiserver/validation/metadata.h"
#include "master/apiserver/validation/pod.h"
#include "master/apiserver/validation/service.h"
#include "master/apiserver/validation/workload.h"
#include "messages/api/kinds.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"

namespace kubemu {
namespace {

namespace apps = ::k8s::apps::v1;
namespace coordination = ::k8s::coordination::v1;
namespace core = ::k8s::core::v1;
namespace discovery = ::k8s::discovery::v1;
using google::protobuf::DynamicCastToGenerated;
using ProtoMessage = google::protobuf::Message;

MetadataRules RulesOf(const Kind& kind) {
  MetadataRules rules;
  rules.namespaced = kind.namespaced;
  if (kind.prototype->GetDescriptor() == core::Service::descriptor()) {
    rules.check_name = &CheckDns1035Label;
  } else if (kind.prototype->GetDescriptor() == core::Namespace::descriptor()) {
    rules.check_name = &CheckDns1123Label;
  }
  return rules;
}

// What the kind itself asks of an object, beside its metadata.
void ValidateObject(const ProtoMessage& object, FieldErrorList* errors) {
  if (const auto* pod = DynamicCastToGenerated<core::Pod>(&object)) {
    ValidatePodSpec(pod->spec(), FieldPath("spec"), errors);
  } else if (const auto* service = DynamicCastToGenerated<core::Service>(&object)) {
    ValidateService(*service, errors);
  } else if (const auto* deployment = DynamicCastToGenerated<apps::Deployment>(&object)) {
    ValidateDeployment(*deployment, errors);
  } else if (const auto* replica_set = DynamicCastToGenerated<apps::ReplicaSet>(&object)) {
    ValidateReplicaSet(*replica_set, errors);
  } else if (const auto* node = DynamicCastToGenerated<core::Node>(&object)) {
    ValidateNode(*node, errors);
  } else if (const auto* ns = DynamicCastToGenerated<core::Namespace>(&object)) {
    ValidateNamespace(*ns, errors);
  } else if (const auto* config = DynamicCastToGenerated<core::ConfigMap>(&object)) {
    ValidateConfigMap(*config, errors);
  } else if (const auto* secret = DynamicCastToGenerated<core::Secret>(&object)) {
    ValidateSecret(*secret, errors);
  } else if (const auto* lease = DynamicCastToGenerated<coordination::Lease>(&object)) {
    ValidateLease(*lease, errors);
  } else if (const auto* endpoints = DynamicCastToGenerated<core::Endpoints>(&object)) {
    ValidateEndpoints(*endpoints, errors);
  } else if (const auto* slice = DynamicCastToGenerated<discovery::EndpointSlice>(&object)) {
    ValidateEndpointSlice(*slice, errors);
  } else if (const auto* event = DynamicCastToGenerated<core::Event>(&object)) {
    ValidateEvent(*event, errors);
  }
}

// Calls `validate` with both objects as T, if they are.
template <typename T>
void IfBoth(const ProtoMessage& old_object, const ProtoMessage& new_object,
            void (*validate)(const T&, const T&, FieldErrorList*), FieldErrorList* errors) {
  const T* before = DynamicCastToGenerated<T>(&old_object);
  const T* after = DynamicCastToGenerated<T>(&new_object);
  if (before != nullptr && after != nullptr) validate(*before, *after, errors);
}

}  // namespace

FieldErrorList ValidateCreate(const Kind& kind, const ProtoMessage& object) {
  FieldErrorList errors;
  ValidateMetadata(MetaOf(object), RulesOf(kind), &errors);
  ValidateObject(object, &errors);
  return errors;
}

FieldErrorList ValidateUpdate(const Kind& kind, const ProtoMessage& old_object,
                              const ProtoMessage& new_object) {
  FieldErrorList errors;
  ValidateMetadata(MetaOf(new_object), RulesOf(kind), &errors);
  ValidateMetadataUpdate(MetaOf(old_object), MetaOf(new_object), &errors);
  ValidateObject(new_object, &errors);
  IfBoth<core::Pod>(old_object, new_object, &ValidatePodUpdate, &errors);
  IfBoth<core::Service>(old_object, new_object, &ValidateServiceUpdate, &errors);
  IfBoth<apps::Deployment>(old_object, new_object, &ValidateDeploymentUpdate, &errors);
  IfBoth<apps::ReplicaSet>(old_object, new_object, &ValidateReplicaSetUpdate, &errors);
  IfBoth<core::Node>(old_object, new_object, &ValidateNodeUpdate, &errors);
  IfBoth<core::ConfigMap>(old_object, new_object, &ValidateConfigMapUpdate, &errors);
  IfBoth<core::Secret>(old_object, new_object, &ValidateSecretUpdate, &errors);
  IfBoth<discovery::EndpointSlice>(old_object, new_object, &ValidateEndpointSliceUpdate, &errors);
  return errors;
}

}  // namespace kubemu
