#ifndef KUBEMU_MESSAGES_API_OPENAPI_H_
#define KUBEMU_MESSAGES_API_OPENAPI_H_

#include <map>
#include <string>
#include <string_view>

namespace kubemu {

// The type of OpenApi::v2(). kubectl asks for it with "@" for the last ".", but in an answer Go's
// MIME parser fails at that.
inline constexpr std::string_view kOpenApiV2Type =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

// OpenAPI v3 documents of the kinds, one for each group and version, from their descriptors, whose
// comments are the descriptions (`kubectl explain`). kubectl apply looks there for the query
// parameter fieldValidation of PATCH, and for the merge keys of lists. One v2 document has the same
// for kubectl before 1.27.
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

  // The body of /openapi/v2: a kubemu.openapi_v2.Document, some hundred KB.
  const std::string& v2() const { return v2_; }

 private:
  std::map<std::string, std::string, std::less<>> documents_;
  std::string index_;
  std::string v2_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_OPENAPI_H_
