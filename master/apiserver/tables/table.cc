#include "master/apiserver/tables/table.h"

#include <algorithm>
#include <map>

#include "messages/api/human_duration.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

TableCells GenericCells(const Object& object, WallTime now) {
  return {object.meta().name(), CreationAge(object, now)};
}

const TablePrinter& FindPrinter(const Kind& kind) {
  static const TablePrinter kGeneric{{{"Name"}, {"Age"}}, GenericCells};
  for (const auto find :
       {NodePrinter, PodPrinter, NetworkPrinter, WorkloadPrinter, ConfigPrinter, EventPrinter}) {
    if (const TablePrinter* printer = find(kind)) return *printer;
  }
  return kGeneric;
}

// One requirement in the text form of label selectors.
std::string RequirementText(const k8s::meta::v1::LabelSelectorRequirement& requirement) {
  if (requirement.operator_() == "Exists") return requirement.key();
  if (requirement.operator_() == "DoesNotExist") return "!" + requirement.key();
  std::vector<std::string> values(requirement.values().begin(), requirement.values().end());
  std::sort(values.begin(), values.end());
  return StrCat(requirement.key(), requirement.operator_() == "In" ? " in (" : " notin (",
                StrJoin(values, ","), ")");
}

}  // namespace

const TablePrinter& PrinterOf(const Kind& kind) {
  return FindPrinter(kind);
}

WallTime ToWall(const k8s::meta::v1::Time& time) {
  return WallTime(std::chrono::seconds(time.seconds()) + std::chrono::nanoseconds(time.nanos()));
}

std::string AgeOf(const k8s::meta::v1::Time& time, WallTime now) {
  return HumanAge(ToWall(time), now);
}

std::string CreationAge(const Object& object, WallTime now) {
  return AgeOf(object.meta().creation_timestamp(), now);
}

std::string OrNone(std::string text) {
  return text.empty() ? "<none>" : text;
}

std::string WithMore(const std::vector<std::string>& texts, size_t count) {
  constexpr size_t kShown = 3;
  std::vector<std::string> shown(texts.begin(), texts.begin() + std::min(kShown, texts.size()));
  std::string text = StrJoin(shown, ",");
  if (texts.size() > kShown) return StrCat(text, " + ", count - kShown, " more...");
  return OrNone(std::move(text));
}

std::string SelectorText(const k8s::meta::v1::LabelSelector& selector) {
  std::map<std::string, std::string> texts;  // by key: selectors print in the order of their keys
  for (const auto& label : selector.match_labels())
    texts[label.key()] = StrCat(label.key(), "=", label.value());
  for (const auto& requirement : selector.match_expressions())
    texts[requirement.key()] = RequirementText(requirement);
  std::vector<std::string> sorted;
  for (auto& [key, text] : texts) sorted.push_back(std::move(text));
  return OrNone(StrJoin(sorted, ","));
}

}  // namespace kubemu
