#ifndef KUBEMU_MESSAGES_API_OPENAPI_H_
#define KUBEMU_MESSAGES_API_OPENAPI_H_

#include <map>
#include <string>
#include <string_view>

namespace kubemu {

// The answer to GET /openapi/v2 that every kubectl accepts is 200, this type and an empty body: an
// OpenAPI v2 document in Protobuf with nothing in it. With "@" for the last "." Go's MIME parser
// fails.
inline constexpr std::string_view kOpenApiV2Type =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

// OpenAPI v3 documents of the kinds, one for each group and version, from their descriptors, whose
// comments are the descriptions (`kubectl explain`). kubectl apply looks there for the query
// parameter fieldValidation of PATCH, and for the merge keys of lists.
class OpenApi {
 public:
  // Builds every document (some milliseconds, some hundred KB): make one when it is first asked
  // for.
  OpenApi();

  // The body of /openapi/v3:
  // {"paths":{"api/v1":{"serverRelativeURL":"/openapi/v3/api/v1?hash=..."}}}.
  const std::string& index() const { return index_; }

  // The document of a path below /openapi/v3/: "api/v1", "apis/apps/v1". Null if there is none.
  const std::string* Find(std::string_view path) const;

 private:
  std::map<std::string, std::string, std::less<>> documents_;
  std::string index_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_OPENAPI_H_
