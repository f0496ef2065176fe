#include "master/apiserver/caller.h"

#include <utility>

#include "master/apiserver/http/encode.h"
#include "messages/proto/api.pb.h"

namespace kubemu {

void SendAnswer(const Caller& caller, ApiAnswer answer, Env& env) {
  if (caller.face == Caller::Face::kHttp) {
    std::vector<std::string> warnings = caller.warnings;
    warnings.insert(warnings.end(), answer.warnings.begin(), answer.warnings.end());
    env.outbox.Send(caller.address, EncodeAnswer(caller.request, answer, *caller.kind,
                                                 caller.format, warnings, env.wall));
    return;
  }
  if (caller.face != Caller::Face::kBus) return;
  bus::ApiResponse response;
  response.set_request(caller.request);
  response.set_code(answer.code);
  response.set_revision(answer.revision);
  response.set_continue_token(answer.continue_token);
  if (answer.status && answer.code >= 400) {
    response.set_reason(answer.status->reason());
    response.set_message(answer.status->message());
    response.set_status(answer.status->SerializeAsString());
  }
  env.outbox.Send(caller.address, std::move(response), std::move(answer.objects));
}

}  // namespace kubemu
