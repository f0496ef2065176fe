#ifndef KUBEMU_MESSAGES_API_FIELD_ERRORS_H_
#define KUBEMU_MESSAGES_API_FIELD_ERRORS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kubemu {

// Where in an object a value stands: "spec.containers[0].ports[1].name". A value type: Child and
// Index give a longer path and leave this one alone.
// Rules: apimachinery/pkg/util/validation/field.
class FieldPath {
 public:
  FieldPath() = default;
  explicit FieldPath(std::string_view root) : text_(root) {}

  FieldPath Child(std::string_view name) const;
  FieldPath Index(int64_t index) const;
  // "metadata.labels[app]": an entry of a map.
  FieldPath Key(std::string_view key) const;

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

enum class FieldErrorType : uint8_t {
  kRequired,
  kInvalid,
  kDuplicate,
  kNotSupported,
  kForbidden,
  kTooLong,
  kTooMany,
  kNotFound,
  kTypeInvalid,
  kInternal,
};

// The machine-readable name: "FieldValueRequired".
std::string_view FieldErrorReason(FieldErrorType type);

struct FieldError {
  FieldErrorType type = FieldErrorType::kInvalid;
  std::string field;
  // The value as it is printed: strings in quotes ("\"x\""), numbers and booleans bare. Empty for
  // types that print no value (required, forbidden, too long).
  std::string value;
  std::string detail;

  // `Invalid value: "x": must be ...`: what a Status cause carries.
  std::string Body() const;
  // `spec.x: Invalid value: ...`.
  std::string ToString() const;
};

// A string in Go's %q form: quotes, backslashes and control characters are escaped.
std::string Quoted(std::string_view text);

// Everything that is wrong with an object, in the order it was found. Empty: valid.
class FieldErrorList {
 public:
  void Required(const FieldPath& path, std::string_view detail = "");
  void Invalid(const FieldPath& path, std::string_view value, std::string_view detail);
  void Invalid(const FieldPath& path, int64_t value, std::string_view detail);
  // One error for each complaint of messages/api/names.h.
  void Invalid(const FieldPath& path, std::string_view value,
               const std::vector<std::string>& complaints);
  // `value` is printed as it is (objects, numbers, null).
  void InvalidRaw(const FieldPath& path, std::string_view value, std::string_view detail);
  void Duplicate(const FieldPath& path, std::string_view value);
  // `Unsupported value: "x": supported values: "A", "B"`; `supported` is printed sorted.
  void NotSupported(const FieldPath& path, std::string_view value,
                    std::vector<std::string> supported);
  void Forbidden(const FieldPath& path, std::string_view detail);
  void TooLong(const FieldPath& path, size_t limit_bytes);
  void NotFound(const FieldPath& path, std::string_view value);
  void Add(FieldError error) { errors_.push_back(std::move(error)); }

  bool empty() const { return errors_.empty(); }
  size_t size() const { return errors_.size(); }
  const std::vector<FieldError>& errors() const { return errors_; }

  // One error as it is, several as "[a, b]", equal ones once; "" when empty.
  std::string ToString() const;

 private:
  std::vector<FieldError> errors_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_FIELD_ERRORS_H_
