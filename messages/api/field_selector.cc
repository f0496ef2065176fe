// The FieldSelector half of selector.h.
#include <algorithm>
#include <optional>

#include "absl/status/status.h"
#include "messages/api/selector.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

// Cut at commas that no backslash precedes.
std::vector<std::string_view> SplitTerms(std::string_view text) {
  std::vector<std::string_view> terms;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == ',') {
      terms.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  terms.push_back(text.substr(std::min(begin, text.size())));
  return terms;
}

absl::StatusOr<std::string> Unescape(std::string_view value) {
  std::string result;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\\') {
      if (value[i] == ',' || value[i] == '=') {
        return absl::InvalidArgumentError(
            StrCat("invalid field selector: unescaped character in value: ", value.substr(i, 1)));
      }
      result.push_back(value[i]);
      continue;
    }
    ++i;
    if (i == value.size() || (value[i] != '\\' && value[i] != ',' && value[i] != '=')) {
      return absl::InvalidArgumentError(
          StrCat("invalid field selector: invalid escape ", "sequence: ", value.substr(i - 1, 2)));
    }
    result.push_back(value[i]);
  }
  return result;
}

std::string Escape(std::string_view value) {
  std::string result;
  for (const char c : value) {
    if (c == '\\' || c == ',' || c == '=') result.push_back('\\');
    result.push_back(c);
  }
  return result;
}

struct RawTerm {
  std::string_view field;
  std::string_view value;
  bool negated = false;
};

// Cut at the first operator; "!=" and "==" before "=".
std::optional<RawTerm> SplitOperator(std::string_view term) {
  for (size_t i = 0; i < term.size(); ++i) {
    const std::string_view rest = term.substr(i);
    for (const std::string_view op : {"!=", "==", "="}) {
      if (rest.substr(0, op.size()) != op) continue;
      return RawTerm{term.substr(0, i), rest.substr(op.size()), op == "!="};
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<FieldSelector> FieldSelector::Parse(std::string_view text) {
  std::vector<FieldTerm> terms;
  for (const std::string_view part : SplitTerms(text)) {
    if (part.empty()) continue;
    const std::optional<RawTerm> raw = SplitOperator(part);
    if (!raw.has_value()) {
      return absl::InvalidArgumentError(
          StrCat("invalid selector: '", text, "'; can't understand '", part, "'"));
    }
    absl::StatusOr<std::string> value = Unescape(raw->value);
    if (!value.ok()) return value.status();
    terms.push_back({std::string(raw->field), *std::move(value), raw->negated});
  }
  return FieldSelector(std::move(terms));
}

const std::string* FieldSelector::RequiredValue(std::string_view field) const {
  for (const FieldTerm& term : terms_) {
    if (!term.negated && term.field == field) return &term.value;
  }
  return nullptr;
}

std::string FieldSelector::ToString() const {
  std::vector<std::string> texts;
  for (const FieldTerm& term : terms_) {
    texts.push_back(StrCat(term.field, term.negated ? "!=" : "=", Escape(term.value)));
  }
  return StrJoin(texts, ",");
}

}  // namespace kubemu
