#ifndef KUBEMU_MASTER_APISERVER_CALLER_H_
#define KUBEMU_MASTER_APISERVER_CALLER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "master/apiserver/call.h"
#include "master/apiserver/http/media_type.h"
#include "messages/component.h"

namespace kubemu {

// Who waits for an answer, and in which form.
struct Caller {
  enum class Face {
    kBus,
    kHttp,
    kInternal,  // nobody: the API server itself
    kGroup,     // one of the deletions of a collection; `request` is the group
  };
  Face face = Face::kInternal;
  std::string address;
  uint64_t request = 0;
  const Kind* kind = nullptr;
  AnswerFormat format;                // of kHttp
  std::vector<std::string> warnings;  // of kHttp
};

// Sends the answer to a caller on the bus or on HTTP.
void SendAnswer(const Caller& caller, ApiAnswer answer, Env& env);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_CALLER_H_
