#include "master/apiserver/validation/cluster.h"

#include <set>
#include <string>

#include "google/protobuf/util/message_differencer.h"
#include "master/apiserver/validation/metadata.h"
#include "master/apiserver/validation/scheduling.h"
#include "messages/api/names.h"
#include "messages/api/quantity.h"
#include "messages/core/ip.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_node.pb.h"

namespace kubemu {
namespace {

namespace core = ::k8s::core::v1;

template <typename Entries>
void ValidateCapacity(const Entries& entries, const FieldPath& path, FieldErrorList* errors) {
  for (const auto& entry : entries) {
    const FieldPath entry_path = path.Key(entry.key());
    errors->Invalid(entry_path, entry.key(), CheckQualifiedName(entry.key()));
    const absl::StatusOr<Quantity> amount = Quantity::Parse(entry.value().string());
    if (!amount.ok()) {
      errors->Invalid(entry_path, entry.value().string(), std::string(amount.status().message()));
    } else if (amount->Sign() < 0) {
      errors->Invalid(entry_path, amount->ToString(), "must be greater than or equal to 0");
    }
  }
}

void ValidatePodCidrs(const core::NodeSpec& spec, FieldErrorList* errors) {
  const FieldPath path = FieldPath("spec").Child("podCIDRs");
  std::set<std::string> seen;
  for (int i = 0; i < spec.pod_cidrs_size(); ++i) {
    const std::string& cidr = spec.pod_cidrs(i);
    const bool with_prefix = cidr.find('/') != cidr.npos;
    const bool v6 = with_prefix && IsIpv6(cidr.substr(0, cidr.find('/')));
    if (!with_prefix || (!v6 && !Ipv4Network::Parse(cidr).ok())) {
      errors->Invalid(path.Index(i), cidr,
                      "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
    }
    if (!seen.insert(cidr).second) errors->Duplicate(path.Index(i), cidr);
  }
}

}  // namespace

void ValidateNode(const core::Node& node, FieldErrorList* errors) {
  ValidateTaints(node.spec(), FieldPath("spec").Child("taints"), errors);
  ValidatePodCidrs(node.spec(), errors);
  const FieldPath status("status");
  ValidateCapacity(node.status().capacity(), status.Child("capacity"), errors);
  ValidateCapacity(node.status().allocatable(), status.Child("allocatable"), errors);
}

void ValidateNodeUpdate(const core::Node& old_node, const core::Node& new_node,
                        FieldErrorList* errors) {
  const FieldPath path("spec");
  const auto& old_cidrs = old_node.spec().pod_cidrs();
  const auto& new_cidrs = new_node.spec().pod_cidrs();
  const bool same_cidrs =
      std::equal(old_cidrs.begin(), old_cidrs.end(), new_cidrs.begin(), new_cidrs.end());
  const std::string& old_cidr = old_node.spec().pod_cidr();
  const bool cidr_changed = !old_cidr.empty() && old_cidr != new_node.spec().pod_cidr();
  if ((!old_cidrs.empty() && !same_cidrs) || cidr_changed) {
    errors->Forbidden(path.Child("podCIDRs"),
                      "node updates may not change podCIDR except from \"\" to valid");
  }
  if (!old_node.spec().provider_id().empty() &&
      old_node.spec().provider_id() != new_node.spec().provider_id()) {
    errors->Forbidden(path.Child("providerID"),
                      "node updates may not change providerID except from \"\" to valid");
  }
}

void ValidateNamespace(const core::Namespace& ns, FieldErrorList* errors) {
  const FieldPath path = FieldPath("spec").Child("finalizers");
  for (const std::string& finalizer : ns.spec().finalizers()) {
    const Complaints complaints = CheckQualifiedName(finalizer);
    errors->Invalid(path, finalizer, complaints);
    if (complaints.empty() && finalizer != "kubernetes" && finalizer.find('/') == finalizer.npos) {
      errors->Invalid(path, finalizer,
                      "name is neither a standard finalizer name nor is it fully qualified");
    }
  }
}

void ValidateLease(const ::k8s::coordination::v1::Lease& lease, FieldErrorList* errors) {
  const FieldPath path("spec");
  const auto& spec = lease.spec();
  if (spec.has_lease_duration_seconds() && spec.lease_duration_seconds() <= 0) {
    errors->Invalid(path.Child("leaseDurationSeconds"), spec.lease_duration_seconds(),
                    "must be greater than 0");
  }
  ValidateNonNegative(spec.lease_transitions(), path.Child("leaseTransitions"), errors);
}

void ValidateEvent(const core::Event& event, FieldErrorList* errors) {
  const std::string& about = event.involved_object().namespace_();
  const std::string& own = event.metadata().namespace_();
  // Events about cluster-scoped objects are kept in the namespace default.
  const bool fits = about.empty() ? own.empty() || own == "default" : own == about;
  if (!fits) {
    errors->Invalid(FieldPath("involvedObject").Child("namespace"), about,
                    "does not match event.namespace");
  }
}

}  // namespace kubemu
