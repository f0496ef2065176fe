#ifndef KUBEMU_MESSAGES_API_PATCH_H_
#define KUBEMU_MESSAGES_API_PATCH_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "boost/json/fwd.hpp"

namespace kubemu {

// As the real API server (apiserver/pkg/endpoints/handlers/patch.go).
inline constexpr size_t kJsonPatchOperationsMax = 10'000;
inline constexpr size_t kJsonPatchCopyBytesMax = 3 * 1024 * 1024;

// RFC 7396. Members of `patch` replace those of `original`, null removes, objects go deeper.
boost::json::value MergePatch(const boost::json::value& original, const boost::json::value& patch);

// RFC 6902. `patch` is an array of operations: add, remove, replace, move, copy, test; all of them
// or none. Errors name the operation's index and path:
//   InvalidArgument    it is no JSON patch (answer 400)
//   FailedPrecondition it does not fit this document, or a test failed (answer 422)
//   ResourceExhausted  more than kJsonPatchOperationsMax operations, or the copies together made
//                      more than kJsonPatchCopyBytesMax (answer 413)
absl::StatusOr<boost::json::value> JsonPatch(const boost::json::value& original,
                                             const boost::json::value& patch);

// Equal as JSON values: 1 and 1.0 are equal, the order of members does not matter.
bool JsonEqual(const boost::json::value& a, const boost::json::value& b);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_PATCH_H_
