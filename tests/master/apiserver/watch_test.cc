#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/api/calls.h"
#include "messages/api/informer.h"
#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "tests/master/apiserver/master_harness.h"

namespace kubemu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using k8s::core::v1::ConfigMap;
using k8s::core::v1::Node;
using k8s::core::v1::Pod;

constexpr const char* kConfigMaps = "/api/v1/namespaces/default/configmaps";
constexpr const char* kWatcher = "lb/part";

class WatchTest : public ::testing::Test {
 protected:
  void MakeMap(const std::string& name, const std::string& label = "1") {
    EXPECT_EQ(master_
                  .Post(kConfigMaps, StrCat(R"({"kind":"ConfigMap","metadata":{"name":")", name,
                                            R"(","labels":{"x":")", label, R"("}}})"))
                  .status,
              201u);
  }
  void Label(const std::string& name, const std::string& label) {
    EXPECT_EQ(master_
                  .Http("PATCH", StrCat(kConfigMaps, "/", name),
                        StrCat(R"({"metadata":{"labels":{"x":")", label, R"("}}})"),
                        "application/merge-patch+json")
                  .status,
              200u);
  }
  bus::WatchRequest Request(const Kind& kind, uint64_t revision = 0, uint32_t credit = 100) {
    bus::WatchRequest request;
    request.set_stream(1);
    request.set_generation(++generation_);
    request.set_kind(static_cast<uint32_t>(kind.id));
    request.set_revision(revision);
    request.set_credit(credit);
    return request;
  }
  // "ADDED a", "SYNCED", ... that came for the watcher since it was last asked. Sequence numbers
  // are checked.
  std::vector<std::string> Events(const std::string& watcher = kWatcher) {
    std::vector<std::string> texts;
    for (const Message& message : master_.TakeFor(watcher)) {
      if (message.kind != bus::WATCH_EVENT) continue;
      const auto& event = message.As<bus::WatchEvent>();
      if (event.generation() != seen_generation_) {
        seen_generation_ = event.generation();
        sequence_ = 0;
      }
      EXPECT_EQ(event.sequence(), ++sequence_);
      std::string text = bus::WatchEvent::Type_Name(event.type());
      if (event.code() != 0) StrAppend(&text, " ", event.code());
      if (!message.objects.empty()) StrAppend(&text, " ", message.objects[0].meta().name());
      if (event.type() != bus::WatchEvent::ERROR) revision_ = event.revision();
      texts.push_back(std::move(text));
    }
    return texts;
  }
  uint64_t Revision() { return master_.server().cache().revision(); }

  MasterHarness master_;
  uint64_t generation_ = 0;
  uint64_t seen_generation_ = 0;
  uint64_t sequence_ = 0;
  uint64_t revision_ = 0;
};

TEST_F(WatchTest, BeginsWithWhatExistsAndGoesOnWithChanges) {
  MakeMap("a");
  MakeMap("b");
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>()));
  EXPECT_THAT(Events(), ElementsAre("ADDED a", "ADDED b", "SYNCED"));
  MakeMap("c");
  Label("a", "2");
  master_.Http("DELETE", StrCat(kConfigMaps, "/b"));
  EXPECT_THAT(Events(), ElementsAre("ADDED c", "MODIFIED a", "DELETED b"));
}

TEST_F(WatchTest, ResumesAfterARevisionWithoutGapOrDouble) {
  MakeMap("a");
  const uint64_t revision = Revision();
  MakeMap("b");
  Label("a", "2");
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>(), revision));
  EXPECT_THAT(Events(), ElementsAre("ADDED b", "MODIFIED a"));
  EXPECT_EQ(revision_, Revision());
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>(), revision_));
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(WatchTest, ARevisionFromBeforeTheServersMemoryIsGone) {
  MakeMap("a");
  for (size_t i = 0; i <= EventLog::kWatchWindowMax; ++i) Label("a", StrCat("v", i));
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>(), 3));
  EXPECT_THAT(Events(), ElementsAre("ERROR 410"));
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>(), Revision() + 10));
  EXPECT_THAT(Events(), ElementsAre("ERROR 504"));
}

TEST_F(WatchTest, ObjectsThatEnterOrLeaveTheSelectorAreAddedOrDeleted) {
  MakeMap("a", "no");
  bus::WatchRequest request = Request(KindOf<ConfigMap>());
  request.set_label_selector("x=yes");
  master_.Deliver(kWatcher, request);
  EXPECT_THAT(Events(), ElementsAre("SYNCED"));
  Label("a", "yes");
  Label("a", "no");
  Label("a", "never");
  EXPECT_THAT(Events(), ElementsAre("ADDED a", "DELETED a"));
}

TEST_F(WatchTest, ASlowWatcherGetsEverythingInOrderWhenItHasCreditAgain) {
  MakeMap("a");
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>(), 0, 2));
  EXPECT_THAT(Events(), ElementsAre("ADDED a", "SYNCED"));
  MakeMap("b");
  MakeMap("c");
  Label("b", "2");
  EXPECT_THAT(Events(), IsEmpty());
  bus::WatchCredit credit;
  credit.set_stream(1);
  credit.set_generation(generation_ - 1);
  credit.set_credit(50);
  master_.Deliver(kWatcher, credit);  // of an earlier request: means nothing
  EXPECT_THAT(Events(), IsEmpty());
  credit.set_generation(generation_);
  credit.set_credit(2);
  master_.Deliver(kWatcher, credit);
  EXPECT_THAT(Events(), ElementsAre("ADDED b", "ADDED c"));
  credit.set_credit(10);
  master_.Deliver(kWatcher, credit);
  EXPECT_THAT(Events(), ElementsAre("MODIFIED b"));
  MakeMap("d");
  EXPECT_THAT(Events(), ElementsAre("ADDED d"));
}

TEST_F(WatchTest, ASlowWatcherThatTheLogHasLeftBehindStartsAgain) {
  MakeMap("a");
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>(), 0, 2));
  EXPECT_THAT(Events(), ElementsAre("ADDED a", "SYNCED"));
  for (size_t i = 0; i <= EventLog::kWatchWindowMax; ++i) Label("a", StrCat("v", i));
  bus::WatchCredit credit;
  credit.set_stream(1);
  credit.set_generation(generation_);
  credit.set_credit(10);
  master_.Deliver(kWatcher, credit);
  EXPECT_THAT(Events(), ElementsAre("ERROR 410"));
  EXPECT_EQ(master_.server().watches(), 0u);
}

TEST_F(WatchTest, SilenceIsBrokenByBookmarks) {
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>()));
  Events();
  const uint64_t before = revision_;
  EXPECT_EQ(
      master_.Post("/api/v1/namespaces", R"({"kind":"Namespace","metadata":{"name":"n"}})").status,
      201u);
  master_.Advance(Informer::kBookmarkInterval);
  EXPECT_THAT(Events(), ElementsAre("BOOKMARK"));
  EXPECT_EQ(revision_, before + 1);
}

TEST_F(WatchTest, AWatcherWithoutCreditDoesNotKeepTheServerAwake) {
  MakeMap("a");
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>(), 0, 2));
  MakeMap("b");
  master_.Advance(Informer::kBookmarkInterval * 3);
  EXPECT_GE(master_.server().NextWake(), master_.now() + 1s);
}

TEST_F(WatchTest, AWatcherWhoseAddressIsItsProcessLosesItsStreamsToo) {
  for (const char* watcher : {"lb", "lb/part", "lb-2/part"})
    master_.Deliver(watcher, Request(KindOf<Node>()));
  EXPECT_EQ(master_.server().watches(), 3u);
  bus::LinkDown down;
  down.set_process("lb");
  master_.Deliver("master/bus", down);
  EXPECT_EQ(master_.server().watches(), 1u);
}

TEST_F(WatchTest, ANodeSeesOnlyTheConfigurationOfItsPods) {
  constexpr const char* kKubelet = "node-1/kubelet";
  master_.MakeAccount();
  MakeMap("used");
  MakeMap("other");
  EXPECT_EQ(master_
                .Post("/api/v1/namespaces/default/pods",
                      R"({"kind":"Pod","metadata":{"name":"p"},"spec":{"nodeName":"node-1",
                          "containers":[{"name":"c","image":"i",
                          "envFrom":[{"configMapRef":{"name":"used"}}],
                          "env":[{"name":"X","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]}]}})")
                .status,
            201u);
  const auto read = [this](const std::string& from, const Kind& kind, const char* name) {
    bus::ApiRequest get;
    get.set_verb(name == nullptr ? bus::LIST : bus::GET);
    get.set_kind(static_cast<uint32_t>(kind.id));
    get.set_namespace_("default");
    if (name != nullptr) get.set_name(name);
    return master_.Call(from, get).response.code();
  };
  using k8s::core::v1::Secret;
  EXPECT_EQ(read(kKubelet, KindOf<ConfigMap>(), "used"), 200u);
  EXPECT_EQ(read(kKubelet, KindOf<Secret>(), "s"), 404u);
  EXPECT_EQ(read(kKubelet, KindOf<Secret>(), "used"), 403u);
  EXPECT_EQ(read(kKubelet, KindOf<ConfigMap>(), "other"), 403u);
  EXPECT_EQ(read("node-2/kubelet", KindOf<ConfigMap>(), "used"), 403u);
  EXPECT_EQ(read(kKubelet, KindOf<ConfigMap>(), nullptr), 403u);
  EXPECT_EQ(read(kKubelet, KindOf<Secret>(), nullptr), 403u);
  EXPECT_EQ(read("lb/part", KindOf<Secret>(), nullptr), 200u);
  master_.Deliver(kKubelet, Request(KindOf<Secret>()));
  EXPECT_THAT(Events(kKubelet), ElementsAre("ERROR 403"));
}

TEST_F(WatchTest, ALostProcessLosesItsStreams) {
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>()));
  EXPECT_EQ(master_.server().watches(), 1u);
  bus::LinkDown down;
  down.set_process("lb");
  master_.Deliver("master/bus", down);
  EXPECT_EQ(master_.server().watches(), 0u);
}

TEST_F(WatchTest, ANewIncarnationLosesTheStreamsOfTheOldOne) {
  bus::LinkUp up;
  up.set_process("lb");
  up.set_epoch(1);
  master_.Deliver("master/bus", up);
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>()));
  master_.Deliver("master/bus", up);
  EXPECT_EQ(master_.server().watches(), 1u);
  up.set_epoch(2);
  master_.Deliver("master/bus", up);
  EXPECT_EQ(master_.server().watches(), 0u);
}

TEST_F(WatchTest, AKubeletSeesThePodsOfItsNode) {
  master_.MakeAccount();
  master_.MakePod("mine", "node-1");
  master_.MakePod("other", "node-2");
  bus::WatchRequest request = Request(KindOf<Pod>());
  request.set_field_selector("spec.nodeName=node-1");
  master_.Deliver("node-1/kubelet", request);
  EXPECT_THAT(Events("node-1/kubelet"), ElementsAre("ADDED mine", "SYNCED"));
  master_.MakePod("later");
  EXPECT_THAT(Events("node-1/kubelet"), IsEmpty());
  Pod bound;
  bound.mutable_metadata()->set_name("later");
  bound.mutable_metadata()->set_namespace_("default");
  bound.mutable_spec()->set_node_name("node-1");
  bus::ApiRequest bind = CreateRequest(KindOf<Pod>(), "default");
  bind.set_name("later");
  bind.set_subresource("binding");
  EXPECT_EQ(master_.Call("lab/scheduler", bind, Object::From(bound)).response.code(), 201u);
  EXPECT_THAT(Events("node-1/kubelet"), ElementsAre("ADDED later"));
}

TEST_F(WatchTest, ANodeIsKeptToWhatIsItsOwn) {
  master_.MakeAccount();
  master_.MakePod("other", "node-2");
  master_.Deliver("node-1/kubelet", Request(KindOf<Pod>()));
  EXPECT_THAT(Events("node-1/kubelet"), ElementsAre("ERROR 403"));
  Node node;
  node.mutable_metadata()->set_name("node-2");
  const auto taken =
      master_.Call("node-1/kubelet", CreateRequest(KindOf<Node>(), ""), Object::From(node));
  EXPECT_EQ(taken.response.code(), 403u);
  EXPECT_THAT(taken.response.message(),
              HasSubstr("nodes is forbidden: node \"node-1\" cannot create it"));
  node.mutable_metadata()->set_name("node-1");
  EXPECT_EQ(master_.Call("node-1/kubelet", CreateRequest(KindOf<Node>(), ""), Object::From(node))
                .response.code(),
            201u);
  EXPECT_EQ(master_.Call("node-1/kubelet", DeleteRequest(KindOf<Pod>(), "default", "other"))
                .response.code(),
            403u);
  bus::ApiRequest get;
  get.set_verb(bus::GET);
  get.set_kind(static_cast<uint32_t>(KindOf<Pod>().id));
  get.set_namespace_("default");
  get.set_name("other");
  EXPECT_EQ(master_.Call("node-1/kubelet", get).response.code(), 403u);
  EXPECT_EQ(master_.Call("node-2/kubelet", get).response.code(), 200u);
}

TEST_F(WatchTest, EventsCarryTheTraceOfTheWrite) {
  master_.Deliver(kWatcher, Request(KindOf<ConfigMap>()));
  master_.TakeFor(kWatcher);
  ConfigMap map;
  map.mutable_metadata()->set_name("a");
  map.mutable_metadata()->set_namespace_("default");
  bus::ApiRequest create = CreateRequest(KindOf<ConfigMap>(), "default");
  create.set_request(99);
  master_.Deliver("lb/other", create, {Object::From(map)});
  const std::vector<Message> answers = master_.TakeFor("lb/other");
  const std::vector<Message> events = master_.TakeFor(kWatcher);
  ASSERT_EQ(answers.size(), 1u);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].trace.trace_id, answers[0].trace.trace_id);
}

TEST_F(WatchTest, HttpWatchersGetLinesUntilTheirTimeIsUp) {
  MakeMap("a");
  const auto opened = master_.Get(
      StrCat(kConfigMaps, "?watch=true&timeoutSeconds=30&resourceVersion=", Revision()));
  const uint64_t watch = master_.last_request();
  EXPECT_EQ(opened.status, 200u);
  EXPECT_FALSE(opened.last);
  EXPECT_THAT(opened.body, IsEmpty());
  MakeMap("b");
  const auto event = master_.More(watch);
  EXPECT_THAT(event.body,
              StartsWith(R"({"type":"ADDED","object":{"apiVersion":"v1","kind":"ConfigMap")"));
  EXPECT_EQ(event.body.back(), '\n');
  master_.Advance(31s);
  EXPECT_TRUE(master_.More(watch).last);
  EXPECT_EQ(master_.server().watches(), 0u);
}

TEST_F(WatchTest, HttpWatchersOfTablesGetRows) {
  master_.Http("GET", StrCat(kConfigMaps, "?watch=true&resourceVersion=0"), "", "",
               "application/json;as=Table;v=v1;g=meta.k8s.io");
  const uint64_t watch = master_.last_request();
  MakeMap("a");
  EXPECT_THAT(master_.More(watch).body, StartsWith(R"({"type":"ADDED","object":{"kind":"Table")"));
}

TEST(WatchAfterRestart, AnHttpWatchFromBeforeItEndsWithAnErrorLine) {
  auto disk = std::make_shared<MemoryDisk>();
  { MasterHarness first({}, disk); }
  MasterHarness second({}, disk);
  const auto answer = second.Get(StrCat(kConfigMaps, "?watch=true&resourceVersion=1"));
  EXPECT_TRUE(answer.last);
  EXPECT_THAT(answer.body, StartsWith(R"({"type":"ERROR","object":{)"));
  EXPECT_THAT(answer.body, HasSubstr("too old resource version: 1 ("));
}

TEST_F(WatchTest, AClientThatGoesAwayLeavesNoStream) {
  master_.Get(StrCat(kConfigMaps, "?watch=true"));
  EXPECT_EQ(master_.server().watches(), 1u);
  bus::HttpCancel cancel;
  cancel.set_request(master_.last_request());
  master_.process().Inject("client/kubectl", "master/apiserver", cancel, master_.now(), WallTime());
  master_.Run();
  EXPECT_EQ(master_.server().watches(), 0u);
}

TEST_F(WatchTest, PagesOfAListAreOfOneRevision) {
  for (const char* name : {"a", "b", "c", "d", "e"}) MakeMap(name);
  const auto first = master_.Get(StrCat(kConfigMaps, "?limit=2"));
  EXPECT_EQ(first.At("/items").get_array().size(), 2u);
  EXPECT_EQ(first.Text("/metadata/remainingItemCount"), "3");
  master_.Http("DELETE", StrCat(kConfigMaps, "/c"));
  MakeMap("cc");
  const auto second =
      master_.Get(StrCat(kConfigMaps, "?limit=2&continue=", first.Text("/metadata/continue")));
  EXPECT_EQ(second.Text("/items/0/metadata/name"), "c");
  EXPECT_EQ(second.Text("/items/1/metadata/name"), "d");
  EXPECT_EQ(second.Text("/metadata/resourceVersion"), first.Text("/metadata/resourceVersion"));
  const auto third =
      master_.Get(StrCat(kConfigMaps, "?limit=2&continue=", second.Text("/metadata/continue")));
  EXPECT_EQ(third.Text("/items/0/metadata/name"), "e");
  EXPECT_EQ(third.Text("/metadata/continue"), "null");
}

}  // namespace
}  // namespace kubemu
