// What comes from outside may be anything: seeded garbage must give a value or an error, and what
// is accepted must survive being printed and read again.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "messages/api/names.h"
#include "messages/api/patch.h"
#include "messages/api/quantity.h"
#include "messages/api/selector.h"
#include "messages/api/strategic_merge.h"
#include "messages/core/random.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

namespace json = boost::json;

constexpr int kRounds = 20'000;

std::string RandomText(std::string_view alphabet, size_t length_max, Random* random) {
  std::string text(random->Uniform(length_max + 1), ' ');
  for (char& c : text) c = alphabet[random->Uniform(alphabet.size())];
  return text;
}

TEST(GarbageTest, AQuantityThatParsesPrintsToAnEqualOne) {
  Random random(1);
  int parsed = 0;
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = RandomText("0123459.eEinumkKMGTP+-", 8, &random);
    const absl::StatusOr<Quantity> quantity = Quantity::Parse(text);
    if (!quantity.ok()) continue;
    ++parsed;
    const absl::StatusOr<Quantity> again = Quantity::Parse(quantity->ToString());
    ASSERT_TRUE(again.ok()) << text << " prints as " << quantity->ToString();
    // Binary amounts above 1024 are printed as whole numbers, rounded up.
    if (quantity->format() != Quantity::Format::kBinarySi) {
      EXPECT_EQ(*again, *quantity) << text << " prints as " << quantity->ToString();
    }
    EXPECT_EQ(again->Value(), quantity->Value()) << text;
    EXPECT_EQ(again->ToString(), quantity->ToString()) << text;
  }
  EXPECT_GT(parsed, kRounds / 100);
}

TEST(GarbageTest, ALabelSelectorThatParsesPrintsToOneThatPrintsTheSame) {
  Random random(2);
  int parsed = 0;
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = RandomText("ab1=!,()<> in", 12, &random);
    const absl::StatusOr<LabelSelector> selector = LabelSelector::Parse(text);
    if (!selector.ok()) continue;
    ++parsed;
    const absl::StatusOr<LabelSelector> again = LabelSelector::Parse(selector->ToString());
    ASSERT_TRUE(again.ok()) << text << " prints as " << selector->ToString();
    EXPECT_EQ(again->ToString(), selector->ToString()) << text;
  }
  EXPECT_GT(parsed, kRounds / 100);
}

TEST(GarbageTest, AFieldSelectorThatParsesPrintsToAnEqualOne) {
  Random random(3);
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = RandomText("ab.=!,\\", 10, &random);
    const absl::StatusOr<FieldSelector> selector = FieldSelector::Parse(text);
    if (!selector.ok()) continue;
    const absl::StatusOr<FieldSelector> again = FieldSelector::Parse(selector->ToString());
    ASSERT_TRUE(again.ok()) << text << " prints as " << selector->ToString();
    EXPECT_EQ(again->terms(), selector->terms()) << text;
  }
}

TEST(GarbageTest, NamesOfAnyBytesGetAnAnswer) {
  Random random(4);
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes.push_back(static_cast<char>(c));
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = RandomText(bytes, 300, &random);
    EXPECT_EQ(CheckDns1123Label(text).empty() && text.size() > kDns1123LabelMax, false);
    CheckDns1123Subdomain(text);
    CheckQualifiedName(text);
    CheckLabelValue(text);
    CheckPortName(text);
    CheckConfigKey(text);
    CheckIp(text);
  }
}

// A small document out of the words that patches and pods know.
json::value RandomDocument(int depth, Random* random) {
  static constexpr const char* kKeys[] = {"spec",        "containers",
                                          "name",        "$patch",
                                          "$retainKeys", "$setElementOrder/containers",
                                          "labels",      "finalizers",
                                          "metadata",    "op",
                                          "path",        "from",
                                          "value",       "volumes",
                                          "tolerations", "$deleteFromPrimitiveList/finalizers"};
  static constexpr const char* kTexts[] = {"a",       "b",     "delete", "replace", "merge", "add",
                                           "/spec/0", "/spec", "copy",   "move",    "test",  "/-"};
  switch (random->Uniform(depth > 0 ? 6 : 4)) {
    case 0:
      return nullptr;
    case 1:
      return static_cast<int64_t>(random->Uniform(3));
    case 2:
    case 3:
      return kTexts[random->Uniform(std::size(kTexts))];
    case 4: {
      json::array list;
      for (uint64_t n = random->Uniform(4); n > 0; --n) {
        list.push_back(RandomDocument(depth - 1, random));
      }
      return list;
    }
  }
  json::object object;
  for (uint64_t n = random->Uniform(5); n > 0; --n) {
    object.insert_or_assign(kKeys[random->Uniform(std::size(kKeys))],
                            RandomDocument(depth - 1, random));
  }
  return object;
}

TEST(GarbageTest, PatchesOfAnyShapeGiveADocumentOrAnError) {
  Random random(5);
  int merged = 0;
  for (int i = 0; i < kRounds; ++i) {
    const json::value document = RandomDocument(4, &random);
    const json::value patch = RandomDocument(4, &random);
    const absl::StatusOr<json::value> strategic =
        StrategicMerge(document, patch, *::k8s::core::v1::Pod::descriptor());
    merged += strategic.ok();
    JsonPatch(document, patch).status().IgnoreError();
    JsonPatch(document, json::array{patch, RandomDocument(2, &random)}).status().IgnoreError();
    const json::value once = MergePatch(document, patch);
    EXPECT_TRUE(JsonEqual(MergePatch(once, patch), once)) << json::serialize(patch);
  }
  EXPECT_GT(merged, kRounds / 100);
}

}  // namespace
}  // namespace kubemu
