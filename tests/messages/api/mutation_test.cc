// Bodies as a confused or hostile client would send them: whatever is accepted must be written as
// JSON that reads back to the same text, and nothing may crash.
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <random>

#include "boost/json.hpp"
#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/api/kube_protobuf.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Pod;

constexpr int kMutationRounds = 3000;

constexpr std::string_view kMutatedPod = R"({"metadata":{"name":"a","labels":{"k":"v","l":"w"},
  "creationTimestamp":"2025-01-01T00:00:00Z","managedFields":[{"fieldsV1":{"f:spec":{}}}]},
  "spec":{"hostUsers":false,"volumes":[{"name":"c","configMap":{"name":"c","optional":false}}],
  "containers":[{"name":"c","ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"1500m"}},
  "livenessProbe":{"httpGet":{"port":"http"},"periodSeconds":1}}]},
  "status":{"podIPs":[{"ip":"10.0.0.1"}],"startTime":"2025-01-01T00:00:00+01:00"}})";

constexpr std::string_view kValues[] = {"null",  "{}",   "[]",   "1",      "-1",           "1.5",
                                        "\"x\"", "true", "\"\"", "[null]", "{\"a\":null}", "9e99"};

// Replaces what stands behind some colons by some other value, or single bytes by others.
std::string MutateJson(std::string text, std::mt19937* random) {
  const auto pick = [random](size_t n) { return static_cast<size_t>((*random)() % n); };
  for (size_t i = pick(3) + 1; i > 0; --i) {
    const size_t colon = text.find(':', pick(text.size()));
    const size_t end = text.find_first_of(",}]", colon);
    if (pick(4) == 0) {
      text[pick(text.size())] = static_cast<char>(pick(256));
    } else if (colon != std::string::npos && end != std::string::npos) {
      text.replace(colon + 1, end - colon - 1, kValues[pick(std::size(kValues))]);
    }
  }
  return text;
}

std::string MutationText(const google::protobuf::Message& object) {
  std::string text;
  AppendJson(object, nullptr, &text);
  return text;
}

TEST(Mutation, JsonThatIsAcceptedReadsBackTheSame) {
  std::mt19937 random(1);
  int accepted = 0;
  for (int round = 0; round < kMutationRounds; ++round) {
    const std::string text = MutateJson(std::string(kMutatedPod), &random);
    const auto value = ParseJson(text);
    if (!value.ok()) continue;
    FieldErrors errors;
    FindDuplicateFields(text, &errors);
    Pod pod;
    if (!FromJson(*value, &pod, &errors).ok()) continue;
    ++accepted;
    const auto written = ParseJson(MutationText(pod));
    ASSERT_TRUE(written.ok()) << text;
    Pod again;
    ASSERT_TRUE(FromJson(*written, &again, nullptr).ok()) << text;
    ASSERT_EQ(MutationText(again), MutationText(pod)) << text;
  }
  EXPECT_GT(accepted, kMutationRounds / 50);
}

TEST(Mutation, ProtobufThatIsAcceptedBecomesJson) {
  Pod pod;
  ASSERT_TRUE(FromJson(*ParseJson(kMutatedPod), &pod, nullptr).ok());
  std::string body;
  EncodeKubeProtobuf(pod, KindOf<Pod>(), &body);
  std::mt19937 random(2);
  int accepted = 0;
  for (int round = 0; round < kMutationRounds; ++round) {
    std::string bytes = body;
    for (size_t i = random() % 3 + 1; i > 0; --i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    const auto decoded = DecodeKubeProtobuf(bytes);
    if (!decoded.ok()) continue;
    ++accepted;
    ASSERT_TRUE(ParseJson(MutationText(*decoded->object)).ok());
  }
  EXPECT_GT(accepted, kMutationRounds / 50);
}

}  // namespace
}  // namespace kubemu
