#include "messages/flow/flow_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

using testing::ElementsAre;

// A hop between "internet/1" and "node-1/pod/default/web".
class FlowRelayTest : public testing::Test {
 protected:
  template <class T>
  Message From(std::string from, T body) {
    Outbox outbox(from, Trace{});
    outbox.Send("hop", std::move(body));
    return outbox.messages().front();
  }
  // "to: REASON" of what a step sent.
  std::vector<std::string> Closes(Outbox& outbox) {
    std::vector<std::string> texts;
    for (const Message& message : outbox.messages()) {
      if (message.kind != bus::FLOW_CLOSE) continue;
      texts.push_back(StrCat(message.to, ": ",
                             bus::FlowClose::Reason_Name(message.As<bus::FlowClose>().reason())));
    }
    return texts;
  }
  uint64_t Open() {
    bus::FlowOpen open;
    open.set_flow(7);
    Outbox outbox("hop", Trace{});
    Env env{Time{}, WallTime{}, random_, outbox};
    return relay_.Forward(From("internet/1", open), kPod, open, env);
  }
  void Answer(uint64_t flow, bool fin) {
    bus::FlowData data;
    data.set_flow(flow);
    data.set_reply(true);
    data.set_data("answer");
    data.set_fin(fin);
    Outbox outbox("hop", Trace{});
    Env env{Time{}, WallTime{}, random_, outbox};
    relay_.Receive(From(kPod, data), env);
  }
  std::vector<std::string> PodGone(uint64_t flow) {
    Outbox outbox("hop", Trace{});
    Env env{Time{}, WallTime{}, random_, outbox};
    relay_.Reset(flow, bus::FlowClose::RESET, "the pod is gone", env);
    return Closes(outbox);
  }

  const std::string kPod = "node-1/pod/default/web";
  Random random_{1};
  FlowRelay relay_;
};

TEST_F(FlowRelayTest, APodThatGoesInTheMiddleResetsItsClients) {
  const uint64_t flow = Open();
  Answer(flow, false);
  EXPECT_THAT(PodGone(flow), ElementsAre("internet/1: RESET", kPod + ": RESET"));
  EXPECT_EQ(relay_.size(), 0u);
}

TEST_F(FlowRelayTest, AClientThatHasTheWholeAnswerHasLostNothing) {
  const uint64_t flow = Open();
  Answer(flow, true);
  EXPECT_THAT(PodGone(flow), ElementsAre("internet/1: DONE", kPod + ": RESET"));
}

}  // namespace
}  // namespace kubemu
