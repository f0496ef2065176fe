#include "messages/object.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>

#include "messages/api/kinds.h"
#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

struct Object::Rep {
  const Kind* kind = nullptr;
  std::unique_ptr<const google::protobuf::Message> message;
  Trace trace;
  std::string key;
  uint64_t revision = 0;
  mutable std::string bytes;  // empty: not made yet (no object serialises to nothing)
};

Object Object::Of(std::unique_ptr<const google::protobuf::Message> object, Trace trace) {
  auto rep = std::make_shared<Rep>();
  rep->kind = &KindOfDescriptor(object->GetDescriptor());
  const k8s::meta::v1::ObjectMeta& meta = MetaOf(*object);
  rep->key = ObjectKey(meta.namespace_(), meta.name());
  if (!ParseInteger(meta.resource_version(), &rep->revision)) rep->revision = 0;
  rep->message = std::move(object);
  rep->trace = trace;
  Object result;
  result.rep_ = std::move(rep);
  return result;
}

Object Object::FromBytes(const Kind& kind, std::string bytes, Trace trace) {
  std::unique_ptr<google::protobuf::Message> message(kind.prototype->New());
  if (!message->ParseFromString(bytes)) return Object();
  // The bytes are not kept: few that come from outside are sent on as they are.
  return Of(std::move(message), trace);
}

const Kind& Object::kind() const {
  return *rep_->kind;
}

const google::protobuf::Message& Object::message() const {
  return *rep_->message;
}

const google::protobuf::Message& Object::CheckType(const void* descriptor) const {
  KUBEMU_CHECK(rep_ != nullptr);
  KUBEMU_CHECK(rep_->message->GetDescriptor() == descriptor);
  return *rep_->message;
}

const k8s::meta::v1::ObjectMeta& Object::meta() const {
  return MetaOf(*rep_->message);
}

const std::string& Object::bytes() const {
  if (rep_->bytes.empty()) {
    google::protobuf::io::StringOutputStream stream(&rep_->bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    rep_->message->SerializeToCodedStream(&coded);
  }
  return rep_->bytes;
}

const Trace& Object::trace() const {
  return rep_->trace;
}

const std::string& Object::key() const {
  return rep_->key;
}

uint64_t Object::revision() const {
  return rep_->revision;
}

std::string ObjectKey(const std::string& ns, const std::string& name) {
  return ns.empty() ? name : StrCat(ns, "/", name);
}

}  // namespace kubemu
