#include "messages/component.h"

namespace kubemu {

void Outbox::Push(std::string from, std::string to, bus::MessageKind kind,
                  std::shared_ptr<const google::protobuf::Message> body,
                  std::vector<Object> objects) {
  Message& message = messages_.emplace_back();
  message.trace = cause_;
  message.from = std::move(from);
  message.to = std::move(to);
  message.kind = kind;
  message.body = std::move(body);
  message.objects = std::move(objects);
}

}  // namespace kubemu
