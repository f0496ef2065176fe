#include "messages/api/kube_protobuf.h"

#include <gmock/gmock.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include "messages/api/json.h"
#include "messages/api/json_values.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/runtime.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::Deployment;
using testing::HasSubstr;

std::string Body(std::string_view api_version, std::string_view kind, std::string raw) {
  k8s::runtime::Unknown unknown;
  unknown.mutable_type_meta()->set_api_version(std::string(api_version));
  unknown.mutable_type_meta()->set_kind(std::string(kind));
  unknown.set_raw(std::move(raw));
  return StrCat(kKubeProtobufMagic, unknown.SerializeAsString());
}

std::string Body(const Kind& kind, const google::protobuf::Message& object) {
  return Body(kind.api_version(), kind.kind, object.SerializeAsString());
}

std::string JsonOf(const KubeProtobufBody& body) {
  std::string text;
  AppendJson(*body.object, nullptr, &text);
  return text;
}

std::string DecodeErrorOf(std::string_view body) {
  return std::string(DecodeKubeProtobuf(body).status().message());
}

// Bodies as kubectl 1.33 sent them, recorded on loopback.
// kubectl create namespace web
constexpr std::string_view kNamespaceBody =
    "6b3873000a0f0a02763112094e616d657370616365121b0a130a0377656212001a0022002a00320038004200"
    "12001a020a001a002200";
// kubectl create deployment web --image=nginx --replicas=3 --port=80
constexpr std::string_view kDeploymentBody =
    "6b3873000a150a07617070732f7631120a4465706c6f796d656e7412b8010a1f0a0377656212001a0022002a"
    "003200380042005a0a0a0361707012037765621286010803120c0a0a0a0361707012037765621a6c0a1c0a00"
    "12001a0022002a003200380042005a0a0a036170701203776562124c122e0a056e67696e7812056e67696e78"
    "2a00320a0a001000185022002a0042006a007200800100880100900100a201001a00320042004a0052005800"
    "600068008201008a01009a0100c2010022020a00280038001a0c0800100018002000280038001a002200";
// kubectl create service nodeport s --tcp=80:8080
constexpr std::string_view kServiceBody =
    "6b3873000a0d0a02763112075365727669636512620a1b0a017312001a0022002a003200380042005a080a03"
    "617070120173123f0a1b0a0738302d38303830120354435018502207080010903f1a00280012080a03617070"
    "1201731a0022084e6f6465506f72743a00420052005a00600068001a020a001a002200";

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

TEST(KubeProtobuf, ReadsWhatKubectlSends) {
  const auto read = [](std::string_view hex) {
    const auto decoded = DecodeKubeProtobuf(FromHex(hex));
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    return decoded.ok() ? StrCat(decoded->kind->kind, " ", JsonOf(*decoded)) : "";
  };
  EXPECT_EQ(read(kNamespaceBody), R"(Namespace {"metadata":{"name":"web"}})");
  EXPECT_EQ(read(kDeploymentBody),
            R"(Deployment {"metadata":{"name":"web","labels":{"app":"web"}},)"
            R"("spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},)"
            R"("template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[)"
            R"({"name":"nginx","image":"nginx","ports":[{"containerPort":80}]}]}}}})");
  EXPECT_EQ(read(kServiceBody),
            R"(Service {"metadata":{"name":"s","labels":{"app":"s"}},"spec":{"ports":[)"
            R"({"name":"80-8080","protocol":"TCP","port":80,"targetPort":8080}],)"
            R"("selector":{"app":"s"},"type":"NodePort"}})");
}

TEST(KubeProtobuf, ZerosThatGoWroteAreAbsentAgain) {
  Deployment deployment;
  auto* meta = deployment.mutable_metadata();
  meta->set_name("web");
  meta->set_namespace_("");
  meta->set_generation(0);
  meta->mutable_creation_timestamp();
  auto* spec = deployment.mutable_spec();
  spec->set_replicas(0);
  spec->set_min_ready_seconds(0);
  spec->set_paused(false);
  spec->mutable_strategy()->set_type("");
  spec->mutable_template_()->mutable_metadata()->set_name("");
  auto* pod = spec->mutable_template_()->mutable_spec();
  pod->set_host_network(false);
  pod->set_host_users(false);
  pod->add_volumes()->mutable_volume_source()->mutable_empty_dir()->set_medium("");
  pod->add_containers()->mutable_resources();
  pod->mutable_security_context();
  deployment.mutable_status()->set_replicas(0);

  absl::StatusOr<KubeProtobufBody> decoded =
      DecodeKubeProtobuf(Body(KindOf<Deployment>(), deployment));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(JsonOf(*decoded),
            R"({"metadata":{"name":"web"},"spec":{"replicas":0,"template":{"spec":{)"
            R"("volumes":[{"name":"","emptyDir":{}}],"containers":[{"name":""}],)"
            R"("securityContext":{},"hostUsers":false}}}})");
  EXPECT_FALSE(static_cast<const Deployment&>(*decoded->object).has_status());
}

TEST(KubeProtobuf, IntOrStringZeroCountsOnlyBehindAPointer) {
  k8s::core::v1::Service service;
  auto* port = service.mutable_spec()->add_ports();
  port->set_port(80);
  port->mutable_target_port()->set_type(0);
  port->mutable_target_port()->set_int_val(0);
  auto decoded = DecodeKubeProtobuf(Body(KindOf<k8s::core::v1::Service>(), service));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(JsonOf(*decoded), R"({"spec":{"ports":[{"port":80}]}})");

  Deployment deployment;
  auto* update = deployment.mutable_spec()->mutable_strategy()->mutable_rolling_update();
  update->mutable_max_unavailable()->set_int_val(0);
  decoded = DecodeKubeProtobuf(Body(KindOf<Deployment>(), deployment));
  ASSERT_TRUE(decoded.ok());
  EXPECT_THAT(JsonOf(*decoded), HasSubstr(R"("rollingUpdate":{"maxUnavailable":0})"));
}

TEST(KubeProtobuf, OfAnIntOrStringOnlyWhatItsTypeSaysCounts) {
  k8s::core::v1::Service service;
  auto* target = service.mutable_spec()->add_ports()->mutable_target_port();
  target->set_type(0);
  target->set_int_val(80);
  target->set_str_val("\xff");
  const Kind& kind = KindOf<k8s::core::v1::Service>();
  const auto decoded = DecodeKubeProtobuf(Body(kind, service));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(JsonOf(*decoded), HasSubstr(R"("targetPort":80)"));
  target->set_type(1);
  EXPECT_EQ(DecodeErrorOf(Body(kind, service)), "spec.ports[0].targetPort: the text is not UTF-8");
  target->set_type(2);
  EXPECT_THAT(DecodeErrorOf(Body(kind, service)), HasSubstr("spec.ports[0].targetPort: the type"));
}

TEST(KubeProtobuf, EntriesAreSortedAndTheLastOfEqualKeysStays) {
  k8s::core::v1::ConfigMap map;
  for (const auto& [key, value] : {std::pair("b", "1"), {"a", ""}, {"b", "2"}, {"c", "3"}}) {
    auto* entry = map.add_data();
    entry->set_key(key);
    if (*value != '\0') entry->set_value(value);
  }
  const auto decoded = DecodeKubeProtobuf(Body(KindOf<k8s::core::v1::ConfigMap>(), map));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(JsonOf(*decoded), R"({"data":{"a":"","b":"2","c":"3"}})");
}

TEST(KubeProtobuf, EncodedAndDecodedIsTheSame) {
  Deployment deployment;
  deployment.mutable_metadata()->set_name("web");
  deployment.mutable_spec()->set_replicas(3);
  std::string body;
  EncodeKubeProtobuf(deployment, KindOf<Deployment>(), &body);
  const auto decoded = DecodeKubeProtobuf(body);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->object->SerializeAsString(), deployment.SerializeAsString());
}

TEST(KubeProtobuf, BadBodiesSayWhatIsWrong) {
  EXPECT_THAT(DecodeErrorOf(""), HasSubstr("does not begin with the bytes 6b 38 73 00"));
  EXPECT_THAT(DecodeErrorOf("{}"), HasSubstr("not Kubernetes Protobuf"));
  EXPECT_THAT(DecodeErrorOf(StrCat(kKubeProtobufMagic, "\x0a\x7f")), HasSubstr("runtime.Unknown"));
  EXPECT_EQ(DecodeErrorOf(Body("batch/v1", "Job", "")),
            R"(no kind "Job" is registered for version "batch/v1")");
  EXPECT_EQ(DecodeErrorOf(Body("v1", "Pod", "\x0a\x7f")),
            "the Pod in the body is not valid Protobuf");

  k8s::core::v1::ConfigMap map;
  map.mutable_metadata()->add_finalizers("ok");
  map.mutable_metadata()->add_finalizers("\xc0\x80");
  EXPECT_EQ(DecodeErrorOf(Body(KindOf<k8s::core::v1::ConfigMap>(), map)),
            "metadata.finalizers[1]: the text is not UTF-8");
}

// Fields that nobody knows are skipped however deep they nest, up to the limit.
TEST(KubeProtobuf, DepthIsLimited) {
  const auto groups = [](int depth) {
    // Field 1000 as a group: start 0xc3 0x3e 01b..., nested in itself.
    std::string raw;
    for (int i = 0; i < depth; ++i) raw += "\xc3\x3e";
    for (int i = 0; i < depth; ++i) raw += "\xc4\x3e";
    return raw;
  };
  EXPECT_TRUE(DecodeKubeProtobuf(Body("v1", "Pod", groups(50))).ok());
  EXPECT_EQ(DecodeErrorOf(Body("v1", "Pod", groups(101))),
            "the Pod in the body is not valid Protobuf");
}

TEST(KubeProtobuf, Utf8IsCheckedAsTheStandardSays) {
  for (const char* good :
       {"", "a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc1\x81", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xf8\x88\x80\x80\x80", "\xe2\x82", "a\xff"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

}  // namespace
}  // namespace kubemu
