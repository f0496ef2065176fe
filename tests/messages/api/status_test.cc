#include "messages/api/status.h"

#include <gtest/gtest.h>

#include "messages/api/field_errors.h"
#include "messages/proto/k8s/meta_request.pb.h"

namespace kubemu {
namespace {

const GroupResource kDeployments{"apps", "deployments"};
const GroupResource kPods{"", "pods"};

TEST(StatusTest, ErrorsAboutAnObjectNameItsResourceAndGroup) {
  const ::k8s::meta::v1::Status status = api_error::NotFound(kDeployments, "web");
  EXPECT_EQ(status.message(), "deployments.apps \"web\" not found");
  EXPECT_EQ(status.code(), 404);
  EXPECT_EQ(status.reason(), "NotFound");
  EXPECT_EQ(status.status(), "Failure");
  EXPECT_EQ(status.details().name(), "web");
  EXPECT_EQ(status.details().group(), "apps");
  EXPECT_EQ(status.details().kind(), "deployments");
  EXPECT_EQ(api_error::AlreadyExists(kPods, "x").message(), "pods \"x\" already exists");
  EXPECT_FALSE(api_error::AlreadyExists(kPods, "x").details().has_group());
  EXPECT_EQ(api_error::ModifiedConflict(kDeployments, "web").message(),
            "Operation cannot be fulfilled on deployments.apps \"web\": the object has been "
            "modified; please apply your changes to the latest version and try again");
}

TEST(StatusTest, ForbiddenNamesWhatItCan) {
  EXPECT_EQ(api_error::Forbidden(kPods, "x", "no").message(), "pods \"x\" is forbidden: no");
  EXPECT_EQ(api_error::Forbidden(kPods, "", "no").message(), "pods is forbidden: no");
  EXPECT_EQ(api_error::Forbidden({}, "", "no").message(), "forbidden: no");
}

TEST(StatusTest, InvalidCarriesTheKindAndOneCausePerError) {
  FieldErrorList errors;
  errors.Required(FieldPath("spec.containers"));
  errors.Invalid(FieldPath("spec.x"), "y", "is odd");
  const ::k8s::meta::v1::Status status = api_error::Invalid("", "Pod", "web", errors);
  EXPECT_EQ(status.message(),
            "Pod \"web\" is invalid: [spec.containers: Required value, spec.x: Invalid value: "
            "\"y\": is odd]");
  EXPECT_EQ(status.code(), 422);
  EXPECT_EQ(status.details().kind(), "Pod");
  ASSERT_EQ(status.details().causes_size(), 2);
  EXPECT_EQ(status.details().causes(0).reason(), "FieldValueRequired");
  EXPECT_EQ(status.details().causes(0).message(), "Required value");
  EXPECT_EQ(status.details().causes(0).field(), "spec.containers");
  EXPECT_EQ(api_error::Invalid("apps", "Deployment", "web", errors).message().substr(0, 38),
            "Deployment.apps \"web\" is invalid: [spe");
}

TEST(StatusTest, TextsOfTheOtherFailures) {
  EXPECT_EQ(api_error::ResourceVersionTooOld(1, 5).message(), "too old resource version: 1 (5)");
  EXPECT_EQ(api_error::ResourceVersionTooOld(1, 5).reason(), "Expired");
  EXPECT_EQ(api_error::ResourceVersionTooOld(1, 5).code(), 410);
  EXPECT_EQ(api_error::ResourceVersionTooNew(9, 5).message(),
            "Timeout: Too large resource version: 9, current: 5");
  EXPECT_EQ(api_error::InternalError("disk").message(), "Internal error occurred: disk");
  EXPECT_EQ(api_error::TooManyRequests("slow down", 3).details().retry_after_seconds(), 3);
  EXPECT_EQ(api_error::MethodNotAllowed(kDeployments, "patch").message(),
            "patch is not supported on resources of kind \"deployments.apps\"");
}

TEST(StatusTest, PatchErrorsBecomeBadRequestInvalidOrTooLarge) {
  EXPECT_EQ(api_error::FromPatchError(absl::InvalidArgumentError("x")).code(), 400);
  EXPECT_EQ(api_error::FromPatchError(absl::ResourceExhaustedError("x")).code(), 413);
  const ::k8s::meta::v1::Status status =
      api_error::FromPatchError(absl::FailedPreconditionError("operation 0: missing"));
  EXPECT_EQ(status.code(), 422);
  EXPECT_EQ(status.message(), "the server rejected our request due to an error in our request");
  EXPECT_EQ(status.details().causes(0).message(), "operation 0: missing");
}

TEST(StatusTest, SuccessOfADeletionNamesTheObject) {
  const ::k8s::meta::v1::Status status = SuccessStatus(kPods, "x", "uid-1");
  EXPECT_EQ(status.status(), "Success");
  EXPECT_EQ(status.details().uid(), "uid-1");
  EXPECT_EQ(status.details().kind(), "pods");
}

}  // namespace
}  // namespace kubemu
