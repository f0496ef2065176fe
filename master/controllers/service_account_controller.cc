#include "master/controllers/service_account_controller.h"

#include <utility>

#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::ConfigMap;
using k8s::core::v1::ServiceAccount;

constexpr size_t kNamespaces = 0;
constexpr size_t kAccounts = 1;
constexpr size_t kConfigMaps = 2;

constexpr const char* kAccountName = "default";
constexpr const char* kRootCaName = "kube-root-ca.crt";
constexpr const char* kRootCaKey = "ca.crt";

}  // namespace

ServiceAccountController::ServiceAccountController(Options options) : options_(std::move(options)) {
  Watch({.kind = &KindOf<k8s::core::v1::Namespace>()});
  Watch({.kind = &KindOf<ServiceAccount>(),
         .field_selector = std::string("metadata.name=") + kAccountName});
  Watch({.kind = &KindOf<ConfigMap>(),
         .field_selector = std::string("metadata.name=") + kRootCaName});
}

void ServiceAccountController::Changed(size_t source, const Informer::Change& change, Trace trace,
                                       Env&) {
  const Object& object = change.after ? change.after : change.before;
  queue().Add(source == kNamespaces ? change.key : object.meta().namespace_(), trace);
}

void ServiceAccountController::Reconcile(const std::string& key, Env& env) {
  const Object ns = source(kNamespaces).Find(key);
  if (!ns || ns.meta().has_deletion_timestamp()) return;
  if (!source(kAccounts).Find(ObjectKey(key, kAccountName))) {
    ServiceAccount account;
    account.mutable_metadata()->set_name(kAccountName);
    account.mutable_metadata()->set_namespace_(key);
    Create(Object::From(std::move(account)), env);
  }
  ReconcileRootCa(key, env);
}

void ServiceAccountController::ReconcileRootCa(const std::string& ns, Env& env) {
  const Object current = source(kConfigMaps).Find(ObjectKey(ns, kRootCaName));
  ConfigMap map;
  if (current) {
    map = current.As<ConfigMap>();
    const std::string* data = FindEntry(map.data(), kRootCaKey);
    if (data != nullptr && *data == options_.root_ca && map.data_size() == 1) return;
    map.clear_data();
  } else {
    map.mutable_metadata()->set_name(kRootCaName);
    map.mutable_metadata()->set_namespace_(ns);
  }
  SetEntry(map.mutable_data(), kRootCaKey, options_.root_ca);
  Object object = Object::From(std::move(map));
  if (current) {
    Update(std::move(object), "", env);
  } else {
    Create(std::move(object), env);
  }
}

bool ServiceAccountController::Answered(const std::string&, const CallResult& result, Env&) {
  // Made by somebody else meanwhile, or refused because the namespace is going: both are fine, and
  // the caches will tell.
  return result.ok() || result.reason == "AlreadyExists" || result.code == 403 ||
         result.code == 404;
}

}  // namespace kubemu
