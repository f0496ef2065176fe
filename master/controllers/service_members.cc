#include "master/controllers/service_members.h"

#include <algorithm>

#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

const k8s::core::v1::ServiceSpec& SpecOf(const Object& service) {
  return service.As<k8s::core::v1::Service>().spec();
}

bool SameSelector(const Object& a, const Object& b) {
  const StringEntries& left = SpecOf(a).selector();
  const StringEntries& right = SpecOf(b).selector();
  return std::equal(
      left.begin(), left.end(), right.begin(), right.end(),
      [](const auto& x, const auto& y) { return x.key() == y.key() && x.value() == y.value(); });
}

const Object& Any(const Informer::Change& change) {
  return change.after ? change.after : change.before;
}

}  // namespace

bool Selects(const Object& service, const Object& pod) {
  const StringEntries& selector = SpecOf(service).selector();
  if (selector.empty()) return false;
  return std::all_of(selector.begin(), selector.end(), [&pod](const auto& wanted) {
    const std::string* value = FindEntry(pod.meta().labels(), wanted.key());
    return value != nullptr && *value == wanted.value();
  });
}

std::vector<std::string> ServiceMembers::PodChanged(const Informer::Change& change) {
  std::vector<std::string> services;
  const auto found = by_namespace_.find(Any(change).meta().namespace_());
  if (found == by_namespace_.end()) return services;
  for (auto& [key, service] : found->second) {
    const bool is_member = change.after && Selects(service.object, change.after);
    const bool was_member = service.pods.contains(change.key);
    if (is_member) {
      service.pods[change.key] = change.after;
    } else if (was_member) {
      service.pods.erase(change.key);
    }
    if (is_member || was_member) services.push_back(key);
  }
  return services;
}

std::vector<std::string> ServiceMembers::ServiceChanged(const Informer::Change& change,
                                                        const Informer& pods) {
  const std::string& ns = Any(change).meta().namespace_();
  auto& services = by_namespace_[ns];
  if (!change.after) {
    services.erase(change.key);
    if (services.empty()) by_namespace_.erase(ns);
    return {change.key};
  }
  Service& service = services[change.key];
  const bool is_known = service.object && SameSelector(service.object, change.after);
  service.object = change.after;
  if (is_known) return {change.key};
  service.pods.clear();
  // '0' follows '/': the keys in between are those of the namespace.
  const auto end = pods.objects().lower_bound(StrCat(ns, "0"));
  for (auto it = pods.objects().lower_bound(StrCat(ns, "/")); it != end; ++it) {
    if (Selects(change.after, it->second)) service.pods.emplace(it->first, it->second);
  }
  return {change.key};
}

const std::map<std::string, Object>& ServiceMembers::Of(const std::string& service) const {
  static const std::map<std::string, Object> kNone;
  const auto ns = by_namespace_.find(service.substr(0, service.find('/')));
  if (ns == by_namespace_.end()) return kNone;
  const auto it = ns->second.find(service);
  return it == ns->second.end() ? kNone : it->second.pods;
}

}  // namespace kubemu
