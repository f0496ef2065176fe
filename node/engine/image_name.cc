#include "node/engine/image_name.h"

#include <algorithm>

#include "messages/core/random.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr size_t kNameMax = 255;
constexpr size_t kTagMax = 128;

bool IsLowerOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool IsUpper(char c) {
  return c >= 'A' && c <= 'Z';
}

bool ValidPath(std::string_view path) {
  for (const std::string_view part : StrSplit(path, '/')) {
    if (part.empty() || !IsLowerOrDigit(part.front()) || !IsLowerOrDigit(part.back())) return false;
    for (const char c : part) {
      if (!IsLowerOrDigit(c) && c != '.' && c != '_' && c != '-') return false;
    }
  }
  return true;
}

bool ValidTag(std::string_view tag) {
  if (tag.empty() || tag.size() > kTagMax || tag[0] == '.' || tag[0] == '-') return false;
  return std::all_of(tag.begin(), tag.end(), [](char c) {
    return IsLowerOrDigit(c) || IsUpper(c) || c == '.' || c == '_' || c == '-';
  });
}

bool ValidDigest(std::string_view digest) {
  static constexpr std::string_view kPrefix = "sha256:";
  if (!digest.starts_with(kPrefix) || digest.size() != kPrefix.size() + 64) return false;
  digest.remove_prefix(kPrefix.size());
  return std::all_of(digest.begin(), digest.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// The first part of a name is a registry if it looks like a host.
bool IsRegistry(std::string_view part) {
  return part.find('.') != std::string_view::npos || part.find(':') != std::string_view::npos ||
         part == "localhost";
}

}  // namespace

absl::StatusOr<ImageName> ImageName::Parse(std::string_view text) {
  const auto invalid = [](const char* why) { return absl::InvalidArgumentError(why); };
  ImageName name;
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    name.digest = std::string(text.substr(at + 1));
    if (!ValidDigest(name.digest)) return invalid("invalid reference format");
    text = text.substr(0, at);
  }
  const size_t colon = text.rfind(':');
  const size_t last_slash = text.rfind('/');
  if (colon != std::string_view::npos &&
      (last_slash == std::string_view::npos || colon > last_slash)) {
    name.tag = std::string(text.substr(colon + 1));
    if (!ValidTag(name.tag)) return invalid("invalid reference format");
    text = text.substr(0, colon);
  } else if (name.digest.empty()) {
    name.tag = "latest";
  }
  const size_t slash = text.find('/');
  std::string registry = "docker.io";
  std::string_view path = text;
  if (slash != std::string_view::npos && IsRegistry(text.substr(0, slash))) {
    registry = std::string(text.substr(0, slash));
    path = text.substr(slash + 1);
  }
  if (std::any_of(path.begin(), path.end(), IsUpper)) {
    return invalid("invalid reference format: repository name must be lowercase");
  }
  if (text.size() > kNameMax || !ValidPath(path)) return invalid("invalid reference format");
  const bool official = registry == "docker.io" && path.find('/') == std::string_view::npos;
  name.repository = StrCat(registry, official ? "/library/" : "/", path);
  return name;
}

std::string ImageName::Full() const {
  std::string text = repository;
  if (!tag.empty()) StrAppend(&text, ":", tag);
  if (!digest.empty()) StrAppend(&text, "@", digest);
  return text;
}

std::string ImageName::Familiar() const {
  for (const std::string_view prefix : {"docker.io/library/", "docker.io/"}) {
    if (repository.starts_with(prefix)) return repository.substr(prefix.size());
  }
  return repository;
}

std::string HexDigits(std::string_view seed) {
  static constexpr char kDigits[] = "0123456789abcdef";
  Random random(StableHash(seed));
  std::string text;
  for (int word = 0; word < 4; ++word) {
    uint64_t bits = random.Next();
    for (int i = 0; i < 16; ++i, bits >>= 4) text += kDigits[bits & 15];
  }
  return text;
}

}  // namespace kubemu
