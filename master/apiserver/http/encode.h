#ifndef KUBEMU_MASTER_APISERVER_HTTP_ENCODE_H_
#define KUBEMU_MASTER_APISERVER_HTTP_ENCODE_H_

#include <string>
#include <string_view>
#include <vector>

#include "master/apiserver/call.h"
#include "master/apiserver/http/media_type.h"
#include "messages/core/time.h"
#include "messages/proto/http.pb.h"

namespace kubemu {

// A whole answer with one body.
bus::HttpResponse PlainResponse(uint64_t request, uint32_t status, std::string_view content_type,
                                std::string body);

// The answer to a call in the form that the client accepts: an object, a list, a Table, or a
// Status. `now` is what the ages in a Table are counted to.
bus::HttpResponse EncodeAnswer(uint64_t request, const ApiAnswer& answer, const Kind& kind,
                               const AnswerFormat& format, const std::vector<std::string>& warnings,
                               WallTime now);
bus::HttpResponse EncodeStatus(uint64_t request, const ApiStatus& status);

// One line of a watch: {"type":"ADDED","object":...}. `type` as on the wire.
std::string WatchLine(std::string_view type, const Object& object, const AnswerFormat& format,
                      WallTime now);
// A BOOKMARK, at the end of the initial events with the annotation that says so.
std::string BookmarkLine(const Kind& kind, uint64_t revision, bool initial_events_end,
                         const AnswerFormat& format);
std::string ErrorLine(const ApiStatus& status);

// JSON with indentation, for people (?pretty=true).
std::string PrettyJson(std::string_view json);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_HTTP_ENCODE_H_
