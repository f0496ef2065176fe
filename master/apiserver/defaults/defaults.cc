#include "master/apiserver/defaults/defaults.h"

#include <string_view>

#include "google/protobuf/message.h"
#include "master/apiserver/defaults/pod_defaults.h"
#include "messages/api/labels.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"

namespace kubemu {
namespace {

namespace apps = ::k8s::apps::v1;
namespace core = ::k8s::core::v1;
namespace discovery = ::k8s::discovery::v1;
using google::protobuf::DynamicCastToGenerated;
using ProtoMessage = google::protobuf::Message;

constexpr int32_t kRevisionHistoryLimit = 10;
constexpr int32_t kProgressDeadlineSeconds = 600;
constexpr int32_t kClientIpTimeoutSeconds = 10'800;
constexpr std::string_view kNamespaceLabel = "kubernetes.io/metadata.name";

// Sets a string field that is empty.
#define KUBEMU_DEFAULT_TEXT(object, field, text) \
  if ((object)->field().empty()) (object)->set_##field(text)

void SetQuarter(::k8s::intstr::IntOrString* value) {
  value->set_type(1);
  value->set_str_val("25%");
}

void DefaultDeployment(core::PodTemplateSpec* pod_template, apps::DeploymentSpec* spec) {
  DefaultPodTemplate(pod_template);
  if (!spec->has_replicas()) spec->set_replicas(1);
  if (!spec->has_revision_history_limit()) spec->set_revision_history_limit(kRevisionHistoryLimit);
  if (!spec->has_progress_deadline_seconds()) {
    spec->set_progress_deadline_seconds(kProgressDeadlineSeconds);
  }
  apps::DeploymentStrategy* strategy = spec->mutable_strategy();
  KUBEMU_DEFAULT_TEXT(strategy, type, "RollingUpdate");
  if (strategy->type() != "RollingUpdate") return;
  apps::RollingUpdateDeployment* rolling = strategy->mutable_rolling_update();
  if (!rolling->has_max_unavailable()) SetQuarter(rolling->mutable_max_unavailable());
  if (!rolling->has_max_surge()) SetQuarter(rolling->mutable_max_surge());
}

void DefaultReplicaSet(apps::ReplicaSet* replica_set) {
  apps::ReplicaSetSpec* spec = replica_set->mutable_spec();
  DefaultPodTemplate(spec->mutable_template_());
  if (!spec->has_replicas()) spec->set_replicas(1);
}

void DefaultServicePort(core::ServicePort* port) {
  KUBEMU_DEFAULT_TEXT(port, protocol, "TCP");
  const auto& target = port->target_port();
  const bool unset = target.type() == 0 ? target.int_val() == 0 : target.str_val().empty();
  if (!unset) return;
  port->mutable_target_port()->Clear();
  port->mutable_target_port()->set_type(0);
  port->mutable_target_port()->set_int_val(port->port());
}

void DefaultServiceAddressing(core::ServiceSpec* spec) {
  if (spec->type() == "ExternalName") return;
  KUBEMU_DEFAULT_TEXT(spec, internal_traffic_policy, "Cluster");
  KUBEMU_DEFAULT_TEXT(spec, ip_family_policy, "SingleStack");
  if (spec->ip_families().empty()) spec->add_ip_families("IPv4");
  if (!spec->cluster_ip().empty() && spec->cluster_ips().empty()) {
    spec->add_cluster_ips(spec->cluster_ip());
  }
  if (spec->cluster_ip().empty() && !spec->cluster_ips().empty()) {
    spec->set_cluster_ip(spec->cluster_ips(0));
  }
}

void DefaultService(core::Service* service) {
  core::ServiceSpec* spec = service->mutable_spec();
  KUBEMU_DEFAULT_TEXT(spec, session_affinity, "None");
  if (spec->session_affinity() == "None") spec->clear_session_affinity_config();
  if (spec->session_affinity() == "ClientIP" &&
      !spec->session_affinity_config().client_ip().has_timeout_seconds()) {
    spec->mutable_session_affinity_config()->mutable_client_ip()->set_timeout_seconds(
        kClientIpTimeoutSeconds);
  }
  KUBEMU_DEFAULT_TEXT(spec, type, "ClusterIP");
  for (core::ServicePort& port : *spec->mutable_ports()) DefaultServicePort(&port);
  const bool external = spec->type() == "NodePort" || spec->type() == "LoadBalancer" ||
                        (spec->type() == "ClusterIP" && !spec->external_ips().empty());
  if (external) KUBEMU_DEFAULT_TEXT(spec, external_traffic_policy, "Cluster");
  if (spec->type() == "LoadBalancer" && !spec->has_allocate_load_balancer_node_ports()) {
    spec->set_allocate_load_balancer_node_ports(true);
  }
  DefaultServiceAddressing(spec);
}

void DefaultEndpoints(core::Endpoints* endpoints) {
  for (core::EndpointSubset& subset : *endpoints->mutable_subsets()) {
    for (core::EndpointPort& port : *subset.mutable_ports()) {
      KUBEMU_DEFAULT_TEXT(&port, protocol, "TCP");
    }
  }
}

void DefaultEndpointSlice(discovery::EndpointSlice* slice) {
  for (discovery::EndpointPort& port : *slice->mutable_ports()) {
    if (!port.has_name()) port.set_name("");
    if (!port.has_protocol()) port.set_protocol("TCP");
  }
}

void DefaultNamespace(core::Namespace* ns) {
  const std::string& name = ns->metadata().name();
  if (!name.empty() && FindEntry(ns->metadata().labels(), kNamespaceLabel) == nullptr) {
    SetEntry(ns->mutable_metadata()->mutable_labels(), kNamespaceLabel, name);
  }
  // While it is being deleted an empty list means that the controller is done with it.
  if (ns->spec().finalizers().empty() && !ns->metadata().has_deletion_timestamp()) {
    ns->mutable_spec()->add_finalizers("kubernetes");
  }
  KUBEMU_DEFAULT_TEXT(ns->mutable_status(), phase, "Active");
}

void DefaultNode(core::Node* node) {
  if (node->status().allocatable().empty() && !node->status().capacity().empty()) {
    *node->mutable_status()->mutable_allocatable() = node->status().capacity();
  }
}

void DefaultSecret(core::Secret* secret) {
  KUBEMU_DEFAULT_TEXT(secret, type, "Opaque");
}

#undef KUBEMU_DEFAULT_TEXT

}  // namespace

void ApplyDefaults(ProtoMessage* object) {
  if (auto* pod = DynamicCastToGenerated<core::Pod>(object)) {
    DefaultPod(pod);
  } else if (auto* deployment = DynamicCastToGenerated<apps::Deployment>(object)) {
    apps::DeploymentSpec* spec = deployment->mutable_spec();
    DefaultDeployment(spec->mutable_template_(), spec);
  } else if (auto* replica_set = DynamicCastToGenerated<apps::ReplicaSet>(object)) {
    DefaultReplicaSet(replica_set);
  } else if (auto* service = DynamicCastToGenerated<core::Service>(object)) {
    DefaultService(service);
  } else if (auto* endpoints = DynamicCastToGenerated<core::Endpoints>(object)) {
    DefaultEndpoints(endpoints);
  } else if (auto* slice = DynamicCastToGenerated<discovery::EndpointSlice>(object)) {
    DefaultEndpointSlice(slice);
  } else if (auto* ns = DynamicCastToGenerated<core::Namespace>(object)) {
    DefaultNamespace(ns);
  } else if (auto* node = DynamicCastToGenerated<core::Node>(object)) {
    DefaultNode(node);
  } else if (auto* secret = DynamicCastToGenerated<core::Secret>(object)) {
    DefaultSecret(secret);
  }
}

}  // namespace kubemu
