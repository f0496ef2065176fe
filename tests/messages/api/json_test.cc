#include "messages/api/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "boost/json.hpp"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/authentication.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

using k8s::apps::v1::Deployment;
using k8s::core::v1::Pod;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kPod = R"({
  "apiVersion": "v1", "kind": "Pod",
  "metadata": {
    "name": "web-1", "namespace": "default", "uid": "u-1", "resourceVersion": "42", "generation": 3,
    "creationTimestamp": "2025-01-01T00:00:00Z",
    "labels": {"app": "web", "tier": "front"},
    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "r-1",
                         "controller": true, "blockOwnerDeletion": true}],
    "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsType": "FieldsV1",
                       "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
  },
  "spec": {
    "volumes": [{"name": "tmp", "emptyDir": {}},
                {"name": "conf", "configMap": {"name": "web", "optional": false, "defaultMode": 420}}],
    "initContainers": [{"name": "init", "image": "busybox"}],
    "containers": [{
      "name": "web", "image": "nginx", "args": ["-g", "daemon off;"],
      "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
      "env": [{"name": "A", "value": "line\n\"quoted\" \\ \u0001 ü"},
              {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
      "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "250m"}},
      "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 10},
      "readinessProbe": {"tcpSocket": {"port": 80}},
      "securityContext": {"runAsUser": 0, "privileged": false}
    }],
    "ephemeralContainers": [{"name": "debug", "image": "busybox", "targetContainerName": "web"}],
    "terminationGracePeriodSeconds": 0, "hostUsers": false, "enableServiceLinks": true,
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute",
                     "tolerationSeconds": 300}]
  },
  "status": {
    "phase": "Running", "podIP": "10.244.1.2", "podIPs": [{"ip": "10.244.1.2"}], "hostIP": "127.1.0.1",
    "containerStatuses": [{"name": "web", "ready": false, "restartCount": 0, "image": "nginx",
                           "imageID": "", "containerID": "x://1", "started": false,
                           "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
  }
})";

boost::json::value Parsed(std::string_view text) {
  absl::StatusOr<boost::json::value> value = ParseJson(text);
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() ? *value : boost::json::value();
}

template <class T>
T Read(std::string_view text) {
  T object;
  const absl::Status status = FromJson(Parsed(text), &object, nullptr);
  EXPECT_TRUE(status.ok()) << status;
  return object;
}

template <class T>
std::string ErrorOf(std::string_view text) {
  T object;
  return std::string(FromJson(Parsed(text), &object, nullptr).message());
}

std::string Text(const google::protobuf::Message& object) {
  std::string text;
  AppendJson(object, nullptr, &text);
  return text;
}

TEST(Json, PodSurvivesTheRoundTrip) {
  Pod pod;
  FieldErrors errors;
  ASSERT_TRUE(FromJson(Parsed(kPod), &pod, &errors).ok());
  EXPECT_THAT(errors.unknown, IsEmpty());
  EXPECT_EQ(pod.status().pod_ip(), "10.244.1.2");
  EXPECT_EQ(pod.spec().volumes(1).volume_source().config_map().local_object_reference().name(),
            "web");
  EXPECT_EQ(pod.spec().ephemeral_containers(0).ephemeral_container_common().name(), "debug");

  std::string text;
  AppendJson(pod, &KindOf<Pod>(), &text);
  EXPECT_TRUE(Parsed(text) == Parsed(kPod)) << text;
}

TEST(Json, ApiVersionAndKindComeFirst) {
  std::string text;
  AppendJson(Deployment(), &KindOf<Deployment>(), &text);
  EXPECT_EQ(text, R"({"apiVersion":"apps/v1","kind":"Deployment"})");
  EXPECT_EQ(Text(Deployment()), "{}");
}

TEST(Json, ValueAndTextAreTheSame) {
  const Pod pod = Read<Pod>(kPod);
  EXPECT_TRUE(ToJson(pod) == Parsed(Text(pod)));
}

TEST(Json, ZeroScalarsCountOnlyWhereGoHoldsAPointer) {
  const Deployment zero = Read<Deployment>(
      R"({"spec":{"replicas":0,"minReadySeconds":0,"paused":false},"status":{"replicas":0}})");
  EXPECT_TRUE(zero.spec().has_replicas());
  EXPECT_EQ(Text(zero), R"({"spec":{"replicas":0},"status":{}})");
  k8s::apps::v1::ReplicaSet set;
  set.mutable_status()->set_ready_replicas(0);
  EXPECT_EQ(Text(set), R"({"status":{"replicas":0}})");
}

TEST(Json, NullIsAbsent) {
  const Pod pod = Read<Pod>(R"({"metadata":{"creationTimestamp":null,"labels":null},"spec":null})");
  EXPECT_EQ(Text(pod), R"({"metadata":{}})");
}

TEST(Json, MapsAreSortedByKey) {
  const Pod pod = Read<Pod>(R"({"metadata":{"labels":{"b":"2","a":"1","c":""}}})");
  EXPECT_EQ(pod.metadata().labels(0).key(), "a");
  EXPECT_EQ(Text(pod), R"({"metadata":{"labels":{"a":"1","b":"2","c":""}}})");
}

TEST(Json, TimesAreRfc3339) {
  const auto event = Read<k8s::core::v1::Event>(
      R"({"firstTimestamp":"2025-03-01T12:00:00.9+02:00","eventTime":"2025-03-01T10:00:00.123456Z"})");
  EXPECT_EQ(event.first_timestamp().seconds(), 1740823200);
  EXPECT_EQ(event.event_time().nanos(), 123456000);
  EXPECT_THAT(Text(event), HasSubstr(R"("firstTimestamp":"2025-03-01T10:00:00Z")"));
  EXPECT_THAT(Text(event), HasSubstr(R"("eventTime":"2025-03-01T10:00:00.123456Z")"));
  EXPECT_THAT(
      ErrorOf<k8s::core::v1::Event>(R"({"firstTimestamp":"yesterday"})"),
      HasSubstr(R"(firstTimestamp: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00")"));
}

TEST(Json, QuantitiesAreTextOrNumberAndBecomeCanonical) {
  const Pod pod =
      Read<Pod>(R"({"spec":{"overhead":{"cpu":0.5,"memory":"1024Mi","pods":3,"x":"1000m"}}})");
  EXPECT_EQ(Text(pod), R"({"spec":{"overhead":{"cpu":"500m","memory":"1Gi","pods":"3","x":"1"}}})");
  EXPECT_THAT(ErrorOf<Pod>(R"({"spec":{"overhead":{"cpu":"lots"}}})"),
              HasSubstr("quantities must match the regular expression"));
}

TEST(Json, IntOrStringKeepsItsSort) {
  const auto service = Read<k8s::core::v1::Service>(
      R"({"spec":{"ports":[{"port":80,"targetPort":"http"},{"port":81,"targetPort":8081}]}})");
  EXPECT_EQ(service.spec().ports(0).target_port().type(), 1);
  EXPECT_EQ(service.spec().ports(1).target_port().int_val(), 8081);
  EXPECT_EQ(
      Text(service),
      R"({"spec":{"ports":[{"port":80,"targetPort":"http"},{"port":81,"targetPort":8081}]}})");
}

TEST(Json, BytesAreBase64) {
  for (const char* text : {"", "Zg==", "Zm8=", "Zm9v", "AP+A"}) {
    const std::string json = StrCat(R"({"data":{"k":")", text, R"("}})");
    EXPECT_EQ(Text(Read<k8s::core::v1::Secret>(json)), json);
  }
  for (const char* text : {"Z", "Zg=", "Zg==Zg==", "Z===", "Zm9v!", "Zg=a"}) {
    EXPECT_THAT(ErrorOf<k8s::core::v1::Secret>(StrCat(R"({"data":{"k":")", text, R"("}})")),
                HasSubstr("data: illegal base64 data at input byte"))
        << text;
  }
}

TEST(Json, ListsOfStringsInAMapStayLists) {
  const std::string_view json =
      R"({"status":{"userInfo":{"username":"u","extra":{"scopes":["a","b"]}}}})";
  EXPECT_EQ(Text(Read<k8s::authentication::v1::SelfSubjectReview>(json)), json);
}

TEST(Json, UnknownFieldsAreNamedWithTheirPath) {
  Deployment object;
  FieldErrors errors;
  const std::string_view text = R"({"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicaz":1,
      "template":{"kind":"x","spec":{"containers":[{"name":"a"},{"imag":{"deep":1}}]}}},"":0})";
  ASSERT_TRUE(FromJson(Parsed(text), &object, &errors).ok());
  EXPECT_THAT(errors.unknown, ElementsAre("spec.replicaz", "spec.template.kind",
                                          "spec.template.spec.containers[1].imag", ""));
}

TEST(Json, InlinedNamesAreNoFields) {
  FieldErrors errors;
  Pod pod;
  ASSERT_TRUE(
      FromJson(Parsed(R"({"spec":{"volumes":[{"volumeSource":{}}]}})"), &pod, &errors).ok());
  EXPECT_THAT(errors.unknown, ElementsAre("spec.volumes[0].volumeSource"));
}

TEST(Json, WrongTypesAreToldAsGoTellsThem) {
  EXPECT_EQ(ErrorOf<Deployment>(R"({"spec":{"replicas":"three"}})"),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of "
            "type int32");
  EXPECT_EQ(ErrorOf<Deployment>(R"({"spec":{"template":{"spec":{"containers":{}}}}})"),
            "json: cannot unmarshal object into Go struct field "
            "PodSpec.spec.template.spec.containers of type []v1.Container");
  EXPECT_EQ(ErrorOf<Pod>(R"({"spec":{"containers":[{"name":"a"},{"image":7}]}})"),
            "json: cannot unmarshal number 7 into Go struct field Container.spec.containers.image "
            "of type string");
  EXPECT_EQ(ErrorOf<Pod>(R"({"metadata":{"labels":{"a":1.5}}})"),
            "json: cannot unmarshal number 1.5 into Go struct field ObjectMeta.metadata.labels of "
            "type string");
  EXPECT_EQ(ErrorOf<Pod>(R"({"metadata":["x"]})"),
            "json: cannot unmarshal array into Go struct field Pod.metadata of type v1.ObjectMeta");
  EXPECT_EQ(ErrorOf<Pod>("[]"), "json: cannot unmarshal array into Go value of type v1.Pod");
  EXPECT_THAT(ErrorOf<Deployment>(R"({"spec":{"replicas":2147483648}})"), HasSubstr("int32"));
  EXPECT_THAT(ErrorOf<Deployment>(R"({"spec":{"replicas":1.5}})"), HasSubstr("number 1.5"));
  EXPECT_THAT(ErrorOf<Pod>(R"({"spec":{"hostUsers":"yes"}})"), HasSubstr("of type bool"));
}

TEST(Json, HundredLevelsAreReadAndOneMoreIsNot) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(ParseJson(nested(100)).ok());
  EXPECT_THAT(std::string(ParseJson(nested(101)).status().message()),
              HasSubstr("JSON is nested deeper than 100 levels"));
}

TEST(Json, BrokenTextSaysWhere) {
  EXPECT_EQ(ParseJson("").status().message(), "unexpected end of JSON input");
  EXPECT_EQ(ParseJson(R"({"a":)").status().message(), "unexpected end of JSON input");
  for (const char* text : {"{\"a\" 1}", "{} {}", "{\"a\":\"\xff\"}", "nul", "{'a':1}"}) {
    EXPECT_THAT(std::string(ParseJson(text).status().message()),
                testing::AnyOf(HasSubstr("invalid JSON at byte "), HasSubstr("unexpected end")))
        << text;
  }
}

TEST(Json, KeysGivenTwiceAreFound) {
  FieldErrors errors;
  FindDuplicateFields(
      R"( {"a":1, "spec": {"x":[{"n":"}\"{"},{"n":1,"n":2}], "y":-1.5e3, "y":null}, "a" : {} } )",
      &errors);
  EXPECT_THAT(errors.duplicate, ElementsAre("spec.x[1].n", "spec.y", "a"));
}

TEST(Json, EveryKindReadsItsOwnEmptyForm) {
  for (const auto* kinds : {&AllKinds(), &RequestKinds()}) {
    for (const Kind* kind : *kinds) {
      std::string text;
      AppendJson(*kind->prototype, kind, &text);
      const std::unique_ptr<google::protobuf::Message> object(kind->prototype->New());
      FieldErrors errors;
      EXPECT_TRUE(FromJson(Parsed(text), object.get(), &errors).ok()) << text;
      EXPECT_THAT(errors.unknown, IsEmpty()) << text;
    }
  }
}

}  // namespace
}  // namespace kubemu
