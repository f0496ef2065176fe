#include "messages/api/informer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "messages/api/calls.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/k8s/core_config.pb.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Object ConfigMap(const std::string& name, uint64_t revision) {
  k8s::core::v1::ConfigMap map;
  map.mutable_metadata()->set_name(name);
  map.mutable_metadata()->set_namespace_("default");
  map.mutable_metadata()->set_resource_version(StrCat(revision));
  return Object::From(map);
}

Message MessageWith(bus::MessageKind kind, std::shared_ptr<const google::protobuf::Message> body,
                    std::vector<Object> objects = {}) {
  Message message;
  message.id = 1;
  message.from = std::string(kApiServerAddress);
  message.to = "node-1/part";
  message.kind = kind;
  message.body = std::move(body);
  message.objects = std::move(objects);
  return message;
}

// An informer of ConfigMaps and the API server's side of its stream.
class InformerTest : public testing::Test {
 protected:
  InformerTest() { Tick(0s); }

  void Tick(Duration at) {
    now_ = Time(at);
    Env env{now_, WallTime{}, random_, outbox_};
    informer_.Tick(env);
  }
  std::vector<Informer::Change> Receive(const Message& message) {
    Env env{now_, WallTime{}, random_, outbox_};
    return informer_.Receive(message, env);
  }
  std::vector<Informer::Change> Event(bus::WatchEvent::Type type, std::vector<Object> objects = {},
                                      uint64_t revision = 0) {
    auto event = std::make_shared<bus::WatchEvent>();
    event->set_stream(1);
    event->set_generation(generation_);
    event->set_sequence(next_++);
    event->set_type(type);
    if (type == bus::WatchEvent::ERROR) event->set_code(410);
    event->set_revision(revision != 0 || objects.empty() ? revision : objects[0].revision());
    return Receive(MessageWith(bus::WATCH_EVENT, event, std::move(objects)));
  }
  void ListOf(const std::vector<Object>& objects) {
    for (const Object& object : objects) Event(bus::WatchEvent::ADDED, {object});
    Event(bus::WatchEvent::SYNCED, {}, 100);
  }
  // The WatchRequests since the last call; events that follow belong to the last one.
  std::vector<bus::WatchRequest> Requests() {
    std::vector<bus::WatchRequest> requests;
    for (const Message& message : outbox_.messages()) {
      if (message.kind == bus::WATCH_REQUEST) requests.push_back(message.As<bus::WatchRequest>());
    }
    outbox_.messages().clear();
    if (!requests.empty()) {
      generation_ = requests.back().generation();
      next_ = 1;
    }
    return requests;
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [key, object] : informer_.objects()) names.push_back(object.meta().name());
    return names;
  }

  Random random_{1};
  Outbox outbox_{"node-1/part", {}};
  Informer informer_{1, {.kind = &KindOf<k8s::core::v1::ConfigMap>()}};
  Time now_{};
  uint64_t generation_ = 0;
  uint64_t next_ = 1;
};

TEST_F(InformerTest, ListsFirstAndThenFollows) {
  ASSERT_THAT(Requests(), SizeIs(1));
  Event(bus::WatchEvent::ADDED, {ConfigMap("a", 5)});
  EXPECT_FALSE(informer_.synced());
  Event(bus::WatchEvent::SYNCED, {}, 9);
  EXPECT_TRUE(informer_.synced());

  const auto added = Event(bus::WatchEvent::ADDED, {ConfigMap("b", 10)});
  ASSERT_THAT(added, SizeIs(1));
  EXPECT_FALSE(added[0].before);
  const auto modified = Event(bus::WatchEvent::MODIFIED, {ConfigMap("a", 11)});
  ASSERT_THAT(modified, SizeIs(1));
  EXPECT_EQ(modified[0].before.revision(), 5u);
  EXPECT_EQ(modified[0].after.revision(), 11u);
  const auto deleted = Event(bus::WatchEvent::DELETED, {ConfigMap("b", 12)});
  ASSERT_THAT(deleted, SizeIs(1));
  EXPECT_FALSE(deleted[0].after);
  EXPECT_THAT(Names(), ElementsAre("a"));
  EXPECT_EQ(informer_.revision(), 12u);
}

TEST_F(InformerTest, AGapMakesItResumeFromItsLastRevision) {
  Requests();
  ListOf({ConfigMap("a", 5)});
  ++next_;  // an event is lost
  EXPECT_THAT(Event(bus::WatchEvent::ADDED, {ConfigMap("c", 102)}), IsEmpty());
  const auto requests = Requests();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].revision(), 100u);
  Event(bus::WatchEvent::ADDED, {ConfigMap("b", 101)});
  Event(bus::WatchEvent::ADDED, {ConfigMap("c", 102)});
  EXPECT_THAT(Names(), ElementsAre("a", "b", "c"));
}

TEST_F(InformerTest, AGapInTheListMakesItListAgain) {
  Requests();
  Event(bus::WatchEvent::ADDED, {ConfigMap("a", 5)});
  ++next_;
  Event(bus::WatchEvent::ADDED, {ConfigMap("c", 7)});
  const auto requests = Requests();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].revision(), 0u);
}

TEST_F(InformerTest, DoubledEventsAndThoseOfAnOldStreamChangeNothing) {
  Requests();
  ListOf({ConfigMap("a", 5)});
  --next_;
  EXPECT_THAT(Event(bus::WatchEvent::DELETED, {ConfigMap("a", 100)}), IsEmpty());
  generation_ += 7;
  EXPECT_THAT(Event(bus::WatchEvent::DELETED, {ConfigMap("a", 101)}), IsEmpty());
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(InformerTest, After410ItListsAgainAndDropsWhatIsGone) {
  Requests();
  ListOf({ConfigMap("a", 5), ConfigMap("b", 6)});
  Event(bus::WatchEvent::ERROR);
  const auto requests = Requests();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].revision(), 0u);
  Event(bus::WatchEvent::ADDED, {ConfigMap("b", 6)});
  const auto changes = Event(bus::WatchEvent::SYNCED, {}, 200);
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_EQ(changes[0].key, "default/a");
  EXPECT_FALSE(changes[0].after);
  EXPECT_THAT(Names(), ElementsAre("b"));
}

TEST_F(InformerTest, AMasterThatComesBackIsAskedAgainAtOnce) {
  Requests();
  ListOf({ConfigMap("a", 5)});
  auto up = std::make_shared<bus::LinkUp>();
  up->set_process("node-2");
  Receive(MessageWith(bus::LINK_UP, up));
  EXPECT_THAT(Requests(), IsEmpty());
  up = std::make_shared<bus::LinkUp>();
  up->set_process("master");
  Receive(MessageWith(bus::LINK_UP, up));
  const auto requests = Requests();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].revision(), 100u);
  EXPECT_THAT(Names(), ElementsAre("a"));  // the old cache stays until it is known better
}

TEST_F(InformerTest, SilenceMakesItAskAgain) {
  Requests();
  ListOf({ConfigMap("a", 5)});
  Tick(Informer::kSilenceMax - 1ms);
  EXPECT_THAT(Requests(), IsEmpty());
  Tick(Informer::kSilenceMax);
  EXPECT_THAT(Requests(), SizeIs(1));
}

TEST_F(InformerTest, AnUnansweredRequestIsRepeated) {
  EXPECT_THAT(Requests(), SizeIs(1));
  EXPECT_EQ(informer_.NextWake(), Time(Informer::kRetryInterval));
  Tick(Informer::kRetryInterval);
  EXPECT_THAT(Requests(), SizeIs(1));
}

TEST_F(InformerTest, GivesCreditBackBeforeTheServerRunsOut) {
  Requests();
  uint32_t given = 0;
  for (uint32_t i = 0; i < Informer::kCredit; ++i) {
    Event(bus::WatchEvent::ADDED, {ConfigMap(StrCat("m", i), i + 1)});
    for (const Message& message : outbox_.messages()) {
      if (message.kind == bus::WATCH_CREDIT) given += message.As<bus::WatchCredit>().credit();
    }
    outbox_.messages().clear();
  }
  EXPECT_EQ(given, Informer::kCredit);
}

class CallsTest : public testing::Test {
 protected:
  uint64_t Start(Duration at, const std::string& tag) {
    Env env{Time(at), WallTime{}, random_, outbox_};
    return calls_.Start(CreateRequest(KindOf<k8s::core::v1::ConfigMap>(), "default"),
                        ConfigMap("a", 0), tag, env);
  }
  static Message Answer(uint64_t call, uint32_t code, const std::string& reason) {
    auto response = std::make_shared<bus::ApiResponse>();
    response->set_request(call);
    response->set_code(code);
    response->set_reason(reason);
    return MessageWith(bus::API_RESPONSE, response);
  }
  Random random_{1};
  Outbox outbox_{"node-1/part", Trace{77, 3}};
  Calls calls_;
};

TEST_F(CallsTest, AnAnswerFindsItsCallOnce) {
  const uint64_t call = Start(0s, "create a");
  ASSERT_THAT(outbox_.messages(), SizeIs(1));
  EXPECT_EQ(outbox_.messages()[0].to, kApiServerAddress);
  const auto result = calls_.Receive(Answer(call, 409, "Conflict"));
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->tag, "create a");
  EXPECT_TRUE(result->conflict());
  EXPECT_EQ(result->trace, (Trace{77, 3}));
  EXPECT_FALSE(calls_.Receive(Answer(call, 201, "")).has_value());  // doubled
  EXPECT_EQ(calls_.in_flight(), 0u);
}

TEST_F(CallsTest, ACallWithoutAnAnswerEndsAsUnknown) {
  Start(0s, "first");
  Start(1s, "second");
  EXPECT_EQ(calls_.NextWake(), Time(Calls::kTimeout));
  EXPECT_THAT(calls_.Expired(Time(Calls::kTimeout - 1ns)), IsEmpty());
  const auto expired = calls_.Expired(Time(Calls::kTimeout));
  ASSERT_THAT(expired, SizeIs(1));
  EXPECT_EQ(expired[0].tag, "first");
  EXPECT_EQ(expired[0].code, 504u);
  EXPECT_FALSE(expired[0].ok());
  EXPECT_THAT(calls_.Abandon(), SizeIs(1));
  EXPECT_EQ(calls_.NextWake(), kNever);
}

}  // namespace
}  // namespace kubemu
