#include "master/apiserver/http/encode.h"

#include <utility>

#include "master/apiserver/http/table_json.h"
#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr std::string_view kJson = "application/json";

void AddHeader(std::string name, std::string value, bus::HttpResponse* response) {
  auto* header = response->add_headers();
  header->set_name(std::move(name));
  header->set_value(std::move(value));
}

void AppendList(const ApiAnswer& answer, const Kind& kind, std::string* out) {
  StrAppend(out, "{\"kind\":\"", kind.kind, "List\",\"apiVersion\":\"", kind.api_version(),
            "\",\"metadata\":");
  AppendListMeta(answer, out);
  out->append(",\"items\":[");
  bool first = true;
  for (const Object& object : answer.objects) {
    if (!std::exchange(first, false)) out->push_back(',');
    object.AppendJsonTo(/*typed=*/false, out);
  }
  out->append("]}");
}

std::string BodyOf(const ApiAnswer& answer, const Kind& kind, const AnswerFormat& format,
                   WallTime now) {
  std::string body;
  if (answer.status) {
    AppendJson(*answer.status, &KindOf<ApiStatus>(), &body);
  } else if (format.form == AnswerFormat::Form::kTable &&
             (answer.is_list || &answer.objects[0].kind() == &kind)) {
    AppendTable(answer, kind, format, now, &body);
  } else if (answer.is_list) {
    AppendList(answer, kind, &body);
  } else {
    answer.objects[0].AppendJsonTo(/*typed=*/true, &body);
  }
  return body;
}

}  // namespace

bus::HttpResponse PlainResponse(uint64_t request, uint32_t status, std::string_view content_type,
                                std::string body) {
  bus::HttpResponse response;
  response.set_request(request);
  response.set_status(status);
  AddHeader("content-type", std::string(content_type), &response);
  AddHeader("cache-control", "no-cache, private", &response);
  response.set_body(std::move(body));
  response.set_last(true);
  return response;
}

bus::HttpResponse EncodeAnswer(uint64_t request, const ApiAnswer& answer, const Kind& kind,
                               const AnswerFormat& format, const std::vector<std::string>& warnings,
                               WallTime now) {
  std::string body = BodyOf(answer, kind, format, now);
  if (format.pretty) body = PrettyJson(body);
  bus::HttpResponse response = PlainResponse(request, answer.code, kJson, std::move(body));
  for (const std::string& warning : warnings) {
    std::string quoted;
    AppendJsonString(warning, &quoted);
    AddHeader("warning", "299 - " + quoted, &response);
  }
  if (answer.status && answer.status->details().retry_after_seconds() > 0)
    AddHeader("retry-after", StrCat(answer.status->details().retry_after_seconds()), &response);
  return response;
}

bus::HttpResponse EncodeStatus(uint64_t request, const ApiStatus& status) {
  return EncodeAnswer(request, ApiAnswer::Failure(status), KindOf<ApiStatus>(), AnswerFormat(), {},
                      WallTime());
}

std::string WatchLine(std::string_view type, const Object& object, const AnswerFormat& format,
                      WallTime now) {
  std::string line = StrCat("{\"type\":\"", type, "\",\"object\":");
  if (format.form == AnswerFormat::Form::kTable) {
    ApiAnswer answer = ApiAnswer::Of(object);
    AppendTable(answer, object.kind(), format, now, &line);
  } else {
    object.AppendJsonTo(/*typed=*/true, &line);
  }
  line.append("}\n");
  return line;
}

std::string BookmarkLine(const Kind& kind, uint64_t revision, bool initial_events_end,
                         const AnswerFormat& format) {
  std::string line = "{\"type\":\"BOOKMARK\",\"object\":";
  if (format.form == AnswerFormat::Form::kTable) {
    ApiAnswer empty;
    empty.is_list = true;
    empty.revision = revision;
    AppendTable(empty, kind, format, WallTime(), &line);
  } else {
    StrAppend(&line, "{\"kind\":\"", kind.kind, "\",\"apiVersion\":\"", kind.api_version(),
              "\",\"metadata\":{\"resourceVersion\":\"", revision, "\",\"creationTimestamp\":null");
    if (initial_events_end)
      line.append(",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}");
    line.append("}}");
  }
  line.append("}\n");
  return line;
}

std::string ErrorLine(const ApiStatus& status) {
  std::string line = "{\"type\":\"ERROR\",\"object\":";
  AppendJson(status, &KindOf<ApiStatus>(), &line);
  line.append("}\n");
  return line;
}

std::string PrettyJson(std::string_view json) {
  std::string out;
  int depth = 0;
  bool in_string = false;
  const auto new_line = [&] {
    out.push_back('\n');
    out.append(static_cast<size_t>(depth) * 2, ' ');
  };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out.push_back(c);
      if (c == '\\' && i + 1 < json.size()) out.push_back(json[++i]);
      if (c == '"') in_string = false;
    } else if (c == '{' || c == '[') {
      out.push_back(c);
      const bool empty = i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']');
      if (empty) {
        out.push_back(json[++i]);
      } else {
        ++depth;
        new_line();
      }
    } else if (c == '}' || c == ']') {
      --depth;
      new_line();
      out.push_back(c);
    } else if (c == ',') {
      out.push_back(c);
      new_line();
    } else if (c == ':') {
      out.append(": ");
    } else {
      in_string = c == '"';
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace kubemu
