#ifndef KUBEMU_MASTER_APISERVER_APPLY_SCHEMA_H_
#define KUBEMU_MASTER_APISERVER_APPLY_SCHEMA_H_

#include <string>

#include "boost/json/value.hpp"

namespace kubemu {

struct Kind;

// What a server-side apply is refused with when its configuration has fields that the kind does not
// declare, whatever ?fieldValidation= says: "failed to create typed patch object (default/web;
// apps/v1, Kind=Deployment): .spec.replicaz: field not declared in schema". "": it has none.
// At most kFieldErrorsMax fields are named, of each object the first.
// Rules: apimachinery/pkg/util/managedfields/internal/structuredmerge.go and
// structured-merge-diff/typed/validate.go.
std::string UndeclaredFields(const Kind& kind, const boost::json::value& config);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_APPLY_SCHEMA_H_
