#ifndef KUBEMU_MESSAGES_API_STATUS_H_
#define KUBEMU_MESSAGES_API_STATUS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace k8s::meta::v1 {
class Status;
}

namespace kubemu {

class FieldErrorList;

// A resource as errors name it: "deployments" of "apps" is printed "deployments.apps", "pods" of
// the core group "".
struct GroupResource {
  std::string group;
  std::string resource;

  std::string ToString() const;
};

// The failures of the API server, each a complete Status with code, reason, message and details,
// worded as upstream (apimachinery/pkg/api/errors/errors.go). details.kind is the resource; only
// Invalid carries the Kind there.
namespace api_error {

using k8s::meta::v1::Status;

Status BadRequest(std::string_view message);                            // 400
Status Unauthorized(std::string_view message);                          // 401
Status Forbidden(const GroupResource& resource, std::string_view name,  // 403
                 std::string_view why);                                 //
Status NotFound(const GroupResource& resource, std::string_view name);  // 404
// What upstream answers for a path that it serves nothing at.
Status PathNotFound();                                                 // 404
Status MethodNotAllowed(const GroupResource& resource,                 // 405
                        std::string_view action);                      //
Status NotAcceptable(std::string_view message);                        // 406
Status AlreadyExists(const GroupResource& resource,                    // 409
                     std::string_view name);                           //
Status Conflict(const GroupResource& resource, std::string_view name,  // 409
                std::string_view why);                                 //
// A Conflict because the resourceVersion is not the newest.
Status ModifiedConflict(const GroupResource& resource,  // 409
                        std::string_view name);         //
Status Gone(std::string_view message);                  // 410
// A resourceVersion or continue token that was compacted.
Status Expired(std::string_view message);                           // 410
Status ResourceVersionTooOld(uint64_t requested, uint64_t oldest);  // 410
Status RequestEntityTooLarge(std::string_view message);             // 413
Status UnsupportedMediaType(std::string_view message);              // 415
// `kind` is the Kind ("Deployment"), errors is not empty.
Status Invalid(std::string_view group, std::string_view kind,         // 422
               std::string_view name, const FieldErrorList& errors);  //
Status TooManyRequests(std::string_view message,                      // 429
                       int32_t retry_after_seconds);                  //
Status InternalError(std::string_view what);                          // 500
// An error for which upstream has no class: the text alone, without a reason.
Status Unclassified(std::string_view message);                          // 500
Status ServiceUnavailable(std::string_view message);                    // 503
Status Timeout(std::string_view message, int32_t retry_after_seconds);  // 504
// A resourceVersion that this server has not seen yet.
Status ResourceVersionTooNew(uint64_t requested, uint64_t current);  // 504

// For what messages/api/patch.h and strategic_merge.h may answer: 400, 422 or 413.
Status FromPatchError(const absl::Status& error);

}  // namespace api_error

// status "Success", code 200. `details` of a deletion: name, group, resource, uid.
k8s::meta::v1::Status SuccessStatus(const GroupResource& resource, std::string_view name,
                                    std::string_view uid);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_STATUS_H_
