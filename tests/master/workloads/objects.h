#ifndef KUBEMU_TESTS_MASTER_WORKLOADS_OBJECTS_H_
#define KUBEMU_TESTS_MASTER_WORKLOADS_OBJECTS_H_

#include <string>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/object.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {

using k8s::apps::v1::Deployment;
using k8s::apps::v1::ReplicaSet;
using k8s::core::v1::Pod;

inline void SetIntOrPercent(const std::string& text, k8s::intstr::IntOrString* value) {
  if (text.ends_with('%')) {
    value->set_type(1);
    value->set_str_val(text);
  } else {
    value->set_type(0);
    value->set_int_val(std::stoi(text));
  }
}

// A Deployment with upstream's defaults, as the API server would store it.
inline Deployment MakeDeployment(const std::string& name, int replicas,
                                 const std::string& image = "nginx:1",
                                 const std::string& surge = "25%",
                                 const std::string& unavailable = "25%") {
  Deployment deployment;
  deployment.mutable_metadata()->set_name(name);
  deployment.mutable_metadata()->set_namespace_("default");
  auto* spec = deployment.mutable_spec();
  spec->set_replicas(replicas);
  SetEntry(spec->mutable_selector()->mutable_match_labels(), "app", name);
  auto* meta = spec->mutable_template_()->mutable_metadata();
  SetEntry(meta->mutable_labels(), "app", name);
  auto* container = spec->mutable_template_()->mutable_spec()->add_containers();
  container->set_name("main");
  container->set_image(image);
  spec->mutable_strategy()->set_type("RollingUpdate");
  auto* rolling = spec->mutable_strategy()->mutable_rolling_update();
  SetIntOrPercent(surge, rolling->mutable_max_surge());
  SetIntOrPercent(unavailable, rolling->mutable_max_unavailable());
  spec->set_revision_history_limit(10);
  spec->set_progress_deadline_seconds(600);
  return deployment;
}

inline Deployment Recreating(Deployment deployment) {
  deployment.mutable_spec()->mutable_strategy()->set_type("Recreate");
  deployment.mutable_spec()->mutable_strategy()->clear_rolling_update();
  return deployment;
}

inline ReplicaSet MakeReplicaSet(const std::string& name, int replicas) {
  ReplicaSet set;
  set.mutable_metadata()->set_name(name);
  set.mutable_metadata()->set_namespace_("default");
  auto* spec = set.mutable_spec();
  spec->set_replicas(replicas);
  SetEntry(spec->mutable_selector()->mutable_match_labels(), "app", name);
  SetEntry(spec->mutable_template_()->mutable_metadata()->mutable_labels(), "app", name);
  auto* container = spec->mutable_template_()->mutable_spec()->add_containers();
  container->set_name("main");
  container->set_image("nginx:1");
  return set;
}

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MASTER_WORKLOADS_OBJECTS_H_
