#ifndef KUBEMU_MESSAGES_API_OPENAPI_V2_H_
#define KUBEMU_MESSAGES_API_OPENAPI_V2_H_

#include <string>
#include <vector>

#include "boost/json/fwd.hpp"

namespace kubemu {

// Turns OpenAPI v3 documents as OpenApi makes them into one v2 document, as the bytes of a
// kubemu.openapi_v2.Document. It has all schemas and of the paths the PATCH operations: kubectl
// looks only there for what the server can do (kubectl/pkg/util/openapi/dryrun.go and
// cli-runtime's query_param_verifier.go).
std::string OpenApiV2Document(const std::vector<boost::json::object>& v3_documents);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_OPENAPI_V2_H_
