#ifndef KUBEMU_MASTER_APISERVER_FIELD_OWNERSHIP_H_
#define KUBEMU_MASTER_APISERVER_FIELD_OWNERSHIP_H_

#include "boost/json/value.hpp"
#include "master/apiserver/call.h"
#include "master/apiserver/object_fields.h"
#include "messages/core/time.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

// Who owns which fields of an object: metadata.managedFields. An object has them from the first
// server-side apply on; from then on the writes of HTTP clients are followed too, so that their
// fields are in an applier's way. What the parts of kubemu write has no owner.

// What a server-side apply makes of an object.
struct AppliedFields {
  boost::json::value object;
  ManagedFields managed;
};

// `live` (the object's JSON; of a new one: without anything) with what the manager of `call` wants
// (`config`) in it: fields that it has set before and does not name any more go, unless somebody
// else owns them too. 409 with upstream's text if fields that others own have other values; with
// call.force the manager takes them over.
// Rules: structured-merge-diff/merge/update.go, apimachinery/pkg/util/managedfields.
OrStatus<AppliedFields> ApplyFields(const ApiCall& call, const boost::json::value& live,
                                    const ManagedFields& before, const boost::json::value& config,
                                    WallTime wall);

// After another write of an HTTP client: the fields that differ belong to it alone, those that are
// gone to nobody. `object` is what is to be stored, `old` what it was.
void TrackUpdate(const ApiCall& call, const google::protobuf::Message& old,
                 google::protobuf::Message* object, WallTime wall);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_FIELD_OWNERSHIP_H_
