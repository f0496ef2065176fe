#include "messages/inspect.h"

#include <gtest/gtest.h>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

// The answer as the asker gets it, one message per part.
std::vector<bus::InspectResponse> Answers(const absl::StatusOr<std::string>& answer,
                                          uint64_t number = 7) {
  bus::InspectRequest request;
  request.set_number(number);
  Outbox question("lab", {});
  question.Send("node-1/iptables", request);
  Outbox outbox("node-1/iptables", {});
  Random random(1);
  Env env{Time{}, WallTime{}, random, outbox};
  AnswerInspect(question.messages()[0], answer, env);
  std::vector<bus::InspectResponse> responses;
  for (const Message& message : outbox.messages()) {
    EXPECT_EQ(message.to, "lab");
    EXPECT_EQ(message.from, "node-1/iptables");
    responses.push_back(message.As<bus::InspectResponse>());
  }
  return responses;
}

std::string LongText(size_t size) {
  std::string text;
  for (size_t i = 0; text.size() < size; ++i) StrAppend(&text, i, "\n");
  text.resize(size);
  return text;
}

TEST(InspectTest, AShortAnswerIsOnePart) {
  for (const std::string text : {"", "rules\n"}) {
    const auto responses = Answers(text);
    ASSERT_EQ(responses.size(), 1u);
    EXPECT_EQ(responses[0].number(), 7u);
    EXPECT_TRUE(responses[0].last());
    InspectAnswer answer;
    ASSERT_TRUE(answer.Take(responses[0]));
    EXPECT_EQ(answer.Text().value(), text);
  }
}

TEST(InspectTest, ALongAnswerComesInPartsOfBoundedSizeInAnyOrderAndDoubled) {
  const std::string text = LongText(3 * kInspectBytesMax + 1);
  const auto responses = Answers(text);
  ASSERT_EQ(responses.size(), 4u);
  for (const auto& response : responses) EXPECT_LE(response.text().size(), kInspectBytesMax);
  InspectAnswer answer;
  EXPECT_FALSE(answer.Take(responses[3]));
  EXPECT_FALSE(answer.Take(responses[1]));
  EXPECT_FALSE(answer.Take(responses[1]));
  EXPECT_FALSE(answer.Take(responses[0]));
  ASSERT_TRUE(answer.Take(responses[2]));
  EXPECT_EQ(answer.Text().value(), text);
  EXPECT_EQ(Answers(LongText(2 * kInspectBytesMax)).size(), 2u);
}

TEST(InspectTest, PartsOfTwoAnswersAreNotMixed) {
  const std::string first = LongText(kInspectBytesMax + 1);
  std::string second = first;
  second[0] = 'x';
  const auto a = Answers(first, 1);
  const auto b = Answers(second, 2);
  InspectAnswer answer;
  EXPECT_FALSE(answer.Take(a[0]));
  EXPECT_FALSE(answer.Take(b[1]));
  ASSERT_TRUE(answer.Take(b[0]));
  EXPECT_EQ(answer.Text().value(), second);
}

TEST(InspectTest, ErrorsReachTheAsker) {
  const auto responses = Answers(UnknownQuestion("weather", {"iptables-save", "explain"}));
  ASSERT_EQ(responses.size(), 1u);
  InspectAnswer answer;
  ASSERT_TRUE(answer.Take(responses[0]));
  EXPECT_EQ(answer.Text().status().message(),
            "the question \"weather\" is not known here; iptables-save, explain are");
  EXPECT_EQ(UnknownQuestion("weather", {"status"}).message(),
            "the question \"weather\" is not known here; status is");
}

TEST(InspectTest, ArgumentsAreKeysAndValues) {
  bus::InspectRequest request;
  request.set_question("iptables-save");
  request.add_arguments("table=nat");
  request.add_arguments("from=a=b");
  const auto arguments = InspectArguments(request, {"table", "from", "to"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(*arguments, (std::map<std::string, std::string>{{"table", "nat"}, {"from", "a=b"}}));
  EXPECT_EQ(InspectArguments(request, {"table", "to"}).status().message(),
            "argument \"from=a=b\" of \"iptables-save\" is not understood; it takes table=... "
            "to=...");
  request.add_arguments("table=filter");
  EXPECT_EQ(InspectArguments(request, {"table", "from"}).status().message(),
            "argument \"table\" comes twice");
}

}  // namespace
}  // namespace kubemu
