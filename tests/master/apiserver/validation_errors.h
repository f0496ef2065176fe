#ifndef KUBEMU_TESTS_MASTER_APISERVER_VALIDATION_ERRORS_H_
#define KUBEMU_TESTS_MASTER_APISERVER_VALIDATION_ERRORS_H_

#include <string>
#include <vector>

#include "master/apiserver/defaults/defaults.h"
#include "master/apiserver/validation/validation.h"
#include "messages/api/kinds.h"
#include "tests/messages/api/text_proto.h"

namespace kubemu {

using Errors = std::vector<std::string>;

inline Errors Texts(const FieldErrorList& errors) {
  Errors texts;
  for (const FieldError& error : errors.errors()) texts.push_back(error.ToString());
  return texts;
}

// An object named "x" (in namespace "n", if its kind has them) with `text`, defaults applied.
template <typename T>
T Made(const std::string& text) {
  T object = FromText<T>(text);
  if (!object.metadata().has_name()) object.mutable_metadata()->set_name("x");
  if (KindOf<T>().namespaced && !object.metadata().has_namespace_()) {
    object.mutable_metadata()->set_namespace_("n");
  }
  ApplyDefaults(&object);
  return object;
}

template <typename T>
Errors CreateErrors(const std::string& text) {
  return Texts(ValidateCreate(KindOf<T>(), Made<T>(text)));
}

template <typename T>
Errors UpdateErrors(const std::string& before, const std::string& after) {
  return Texts(ValidateUpdate(KindOf<T>(), Made<T>(before), Made<T>(after)));
}

// A valid container with more in it.
inline std::string C(const std::string& more = "", const std::string& name = "c") {
  return "containers { name: '" + name + "' image: 'i' " + more + " } ";
}

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MASTER_APISERVER_VALIDATION_ERRORS_H_
