#include "master/apiserver/tables/table.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::Deployment;
using k8s::apps::v1::ReplicaSet;

std::string ContainerNames(const k8s::core::v1::PodSpec& spec) {
  std::vector<std::string> names;
  for (const auto& container : spec.containers()) names.push_back(container.name());
  return StrJoin(names, ",");
}

std::string ContainerImages(const k8s::core::v1::PodSpec& spec) {
  std::vector<std::string> images;
  for (const auto& container : spec.containers()) images.push_back(container.image());
  return StrJoin(images, ",");
}

TableCells DeploymentCells(const Object& object, WallTime now) {
  const Deployment& deployment = object.As<Deployment>();
  const auto& status = deployment.status();
  return {deployment.metadata().name(),
          StrCat(status.ready_replicas(), "/", deployment.spec().replicas()),
          int64_t{status.updated_replicas()},
          int64_t{status.available_replicas()},
          CreationAge(object, now),
          ContainerNames(deployment.spec().template_().spec()),
          ContainerImages(deployment.spec().template_().spec()),
          SelectorText(deployment.spec().selector())};
}

TableCells ReplicaSetCells(const Object& object, WallTime now) {
  const ReplicaSet& set = object.As<ReplicaSet>();
  return {set.metadata().name(),
          int64_t{set.spec().replicas()},
          int64_t{set.status().replicas()},
          int64_t{set.status().ready_replicas()},
          CreationAge(object, now),
          ContainerNames(set.spec().template_().spec()),
          ContainerImages(set.spec().template_().spec()),
          SelectorText(set.spec().selector())};
}

}  // namespace

const TablePrinter* WorkloadPrinter(const Kind& kind) {
  static const TablePrinter kDeployments{{{"Name"},
                                          {"Ready"},
                                          {"Up-to-date"},
                                          {"Available"},
                                          {"Age"},
                                          {"Containers", "string", 1},
                                          {"Images", "string", 1},
                                          {"Selector", "string", 1}},
                                         DeploymentCells};
  static const TablePrinter kReplicaSets{{{"Name"},
                                          {"Desired", "integer"},
                                          {"Current", "integer"},
                                          {"Ready", "integer"},
                                          {"Age"},
                                          {"Containers", "string", 1},
                                          {"Images", "string", 1},
                                          {"Selector", "string", 1}},
                                         ReplicaSetCells};
  if (&kind == &KindOf<Deployment>()) return &kDeployments;
  if (&kind == &KindOf<ReplicaSet>()) return &kReplicaSets;
  return nullptr;
}

}  // namespace kubemu
