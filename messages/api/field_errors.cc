#include "messages/api/field_errors.h"
#include "messages/core/strings.h"

#include <algorithm>
#include <set>
#include <utility>

namespace kubemu {
namespace {

struct TypeNames {
  std::string_view text;
  std::string_view reason;
};

TypeNames NamesOf(FieldErrorType type) {
  switch (type) {
    case FieldErrorType::kRequired:
      return {"Required value", "FieldValueRequired"};
    case FieldErrorType::kInvalid:
      return {"Invalid value", "FieldValueInvalid"};
    case FieldErrorType::kDuplicate:
      return {"Duplicate value", "FieldValueDuplicate"};
    case FieldErrorType::kNotSupported:
      return {"Unsupported value", "FieldValueNotSupported"};
    case FieldErrorType::kForbidden:
      return {"Forbidden", "FieldValueForbidden"};
    case FieldErrorType::kTooLong:
      return {"Too long", "FieldValueTooLong"};
    case FieldErrorType::kTooMany:
      return {"Too many", "FieldValueTooMany"};
    case FieldErrorType::kNotFound:
      return {"Not found", "FieldValueNotFound"};
    case FieldErrorType::kTypeInvalid:
      return {"Invalid value", "FieldValueTypeInvalid"};
    case FieldErrorType::kInternal:
      break;
  }
  return {"Internal error", "InternalError"};
}

}  // namespace

FieldPath FieldPath::Child(std::string_view name) const {
  return FieldPath(text_.empty() ? std::string(name) : StrCat(text_, ".", name));
}

FieldPath FieldPath::Index(int64_t index) const {
  return FieldPath(StrCat(text_, "[", index, "]"));
}

FieldPath FieldPath::Key(std::string_view key) const {
  return FieldPath(StrCat(text_, "[", key, "]"));
}

std::string_view FieldErrorReason(FieldErrorType type) {
  return NamesOf(type).reason;
}

std::string FieldError::Body() const {
  std::string body(NamesOf(type).text);
  if (!value.empty()) StrAppend(&body, ": ", value);
  if (!detail.empty()) StrAppend(&body, ": ", detail);
  return body;
}

std::string FieldError::ToString() const {
  return StrCat(field, ": ", Body());
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        quoted += "\\\"";
        break;
      case '\\':
        quoted += "\\\\";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '\t':
        quoted += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          constexpr char kHex[] = "0123456789abcdef";
          StrAppend(&quoted, "\\x", kHex[static_cast<unsigned char>(c) >> 4], kHex[c & 15]);
        } else {
          quoted.push_back(c);
        }
    }
  }
  quoted.push_back('"');
  return quoted;
}

void FieldErrorList::Required(const FieldPath& path, std::string_view detail) {
  Add({FieldErrorType::kRequired, path.text(), "", std::string(detail)});
}

void FieldErrorList::Invalid(const FieldPath& path, std::string_view value,
                             std::string_view detail) {
  Add({FieldErrorType::kInvalid, path.text(), Quoted(value), std::string(detail)});
}

void FieldErrorList::Invalid(const FieldPath& path, int64_t value, std::string_view detail) {
  Add({FieldErrorType::kInvalid, path.text(), StrCat(value), std::string(detail)});
}

void FieldErrorList::Invalid(const FieldPath& path, std::string_view value,
                             const std::vector<std::string>& complaints) {
  for (const std::string& complaint : complaints) Invalid(path, value, complaint);
}

void FieldErrorList::InvalidRaw(const FieldPath& path, std::string_view value,
                                std::string_view detail) {
  Add({FieldErrorType::kInvalid, path.text(), std::string(value), std::string(detail)});
}

void FieldErrorList::Duplicate(const FieldPath& path, std::string_view value) {
  Add({FieldErrorType::kDuplicate, path.text(), Quoted(value), ""});
}

void FieldErrorList::NotSupported(const FieldPath& path, std::string_view value,
                                  std::vector<std::string> supported) {
  std::sort(supported.begin(), supported.end());
  for (std::string& choice : supported) choice = Quoted(choice);
  std::string detail;
  if (!supported.empty()) detail = StrCat("supported values: ", StrJoin(supported, ", "));
  Add({FieldErrorType::kNotSupported, path.text(), Quoted(value), std::move(detail)});
}

void FieldErrorList::Forbidden(const FieldPath& path, std::string_view detail) {
  Add({FieldErrorType::kForbidden, path.text(), "", std::string(detail)});
}

void FieldErrorList::TooLong(const FieldPath& path, size_t limit_bytes) {
  Add({FieldErrorType::kTooLong, path.text(), "",
       StrCat("may not be more than ", limit_bytes, " bytes")});
}

void FieldErrorList::NotFound(const FieldPath& path, std::string_view value) {
  Add({FieldErrorType::kNotFound, path.text(), Quoted(value), ""});
}

std::string FieldErrorList::ToString() const {
  std::vector<std::string> texts;
  std::set<std::string> known;
  for (const FieldError& error : errors_) {
    std::string text = error.ToString();
    if (known.insert(text).second) texts.push_back(std::move(text));
  }
  if (texts.size() <= 1) return StrJoin(texts, "");
  return StrCat("[", StrJoin(texts, ", "), "]");
}

}  // namespace kubemu
