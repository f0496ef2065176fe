#include "messages/message.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "messages/component.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/http.pb.h"
#include "messages/proto/node.pb.h"
#include "messages/proto/store.pb.h"

namespace kubemu {
namespace {

// What the table says of every body type.
std::map<int, const google::protobuf::Message*> TableOfKinds() {
  std::map<int, const google::protobuf::Message*> bodies;
#define KUBEMU_ADD(Type, KIND)                      \
  EXPECT_EQ(MessageKindOf<bus::Type>(), bus::KIND); \
  EXPECT_EQ(MessageKindName(bus::KIND), #Type);     \
  EXPECT_TRUE(bodies.emplace(bus::KIND, &bus::Type::default_instance()).second);
  KUBEMU_MESSAGE_KINDS(KUBEMU_ADD)
#undef KUBEMU_ADD
  return bodies;
}

TEST(MessageKinds, EveryKindHasOneBodyType) {
  const auto bodies = TableOfKinds();
  const google::protobuf::EnumDescriptor& kinds = *bus::MessageKind_descriptor();
  for (int i = 0; i < kinds.value_count(); ++i) {
    const int kind = kinds.value(i)->number();
    EXPECT_EQ(bodies.contains(kind), kind != bus::MESSAGE_KIND_UNSPECIFIED)
        << kinds.value(i)->name();
  }
  EXPECT_EQ(MessageKindName(bus::MESSAGE_KIND_UNSPECIFIED), "?");
}

TEST(MessageKinds, EveryBodyGetsOverTheWireAndBack) {
  for (const auto& [kind, prototype] : TableOfKinds()) {
    Message message;
    message.id = 7;
    message.from = "a/x";
    message.to = "b/y";
    message.kind = static_cast<bus::MessageKind>(kind);
    message.body.reset(prototype->New());
    bus::Envelope envelope;
    ToEnvelope(message, &envelope);
    Message back;
    std::string error;
    ASSERT_TRUE(FromEnvelope(envelope, &back, &error)) << error;
    EXPECT_EQ(back.kind, kind);
    EXPECT_EQ(back.body->GetDescriptor(), prototype->GetDescriptor());
  }
}

TEST(Message, AnOutboxGivesTheKindOfTheBody) {
  Outbox outbox("a/x", Trace{});
  outbox.Send("b/y", bus::Ping());
  outbox.Send("b/y", bus::FlowData());
  ASSERT_EQ(outbox.messages().size(), 2u);
  EXPECT_EQ(outbox.messages()[0].kind, bus::PING);
  EXPECT_EQ(outbox.messages()[1].kind, bus::FLOW_DATA);
}

TEST(MessageDeathTest, ABodyIsNotTakenForAnotherType) {
  Message message;
  message.kind = bus::PING;
  message.body = std::make_shared<bus::Ping>();
  EXPECT_DEATH(message.As<bus::Pong>(), "check failed");
}

}  // namespace
}  // namespace kubemu
