#include "messages/object.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>

#include <utility>

#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

struct Object::KeptJson {
  explicit KeptJson(std::shared_ptr<JsonBudget> of) : budget(std::move(of)) {}
  KeptJson(const KeptJson&) = delete;
  KeptJson& operator=(const KeptJson&) = delete;
  ~KeptJson() { budget->bytes -= text.size(); }

  const std::shared_ptr<JsonBudget> budget;
  std::string text;  // without apiVersion and kind; empty: not made yet, or no room for it
};

struct Object::Rep {
  const Kind* kind = nullptr;
  std::unique_ptr<const google::protobuf::Message> message;
  Trace trace;
  std::string key;
  uint64_t revision = 0;
  mutable std::string bytes;               // empty: not made yet (no object serialises to nothing)
  mutable std::unique_ptr<KeptJson> json;  // null: JSON is not kept
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

const google::protobuf::Message& Object::CheckType(const std::type_info& type) const {
  KUBEMU_CHECK(rep_ != nullptr);
  const google::protobuf::Message& message = *rep_->message;
  KUBEMU_CHECK(typeid(message) == type);
  return message;
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

void Object::KeepJson(std::shared_ptr<JsonBudget> budget) const {
  if (rep_->json == nullptr) rep_->json = std::make_unique<KeptJson>(std::move(budget));
}

void Object::AppendJsonTo(bool typed, std::string* out) const {
  KeptJson* const kept = rep_->json.get();
  if (kept == nullptr) return AppendJson(*rep_->message, typed ? rep_->kind : nullptr, out);
  std::string made;
  if (kept->text.empty()) {
    AppendJson(*rep_->message, nullptr, &made);
    if (JsonBudget& budget = *kept->budget; budget.bytes + made.size() <= budget.bytes_max) {
      budget.bytes += made.size();
      kept->text = std::exchange(made, {});
      kept->text.shrink_to_fit();
    }
  }
  const std::string& text = kept->text.empty() ? made : kept->text;
  if (!typed) {
    out->append(text);
    return;
  }
  AppendJsonTypeOf(*rep_->kind, out);
  if (text.size() > 2) out->push_back(',');  // "{}" has no members
  out->append(text, 1);
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
