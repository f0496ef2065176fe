#include "master/apiserver/call.h"

namespace kubemu {

const char* ActionName(Action action) {
  switch (action) {
    case Action::kGet:
      return "get";
    case Action::kList:
      return "list";
    case Action::kWatch:
      return "watch";
    case Action::kCreate:
      return "create";
    case Action::kUpdate:
      return "update";
    case Action::kPatch:
      return "patch";
    case Action::kDelete:
      return "delete";
    case Action::kDeleteCollection:
      return "deletecollection";
  }
  return "?";
}

ApiAnswer ApiAnswer::Failure(ApiStatus status) {
  ApiAnswer answer;
  answer.code = static_cast<uint32_t>(status.code());
  answer.status = std::move(status);
  return answer;
}

ApiAnswer ApiAnswer::Of(Object object, uint32_t code) {
  ApiAnswer answer;
  answer.code = code;
  answer.objects.push_back(std::move(object));
  return answer;
}

}  // namespace kubemu
