#ifndef KUBEMU_MESSAGES_API_STRATEGIC_MERGE_H_
#define KUBEMU_MESSAGES_API_STRATEGIC_MERGE_H_

#include "absl/status/statusor.h"
#include "boost/json/fwd.hpp"

namespace google::protobuf {
class Descriptor;
}

namespace kubemu {

// Kubernetes' strategic merge patch: like a merge patch, but lists whose field says so in
// messages/proto/k8s/options.proto are merged, by their key or as sets of primitives. Both values
// are the JSON form of a `type`. Understands the directives
//   $patch: delete | replace | merge        of an object, or of an element of a keyed list
//   $retainKeys: [..]                       every member not named goes
//   $setElementOrder/<list>: [..]           the order of the list's elements afterwards
//   $deleteFromPrimitiveList/<list>: [..]   values to take out
// and null, which removes. Fields that `type` does not have are merged like a merge patch.
// InvalidArgument: the patch contradicts itself or misses a key; says where.
// Rules: apimachinery/pkg/util/strategicpatch/patch.go.
absl::StatusOr<boost::json::value> StrategicMerge(const boost::json::value& original,
                                                  const boost::json::value& patch,
                                                  const google::protobuf::Descriptor& type);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_STRATEGIC_MERGE_H_
