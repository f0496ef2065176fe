#ifndef KUBEMU_TESTS_MASTER_SCHEDULER_FIXTURES_H_
#define KUBEMU_TESTS_MASTER_SCHEDULER_FIXTURES_H_

#include <string>
#include <utility>
#include <vector>

#include "master/scheduler/cluster.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/object.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {

using k8s::core::v1::Node;
using k8s::core::v1::Pod;

inline void SetAmount(google::protobuf::RepeatedPtrField<k8s::resource::QuantityEntry>* list,
                      const std::string& name, const std::string& amount) {
  auto* entry = list->Add();
  entry->set_key(name);
  entry->mutable_value()->set_string(amount);
}

// A node of 4 cores, 8 GiB and 110 pods.
inline Node MakeNode(const std::string& name, const std::string& cpu = "4",
                     const std::string& memory = "8Gi", const std::string& pods = "110") {
  Node node;
  node.mutable_metadata()->set_name(name);
  node.mutable_metadata()->set_uid("uid-" + name);
  SetEntry(node.mutable_metadata()->mutable_labels(), kHostnameLabel, name);
  auto* allocatable = node.mutable_status()->mutable_allocatable();
  SetAmount(allocatable, "cpu", cpu);
  SetAmount(allocatable, "memory", memory);
  SetAmount(allocatable, "pods", pods);
  return node;
}

inline Node InZone(Node node, const std::string& zone) {
  SetEntry(node.mutable_metadata()->mutable_labels(), kZoneLabel, zone);
  return node;
}

inline void AddTaint(Node* node, const std::string& key, const std::string& effect) {
  auto* taint = node->mutable_spec()->add_taints();
  taint->set_key(key);
  taint->set_effect(effect);
}

// A pod of one container in namespace "default"; "" for cpu or memory asks for none.
inline Pod MakePod(const std::string& name, const std::string& cpu = "",
                   const std::string& memory = "") {
  Pod pod;
  pod.mutable_metadata()->set_name(name);
  pod.mutable_metadata()->set_namespace_("default");
  pod.mutable_metadata()->set_uid("uid-" + name);
  pod.mutable_spec()->set_scheduler_name("default-scheduler");
  auto* container = pod.mutable_spec()->add_containers();
  container->set_name("main");
  container->set_image("nginx");
  auto* requests = container->mutable_resources()->mutable_requests();
  if (!cpu.empty()) SetAmount(requests, "cpu", cpu);
  if (!memory.empty()) SetAmount(requests, "memory", memory);
  return pod;
}

inline Pod Labelled(Pod pod, const std::string& key, const std::string& value) {
  SetEntry(pod.mutable_metadata()->mutable_labels(), key, value);
  return pod;
}

inline Pod On(Pod pod, const std::string& node) {
  pod.mutable_spec()->set_node_name(node);
  return pod;
}

inline void AddHostPort(Pod* pod, int port, const std::string& ip = "") {
  auto* host_port = pod->mutable_spec()->mutable_containers(0)->add_ports();
  host_port->set_host_port(port);
  host_port->set_container_port(port);
  if (!ip.empty()) host_port->set_host_ip(ip);
}

inline void AddSpread(Pod* pod, std::string_view key, int max_skew, bool hard,
                      const std::string& app) {
  auto* constraint = pod->mutable_spec()->add_topology_spread_constraints();
  constraint->set_topology_key(std::string(key));
  constraint->set_max_skew(max_skew);
  constraint->set_when_unsatisfiable(hard ? "DoNotSchedule" : "ScheduleAnyway");
  SetEntry(constraint->mutable_label_selector()->mutable_match_labels(), "app", app);
}

// Means pods with the label app=<app> in the same domain of `key`.
inline k8s::core::v1::PodAffinityTerm TermFor(const std::string& app, std::string_view key) {
  k8s::core::v1::PodAffinityTerm term;
  term.set_topology_key(std::string(key));
  SetEntry(term.mutable_label_selector()->mutable_match_labels(), "app", app);
  return term;
}

inline PodInfo InfoOf(Pod pod) {
  return PodInfo(Object::From(std::move(pod)));
}

inline Cluster ClusterOf(const std::vector<Node>& nodes, const std::vector<Pod>& pods = {}) {
  Cluster cluster;
  for (const Node& node : nodes) cluster.SetNode(Object::From(node));
  for (const Pod& pod : pods) cluster.SetPod(Object::From(pod));
  return cluster;
}

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MASTER_SCHEDULER_FIXTURES_H_
