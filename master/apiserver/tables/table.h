#ifndef KUBEMU_MASTER_APISERVER_TABLES_TABLE_H_
#define KUBEMU_MASTER_APISERVER_TABLES_TABLE_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "messages/core/time.h"
#include "messages/object.h"

namespace k8s::meta::v1 {
class LabelSelector;
class Time;
}  // namespace k8s::meta::v1

namespace kubemu {

struct Kind;

// The columns that `kubectl get` shows of a kind, and how a row is made of an object, as
// pkg/printers/internalversion/printers.go does it.
struct TableColumn {
  const char* name;
  const char* type = "string";  // or "integer"
  int priority = 0;             // 1: shown by -o wide only
  const char* description = "";
};

using TableCell = std::variant<std::string, int64_t>;
using TableCells = std::vector<TableCell>;

struct TablePrinter {
  std::vector<TableColumn> columns;
  // One cell for each column. `now` is what ages are counted to.
  TableCells (*cells)(const Object& object, WallTime now);
};

// The printer of a kind; kinds without one of their own show Name and Age.
const TablePrinter& PrinterOf(const Kind& kind);

// One function for each group of kinds; nullptr: not of this group.
const TablePrinter* NodePrinter(const Kind& kind);
const TablePrinter* PodPrinter(const Kind& kind);
const TablePrinter* NetworkPrinter(const Kind& kind);   // services, endpoints, endpointslices
const TablePrinter* WorkloadPrinter(const Kind& kind);  // deployments, replicasets
const TablePrinter* ConfigPrinter(const Kind& kind);    // namespaces, configmaps, leases, ...
const TablePrinter* EventPrinter(const Kind& kind);

// Helpers that several printers share.

WallTime ToWall(const k8s::meta::v1::Time& time);
// "5m3s", or "<unknown>" for a time that is not set.
std::string AgeOf(const k8s::meta::v1::Time& time, WallTime now);
std::string CreationAge(const Object& object, WallTime now);
// "<none>" for an empty text.
std::string OrNone(std::string text);
// "a,b,c", "a,b,c + 2 more..." past three of `count`, "<none>" if there is none.
std::string WithMore(const std::vector<std::string>& texts, size_t count);
// "app=web,tier in (a,b)"; "<none>" for an empty or absent one.
std::string SelectorText(const k8s::meta::v1::LabelSelector& selector);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_TABLES_TABLE_H_
