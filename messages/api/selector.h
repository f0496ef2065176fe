#ifndef KUBEMU_MESSAGES_API_SELECTOR_H_
#define KUBEMU_MESSAGES_API_SELECTOR_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace kubemu {

// Answers the value of a label (nullptr: the object does not have it).
using LabelLookup = absl::FunctionRef<const std::string*(std::string_view key)>;

// One condition on one label: "app in (a,b)".
struct LabelRequirement {
  enum class Operator : uint8_t {
    kIn,
    kNotIn,  // also true for objects without the label
    kExists,
    kDoesNotExist,
    kGreaterThan,  // both sides are whole numbers
    kLessThan,
  };

  std::string key;
  Operator op = Operator::kExists;
  std::vector<std::string> values;  // sorted, no duplicates

  // InvalidArgument in upstream's words when key, operator and values do not go together.
  static absl::StatusOr<LabelRequirement> Make(std::string key, Operator op,
                                               std::vector<std::string> values);

  bool Matches(LabelLookup labels) const;
  std::string ToString() const;
};

// A conjunction of requirements; without any it matches everything.
// Rules and texts: apimachinery/pkg/labels/selector.go.
class LabelSelector {
 public:
  LabelSelector() = default;
  explicit LabelSelector(std::vector<LabelRequirement> requirements);

  // "a=b,c!=d,e in (x,y),f notin (z),g,!h,n>3". InvalidArgument says what was found where
  // something else was expected.
  static absl::StatusOr<LabelSelector> Parse(std::string_view text);
  // Matches no object (a LabelSelector that is absent).
  static LabelSelector Nothing();

  bool Matches(LabelLookup labels) const;
  // `Labels` is a repeated field of messages with key() and value().
  template <typename Labels>
  bool MatchesLabels(const Labels& labels) const {
    return Matches([&labels](std::string_view key) -> const std::string* {
      for (const auto& label : labels) {
        if (label.key() == key) return &label.value();
      }
      return nullptr;
    });
  }

  bool IsEverything() const { return !nothing_ && requirements_.empty(); }
  const std::vector<LabelRequirement>& requirements() const { return requirements_; }
  // Parse(ToString()) selects the same objects; requirements are in the order of their keys.
  std::string ToString() const;

 private:
  std::vector<LabelRequirement> requirements_;
  bool nothing_ = false;
};

// One condition on one field: "status.phase!=Failed".
struct FieldTerm {
  std::string field;
  std::string value;
  bool negated = false;

  bool operator==(const FieldTerm&) const = default;
};

// A conjunction of field terms. Which fields a kind has is in messages/api/field_values.h.
// Rules and texts: apimachinery/pkg/fields/selector.go.
class FieldSelector {
 public:
  FieldSelector() = default;
  explicit FieldSelector(std::vector<FieldTerm> terms) : terms_(std::move(terms)) {}

  // Terms are separated by commas; "\\", "\," and "\=" stand for themselves in a value.
  static absl::StatusOr<FieldSelector> Parse(std::string_view text);

  bool IsEverything() const { return terms_.empty(); }
  const std::vector<FieldTerm>& terms() const { return terms_; }
  // The value that `field` must have exactly, nullptr when no term says so.
  const std::string* RequiredValue(std::string_view field) const;
  std::string ToString() const;

 private:
  std::vector<FieldTerm> terms_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_SELECTOR_H_
