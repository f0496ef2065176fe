#ifndef KUBEMU_MESSAGES_INSPECT_H_
#define KUBEMU_MESSAGES_INSPECT_H_

// Questions of the laboratory to a part about its state (InspectRequest, InspectResponse): what the
// answering part and the asker have in common.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "messages/component.h"
#include "messages/proto/control.pb.h"

namespace kubemu {

// Bytes of text in one InspectResponse; a longer answer comes in several.
inline constexpr size_t kInspectBytesMax = 256 << 10;
// Bytes of a whole answer; a longer one becomes an error.
inline constexpr size_t kInspectAnswerMax = 128 << 20;

// Sends the answer to `request` back to who asked: the text in as many parts as it needs, or the
// error's message. REQUIRES: request is an InspectRequest.
void AnswerInspect(const Message& request, const absl::StatusOr<std::string>& answer, Env& env);

// The answer to a question that the part does not know; `known` are those that it does.
absl::Status UnknownQuestion(std::string_view question,
                             std::initializer_list<std::string_view> known);

// The request's arguments, "key=value" each, by key. InvalidArgument: a key that is not in `known`,
// comes twice, or has no '='.
absl::StatusOr<std::map<std::string, std::string>> InspectArguments(
    const bus::InspectRequest& request, std::initializer_list<std::string_view> known);

// Puts the parts of an answer together again, in whatever order they come and however often.
class InspectAnswer {
 public:
  // True once the answer is whole.
  bool Take(const bus::InspectResponse& response);
  // REQUIRES: Take returned true. InvalidArgument: what the part had against the question.
  absl::StatusOr<std::string> Text() const;

 private:
  // Asked twice, answered twice: parts of two answers do not fit together.
  struct Parts {
    std::map<uint32_t, std::string> texts;
    std::string error;
    uint32_t count = 0;  // 0: the last one has not come
  };
  static constexpr size_t kAnswersMax = 16;  // asked again that often: the first to come count
  std::map<uint64_t, Parts> answers_;        // by the request's number
  const Parts* whole_ = nullptr;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_INSPECT_H_
