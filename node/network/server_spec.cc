#include "node/network/server_spec.h"

#include <algorithm>

#include "messages/core/strings.h"

namespace kubemu {

bool FetchTarget::Parse(std::string_view url, FetchTarget* target) {
  static constexpr std::string_view kScheme = "http://";
  target->url = std::string(url);
  if (url.starts_with(kScheme)) {
    url.remove_prefix(kScheme.size());
  } else if (url.find("://") != std::string_view::npos) {
    return false;
  }
  const size_t slash = std::min(url.find('/'), url.size());
  const std::string_view place = url.substr(0, slash);
  target->path = slash < url.size() ? std::string(url.substr(slash)) : "/";
  const size_t colon = place.find(':');
  target->host = std::string(place.substr(0, colon));
  target->port = 80;
  if (target->host.empty()) return false;
  return colon == std::string_view::npos || ParseInteger(place.substr(colon + 1), &target->port);
}

}  // namespace kubemu
