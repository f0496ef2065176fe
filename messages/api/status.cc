#include "messages/api/status.h"

#include "messages/api/field_errors.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/meta_request.pb.h"

namespace kubemu {

std::string GroupResource::ToString() const {
  return group.empty() ? resource : StrCat(resource, ".", group);
}

namespace api_error {
namespace {

Status Failure(int32_t code, std::string_view reason, std::string_view message) {
  Status status;
  status.mutable_metadata();
  status.set_status("Failure");
  status.set_message(std::string(message));
  status.set_reason(std::string(reason));
  status.set_code(code);
  return status;
}

void SetDetails(const GroupResource& resource, std::string_view name, Status* status) {
  k8s::meta::v1::StatusDetails* details = status->mutable_details();
  if (!name.empty()) details->set_name(std::string(name));
  if (!resource.group.empty()) details->set_group(resource.group);
  if (!resource.resource.empty()) details->set_kind(resource.resource);
}

void AddCause(std::string_view reason, std::string_view message, std::string_view field,
              Status* status) {
  k8s::meta::v1::StatusCause* cause = status->mutable_details()->add_causes();
  if (!reason.empty()) cause->set_reason(std::string(reason));
  cause->set_message(std::string(message));
  if (!field.empty()) cause->set_field(std::string(field));
}

Status OfObject(int32_t code, std::string_view reason, std::string_view message,
                const GroupResource& resource, std::string_view name) {
  Status status = Failure(code, reason, message);
  SetDetails(resource, name, &status);
  return status;
}

}  // namespace

Status BadRequest(std::string_view message) {
  return Failure(400, "BadRequest", message);
}

Status Unauthorized(std::string_view message) {
  return Failure(401, "Unauthorized", message.empty() ? "not authorized" : message);
}

Status Forbidden(const GroupResource& resource, std::string_view name, std::string_view why) {
  std::string subject = resource.ToString();
  if (!subject.empty()) {
    if (!name.empty()) StrAppend(&subject, " ", Quoted(name));
    subject += " is ";
  }
  return OfObject(403, "Forbidden", StrCat(subject, "forbidden: ", why), resource, name);
}

Status NotFound(const GroupResource& resource, std::string_view name) {
  return OfObject(404, "NotFound", StrCat(resource.ToString(), " ", Quoted(name), " not found"),
                  resource, name);
}

Status PathNotFound() {
  Status status = Failure(404, "NotFound", "the server could not find the requested resource");
  status.mutable_details();
  return status;
}

Status MethodNotAllowed(const GroupResource& resource, std::string_view action) {
  return OfObject(
      405, "MethodNotAllowed",
      StrCat(action, " is not supported on resources of kind ", Quoted(resource.ToString())),
      resource, "");
}

Status NotAcceptable(std::string_view message) {
  return Failure(406, "NotAcceptable", message);
}

Status AlreadyExists(const GroupResource& resource, std::string_view name) {
  return OfObject(409, "AlreadyExists",
                  StrCat(resource.ToString(), " ", Quoted(name), " already exists"), resource,
                  name);
}

Status Conflict(const GroupResource& resource, std::string_view name, std::string_view why) {
  return OfObject(409, "Conflict",
                  StrCat("Operation cannot be fulfilled on ", resource.ToString(), " ",
                         Quoted(name), ": ", why),
                  resource, name);
}

Status ModifiedConflict(const GroupResource& resource, std::string_view name) {
  return Conflict(resource, name,
                  "the object has been modified; please apply your changes to the latest version "
                  "and try again");
}

Status Gone(std::string_view message) {
  return Failure(410, "Gone", message);
}

Status Expired(std::string_view message) {
  return Failure(410, "Expired", message);
}

Status ResourceVersionTooOld(uint64_t requested, uint64_t oldest) {
  return Expired(StrCat("too old resource version: ", requested, " (", oldest, ")"));
}

Status RequestEntityTooLarge(std::string_view message) {
  return Failure(413, "RequestEntityTooLarge", StrCat("Request entity too large: ", message));
}

Status UnsupportedMediaType(std::string_view message) {
  return Failure(415, "UnsupportedMediaType", message);
}

Status Invalid(std::string_view group, std::string_view kind, std::string_view name,
               const FieldErrorList& errors) {
  const GroupResource subject{std::string(group), std::string(kind)};
  Status status =
      OfObject(422, "Invalid",
               StrCat(subject.ToString(), " ", Quoted(name), " is invalid: ", errors.ToString()),
               subject, name);
  for (const FieldError& error : errors.errors()) {
    AddCause(FieldErrorReason(error.type), error.Body(), error.field, &status);
  }
  return status;
}

Status TooManyRequests(std::string_view message, int32_t retry_after_seconds) {
  Status status = Failure(429, "TooManyRequests", message);
  status.mutable_details()->set_retry_after_seconds(retry_after_seconds);
  return status;
}

Status InternalError(std::string_view what) {
  Status status = Failure(500, "InternalError", StrCat("Internal error occurred: ", what));
  AddCause("", what, "", &status);
  return status;
}

Status Unclassified(std::string_view message) {
  Status status = Failure(500, "", message);
  status.clear_reason();
  return status;
}

Status ServiceUnavailable(std::string_view message) {
  return Failure(503, "ServiceUnavailable", message);
}

Status Timeout(std::string_view message, int32_t retry_after_seconds) {
  Status status = Failure(504, "Timeout", StrCat("Timeout: ", message));
  status.mutable_details()->set_retry_after_seconds(retry_after_seconds);
  return status;
}

Status ResourceVersionTooNew(uint64_t requested, uint64_t current) {
  Status status =
      Timeout(StrCat("Too large resource version: ", requested, ", current: ", current), 1);
  AddCause("ResourceVersionTooLarge", "Too large resource version", "", &status);
  return status;
}

Status FromPatchError(const absl::Status& error) {
  const std::string message(error.message());
  if (error.code() == absl::StatusCode::kResourceExhausted) return RequestEntityTooLarge(message);
  if (error.code() != absl::StatusCode::kFailedPrecondition) return BadRequest(message);
  Status status =
      Failure(422, "Invalid", "the server rejected our request due to an error in our request");
  AddCause("", message, "patch", &status);
  return status;
}

}  // namespace api_error

k8s::meta::v1::Status SuccessStatus(const GroupResource& resource, std::string_view name,
                                    std::string_view uid) {
  k8s::meta::v1::Status status;
  status.mutable_metadata();
  status.set_status("Success");
  status.set_code(200);
  api_error::SetDetails(resource, name, &status);
  if (!uid.empty()) status.mutable_details()->set_uid(std::string(uid));
  return status;
}

}  // namespace kubemu
