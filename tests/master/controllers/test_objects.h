#ifndef KUBEMU_TESTS_MASTER_CONTROLLERS_TEST_OBJECTS_H_
#define KUBEMU_TESTS_MASTER_CONTROLLERS_TEST_OBJECTS_H_

#include <string>

#include "messages/api/labels.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {

// A service in "default" on port 80, for pods with the label app=<name>.
inline k8s::core::v1::Service MakeService(const std::string& name, int target_port = 8080) {
  k8s::core::v1::Service service;
  service.mutable_metadata()->set_namespace_("default");
  service.mutable_metadata()->set_name(name);
  auto* spec = service.mutable_spec();
  spec->set_cluster_ip("10.96.0.10");
  spec->add_ip_families("IPv4");
  SetEntry(spec->mutable_selector(), "app", name);
  auto* port = spec->add_ports();
  port->set_name("http");
  port->set_port(80);
  port->mutable_target_port()->set_type(0);
  port->mutable_target_port()->set_int_val(target_port);
  return service;
}

// A running pod in "default" with the label app=<app>; not ready yet without `ready`.
inline k8s::core::v1::Pod MakePod(const std::string& name, const std::string& app,
                                  const std::string& ip, bool ready = true,
                                  const std::string& node = "node-1") {
  k8s::core::v1::Pod pod;
  pod.mutable_metadata()->set_namespace_("default");
  pod.mutable_metadata()->set_name(name);
  SetEntry(pod.mutable_metadata()->mutable_labels(), "app", app);
  pod.mutable_spec()->set_node_name(node);
  pod.mutable_status()->set_phase("Running");
  pod.mutable_status()->set_pod_ip(ip);
  auto* condition = pod.mutable_status()->add_conditions();
  condition->set_type("Ready");
  condition->set_status(ready ? "True" : "False");
  return pod;
}

inline k8s::core::v1::Node MakeNode(const std::string& name, const std::string& ready = "True",
                                    const std::string& zone = "") {
  k8s::core::v1::Node node;
  node.mutable_metadata()->set_name(name);
  if (!zone.empty()) {
    SetEntry(node.mutable_metadata()->mutable_labels(), "topology.kubernetes.io/zone", zone);
  }
  if (!ready.empty()) {
    auto* condition = node.mutable_status()->add_conditions();
    condition->set_type("Ready");
    condition->set_status(ready);
  }
  return node;
}

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MASTER_CONTROLLERS_TEST_OBJECTS_H_
