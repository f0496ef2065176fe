#ifndef KUBEMU_MASTER_APISERVER_HTTP_PLAIN_H_
#define KUBEMU_MASTER_APISERVER_HTTP_PLAIN_H_

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "master/apiserver/cache.h"
#include "master/apiserver/http/target.h"
#include "messages/core/random.h"
#include "messages/core/time.h"
#include "messages/proto/http.pb.h"

namespace kubemu {

class OpenApi;

// What the endpoints that are about no resource answer from.
struct ServerState {
  const Cache& cache;
  std::string address;  // of the API server, "127.0.0.1:6443"
  size_t watches = 0;
  size_t writes_in_flight = 0;
  WallTime wall;
  Random& random;
  absl::FunctionRef<const OpenApi&()> open_api;  // made when it is first asked for
};

// Answers /version, /healthz, /livez, /readyz, /metrics, /api and /apis, /openapi/..., and the
// requests that are answered without the store: who am I, may I, a token. None: it is none of them.
std::optional<bus::HttpResponse> AnswerPlain(const bus::HttpRequest& request,
                                             const HttpTarget& target, ServerState& state);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_HTTP_PLAIN_H_
