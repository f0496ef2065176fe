#ifndef KUBEMU_MASTER_APISERVER_HTTP_DISCOVERY_H_
#define KUBEMU_MASTER_APISERVER_HTTP_DISCOVERY_H_

#include <optional>
#include <string>
#include <string_view>

#include "master/apiserver/http/media_type.h"
#include "master/apiserver/http/target.h"

namespace kubemu {

// A document and its content type.
struct Document {
  std::string content_type;
  std::string body;
};

// What the server offers, as kubectl asks for it: /api, /apis (in the aggregated forms v2 and
// v2beta1, or the old one), /api/v1, /apis/<group>, /apis/<group>/<version>. All of it follows from
// the table of kinds. None: it is none of these paths. `address` is the server's own, "ip:port".
std::optional<Document> Discover(const HttpTarget& target, std::string_view accept,
                                 std::string_view address);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_HTTP_DISCOVERY_H_
