#ifndef KUBEMU_MESSAGES_OBJECT_H_
#define KUBEMU_MESSAGES_OBJECT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <typeinfo>

#include "messages/trace.h"

namespace google::protobuf {
class Message;
}
namespace k8s::meta::v1 {
class ObjectMeta;
}

namespace kubemu {

struct Kind;

// How many bytes of JSON may be kept beside objects (Object::KeepJson), and how many are.
struct JsonBudget {
  size_t bytes_max = 0;
  size_t bytes = 0;
};

// A handle to one immutable API object. Copies share it: there is one decoded copy of an object in
// a process, whoever watches it. Holds the object, its bytes, or both; what is missing is made on
// first use and kept. Not thread-safe (a process has one thread).
class Object {
 public:
  Object() = default;  // none

  // Takes ownership. `trace` is that of the write that made this version.
  static Object Of(std::unique_ptr<const google::protobuf::Message> object, Trace trace = {});
  // The same from a value.
  template <class T>
  static Object From(T object, Trace trace = {}) {
    return Of(std::make_unique<T>(std::move(object)), trace);
  }
  // From bytes that came from outside: decodes at once, so that later use cannot fail.
  // None if they are not a valid object of that kind.
  static Object FromBytes(const Kind& kind, std::string bytes, Trace trace);

  explicit operator bool() const { return rep_ != nullptr; }

  // REQUIRES for all below: not none.
  const Kind& kind() const;
  const google::protobuf::Message& message() const;
  // The object as the type T. REQUIRES: T is the type of its kind.
  template <class T>
  const T& As() const {
    return static_cast<const T&>(CheckType(typeid(T)));
  }
  const k8s::meta::v1::ObjectMeta& meta() const;
  const std::string& bytes() const;  // deterministic serialisation
  // Appends the object's JSON, with apiVersion and kind first if `typed` (a list's items have
  // none).
  void AppendJsonTo(bool typed, std::string* out) const;
  // From its first use on the JSON stays beside the object, until the object is gone, if `budget`
  // has room for it then; if not, it is made anew each time. Who lists or watches an object after
  // that gets a copy of bytes.
  void KeepJson(std::shared_ptr<JsonBudget> budget) const;
  const Trace& trace() const;
  // "namespace/name", or "name" for cluster-scoped objects.
  const std::string& key() const;
  uint64_t revision() const;  // metadata.resourceVersion as a number; 0 if unset

 private:
  struct KeptJson;
  struct Rep;
  const google::protobuf::Message& CheckType(const std::type_info& type) const;
  std::shared_ptr<const Rep> rep_;
};

// "namespace/name" or "name".
std::string ObjectKey(const std::string& ns, const std::string& name);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_OBJECT_H_
