#ifndef KUBEMU_MASTER_APISERVER_VALIDATION_VALIDATION_H_
#define KUBEMU_MASTER_APISERVER_VALIDATION_VALIDATION_H_

#include "messages/api/field_errors.h"

namespace google::protobuf {
class Message;
}

namespace kubemu {

struct Kind;

// Everything that is wrong with an object that is to be stored, in the words of the real API
// server; empty: it is valid. REQUIRES: defaults were applied and the metadata is complete.
FieldErrorList ValidateCreate(const Kind& kind, const google::protobuf::Message& object);

// The same for what an object becomes: what ValidateCreate asks of it, and what must not change.
// REQUIRES: both are objects of the kind.
FieldErrorList ValidateUpdate(const Kind& kind, const google::protobuf::Message& old_object,
                              const google::protobuf::Message& new_object);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_VALIDATION_VALIDATION_H_
