#include "master/apiserver/http/table_json.h"

#include <utility>

#include "master/apiserver/tables/table.h"
#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

void AppendColumns(const TablePrinter& printer, std::string* out) {
  bool first = true;
  for (const TableColumn& column : printer.columns) {
    if (!std::exchange(first, false)) out->push_back(',');
    out->append("{\"name\":");
    AppendJsonString(column.name, out);
    StrAppend(out, ",\"type\":\"", column.type, "\",\"format\":\"",
              std::string_view(column.name) == "Name" && column.priority == 0 ? "name" : "",
              "\",\"description\":");
    AppendJsonString(column.description, out);
    StrAppend(out, ",\"priority\":", column.priority, "}");
  }
}

void AppendRowObject(const Object& object, const AnswerFormat& format, std::string* out) {
  if (format.include_object == "None") {
    out->append("null");
  } else if (format.include_object == "Object") {
    object.AppendJsonTo(/*typed=*/true, out);
  } else {
    StrAppend(out, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/",
              format.table_version, "\",\"metadata\":");
    AppendJson(object.meta(), nullptr, out);
    out->push_back('}');
  }
}

void AppendRow(const Object& object, const TablePrinter& printer, const AnswerFormat& format,
               WallTime now, std::string* out) {
  out->append("{\"cells\":[");
  bool first = true;
  for (const TableCell& cell : printer.cells(object, now)) {
    if (!std::exchange(first, false)) out->push_back(',');
    if (const auto* number = std::get_if<int64_t>(&cell)) {
      StrAppend(out, *number);
    } else {
      AppendJsonString(std::get<std::string>(cell), out);
    }
  }
  out->append("],\"object\":");
  AppendRowObject(object, format, out);
  out->push_back('}');
}

}  // namespace

void AppendListMeta(const ApiAnswer& answer, std::string* out) {
  uint64_t revision = answer.revision;
  if (!answer.is_list && !answer.objects.empty()) revision = answer.objects[0].revision();
  StrAppend(out, "{\"resourceVersion\":\"", revision, "\"");
  if (!answer.continue_token.empty())
    StrAppend(out, ",\"continue\":\"", answer.continue_token, "\"");
  if (answer.remaining) StrAppend(out, ",\"remainingItemCount\":", *answer.remaining);
  out->push_back('}');
}

void AppendTable(const ApiAnswer& answer, const Kind& kind, const AnswerFormat& format,
                 WallTime now, std::string* out) {
  const TablePrinter& printer = PrinterOf(kind);
  StrAppend(out, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/", format.table_version,
            "\",\"metadata\":");
  AppendListMeta(answer, out);
  out->append(",\"columnDefinitions\":[");
  AppendColumns(printer, out);
  out->append("],\"rows\":[");
  bool first = true;
  for (const Object& object : answer.objects) {
    if (!std::exchange(first, false)) out->push_back(',');
    AppendRow(object, printer, format, now, out);
  }
  out->append("]}");
}

}  // namespace kubemu
