#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "tests/master/apiserver/master_harness.h"

namespace kubemu {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kKubelet = "node-1/kubelet";

class LogsTest : public ::testing::Test {
 protected:
  LogsTest() {
    master_.MakeAccount();
    master_.MakePod("p", "node-1");
  }
  // What the kubelet was asked; fails if it was not asked once.
  bus::LogRequest Asked() {
    const std::vector<Message> messages = master_.TakeFor(kKubelet);
    EXPECT_EQ(messages.size(), 1u);
    return messages.empty() ? bus::LogRequest() : messages[0].As<bus::LogRequest>();
  }
  void Reply(uint64_t request, const std::string& data, bool last,
             const std::string& from = kKubelet) {
    bus::LogResponse response;
    response.set_request(request);
    response.set_code(200);
    response.set_data(data);
    response.set_last(last);
    master_.Deliver(from, response);
  }

  MasterHarness master_;
};

TEST_F(LogsTest, AreReadFromTheKubeletOfThePodsNode) {
  master_.Get("/api/v1/namespaces/default/pods/p/log?tailLines=5&timestamps=true");
  const uint64_t request = master_.last_request();
  const bus::LogRequest asked = Asked();
  EXPECT_EQ(asked.container(), "c");
  EXPECT_EQ(asked.tail_lines(), 5);
  EXPECT_TRUE(asked.timestamps());
  Reply(asked.request(), "hello\n", true);
  const auto answer = master_.More(request);
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.body, "hello\n");
  EXPECT_TRUE(answer.last);
}

TEST_F(LogsTest, AreStreamedWhileTheyAreFollowed) {
  master_.Get("/api/v1/namespaces/default/pods/p/log?follow=true");
  const uint64_t request = master_.last_request();
  const uint64_t stream = Asked().request();
  Reply(stream, "one\n", false);
  EXPECT_EQ(master_.More(request).body, "one\n");
  Reply(stream, "from another node\n", false, "node-2/kubelet");
  EXPECT_THAT(master_.More(request).body, IsEmpty());
  master_.Advance(Logs::kTimeout);  // a followed log may be silent
  Reply(stream, "two\n", false);
  EXPECT_EQ(master_.More(request).body, "two\n");
  bus::HttpCancel cancel;
  cancel.set_request(request);
  master_.process().Inject("client/kubectl", "master/apiserver", cancel, master_.now(), WallTime());
  master_.Run();
  EXPECT_TRUE(Asked().cancel());
}

TEST_F(LogsTest, BeginAtATimeAndEndAfterSoManyBytes) {
  // The harness' clock stands at 2023-11-14T22:13:20Z.
  master_.Get("/api/v1/namespaces/default/pods/p/log?sinceTime=2023-11-14T22:13:10.5Z");
  EXPECT_EQ(Asked().since_seconds(), 10);
  master_.Get("/api/v1/namespaces/default/pods/p/log?limitBytes=7&follow=true");
  const uint64_t request = master_.last_request();
  const uint64_t stream = Asked().request();
  Reply(stream, "one\n", false);
  Reply(stream, "two\nthree\n", false);
  const auto answer = master_.More(request);
  EXPECT_EQ(answer.body, "one\ntwo");
  EXPECT_TRUE(answer.last);
  EXPECT_TRUE(Asked().cancel());
}

TEST_F(LogsTest, OptionsThatCannotBeAreRefused) {
  const auto status = [this](const char* query) {
    return master_.Get(StrCat("/api/v1/namespaces/default/pods/p/log?", query)).status;
  };
  EXPECT_EQ(status("tailLines=x"), 400u);
  EXPECT_EQ(status("sinceTime=yesterday"), 400u);
  EXPECT_EQ(status("limitBytes=0"), 422u);
  EXPECT_EQ(status("sinceSeconds=5&sinceTime=2023-11-14T22:13:10Z"), 422u);
}

TEST_F(LogsTest, AKubeletThatDoesNotAnswerIsAnError) {
  master_.Get("/api/v1/namespaces/default/pods/p/log");
  const uint64_t request = master_.last_request();
  master_.Advance(Logs::kTimeout);
  const auto answer = master_.More(request);
  EXPECT_EQ(answer.status, 500u);
  EXPECT_THAT(answer.body, HasSubstr("the kubelet of node-1 did not answer"));
}

TEST_F(LogsTest, WhatCannotBeReadIsSaid) {
  EXPECT_THAT(master_.Get("/api/v1/namespaces/default/pods/q/log").body,
              HasSubstr(R"(pods \"q\" not found)"));
  EXPECT_THAT(master_.Get("/api/v1/namespaces/default/pods/p/log?container=x").body,
              HasSubstr("container x is not valid for pod p"));
  master_.MakePod("waiting");
  EXPECT_THAT(master_.Get("/api/v1/namespaces/default/pods/waiting/log").body,
              HasSubstr("pod waiting does not have a host assigned"));
}

}  // namespace
}  // namespace kubemu
