#include "master/apiserver/validation/config.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "boost/json.hpp"
#include "master/apiserver/validation/metadata.h"
#include "messages/api/names.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_config.pb.h"

namespace kubemu {
namespace {

namespace core = ::k8s::core::v1;

constexpr std::string_view kImmutableSet = "field is immutable when `immutable` is set";

// Of entries with key() and value().
template <typename Entries>
const std::string* Find(const Entries& entries, std::string_view key) {
  for (const auto& entry : entries) {
    if (entry.key() == key) return &entry.value();
  }
  return nullptr;
}

template <typename Entries>
bool SameEntries(const Entries& a, const Entries& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.key() == y.key() && x.value() == y.value();
  });
}

// Checks the keys and returns the bytes of the values.
template <typename Entries>
size_t ValidateEntries(const Entries& entries, const FieldPath& path, FieldErrorList* errors) {
  size_t bytes = 0;
  for (const auto& entry : entries) {
    errors->Invalid(path.Key(entry.key()), entry.key(), CheckConfigKey(entry.key()));
    bytes += entry.value().size();
  }
  return bytes;
}

void RequireKey(const core::Secret& secret, std::string_view key, FieldErrorList* errors) {
  if (Find(secret.data(), key) == nullptr) errors->Required(FieldPath("data").Key(key));
}

void RequireJson(const core::Secret& secret, std::string_view key, FieldErrorList* errors) {
  const std::string* value = Find(secret.data(), key);
  if (value == nullptr) {
    errors->Required(FieldPath("data").Key(key));
    return;
  }
  boost::system::error_code error;
  boost::json::parse(*value, error);
  if (error)
    errors->Invalid(FieldPath("data").Key(key), "<secret contents redacted>", error.message());
}

void ValidateSecretType(const core::Secret& secret, FieldErrorList* errors) {
  const std::string& type = secret.type();
  if (type == "kubernetes.io/service-account-token") {
    constexpr std::string_view kName = "kubernetes.io/service-account.name";
    const std::string* account = Find(secret.metadata().annotations(), kName);
    if (account == nullptr || account->empty()) {
      errors->Required(FieldPath("metadata").Child("annotations").Key(kName));
    }
  } else if (type == "kubernetes.io/dockercfg") {
    RequireJson(secret, ".dockercfg", errors);
  } else if (type == "kubernetes.io/dockerconfigjson") {
    RequireJson(secret, ".dockerconfigjson", errors);
  } else if (type == "kubernetes.io/basic-auth") {
    if (Find(secret.data(), "username") == nullptr && Find(secret.data(), "password") == nullptr) {
      RequireKey(secret, "username", errors);
      RequireKey(secret, "password", errors);
    }
  } else if (type == "kubernetes.io/ssh-auth") {
    RequireKey(secret, "ssh-privatekey", errors);
  } else if (type == "kubernetes.io/tls") {
    RequireKey(secret, "tls.crt", errors);
    RequireKey(secret, "tls.key", errors);
  }
}

}  // namespace

void ValidateConfigMap(const core::ConfigMap& config, FieldErrorList* errors) {
  size_t bytes = ValidateEntries(config.data(), FieldPath("data"), errors);
  bytes += ValidateEntries(config.binary_data(), FieldPath("binaryData"), errors);
  for (const auto& entry : config.data()) {
    if (Find(config.binary_data(), entry.key()) == nullptr) continue;
    errors->Invalid(FieldPath("data").Key(entry.key()), entry.key(),
                    "duplicate of key present in binaryData");
  }
  // The whole object is meant: upstream's path is empty and prints as "[]".
  if (bytes > kConfigBytesMax) errors->TooLong(FieldPath("[]"), kConfigBytesMax);
}

void ValidateSecret(const core::Secret& secret, FieldErrorList* errors) {
  const size_t bytes = ValidateEntries(secret.data(), FieldPath("data"), errors);
  if (bytes > kConfigBytesMax) errors->TooLong(FieldPath("data"), kConfigBytesMax);
  ValidateSecretType(secret, errors);
}

void ValidateConfigMapUpdate(const core::ConfigMap& old_config, const core::ConfigMap& new_config,
                             FieldErrorList* errors) {
  if (!old_config.immutable()) return;
  if (!new_config.immutable()) errors->Forbidden(FieldPath("immutable"), kImmutableSet);
  if (!SameEntries(old_config.data(), new_config.data())) {
    errors->Forbidden(FieldPath("data"), kImmutableSet);
  }
  if (!SameEntries(old_config.binary_data(), new_config.binary_data())) {
    errors->Forbidden(FieldPath("binaryData"), kImmutableSet);
  }
}

void ValidateSecretUpdate(const core::Secret& old_secret, const core::Secret& new_secret,
                          FieldErrorList* errors) {
  if (old_secret.type() != new_secret.type()) {
    errors->Invalid(FieldPath("type"), new_secret.type(), kImmutable);
  }
  if (!old_secret.immutable()) return;
  if (!new_secret.immutable()) errors->Forbidden(FieldPath("immutable"), kImmutableSet);
  if (!SameEntries(old_secret.data(), new_secret.data())) {
    errors->Forbidden(FieldPath("data"), kImmutableSet);
  }
}

}  // namespace kubemu
