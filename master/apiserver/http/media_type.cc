#include "master/apiserver/http/media_type.h"

#include "messages/core/strings.h"

namespace kubemu {

MediaType MediaType::Parse(std::string_view text) {
  MediaType result;
  bool first = true;
  for (std::string_view piece : StrSplit(text, ';')) {
    piece = StripSpaces(piece);
    if (first) {
      result.type = AsciiLower(piece);
      first = false;
      continue;
    }
    const size_t equals = piece.find('=');
    if (equals == std::string_view::npos) continue;
    result.parameters[AsciiLower(StripSpaces(piece.substr(0, equals)))] =
        std::string(StripSpaces(piece.substr(equals + 1)));
  }
  return result;
}

std::string_view MediaType::Parameter(const std::string& name) const {
  const auto it = parameters.find(name);
  return it == parameters.end() ? std::string_view() : std::string_view(it->second);
}

namespace {

bool Accept(const MediaType& type, AnswerFormat* format) {
  const bool any = type.type == "*/*" || type.type == "application/*";
  if (!any && type.type != "application/json") return false;
  const std::string_view as = type.Parameter("as");
  const std::string_view group = type.Parameter("g");
  const std::string_view version = type.Parameter("v");
  if (as.empty()) {
    format->form = AnswerFormat::Form::kObject;
    return true;
  }
  if (as == "Table" && group == "meta.k8s.io" && (version == "v1" || version == "v1beta1")) {
    format->form = AnswerFormat::Form::kTable;
    format->table_version = std::string(version);
    return true;
  }
  if (as == "APIGroupDiscoveryList" && group == "apidiscovery.k8s.io") {
    if (version == "v2") format->form = AnswerFormat::Form::kDiscoveryV2;
    if (version == "v2beta1") format->form = AnswerFormat::Form::kDiscoveryV2Beta1;
    return version == "v2" || version == "v2beta1";
  }
  return false;
}

}  // namespace

bool Negotiate(std::string_view accept, AnswerFormat* format) {
  if (StripSpaces(accept).empty()) return true;
  for (std::string_view piece : StrSplit(accept, ',')) {
    if (Accept(MediaType::Parse(piece), format)) return true;
  }
  return false;
}

}  // namespace kubemu
