#include <string_view>

#include "master/controllers/canonical.h"
#include "master/controllers/deployment_rules.h"
#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

constexpr std::string_view kSafeCharacters = "bcdfghjklmnpqrstvwxz2456789";

uint32_t Fnv32a(std::string_view bytes, uint32_t hash) {
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619u;
  return hash;
}

}  // namespace

std::string CanonicalTemplate(const k8s::core::v1::PodTemplateSpec& spec) {
  k8s::core::v1::PodTemplateSpec copy = spec;
  EraseEntry(copy.mutable_metadata()->mutable_labels(), kTemplateHashLabel);
  return CanonicalBytes(copy);
}

std::string TemplateHash(const std::string& canonical, std::optional<int32_t> collisions) {
  uint32_t hash = Fnv32a(canonical, 2166136261u);
  if (collisions) {
    std::string bytes(8, '\0');
    for (int i = 0; i < 4; ++i) {
      bytes[static_cast<size_t>(i)] = static_cast<char>(*collisions >> (8 * i));
    }
    hash = Fnv32a(bytes, hash);
  }
  std::string text = StrCat(hash);
  for (char& digit : text) {
    digit = kSafeCharacters[static_cast<unsigned char>(digit) % kSafeCharacters.size()];
  }
  return text;
}

}  // namespace kubemu
