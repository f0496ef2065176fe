#include "messages/inspect.h"

#include <algorithm>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

void SendInspectError(const Message& request, std::string error, Env& env) {
  bus::InspectResponse response;
  response.set_number(request.As<bus::InspectRequest>().number());
  response.set_error(std::move(error));
  response.set_last(true);
  env.outbox.Send(request.from, std::move(response));
}

}  // namespace

void AnswerInspect(const Message& request, const absl::StatusOr<std::string>& answer, Env& env) {
  if (!answer.ok()) {
    const auto text = answer.status().message();
    return SendInspectError(request, std::string(text.data(), text.size()), env);
  }
  if (answer->size() > kInspectAnswerMax) {
    return SendInspectError(request,
                            StrCat("the answer has ", answer->size(), " bytes, more than ",
                                   kInspectAnswerMax, "; ask for a part of it"),
                            env);
  }
  uint32_t part = 0;
  for (size_t at = 0; at == 0 || at < answer->size(); at += kInspectBytesMax) {
    bus::InspectResponse response;
    response.set_number(request.As<bus::InspectRequest>().number());
    response.set_text(answer->substr(at, kInspectBytesMax));
    response.set_part(part++);
    response.set_last(at + kInspectBytesMax >= answer->size());
    env.outbox.Send(request.from, std::move(response));
  }
}

absl::Status UnknownQuestion(std::string_view question,
                             std::initializer_list<std::string_view> known) {
  std::string text = StrCat("the question \"", question, "\" is not known here;");
  for (std::string_view name : known) StrAppend(&text, name == *known.begin() ? " " : ", ", name);
  return absl::InvalidArgumentError(StrCat(text, known.size() == 1 ? " is" : " are"));
}

absl::StatusOr<std::map<std::string, std::string>> InspectArguments(
    const bus::InspectRequest& request, std::initializer_list<std::string_view> known) {
  std::map<std::string, std::string> arguments;
  for (const std::string& argument : request.arguments()) {
    const size_t equals = argument.find('=');
    const std::string key = argument.substr(0, equals);
    if (equals == std::string::npos ||
        std::find(known.begin(), known.end(), std::string_view(key)) == known.end()) {
      std::string text = StrCat("argument \"", argument, "\" of \"", request.question(),
                                "\" is not understood; it takes");
      for (std::string_view name : known) StrAppend(&text, " ", name, "=...");
      return absl::InvalidArgumentError(text);
    }
    if (!arguments.try_emplace(key, argument.substr(equals + 1)).second) {
      return absl::InvalidArgumentError(StrCat("argument \"", key, "\" comes twice"));
    }
  }
  return arguments;
}

bool InspectAnswer::Take(const bus::InspectResponse& response) {
  if (whole_ != nullptr) return true;
  if (answers_.size() >= kAnswersMax && !answers_.contains(response.number())) return false;
  Parts& parts = answers_[response.number()];
  parts.texts[response.part()] = response.text();
  if (!response.error().empty()) parts.error = response.error();
  if (response.last()) parts.count = response.part() + 1;
  if (parts.count != 0 && parts.texts.size() >= parts.count) whole_ = &parts;
  return whole_ != nullptr;
}

absl::StatusOr<std::string> InspectAnswer::Text() const {
  if (!whole_->error.empty()) return absl::InvalidArgumentError(whole_->error);
  std::string text;
  for (const auto& [part, piece] : whole_->texts) text += piece;
  return text;
}

}  // namespace kubemu
