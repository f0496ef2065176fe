#include "master/apiserver/dns_addon.h"

#include <string>
#include <utility>

#include "messages/api/labels.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/k8s/core_scheduling.pb.h"
#include "messages/proto/k8s/core_security.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/core_volume.pb.h"
#include "messages/proto/k8s/core_volume_projected.pb.h"
#include "messages/proto/k8s/intstr.pb.h"
#include "messages/proto/k8s/meta.pb.h"
#include "messages/proto/k8s/quantity.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::Deployment;
using k8s::core::v1::ConfigMap;
using k8s::core::v1::Container;
using k8s::core::v1::PodSpec;
using k8s::core::v1::Probe;
using k8s::core::v1::Service;
using k8s::core::v1::ServiceAccount;

constexpr char kDnsNamespace[] = "kube-system";
constexpr char kCoreDns[] = "coredns";
constexpr char kKubeDns[] = "kube-dns";
constexpr char kImage[] = "registry.k8s.io/coredns/coredns:v1.12.0";
constexpr int kReplicas = 2;
constexpr int kDnsPort = 53;
constexpr int kMetricsPort = 9153;

constexpr char kCorefile[] = R"(.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    loadbalance
}
)";

template <class T>
T Named(const char* name) {
  T object;
  object.mutable_metadata()->set_name(name);
  object.mutable_metadata()->set_namespace_(kDnsNamespace);
  return object;
}

void AddServicePort(const char* name, int port, const char* protocol, Service* service) {
  auto* entry = service->mutable_spec()->add_ports();
  entry->set_name(name);
  entry->set_port(port);
  entry->set_protocol(protocol);
  entry->mutable_target_port()->set_type(0);
  entry->mutable_target_port()->set_int_val(port);
}

Object MakeDnsService(Ipv4 cluster_dns) {
  Service service = Named<Service>(kKubeDns);
  auto* labels = service.mutable_metadata()->mutable_labels();
  SetEntry(labels, "k8s-app", kKubeDns);
  SetEntry(labels, "kubernetes.io/cluster-service", "true");
  SetEntry(labels, "kubernetes.io/name", "CoreDNS");
  auto* annotations = service.mutable_metadata()->mutable_annotations();
  SetEntry(annotations, "prometheus.io/port", "9153");
  SetEntry(annotations, "prometheus.io/scrape", "true");
  SetEntry(service.mutable_spec()->mutable_selector(), "k8s-app", kKubeDns);
  service.mutable_spec()->set_type("ClusterIP");
  service.mutable_spec()->set_cluster_ip(cluster_dns.ToString());
  AddServicePort("dns", kDnsPort, "UDP", &service);
  AddServicePort("dns-tcp", kDnsPort, "TCP", &service);
  AddServicePort("metrics", kMetricsPort, "TCP", &service);
  return Object::From(std::move(service));
}

void AddContainerPort(const char* name, int port, const char* protocol, Container* container) {
  auto* entry = container->add_ports();
  entry->set_name(name);
  entry->set_container_port(port);
  entry->set_protocol(protocol);
}

void SetHttpProbe(const char* path, int port, Probe* probe) {
  auto* get = probe->mutable_handler()->mutable_http_get();
  get->set_path(path);
  get->set_scheme("HTTP");
  get->mutable_port()->set_type(0);
  get->mutable_port()->set_int_val(port);
}

void SetQuantity(const char* resource, const char* amount,
                 google::protobuf::RepeatedPtrField<k8s::resource::QuantityEntry>* list) {
  auto* entry = list->Add();
  entry->set_key(resource);
  entry->mutable_value()->set_string(amount);
}

void FillContainer(Container* container) {
  container->set_name(kCoreDns);
  container->set_image(kImage);
  container->set_image_pull_policy("IfNotPresent");
  container->add_args("-conf");
  container->add_args("/etc/coredns/Corefile");
  SetQuantity("memory", "170Mi", container->mutable_resources()->mutable_limits());
  SetQuantity("cpu", "100m", container->mutable_resources()->mutable_requests());
  SetQuantity("memory", "70Mi", container->mutable_resources()->mutable_requests());
  AddContainerPort("dns", kDnsPort, "UDP", container);
  AddContainerPort("dns-tcp", kDnsPort, "TCP", container);
  AddContainerPort("metrics", kMetricsPort, "TCP", container);
  SetHttpProbe("/health", 8080, container->mutable_liveness_probe());
  container->mutable_liveness_probe()->set_initial_delay_seconds(60);
  container->mutable_liveness_probe()->set_timeout_seconds(5);
  container->mutable_liveness_probe()->set_success_threshold(1);
  container->mutable_liveness_probe()->set_failure_threshold(5);
  SetHttpProbe("/ready", 8181, container->mutable_readiness_probe());
  auto* mount = container->add_volume_mounts();
  mount->set_name("config-volume");
  mount->set_mount_path("/etc/coredns");
  mount->set_read_only(true);
}

void FillPod(PodSpec* pod) {
  pod->set_priority_class_name("system-cluster-critical");
  pod->set_service_account_name(kCoreDns);
  pod->set_dns_policy("Default");
  SetEntry(pod->mutable_node_selector(), "kubernetes.io/os", "linux");
  auto* critical = pod->add_tolerations();
  critical->set_key("CriticalAddonsOnly");
  critical->set_operator_("Exists");
  auto* control_plane = pod->add_tolerations();
  control_plane->set_key("node-role.kubernetes.io/control-plane");
  control_plane->set_effect("NoSchedule");
  auto* apart = pod->mutable_affinity()
                    ->mutable_pod_anti_affinity()
                    ->add_preferred_during_scheduling_ignored_during_execution();
  apart->set_weight(100);
  apart->mutable_pod_affinity_term()->set_topology_key("kubernetes.io/hostname");
  auto* expression =
      apart->mutable_pod_affinity_term()->mutable_label_selector()->add_match_expressions();
  expression->set_key("k8s-app");
  expression->set_operator_("In");
  expression->add_values(kKubeDns);
  FillContainer(pod->add_containers());
  auto* volume = pod->add_volumes();
  volume->set_name("config-volume");
  auto* config = volume->mutable_volume_source()->mutable_config_map();
  config->mutable_local_object_reference()->set_name(kCoreDns);
  auto* item = config->add_items();
  item->set_key("Corefile");
  item->set_path("Corefile");
}

Object MakeDnsDeployment() {
  Deployment deployment = Named<Deployment>(kCoreDns);
  SetEntry(deployment.mutable_metadata()->mutable_labels(), "k8s-app", kKubeDns);
  auto* spec = deployment.mutable_spec();
  spec->set_replicas(kReplicas);
  spec->mutable_strategy()->set_type("RollingUpdate");
  auto* unavailable = spec->mutable_strategy()->mutable_rolling_update()->mutable_max_unavailable();
  unavailable->set_type(0);
  unavailable->set_int_val(1);
  SetEntry(spec->mutable_selector()->mutable_match_labels(), "k8s-app", kKubeDns);
  SetEntry(spec->mutable_template_()->mutable_metadata()->mutable_labels(), "k8s-app", kKubeDns);
  FillPod(spec->mutable_template_()->mutable_spec());
  return Object::From(std::move(deployment));
}

Object MakeCorefile() {
  ConfigMap config = Named<ConfigMap>(kCoreDns);
  SetEntry(config.mutable_data(), "Corefile", kCorefile);
  return Object::From(std::move(config));
}

}  // namespace

std::vector<Object> DnsAddon(Ipv4 cluster_dns) {
  return {Object::From(Named<ServiceAccount>(kCoreDns)), MakeCorefile(),
          MakeDnsService(cluster_dns), MakeDnsDeployment()};
}

}  // namespace kubemu
