#include "master/apiserver/http/yaml.h"

#include <yaml-cpp/yaml.h>

#include <cctype>
#include <utility>

#include "boost/json/value.hpp"
#include "messages/api/json.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

bool IsNumber(const std::string& text) {
  // JSON's numbers: what else YAML calls a number (0x1f, 1_000, .5) stays a string.
  size_t i = text.starts_with('-') ? 1 : 0;
  const auto digits = [&] {
    const size_t begin = i;
    while (i < text.size() && std::isdigit(static_cast<unsigned char>(text[i]))) ++i;
    return i > begin;
  };
  const size_t first = i;
  if (!digits()) return false;
  if (text[first] == '0' && i > first + 1) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (!digits()) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == text.size();
}

void AppendScalar(const YAML::Node& node, std::string* out) {
  const std::string& text = node.Scalar();
  const bool quoted = node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str";
  if (quoted) return AppendJsonString(text, out);
  if (text == "true" || text == "false") {
    out->append(text);
  } else if (text.empty() || text == "null" || text == "~") {
    out->append("null");
  } else if (IsNumber(text)) {
    out->append(text);
  } else {
    AppendJsonString(text, out);
  }
}

absl::Status AppendNode(const YAML::Node& node, int depth, std::string* out) {
  if (depth > kJsonDepthMax) return absl::InvalidArgumentError("nested too deeply");
  bool first = true;
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      AppendScalar(node, out);
      return absl::OkStatus();
    case YAML::NodeType::Sequence:
      out->push_back('[');
      for (const YAML::Node& item : node) {
        if (!std::exchange(first, false)) out->push_back(',');
        if (absl::Status status = AppendNode(item, depth + 1, out); !status.ok()) return status;
      }
      out->push_back(']');
      return absl::OkStatus();
    case YAML::NodeType::Map:
      out->push_back('{');
      for (const auto& member : node) {
        if (!std::exchange(first, false)) out->push_back(',');
        if (!member.first.IsScalar())
          return absl::InvalidArgumentError("a key of a mapping is no string");
        AppendJsonString(member.first.Scalar(), out);
        out->push_back(':');
        if (absl::Status status = AppendNode(member.second, depth + 1, out); !status.ok())
          return status;
      }
      out->push_back('}');
      return absl::OkStatus();
    default:
      out->append("null");
      return absl::OkStatus();
  }
}

}  // namespace

absl::StatusOr<std::string> YamlToJson(std::string_view text) {
  // What is JSON already stays as it is: it is what kubectl sends.
  const std::string_view trimmed = StripSpaces(text);
  if (trimmed.starts_with('{')) {
    if (ParseJson(trimmed).ok()) return std::string(trimmed);
  }
  // An alias can make a small document huge, and a deep one overflows the parser's stack.
  if (trimmed.find("*") != std::string_view::npos && trimmed.find("&") != std::string_view::npos)
    return absl::InvalidArgumentError("anchors and aliases are not accepted");
  int depth = 0;
  for (const char c : trimmed) {
    depth += (c == '[' || c == '{') - (c == ']' || c == '}');
    if (depth > kJsonDepthMax) return absl::InvalidArgumentError("nested too deeply");
  }
  try {
    std::string out;
    const absl::Status status = AppendNode(YAML::Load(std::string(trimmed)), 1, &out);
    if (!status.ok()) return status;
    return out;
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(error.what());
  }
}

}  // namespace kubemu
