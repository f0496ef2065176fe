#include "master/apiserver/validation/volume.h"

#include <cstdint>
#include <vector>

#include "messages/api/names.h"
#include "messages/api/quantity.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

namespace core = ::k8s::core::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::RepeatedPtrField;

constexpr int32_t kFileModeMax = 0777;

void ValidateMode(bool present, int32_t mode, const FieldPath& path, FieldErrorList* errors) {
  if (present && (mode < 0 || mode > kFileModeMax)) {
    errors->Invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive");
  }
}

void ValidateItems(const RepeatedPtrField<core::KeyToPath>& items, const FieldPath& path,
                   FieldErrorList* errors) {
  for (int i = 0; i < items.size(); ++i) {
    const FieldPath item_path = path.Child("items").Index(i);
    if (items[i].key().empty()) errors->Required(item_path.Child("key"));
    if (items[i].path().empty()) errors->Required(item_path.Child("path"));
    ValidateMode(items[i].has_mode(), items[i].mode(), item_path.Child("mode"), errors);
  }
}

void ValidateHostPath(const core::HostPathVolumeSource& source, const FieldPath& path,
                      FieldErrorList* errors) {
  if (source.path().empty()) errors->Required(path.Child("path"));
  static constexpr std::string_view kTypes[] = {
      "",       "DirectoryOrCreate", "Directory",  "FileOrCreate", "File",
      "Socket", "CharDevice",        "BlockDevice"};
  for (const std::string_view type : kTypes) {
    if (source.type() == type) return;
  }
  errors->NotSupported(path.Child("type"), source.type(), {std::begin(kTypes), std::end(kTypes)});
}

void ValidateSource(const core::VolumeSource& source, const FieldPath& path,
                    FieldErrorList* errors) {
  if (source.has_host_path()) ValidateHostPath(source.host_path(), path.Child("hostPath"), errors);
  if (source.has_empty_dir() && source.empty_dir().has_size_limit()) {
    const auto limit = Quantity::Parse(source.empty_dir().size_limit().string());
    if (!limit.ok() || limit->Sign() < 0) {
      errors->Forbidden(path.Child("emptyDir").Child("sizeLimit"),
                        "SizeLimit field must be a valid resource quantity");
    }
  }
  if (source.has_secret()) {
    const FieldPath secret = path.Child("secret");
    if (source.secret().secret_name().empty()) errors->Required(secret.Child("secretName"));
    ValidateMode(source.secret().has_default_mode(), source.secret().default_mode(),
                 secret.Child("defaultMode"), errors);
    ValidateItems(source.secret().items(), secret, errors);
  }
  if (source.has_config_map()) {
    const FieldPath config = path.Child("configMap");
    if (source.config_map().local_object_reference().name().empty()) {
      errors->Required(config.Child("name"));
    }
    ValidateMode(source.config_map().has_default_mode(), source.config_map().default_mode(),
                 config.Child("defaultMode"), errors);
    ValidateItems(source.config_map().items(), config, errors);
  }
  if (source.has_persistent_volume_claim() &&
      source.persistent_volume_claim().claim_name().empty()) {
    errors->Required(path.Child("persistentVolumeClaim").Child("claimName"));
  }
}

// Every source is a message field of its own; exactly one must be there.
void ValidateSourceCount(const core::VolumeSource& source, const FieldPath& path,
                         FieldErrorList* errors) {
  std::vector<const FieldDescriptor*> set;
  source.GetReflection()->ListFields(source, &set);
  if (set.empty()) errors->Required(path, "must specify a volume type");
  for (size_t i = 1; i < set.size(); ++i) {
    errors->Forbidden(path.Child(set[i]->json_name()), "may not specify more than 1 volume type");
  }
}

}  // namespace

std::set<std::string> ValidateVolumes(const core::PodSpec& spec, const FieldPath& path,
                                      FieldErrorList* errors) {
  std::set<std::string> names;
  for (int i = 0; i < spec.volumes_size(); ++i) {
    const core::Volume& volume = spec.volumes(i);
    const FieldPath volume_path = path.Index(i);
    if (volume.name().empty()) {
      errors->Required(volume_path.Child("name"));
    } else {
      errors->Invalid(volume_path.Child("name"), volume.name(), CheckDns1123Label(volume.name()));
      if (!names.insert(volume.name()).second) {
        errors->Duplicate(volume_path.Child("name"), volume.name());
      }
    }
    ValidateSourceCount(volume.volume_source(), volume_path, errors);
    ValidateSource(volume.volume_source(), volume_path, errors);
  }
  return names;
}

}  // namespace kubemu
