#include "master/apiserver/tables/table.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"

namespace kubemu {
namespace {

using k8s::coordination::v1::Lease;
using k8s::core::v1::ConfigMap;
using k8s::core::v1::Namespace;
using k8s::core::v1::Secret;
using k8s::core::v1::ServiceAccount;

TableCells NamespaceCells(const Object& object, WallTime now) {
  return {object.meta().name(), object.As<Namespace>().status().phase(), CreationAge(object, now)};
}

TableCells ConfigMapCells(const Object& object, WallTime now) {
  const ConfigMap& map = object.As<ConfigMap>();
  return {map.metadata().name(), int64_t{map.data_size() + map.binary_data_size()},
          CreationAge(object, now)};
}

TableCells SecretCells(const Object& object, WallTime now) {
  const Secret& secret = object.As<Secret>();
  return {secret.metadata().name(), secret.type(), int64_t{secret.data_size()},
          CreationAge(object, now)};
}

TableCells ServiceAccountCells(const Object& object, WallTime now) {
  return {object.meta().name(), int64_t{object.As<ServiceAccount>().secrets_size()},
          CreationAge(object, now)};
}

TableCells LeaseCells(const Object& object, WallTime now) {
  return {object.meta().name(), object.As<Lease>().spec().holder_identity(),
          CreationAge(object, now)};
}

}  // namespace

const TablePrinter* ConfigPrinter(const Kind& kind) {
  static const TablePrinter kNamespaces{{{"Name"}, {"Status"}, {"Age"}}, NamespaceCells};
  static const TablePrinter kConfigMaps{{{"Name"}, {"Data"}, {"Age"}}, ConfigMapCells};
  static const TablePrinter kSecrets{{{"Name"}, {"Type"}, {"Data"}, {"Age"}}, SecretCells};
  static const TablePrinter kServiceAccounts{{{"Name"}, {"Secrets"}, {"Age"}}, ServiceAccountCells};
  static const TablePrinter kLeases{{{"Name"}, {"Holder"}, {"Age"}}, LeaseCells};
  if (&kind == &KindOf<Namespace>()) return &kNamespaces;
  if (&kind == &KindOf<ConfigMap>()) return &kConfigMaps;
  if (&kind == &KindOf<Secret>()) return &kSecrets;
  if (&kind == &KindOf<ServiceAccount>()) return &kServiceAccounts;
  if (&kind == &KindOf<Lease>()) return &kLeases;
  return nullptr;
}

}  // namespace kubemu
