#include "messages/api/patch.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "boost/json.hpp"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

namespace json = boost::json;

std::string_view TextView(const json::string& text) {
  return {text.data(), text.size()};
}
json::string_view MemberKey(std::string_view text) {
  return {text.data(), text.size()};
}

// One JSON pointer, its tokens unescaped.
struct Pointer {
  std::string text;
  std::vector<std::string> tokens;
};

// "~1" is a slash, "~0" a tilde.
std::string UnescapePointer(std::string_view token) {
  std::string text;
  for (size_t i = 0; i < token.size(); ++i) {
    const std::string_view pair = token.substr(i, 2);
    const bool escape = pair == "~0" || pair == "~1";
    text.push_back(!escape ? token[i] : pair == "~0" ? '~' : '/');
    if (escape) ++i;
  }
  return text;
}

absl::StatusOr<Pointer> ParsePointer(std::string_view text) {
  Pointer pointer{std::string(text), {}};
  if (text.empty()) return pointer;
  if (text.front() != '/') {
    return absl::InvalidArgumentError(
        StrCat("path \"", text, "\" must be empty or begin with '/'"));
  }
  for (const std::string_view token : StrSplit(text.substr(1), '/')) {
    pointer.tokens.push_back(UnescapePointer(token));
  }
  return pointer;
}

// An index into `array`; `past_end` allows one past the last element and "-" for it.
absl::StatusOr<size_t> ParseIndex(const json::array& array, std::string_view token, bool past_end) {
  if (token == "-" && past_end) return array.size();
  uint64_t index = 0;
  const bool digits = !token.empty() && token.find_first_not_of("0123456789") == token.npos &&
                      (token.size() == 1 || token.front() != '0') && ParseInteger(token, &index);
  if (!digits) {
    return absl::FailedPreconditionError(StrCat("\"", token, "\" is not an array index"));
  }
  if (index >= array.size() + (past_end ? 1 : 0)) {
    return absl::FailedPreconditionError(
        StrCat("index ", index, " is out of bounds, the array has ", array.size()));
  }
  return static_cast<size_t>(index);
}

// One step down from `node`.
absl::StatusOr<json::value*> Step(json::value* node, const std::string& token) {
  if (json::object* object = node->if_object()) {
    if (json::value* child = object->if_contains(MemberKey(token))) return child;
    return absl::FailedPreconditionError(StrCat("missing key \"", token, "\""));
  }
  if (json::array* array = node->if_array()) {
    absl::StatusOr<size_t> index = ParseIndex(*array, token, false);
    if (!index.ok()) return index.status();
    return &(*array)[*index];
  }
  return absl::FailedPreconditionError(
      StrCat("\"", token, "\" is below a value that is no object and no array"));
}

absl::StatusOr<json::value*> Find(json::value* document, const Pointer& pointer) {
  json::value* node = document;
  for (const std::string& token : pointer.tokens) {
    absl::StatusOr<json::value*> child = Step(node, token);
    if (!child.ok()) return child.status();
    node = *child;
  }
  return node;
}

// The container that holds the last token. REQUIRES: the pointer is not empty.
absl::StatusOr<json::value*> FindParent(json::value* document, const Pointer& pointer) {
  Pointer parent = pointer;
  parent.tokens.pop_back();
  return Find(document, parent);
}

absl::Status Add(json::value* document, const Pointer& pointer, json::value value) {
  if (pointer.tokens.empty()) {
    *document = std::move(value);
    return absl::OkStatus();
  }
  absl::StatusOr<json::value*> parent = FindParent(document, pointer);
  if (!parent.ok()) return parent.status();
  const std::string& token = pointer.tokens.back();
  if (json::object* object = (*parent)->if_object()) {
    object->insert_or_assign(MemberKey(token), std::move(value));
    return absl::OkStatus();
  }
  if (json::array* array = (*parent)->if_array()) {
    absl::StatusOr<size_t> index = ParseIndex(*array, token, true);
    if (!index.ok()) return index.status();
    array->insert(array->begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError("the parent is no object and no array");
}

absl::Status Remove(json::value* document, const Pointer& pointer) {
  if (pointer.tokens.empty()) {
    return absl::FailedPreconditionError("the whole document cannot be removed");
  }
  if (absl::StatusOr<json::value*> target = Find(document, pointer); !target.ok()) {
    return target.status();
  }
  json::value* parent = *FindParent(document, pointer);
  const std::string& token = pointer.tokens.back();
  if (json::object* object = parent->if_object()) {
    object->erase(MemberKey(token));
    return absl::OkStatus();
  }
  json::array& array = parent->as_array();
  const size_t index = *ParseIndex(array, token, false);
  array.erase(array.begin() + static_cast<std::ptrdiff_t>(index));
  return absl::OkStatus();
}

absl::Status Replace(json::value* document, const Pointer& pointer, json::value value) {
  absl::StatusOr<json::value*> target = Find(document, pointer);
  if (!target.ok()) return target.status();
  **target = std::move(value);
  return absl::OkStatus();
}

// Applies operations one after another and remembers what the copies cost.
class Patcher {
 public:
  explicit Patcher(const json::value& document) : document_(document) {}

  absl::Status Apply(const json::object& operation);
  json::value TakeDocument() { return std::move(document_); }

 private:
  absl::Status Move(const Pointer& from, const Pointer& path);
  absl::Status Copy(const Pointer& from, const Pointer& path);
  absl::Status Test(const Pointer& path, const json::value& expected);

  json::value document_;
  size_t copied_bytes_ = 0;
};

absl::StatusOr<Pointer> PointerMember(const json::object& operation, std::string_view name) {
  const json::value* member = operation.if_contains(MemberKey(name));
  if (member == nullptr || !member->is_string()) {
    return absl::InvalidArgumentError(StrCat("needs the string member \"", name, "\""));
  }
  return ParsePointer(TextView(member->get_string()));
}

absl::Status Patcher::Move(const Pointer& from, const Pointer& path) {
  absl::StatusOr<json::value*> source = Find(&document_, from);
  if (!source.ok()) return source.status();
  const bool into_itself = from.tokens.size() < path.tokens.size() &&
                           std::equal(from.tokens.begin(), from.tokens.end(), path.tokens.begin());
  if (into_itself) return absl::FailedPreconditionError("a value cannot be moved into itself");
  if (from.tokens == path.tokens) return absl::OkStatus();
  json::value value = **source;
  if (absl::Status removed = Remove(&document_, from); !removed.ok()) return removed;
  return Add(&document_, path, std::move(value));
}

absl::Status Patcher::Copy(const Pointer& from, const Pointer& path) {
  absl::StatusOr<json::value*> source = Find(&document_, from);
  if (!source.ok()) return source.status();
  copied_bytes_ += json::serialize(**source).size();
  if (copied_bytes_ > kJsonPatchCopyBytesMax) {
    return absl::ResourceExhaustedError(
        StrCat("the copies add up to more than ", kJsonPatchCopyBytesMax, " bytes, the limit"));
  }
  return Add(&document_, path, **source);
}

absl::Status Patcher::Test(const Pointer& path, const json::value& expected) {
  absl::StatusOr<json::value*> target = Find(&document_, path);
  if (!target.ok()) return target.status();
  if (JsonEqual(**target, expected)) return absl::OkStatus();
  return absl::FailedPreconditionError("test failed");
}

absl::Status Patcher::Apply(const json::object& operation) {
  const json::value* op = operation.if_contains("op");
  if (op == nullptr || !op->is_string()) {
    return absl::InvalidArgumentError("needs the string member \"op\"");
  }
  const std::string_view name = TextView(op->get_string());
  absl::StatusOr<Pointer> path = PointerMember(operation, "path");
  if (!path.ok()) return path.status();
  if (name == "remove") return Remove(&document_, *path);
  if (name == "move" || name == "copy") {
    absl::StatusOr<Pointer> from = PointerMember(operation, "from");
    if (!from.ok()) return from.status();
    return name == "move" ? Move(*from, *path) : Copy(*from, *path);
  }
  if (name != "add" && name != "replace" && name != "test") {
    return absl::InvalidArgumentError(StrCat("unknown op \"", name, "\""));
  }
  const json::value* value = operation.if_contains("value");
  if (value == nullptr) return absl::InvalidArgumentError("needs the member \"value\"");
  if (name == "add") return Add(&document_, *path, *value);
  if (name == "replace") return Replace(&document_, *path, *value);
  return Test(*path, *value);
}

// "operation 3 (replace /spec/replicas): missing key "spec"".
absl::Status Located(const absl::Status& status, size_t index, const json::object& operation) {
  const auto text = [&operation](const char* member) {
    const json::value* value = operation.if_contains(member);
    return value != nullptr && value->is_string() ? std::string(TextView(value->get_string()))
                                                  : std::string("?");
  };
  return absl::Status(status.code(), StrCat("operation ", index, " (", text("op"), " ",
                                            text("path"), "): ", std::string(status.message())));
}

bool NumbersEqual(const json::value& a, const json::value& b) {
  if (a.is_double() || b.is_double()) return a.to_number<double>() == b.to_number<double>();
  if (a.is_uint64() && b.is_uint64()) return a.get_uint64() == b.get_uint64();
  if (a.is_int64() && b.is_int64()) return a.get_int64() == b.get_int64();
  const int64_t with_sign = a.is_int64() ? a.get_int64() : b.get_int64();
  const uint64_t without = a.is_uint64() ? a.get_uint64() : b.get_uint64();
  return with_sign >= 0 && static_cast<uint64_t>(with_sign) == without;
}

}  // namespace

bool JsonEqual(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return NumbersEqual(a, b);
  if (a.kind() != b.kind()) return false;
  if (const json::object* members = a.if_object()) {
    const json::object& others = b.get_object();
    if (members->size() != others.size()) return false;
    for (const json::key_value_pair& member : *members) {
      const json::value* other = others.if_contains(member.key());
      if (other == nullptr || !JsonEqual(member.value(), *other)) return false;
    }
    return true;
  }
  if (const json::array* items = a.if_array()) {
    const json::array& others = b.get_array();
    return std::equal(items->begin(), items->end(), others.begin(), others.end(), JsonEqual);
  }
  return a == b;
}

json::value MergePatch(const json::value& original, const json::value& patch) {
  const json::object* changes = patch.if_object();
  if (changes == nullptr) return patch;
  json::object result = original.is_object() ? original.get_object() : json::object();
  for (const json::key_value_pair& change : *changes) {
    if (change.value().is_null()) {
      result.erase(change.key());
      continue;
    }
    const json::value* old_value = result.if_contains(change.key());
    json::value merged =
        MergePatch(old_value == nullptr ? json::value() : *old_value, change.value());
    result.insert_or_assign(change.key(), std::move(merged));
  }
  return result;
}

absl::StatusOr<json::value> JsonPatch(const json::value& original, const json::value& patch) {
  const json::array* operations = patch.if_array();
  if (operations == nullptr) {
    return absl::InvalidArgumentError("a JSON patch must be an array of operations");
  }
  if (operations->size() > kJsonPatchOperationsMax) {
    return absl::ResourceExhaustedError(StrCat("The allowed maximum operations in a JSON patch is ",
                                               kJsonPatchOperationsMax, ", got ",
                                               operations->size()));
  }
  Patcher patcher(original);
  for (size_t i = 0; i < operations->size(); ++i) {
    const json::object* operation = (*operations)[i].if_object();
    if (operation == nullptr) {
      return absl::InvalidArgumentError(StrCat("operation ", i, " is no object"));
    }
    if (absl::Status applied = patcher.Apply(*operation); !applied.ok()) {
      return Located(applied, i, *operation);
    }
  }
  return patcher.TakeDocument();
}

}  // namespace kubemu
