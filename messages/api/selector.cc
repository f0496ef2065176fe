#include "messages/api/selector.h"

#include <algorithm>

#include "absl/status/status.h"
#include "messages/api/field_errors.h"
#include "messages/api/names.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

using Operator = LabelRequirement::Operator;

absl::Status CheckValues(std::string_view key, Operator op,
                         const std::vector<std::string>& values) {
  FieldErrorList errors;
  errors.Invalid(FieldPath("key"), key, CheckQualifiedName(key));
  const FieldPath values_path("values");
  int64_t number = 0;
  switch (op) {
    case Operator::kIn:
    case Operator::kNotIn:
      if (values.empty()) {
        errors.InvalidRaw(values_path, "[]",
                          "for 'in', 'notin' operators, values set can't be empty");
      }
      break;
    case Operator::kExists:
    case Operator::kDoesNotExist:
      if (!values.empty()) {
        errors.InvalidRaw(values_path, StrCat("[", StrJoin(values, " "), "]"),
                          "values set must be empty for exists and does not exist");
      }
      break;
    case Operator::kGreaterThan:
    case Operator::kLessThan:
      if (values.size() != 1) {
        errors.InvalidRaw(values_path, StrCat("[", StrJoin(values, " "), "]"),
                          "for 'Gt', 'Lt' operators, exactly one value is required");
      } else if (!ParseInteger(values.front(), &number)) {
        errors.Invalid(values_path.Index(0), values.front(),
                       "for 'Gt', 'Lt' operators, the value must be an integer");
      }
      break;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const FieldPath path = values_path.Index(static_cast<int64_t>(i)).Key(key);
    errors.Invalid(path, values[i], CheckLabelValue(values[i]));
  }
  if (errors.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(errors.ToString());
}

bool IsSymbol(char c) {
  return std::string_view("=!(),><").find(c) != std::string_view::npos;
}
bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum class Token : uint8_t {
  kEnd,
  kIdentifier,
  kOpen,
  kClose,
  kComma,
  kNot,
  kOperator,  // = == != > <
};

// Splits a label selector into tokens and reads requirements off them.
class LabelSelectorParser {
 public:
  explicit LabelSelectorParser(std::string_view text) : text_(text) { Next(); }

  absl::StatusOr<std::vector<LabelRequirement>> ParseAll();

 private:
  void Next();
  absl::StatusOr<LabelRequirement> ParseRequirement();
  absl::StatusOr<std::vector<std::string>> ParseValueSet();
  absl::StatusOr<std::vector<std::string>> ParseSingleValue();
  absl::Status Unexpected(std::string_view expected) const {
    return absl::InvalidArgumentError(StrCat("found '", literal_, "', expected: ", expected));
  }

  std::string_view text_;
  size_t at_ = 0;
  Token token_ = Token::kEnd;
  std::string literal_;
};

void LabelSelectorParser::Next() {
  while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
  const size_t begin = at_;
  if (at_ == text_.size()) {
    token_ = Token::kEnd;
  } else if (!IsSymbol(text_[at_])) {
    while (at_ < text_.size() && !IsSymbol(text_[at_]) && !IsBlank(text_[at_])) ++at_;
    token_ = Token::kIdentifier;
  } else {
    const char first = text_[at_++];
    const bool then_equal = at_ < text_.size() && text_[at_] == '=';
    if ((first == '=' || first == '!') && then_equal) ++at_;
    token_ = first == '('                  ? Token::kOpen
             : first == ')'                ? Token::kClose
             : first == ','                ? Token::kComma
             : first == '!' && !then_equal ? Token::kNot
                                           : Token::kOperator;
  }
  literal_ = std::string(text_.substr(begin, at_ - begin));
}

absl::StatusOr<std::vector<LabelRequirement>> LabelSelectorParser::ParseAll() {
  std::vector<LabelRequirement> requirements;
  while (token_ != Token::kEnd) {
    if (token_ != Token::kIdentifier && token_ != Token::kNot) {
      return Unexpected("!, identifier, or 'end of string'");
    }
    absl::StatusOr<LabelRequirement> requirement = ParseRequirement();
    if (!requirement.ok()) {
      return absl::InvalidArgumentError(
          StrCat("unable to parse requirement: ", std::string(requirement.status().message())));
    }
    requirements.push_back(*std::move(requirement));
    if (token_ == Token::kEnd) break;
    if (token_ != Token::kComma) return Unexpected("',' or 'end of string'");
    Next();
    if (token_ != Token::kIdentifier && token_ != Token::kNot) {
      return Unexpected("identifier after ','");
    }
  }
  return requirements;
}

absl::StatusOr<LabelRequirement> LabelSelectorParser::ParseRequirement() {
  const bool negated = token_ == Token::kNot;
  if (negated) Next();
  if (token_ != Token::kIdentifier) return Unexpected("identifier");
  const std::string key = literal_;
  FieldErrorList key_errors;
  key_errors.Invalid(FieldPath("key"), key, CheckQualifiedName(key));
  if (!key_errors.empty()) return absl::InvalidArgumentError(key_errors.ToString());
  Next();
  if (negated) return LabelRequirement::Make(key, Operator::kDoesNotExist, {});
  if (token_ == Token::kEnd || token_ == Token::kComma) {
    return LabelRequirement::Make(key, Operator::kExists, {});
  }
  const std::string symbol = literal_;
  const bool set = token_ == Token::kIdentifier && (symbol == "in" || symbol == "notin");
  if (!set && token_ != Token::kOperator) return Unexpected("in, notin, =, ==, !=, gt, lt");
  Next();
  absl::StatusOr<std::vector<std::string>> values = set ? ParseValueSet() : ParseSingleValue();
  if (!values.ok()) return values.status();
  const Operator op = symbol == ">"                         ? Operator::kGreaterThan
                      : symbol == "<"                       ? Operator::kLessThan
                      : symbol == "notin" || symbol == "!=" ? Operator::kNotIn
                                                            : Operator::kIn;
  return LabelRequirement::Make(key, op, *std::move(values));
}

// "(a,b)"; a missing value between commas is the empty value.
absl::StatusOr<std::vector<std::string>> LabelSelectorParser::ParseValueSet() {
  if (token_ != Token::kOpen) return Unexpected("'('");
  Next();
  std::vector<std::string> values;
  if (token_ == Token::kClose) {
    Next();
    return values;
  }
  while (true) {
    std::string value;
    if (token_ == Token::kIdentifier) {
      value = literal_;
      Next();
    }
    values.push_back(std::move(value));
    if (token_ == Token::kClose) {
      Next();
      return values;
    }
    if (token_ != Token::kComma) return Unexpected("',' or ')'");
    Next();
  }
}

// What follows = == != > <; nothing is the empty value.
absl::StatusOr<std::vector<std::string>> LabelSelectorParser::ParseSingleValue() {
  if (token_ == Token::kEnd || token_ == Token::kComma) return std::vector<std::string>{""};
  if (token_ != Token::kIdentifier) return Unexpected("identifier");
  std::vector<std::string> values{literal_};
  Next();
  return values;
}

bool NumberMatches(const LabelRequirement& requirement, const std::string& label) {
  int64_t left = 0;
  int64_t right = 0;
  if (!ParseInteger(label, &left) || !ParseInteger(requirement.values.front(), &right)) {
    return false;
  }
  return requirement.op == Operator::kGreaterThan ? left > right : left < right;
}

}  // namespace

absl::StatusOr<LabelRequirement> LabelRequirement::Make(std::string key, Operator op,
                                                        std::vector<std::string> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (absl::Status valid = CheckValues(key, op, values); !valid.ok()) return valid;
  return LabelRequirement{std::move(key), op, std::move(values)};
}

bool LabelRequirement::Matches(LabelLookup labels) const {
  const std::string* label = labels(key);
  switch (op) {
    case Operator::kIn:
      return label != nullptr && std::binary_search(values.begin(), values.end(), *label);
    case Operator::kNotIn:
      return label == nullptr || !std::binary_search(values.begin(), values.end(), *label);
    case Operator::kExists:
      return label != nullptr;
    case Operator::kDoesNotExist:
      return label == nullptr;
    case Operator::kGreaterThan:
    case Operator::kLessThan:
      return label != nullptr && NumberMatches(*this, *label);
  }
  return false;
}

std::string LabelRequirement::ToString() const {
  switch (op) {
    case Operator::kIn:
      if (values.size() == 1) return StrCat(key, "=", values.front());
      return StrCat(key, " in (", StrJoin(values, ","), ")");
    case Operator::kNotIn:
      if (values.size() == 1) return StrCat(key, "!=", values.front());
      return StrCat(key, " notin (", StrJoin(values, ","), ")");
    case Operator::kExists:
      return key;
    case Operator::kDoesNotExist:
      return StrCat("!", key);
    case Operator::kGreaterThan:
      return StrCat(key, ">", values.front());
    case Operator::kLessThan:
      break;
  }
  return StrCat(key, "<", values.front());
}

LabelSelector::LabelSelector(std::vector<LabelRequirement> requirements)
    : requirements_(std::move(requirements)) {
  std::stable_sort(
      requirements_.begin(), requirements_.end(),
      [](const LabelRequirement& a, const LabelRequirement& b) { return a.key < b.key; });
}

absl::StatusOr<LabelSelector> LabelSelector::Parse(std::string_view text) {
  absl::StatusOr<std::vector<LabelRequirement>> requirements = LabelSelectorParser(text).ParseAll();
  if (!requirements.ok()) return requirements.status();
  return LabelSelector(*std::move(requirements));
}

LabelSelector LabelSelector::Nothing() {
  LabelSelector selector;
  selector.nothing_ = true;
  return selector;
}

bool LabelSelector::Matches(LabelLookup labels) const {
  return !nothing_ && std::all_of(requirements_.begin(), requirements_.end(),
                                  [&](const LabelRequirement& r) { return r.Matches(labels); });
}

std::string LabelSelector::ToString() const {
  std::vector<std::string> texts;
  for (const LabelRequirement& requirement : requirements_) texts.push_back(requirement.ToString());
  return StrJoin(texts, ",");
}

}  // namespace kubemu
