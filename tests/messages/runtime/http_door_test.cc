#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "messages/core/strings.h"
#include "messages/proto/http.pb.h"
#include "messages/runtime/http_door.h"
#include "tests/messages/runtime/raw_client.h"
#include "tests/messages/runtime/toy.h"

namespace kubemu {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// More than the kernel's buffers hold between a server and a client that does not read.
constexpr size_t kBigBytes = 48 << 20;

// An API server of a few paths: /echo answers the body, /stream sends two parts and goes on, /big
// is a long answer and /big-stream the long beginning of one that goes on; anything else is
// answered with the target.
class ToyApiServer : public Component {
 public:
  explicit ToyApiServer(Sightings* seen) : seen_(seen) {}
  void Receive(const Message& message, Env& env) override {
    seen_->Add(message);
    if (message.kind != bus::HTTP_REQUEST) return;
    const auto& request = message.As<bus::HttpRequest>();
    bus::HttpResponse response;
    response.set_request(request.request());
    response.set_status(200);
    if (request.target() == "/never") return;
    if (request.target() == "/stream") {
      response.set_body("one");
      env.outbox.Send(message.from, response);
      response.set_status(0);
      response.set_body("second");
      env.outbox.Send(message.from, response);
      return;
    }
    if (request.target() == "/big-stream") {
      response.set_body(std::string(kBigBytes, 'x'));
      env.outbox.Send(message.from, response);
      return;
    }
    if (request.target() == "/short-stream") {
      response.set_body("only");
      env.outbox.Send(message.from, response);
      response.set_body("");
      response.set_last(true);
      env.outbox.Send(message.from, response);
      return;
    }
    response.set_body(request.target() == "/echo"  ? request.body()
                      : request.target() == "/big" ? std::string(kBigBytes, 'x')
                                                   : "you asked " + request.target());
    response.set_last(true);
    env.outbox.Send(message.from, response);
  }
  void Tick(Env&) override {}
  Time NextWake() const override { return kNever; }

 private:
  Sightings* const seen_;
};

class HttpDoorTest : public testing::Test {
 protected:
  HttpDoorTest() {
    ProcessRuntime::Options options;
    options.process = "master";
    options.http_listen = "127.0.0.1:0";
    options.http_write_timeout = std::chrono::seconds(2);
    master_ = std::make_unique<ToyProcess>(options, "master/apiserver", &server_);
    EXPECT_TRUE(master_->Start().ok());
    client_ = std::make_unique<RawClient>(master_->addresses().http);
    EXPECT_TRUE(client_->ok());
  }

  Sightings seen_;
  ToyApiServer server_{&seen_};
  std::unique_ptr<ToyProcess> master_;
  std::unique_ptr<RawClient> client_;
};

TEST_F(HttpDoorTest, AnswersOverOneKeptConnection) {
  for (const std::string path : {"/a", "/b"}) {
    client_->Send("GET " + path +
                  " HTTP/1.1\r\nHost: x\r\nUser-Agent: kubectl/v1.33.0 (linux)\r\n\r\n");
    const std::string head = client_->ReadUntil("\r\n\r\n");
    EXPECT_THAT(head,
                AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("content-length: 12\r\n")));
    EXPECT_EQ(client_->ReadBytes(12), "you asked " + path);
  }
  const auto requests = seen_.Of(bus::HTTP_REQUEST);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].from, "client/kubectl");
  EXPECT_EQ(requests[0].As<bus::HttpRequest>().method(), "GET");
  EXPECT_NE(requests[0].trace.trace_id, requests[1].trace.trace_id);
}

TEST_F(HttpDoorTest, PipelinedRequestsAreAnsweredInOrder) {
  std::string all;
  for (int i = 0; i < 50; ++i) all += StrCat("GET /", i + 10, " HTTP/1.1\r\nHost: x\r\n\r\n");
  client_->Send(all);
  for (int i = 0; i < 50; ++i) {
    client_->ReadUntil("\r\n\r\n");
    EXPECT_EQ(client_->ReadBytes(13), StrCat("you asked /", i + 10));
  }
}

TEST_F(HttpDoorTest, AChunkedRequestBodyArrivesWhole) {
  client_->Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n");
  EXPECT_THAT(client_->ReadUntil("\r\n\r\n"), HasSubstr("content-length: 12"));
  EXPECT_EQ(client_->ReadBytes(12), "hello, world");
}

TEST_F(HttpDoorTest, AStreamIsWrittenAsChunksAndCancelledWhenTheClientLeaves) {
  client_->Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client_->ReadUntil("\r\n\r\n"), HasSubstr("transfer-encoding: chunked"));
  EXPECT_EQ(client_->ReadUntil("second\r\n"), "3\r\none\r\n6\r\nsecond\r\n");
  client_->Close();
  ASSERT_TRUE(seen_.WaitForCount(bus::HTTP_CANCEL, 1));
  EXPECT_EQ(seen_.Of(bus::HTTP_CANCEL)[0].As<bus::HttpCancel>().request(),
            seen_.Of(bus::HTTP_REQUEST)[0].As<bus::HttpRequest>().request());
}

TEST_F(HttpDoorTest, AFinishedStreamLeavesTheConnectionUsable) {
  client_->Send("GET /short-stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client_->ReadUntil("0\r\n\r\n"), HasSubstr("4\r\nonly\r\n0\r\n\r\n"));
  client_->Send("GET /after HTTP/1.1\r\nHost: x\r\n\r\n");
  client_->ReadUntil("\r\n\r\n");
  EXPECT_EQ(client_->ReadBytes(16), "you asked /after");
}

TEST_F(HttpDoorTest, AnHttp10ClientGetsNoChunksAndAClosedConnection) {
  client_->Send("GET /short-stream HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client_->ReadAll(),
              AllOf(testing::EndsWith("\r\n\r\nonly"), Not(HasSubstr("chunked"))));
}

TEST_F(HttpDoorTest, HeadHasNoBody) {
  client_->Send("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string all = client_->ReadAll();
  EXPECT_THAT(all, AllOf(HasSubstr("content-length: 12"), testing::EndsWith("\r\n\r\n")));
}

TEST_F(HttpDoorTest, ABodyOfMoreThan3MiBIsRefusedWith413) {
  const std::string body(HttpDoor::kHttpBodyBytesMax + 1, 'x');
  client_->Send(
      StrCat("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n\r\n"));
  client_->Send(body);
  const std::string answer = client_->ReadAll();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 Payload Too Large\r\n"));
  EXPECT_THAT(answer, HasSubstr("\"message\":\"Request entity too large: limit is 3145728\""));
  EXPECT_TRUE(seen_.Of(bus::HTTP_REQUEST).empty());
}

TEST_F(HttpDoorTest, ABodyOf3MiBIsTaken) {
  const std::string body(HttpDoor::kHttpBodyBytesMax, 'x');
  client_->Send(StrCat("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ",
                       body.size(), "\r\n\r\n"));
  EXPECT_EQ(client_->ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client_->Send(body);
  client_->ReadUntil("\r\n\r\n");
  EXPECT_EQ(client_->ReadBytes(body.size()), body);
}

TEST_F(HttpDoorTest, AHalfRequestIsRefusedAndReachesNobody) {
  client_->Send("GET /half HTTP/1.1\r\nHo");
  client_->FinishSending();
  EXPECT_THAT(client_->ReadAll(), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_TRUE(seen_.Of(bus::HTTP_REQUEST).empty());
}

TEST_F(HttpDoorTest, GarbageIsRefusedAndOthersAreServed) {
  client_->Send(std::string(1000, '\xfe') + "\r\n\r\n");
  EXPECT_THAT(client_->ReadAll(), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  RawClient other(master_->addresses().http);
  other.Send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(other.ReadUntil("\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpDoorTest, HeadersOfMoreThan64KiBAreRefused) {
  client_->Send("GET /a HTTP/1.1\r\nX: " + std::string(70000, 'x') + "\r\n\r\n");
  EXPECT_THAT(client_->ReadAll(), StartsWith("HTTP/1.1 431 "));
}

TEST_F(HttpDoorTest, RequestsOfOneKubectlRunShareATrace) {
  for (const std::string session : {"s1", "s1", "s2"}) {
    client_->Send("GET /a HTTP/1.1\r\nHost: x\r\nKubectl-Session: " + session + "\r\n\r\n");
    client_->ReadUntil("/a");
  }
  const auto requests = seen_.Of(bus::HTTP_REQUEST);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].trace.trace_id, requests[1].trace.trace_id);
  EXPECT_NE(requests[0].trace.trace_id, requests[2].trace.trace_id);
}

TEST_F(HttpDoorTest, AClientThatOnlyFinishedSendingStillGetsItsAnswer) {
  client_->Send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  client_->FinishSending();
  EXPECT_THAT(client_->ReadAll(), HasSubstr("you asked /a"));
}

TEST_F(HttpDoorTest, AClientThatOnlyFinishedSendingStillGetsItsLongAnswer) {
  client_->Send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  client_->ReadUntil("\r\n\r\n");
  client_->FinishSending();
  RawClient other(master_->addresses().http);  // its answer comes after the door has seen the end
  other.Send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  other.ReadUntil("you asked /a");
  EXPECT_EQ(client_->ReadAll().size(), kBigBytes);
}

TEST_F(HttpDoorTest, AWatchWhoseClientLeavesIsCancelledAlsoWhenMoreWasSent) {
  // Together with the request, or when the answer has begun.
  client_->Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\nG");
  client_->ReadUntil("second\r\n");
  RawClient later(master_->addresses().http);
  later.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  later.ReadUntil("second\r\n");
  later.Send("G");
  client_->Close();
  later.Close();
  EXPECT_TRUE(seen_.WaitForCount(bus::HTTP_CANCEL, 2));
}

TEST_F(HttpDoorTest, AClientThatBreaksOffBehindAPipelinedRequestIsToldToTheServer) {
  client_->Send("GET /never HTTP/1.1\r\nHost: x\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(seen_.WaitForCount(bus::HTTP_REQUEST, 1));
  client_->Reset();
  EXPECT_TRUE(seen_.WaitForCount(bus::HTTP_CANCEL, 1));
  EXPECT_EQ(seen_.Of(bus::HTTP_REQUEST).size(), 1u);
}

TEST_F(HttpDoorTest, AClientThatDoesNotReadItsAnswerLosesItsConnection) {
  client_->Send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");  // a LIST
  ASSERT_TRUE(seen_.WaitForCount(bus::HTTP_REQUEST, 1));
  RawClient watch(master_->addresses().http);
  watch.Send("GET /big-stream HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(seen_.WaitForCount(bus::HTTP_REQUEST, 2));
  // The first one's time is up no later than the second one's.
  ASSERT_TRUE(seen_.WaitForCount(bus::HTTP_CANCEL, 1));
  EXPECT_LT(client_->ReadAll().size(), kBigBytes);
  EXPECT_LT(watch.ReadAll().size(), kBigBytes);
}

TEST_F(HttpDoorTest, AClientThatBreaksOffIsToldToTheServer) {
  client_->Send("GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(seen_.WaitForCount(bus::HTTP_REQUEST, 1));
  client_->Reset();
  EXPECT_TRUE(seen_.WaitForCount(bus::HTTP_CANCEL, 1));
}

}  // namespace
}  // namespace kubemu
