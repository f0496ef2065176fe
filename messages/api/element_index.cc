#include "messages/api/element_index.h"

#include <cmath>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "boost/json.hpp"
#include "messages/api/patch.h"

namespace kubemu {
namespace {

namespace json = boost::json;

size_t HashText(json::string_view text) {
  return std::hash<std::string_view>()({text.data(), text.size()});
}

// 1 and 1.0 are equal. (So are some integers past 2^53 and the double next to them: not here.)
size_t HashNumber(const json::value& value) {
  constexpr double kWhole = 9.0e18;
  if (value.is_uint64()) return std::hash<uint64_t>()(value.get_uint64());
  if (value.is_int64()) return std::hash<uint64_t>()(static_cast<uint64_t>(value.get_int64()));
  const double number = value.get_double();
  if (number > -kWhole && number < kWhole && std::trunc(number) == number) {
    return std::hash<uint64_t>()(static_cast<uint64_t>(static_cast<int64_t>(number)));
  }
  return std::hash<double>()(number);
}

// Equal values (JsonEqual) have equal hashes.
size_t HashOf(const json::value& value) {
  constexpr size_t kFactor = 1'000'003;
  if (value.is_number()) return HashNumber(value);
  if (value.is_string()) return HashText(value.get_string());
  size_t hash = static_cast<size_t>(value.kind());
  if (const json::array* array = value.if_array()) {
    for (const json::value& item : *array) hash = hash * kFactor + HashOf(item);
  } else if (const json::object* object = value.if_object()) {
    // The order of members does not matter.
    for (const json::key_value_pair& member : *object)
      hash += HashText(member.key()) * kFactor ^ HashOf(member.value());
  } else if (value.is_bool()) {
    hash += value.get_bool() ? 1 : 0;
  }
  return hash;
}

}  // namespace

const json::value* ElementIndex::IdentityOf(const json::value& element,
                                            const std::string& merge_key) {
  if (merge_key.empty()) return &element;
  const json::object* object = element.if_object();
  return object == nullptr
             ? nullptr
             : object->if_contains(json::string_view(merge_key.data(), merge_key.size()));
}

ElementIndex::ElementIndex(const json::array& list, std::string merge_key)
    : list_(list), merge_key_(std::move(merge_key)) {
  for (size_t i = 0; i < list_.size(); ++i) Add(i);
}

int ElementIndex::Find(const json::value& element) const {
  const json::value* wanted = IdentityOf(element, merge_key_);
  if (wanted == nullptr) return -1;
  const auto [begin, end] = positions_.equal_range(HashOf(*wanted));
  for (auto it = begin; it != end; ++it) {
    const json::value* identity = IdentityOf(list_[it->second], merge_key_);
    if (identity != nullptr && JsonEqual(*identity, *wanted)) return static_cast<int>(it->second);
  }
  return -1;
}

void ElementIndex::AddLast() {
  Add(list_.size() - 1);
}

void ElementIndex::Add(size_t position) {
  const json::value* identity = IdentityOf(list_[position], merge_key_);
  if (identity == nullptr || Find(list_[position]) >= 0) return;
  positions_.emplace(HashOf(*identity), position);
}

}  // namespace kubemu
