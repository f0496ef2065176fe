#include "node/kubelet/node_object.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>

#include "messages/api/labels.h"
#include "messages/api/node_facts.h"
#include "messages/api/quantity.h"
#include "messages/core/check.h"
#include "messages/core/random.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_node.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Node;
using k8s::core::v1::NodeCondition;
using k8s::core::v1::NodeStatus;

constexpr int kKubeletPort = 10250;
constexpr size_t kImagesMax = 50;                       // nodeStatusMaxImages
constexpr int64_t kMemoryReserve = int64_t{100} << 20;  // evictionHard memory.available<100Mi

Quantity Parse(const std::string& text) {
  const absl::StatusOr<Quantity> quantity = Quantity::Parse(text);
  KUBEMU_CHECK(quantity.ok());
  return *quantity;
}

void AddQuantity(google::protobuf::RepeatedPtrField<k8s::resource::QuantityEntry>* list,
                 const std::string& name, const Quantity& quantity) {
  auto* entry = list->Add();
  entry->set_key(name);
  entry->mutable_value()->set_string(quantity.ToString());
}

// In the order of their names, as a Go map is written.
void SetResources(const KubeletOptions& options, NodeStatus* status) {
  const Quantity cpu = Parse(options.cpu);
  const Quantity memory = Parse(options.memory);
  const Quantity storage = Parse(options.ephemeral_storage);
  const Quantity none = Quantity::FromValue(0);
  const Quantity pods = Quantity::FromValue(options.pods);
  const auto fill = [&](auto* list, const Quantity& storage_left, const Quantity& memory_left) {
    AddQuantity(list, "cpu", cpu);
    AddQuantity(list, "ephemeral-storage", storage_left);
    AddQuantity(list, "hugepages-1Gi", none);
    AddQuantity(list, "hugepages-2Mi", none);
    AddQuantity(list, "memory", memory_left);
    AddQuantity(list, "pods", pods);
  };
  fill(status->mutable_capacity(), storage, memory);
  const int64_t bytes = memory.Value();
  const Quantity memory_left = bytes > 2 * kMemoryReserve
                                   ? Quantity::FromValue(bytes - kMemoryReserve, memory.format())
                                   : memory;
  const Quantity storage_left = Quantity::FromValue(storage.Value() / 10 * 9);
  fill(status->mutable_allocatable(), storage_left, memory_left);
}

void AddAddress(const std::string& type, const std::string& address, NodeStatus* status) {
  auto* entry = status->add_addresses();
  entry->set_type(type);
  entry->set_address(address);
}

void SetNodeInfo(const KubeletOptions& options, const NodeHealthState& health, NodeStatus* status) {
  // Stable over restarts of the process, different for each node.
  Random random(StableHash(options.node));
  auto* info = status->mutable_node_info();
  std::string machine = random.Uuid();
  std::erase(machine, '-');
  info->set_machine_id(machine);
  info->set_system_uuid(random.Uuid());
  info->set_boot_id(random.Uuid());
  info->set_kernel_version(options.kernel_version);
  info->set_os_image("kubemu");
  info->set_container_runtime_version(health.engine_version);
  info->set_kubelet_version(options.kubelet_version);
  info->set_kube_proxy_version(options.kubelet_version);
  info->set_operating_system("linux");
  info->set_architecture("amd64");
}

void SetImages(const std::map<std::string, NodeImage>& images, NodeStatus* status) {
  std::vector<std::pair<std::string, NodeImage>> sorted(images.begin(), images.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
  if (sorted.size() > kImagesMax) sorted.resize(kImagesMax);
  for (const auto& [name, image] : sorted) {
    auto* entry = status->add_images();
    entry->add_names(image.image_id);
    entry->add_names(name);
    entry->set_size_bytes(image.bytes);
  }
}

struct NodeConditionText {
  const char* type;
  const char* status;
  const char* reason;
  std::string message;
};

NodeConditionText NodeReadyCondition(const NodeHealthState& health) {
  std::vector<std::string> errors;
  if (!health.engine_up) errors.push_back("container runtime is down");
  if (health.pod_cidr.empty()) {
    errors.push_back(
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
        "message:Network plugin returns error: cni plugin not initialized");
  }
  if (errors.empty()) return {"Ready", "True", "KubeletReady", "kubelet is posting ready status"};
  const std::string text = errors.size() == 1 ? errors[0] : StrCat("[", StrJoin(errors, ", "), "]");
  return {"Ready", "False", "KubeletNotReady", text};
}

void SetNodeConditions(const NodeHealthState& health, const NodeStatus& current, WallTime wall,
                       NodeStatus* status) {
  const NodeConditionText conditions[] = {
      {"MemoryPressure", "False", "KubeletHasSufficientMemory",
       "kubelet has sufficient memory available"},
      {"DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"},
      {"PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"},
      NodeReadyCondition(health),
  };
  for (const NodeCondition& other : current.conditions()) {
    const bool ours = std::any_of(std::begin(conditions), std::end(conditions),
                                  [&](const auto& own) { return other.type() == own.type; });
    if (!ours) *status->add_conditions() = other;
  }
  for (const NodeConditionText& text : conditions) {
    NodeCondition* condition = status->add_conditions();
    condition->set_type(text.type);
    condition->set_status(text.status);
    condition->set_reason(text.reason);
    condition->set_message(text.message);
    SetWallTime(wall, condition->mutable_last_heartbeat_time());
    const NodeCondition* before = FindCondition(current, text.type);
    if (before != nullptr && before->status() == text.status &&
        before->has_last_transition_time()) {
      *condition->mutable_last_transition_time() = before->last_transition_time();
    } else {
      SetWallTime(wall, condition->mutable_last_transition_time());
    }
  }
}

bool SetIfMissing(StringEntries* entries, const std::string& key, const std::string& value) {
  const std::string* found = FindEntry(*entries, key);
  if (found != nullptr && *found == value) return false;
  SetEntry(entries, key, value);
  return true;
}

}  // namespace

void SetWallTime(WallTime wall, k8s::meta::v1::Time* time) {
  time->set_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count());
}

bool ReconcileNodeMeta(const KubeletOptions& options, bool with_taints, Node* node) {
  bool changed = false;
  auto* labels = node->mutable_metadata()->mutable_labels();
  for (const auto& [key, value] :
       {std::pair<std::string, std::string>{"beta.kubernetes.io/arch", "amd64"},
        {"beta.kubernetes.io/os", "linux"},
        {"kubernetes.io/arch", "amd64"},
        {"kubernetes.io/hostname", options.node},
        {"kubernetes.io/os", "linux"}}) {
    changed |= SetIfMissing(labels, key, value);
  }
  for (const auto& [key, value] : options.labels) changed |= SetIfMissing(labels, key, value);
  auto* annotations = node->mutable_metadata()->mutable_annotations();
  changed |=
      SetIfMissing(annotations, "volumes.kubernetes.io/controller-managed-attach-detach", "true");
  if (!options.endpoint.empty()) {
    changed |= SetIfMissing(annotations, kEndpointAnnotation, options.endpoint);
  }
  if (!with_taints) return changed;
  for (const KubeletOptions::Taint& wanted : options.taints) {
    auto* taint = node->mutable_spec()->add_taints();
    taint->set_key(wanted.key);
    taint->set_value(wanted.value);
    taint->set_effect(wanted.effect);
    changed = true;
  }
  return changed;
}

NodeStatus MakeNodeStatus(const KubeletOptions& options, const NodeHealthState& health,
                          const std::map<std::string, NodeImage>& images, const NodeStatus& current,
                          WallTime wall) {
  NodeStatus status;
  AddAddress("InternalIP", options.address.ToString(), &status);
  AddAddress("Hostname", options.node, &status);
  SetResources(options, &status);
  SetNodeInfo(options, health, &status);
  status.mutable_daemon_endpoints()->mutable_kubelet_endpoint()->set_port(kKubeletPort);
  SetImages(images, &status);
  SetNodeConditions(health, current, wall, &status);
  *status.mutable_volumes_attached() = current.volumes_attached();
  return status;
}

bool SameNodeStatus(const NodeStatus& a, const NodeStatus& b) {
  static const google::protobuf::FieldDescriptor* const kHeartbeat =
      NodeCondition::descriptor()->FindFieldByName("last_heartbeat_time");
  google::protobuf::util::MessageDifferencer differencer;
  differencer.IgnoreField(kHeartbeat);
  return differencer.Compare(a, b);
}

const NodeCondition* FindCondition(const NodeStatus& status, std::string_view type) {
  for (const NodeCondition& condition : status.conditions()) {
    if (condition.type() == type) return &condition;
  }
  return nullptr;
}

}  // namespace kubemu
