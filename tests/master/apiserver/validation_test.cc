#include "master/apiserver/validation/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "master/apiserver/defaults/defaults.h"
#include "messages/api/kinds.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"
#include "tests/messages/api/text_proto.h"

namespace kubemu {
namespace {

using ::k8s::apps::v1::Deployment;
using ::k8s::apps::v1::ReplicaSet;
using ::k8s::core::v1::ConfigMap;
using ::k8s::core::v1::Namespace;
using ::k8s::core::v1::Node;
using ::k8s::core::v1::Pod;
using ::k8s::core::v1::Secret;
using ::k8s::core::v1::Service;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Errors = std::vector<std::string>;

Errors Texts(const FieldErrorList& errors) {
  Errors texts;
  for (const FieldError& error : errors.errors()) texts.push_back(error.ToString());
  return texts;
}

// An object named "x" (in namespace "n", if its kind has them) with `text`, defaults applied.
template <typename T>
T Made(const std::string& text) {
  T object = FromText<T>(text);
  if (!object.metadata().has_name()) object.mutable_metadata()->set_name("x");
  if (KindOf<T>().namespaced && !object.metadata().has_namespace_()) {
    object.mutable_metadata()->set_namespace_("n");
  }
  ApplyDefaults(&object);
  return object;
}

template <typename T>
Errors CreateErrors(const std::string& text) {
  return Texts(ValidateCreate(KindOf<T>(), Made<T>(text)));
}

template <typename T>
Errors UpdateErrors(const std::string& before, const std::string& after) {
  return Texts(ValidateUpdate(KindOf<T>(), Made<T>(before), Made<T>(after)));
}

Errors PodErrors(const std::string& spec) {
  return CreateErrors<Pod>("spec {" + spec + "}");
}

// A valid container with more in it.
std::string C(const std::string& more = "", const std::string& name = "c") {
  return "containers { name: '" + name + "' image: 'i' " + more + " } ";
}

TEST(MetadataValidationTest, NamesNamespacesLabelsAndFinalizers) {
  EXPECT_THAT(CreateErrors<ConfigMap>(""), IsEmpty());
  EXPECT_THAT(CreateErrors<ConfigMap>("metadata { name: 'Bad_Name' }"),
              ElementsAre(StartsWith("metadata.name: Invalid value: \"Bad_Name\": a lowercase RFC "
                                     "1123 subdomain must consist of")));
  EXPECT_THAT(Texts(ValidateCreate(KindOf<ConfigMap>(), ConfigMap())),
              ElementsAre("metadata.name: Required value: name or generateName is required",
                          "metadata.namespace: Required value"));
  EXPECT_THAT(CreateErrors<Node>("metadata { namespace: 'n' }"),
              ElementsAre("metadata.namespace: Forbidden: not allowed on this type"));
  EXPECT_THAT(CreateErrors<ConfigMap>("metadata { labels { key: 'a b' value: '-' } }"),
              ElementsAre(StartsWith("metadata.labels: Invalid value: \"a b\": name part must"),
                          StartsWith("metadata.labels: Invalid value: \"-\": a valid label")));
  EXPECT_THAT(CreateErrors<ConfigMap>("metadata { finalizers: 'own' finalizers: 'a.io/b' }"),
              ElementsAre("metadata.finalizers: Invalid value: \"own\": name is neither a standard "
                          "finalizer name nor is it fully qualified"));
  EXPECT_THAT(CreateErrors<ConfigMap>("metadata { annotations { key: 'a' value: '" +
                                      std::string(256 * 1024, 'v') + "' } }"),
              ElementsAre("metadata.annotations: Too long: may not be more than 262144 bytes"));
}

TEST(MetadataValidationTest, OwnersAreCompleteAndOneControls) {
  const std::string owner = "owner_references { api_version: 'v1' kind: 'K' uid: 'u' name: ";
  EXPECT_THAT(CreateErrors<ConfigMap>("metadata {" + owner + "'a' controller: true }" + owner +
                                      "'b' controller: true } }"),
              ElementsAre(HasSubstr("Only one reference can have Controller set to true. Found "
                                    "\"true\" in references for a and b")));
  EXPECT_THAT(CreateErrors<ConfigMap>("metadata { owner_references { name: 'a' uid: 'u' } }"),
              ElementsAre(HasSubstr("[0].apiVersion: Invalid value: \"\": version must not be"),
                          HasSubstr("[0].kind: Invalid value: \"\": must not be empty")));
}

TEST(MetadataValidationTest, UpdatesKeepTheIdentityAndAddNoFinalizerToADyingObject) {
  EXPECT_THAT(UpdateErrors<ConfigMap>("metadata { uid: '1' }", "metadata { uid: '2' }"),
              ElementsAre("metadata.uid: Invalid value: \"2\": field is immutable"));
  EXPECT_THAT(UpdateErrors<ConfigMap>("metadata { deletion_timestamp { seconds: 1 } }",
                                      "metadata { finalizers: 'a/b' }"),
              ElementsAre("metadata.finalizers: Forbidden: no new finalizers can be added if the "
                          "object is being deleted, found new finalizers []string{\"a/b\"}"));
}

TEST(PodValidationTest, NeedsContainersWithNamesAndImages) {
  EXPECT_THAT(PodErrors(C()), IsEmpty());
  EXPECT_THAT(PodErrors(""), ElementsAre("spec.containers: Required value"));
  EXPECT_THAT(PodErrors("containers { }"), ElementsAre("spec.containers[0].name: Required value",
                                                       "spec.containers[0].image: Required value"));
  EXPECT_THAT(PodErrors(C() + C()), ElementsAre("spec.containers[1].name: Duplicate value: \"c\""));
  EXPECT_THAT(PodErrors(C() + "init_containers { name: 'c' image: 'i' }"),
              ElementsAre("spec.initContainers[0].name: Duplicate value: \"c\""));
  EXPECT_THAT(PodErrors("containers { name: 'c' image: ' i' }"),
              ElementsAre("spec.containers[0].image: Invalid value: \" i\": must not have leading "
                          "or trailing whitespace"));
}

TEST(PodValidationTest, PortsHaveRangesNamesAndProtocols) {
  EXPECT_THAT(PodErrors(C("ports { container_port: 80 name: 'http' }")), IsEmpty());
  EXPECT_THAT(PodErrors(C("ports { container_port: 70000 }")),
              ElementsAre("spec.containers[0].ports[0].containerPort: Invalid value: 70000: must "
                          "be between 1 and 65535, inclusive"));
  EXPECT_THAT(PodErrors(C("ports { }")),
              ElementsAre("spec.containers[0].ports[0].containerPort: Required value"));
  EXPECT_THAT(PodErrors(C("ports { container_port: 80 protocol: 'HTTP' }")),
              ElementsAre("spec.containers[0].ports[0].protocol: Unsupported value: \"HTTP\": "
                          "supported values: \"SCTP\", \"TCP\", \"UDP\""));
  EXPECT_THAT(PodErrors(C("ports { container_port: 80 host_port: 80 }"
                          "ports { container_port: 81 host_port: 80 }")),
              ElementsAre("spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//80\""));
  EXPECT_THAT(PodErrors(C("ports { container_port: 80 name: 'a' }"
                          "ports { container_port: 81 name: 'a' }")),
              ElementsAre("spec.containers[0].ports[1].name: Duplicate value: \"a\""));
}

TEST(PodValidationTest, RequestsStayBelowLimits) {
  const auto entry = [](const std::string& side, const std::string& name,
                        const std::string& amount) {
    return side + " { key: '" + name + "' value { string: '" + amount + "' } } ";
  };
  EXPECT_THAT(PodErrors(C("resources {" + entry("limits", "cpu", "500m") +
                          entry("requests", "cpu", "1") + "}")),
              ElementsAre("spec.containers[0].resources.requests: Invalid value: \"1\": must be "
                          "less than or equal to cpu limit of 500m"));
  EXPECT_THAT(PodErrors(C("resources {" + entry("requests", "cpu", "-1") + "}")),
              ElementsAre("spec.containers[0].resources.requests[cpu]: Invalid value: \"-1\": must "
                          "be greater than or equal to 0"));
  EXPECT_THAT(PodErrors(C("resources {" + entry("requests", "gpus", "1") + "}")),
              ElementsAre("spec.containers[0].resources.requests[gpus]: Invalid value: \"gpus\": "
                          "must be a standard resource for containers"));
  EXPECT_THAT(PodErrors(C("resources {" + entry("requests", "cpu", "lots") + "}")),
              ElementsAre(HasSubstr("quantities must match the regular expression")));
}

TEST(PodValidationTest, MountsNeedAVolumeAndAPathOfTheirOwn) {
  const std::string volume = "volumes { name: 'v' }";
  EXPECT_THAT(PodErrors(C("volume_mounts { name: 'v' mount_path: '/a' }") + volume), IsEmpty());
  EXPECT_THAT(PodErrors(C("volume_mounts { name: 'w' mount_path: '/a' }") + volume),
              ElementsAre("spec.containers[0].volumeMounts[0].name: Not found: \"w\""));
  EXPECT_THAT(PodErrors(C("volume_mounts { name: 'v' mount_path: '/a' }"
                          "volume_mounts { name: 'v' mount_path: '/a' sub_path: '../b' }") +
                        volume),
              ElementsAre("spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": "
                          "must be unique",
                          "spec.containers[0].volumeMounts[1].subPath: Invalid value: \"../b\": "
                          "must not contain '..'"));
}

TEST(PodValidationTest, AVolumeHasOneSource) {
  EXPECT_THAT(PodErrors(C() + "volumes { name: 'v' volume_source { empty_dir { } host_path { "
                              "path: '/' } } }"),
              ElementsAre("spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume "
                          "type"));
  EXPECT_THAT(PodErrors(C() + "volumes { name: 'v' volume_source { secret { } } }"),
              ElementsAre("spec.volumes[0].secret.secretName: Required value"));
  EXPECT_THAT(PodErrors(C() + "volumes { name: 'v' } volumes { name: 'v' }"),
              ElementsAre("spec.volumes[1].name: Duplicate value: \"v\""));
}

TEST(PodValidationTest, ProbesHaveOneHandlerAndSaneNumbers) {
  EXPECT_THAT(PodErrors(C("liveness_probe { }")),
              ElementsAre("spec.containers[0].livenessProbe: Required value: must specify a "
                          "handler type"));
  const std::string tcp = "handler { tcp_socket { port { int_val: 80 } } }";
  EXPECT_THAT(PodErrors(C("liveness_probe {" + tcp + " success_threshold: 2 }")),
              ElementsAre("spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: "
                          "must be 1"));
  EXPECT_THAT(PodErrors(C("readiness_probe {" + tcp + " success_threshold: 2 }")), IsEmpty());
  EXPECT_THAT(PodErrors(C("readiness_probe {" + tcp + " period_seconds: -1 }")),
              ElementsAre("spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: "
                          "must be greater than or equal to 0"));
  EXPECT_THAT(PodErrors(C("readiness_probe { handler { http_get { port { int_val: 0 } } } }")),
              ElementsAre("spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must "
                          "be between 1 and 65535, inclusive"));
}

TEST(PodValidationTest, InitContainersHaveProbesOnlyAsSidecars) {
  const std::string probe = "readiness_probe { handler { exec { command: 'x' } } }";
  EXPECT_THAT(PodErrors(C() + "init_containers { name: 'i' image: 'i' " + probe + "}"),
              ElementsAre("spec.initContainers[0].readinessProbe: Forbidden: may not be set for "
                          "init containers without restartPolicy=Always"));
  EXPECT_THAT(PodErrors(C() + "init_containers { name: 'i' image: 'i' restart_policy: 'Always' " +
                        probe + "}"),
              IsEmpty());
  EXPECT_THAT(PodErrors(C("restart_policy: 'Always'")),
              ElementsAre("spec.containers[0].restartPolicy: Forbidden: may not be set for "
                          "non-init containers"));
}

TEST(PodValidationTest, EnvironmentVariablesHaveOneSource) {
  EXPECT_THAT(PodErrors(C("env { name: 'A' value: '1' } env { name: 'B' value_from { field_ref { "
                          "field_path: 'metadata.name' } } }")),
              IsEmpty());
  EXPECT_THAT(PodErrors(C("env { value: '1' }")),
              ElementsAre("spec.containers[0].env[0].name: Required value"));
  EXPECT_THAT(
      PodErrors(C("env { name: 'A' value: '1' value_from { field_ref { field_path: 'x' } } }")),
      ElementsAre("spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be "
                  "specified when `value` is not empty"));
}

TEST(PodValidationTest, PoliciesTolerationsAndAffinityHaveFixedChoices) {
  EXPECT_THAT(PodErrors(C() + "restart_policy: 'Sometimes'"),
              ElementsAre("spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: "
                          "\"Always\", \"Never\", \"OnFailure\""));
  EXPECT_THAT(PodErrors(C() + "tolerations { key: 'a' operator: 'Exists' value: 'v' }"),
              ElementsAre("spec.tolerations[0].operator: Invalid value: \"v\": value must be empty "
                          "when `operator` is 'Exists'"));
  EXPECT_THAT(PodErrors(C() + "tolerations { value: 'v' }"),
              ElementsAre(HasSubstr("operator must be Exists when `key` is empty")));
  EXPECT_THAT(PodErrors(C() + R"(affinity { node_affinity {
                required_during_scheduling_ignored_during_execution { node_selector_terms {
                  match_expressions { key: 'a' operator: 'Near' } } } } })"),
              ElementsAre(HasSubstr("matchExpressions[0].operator: Invalid value: \"Near\": not a "
                                    "valid selector operator")));
  EXPECT_THAT(PodErrors(C() + "topology_spread_constraints { topology_key: 'z' max_skew: 0 "
                              "when_unsatisfiable: 'ScheduleAnyway' }"),
              ElementsAre("spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be "
                          "greater than zero"));
}

TEST(PodValidationTest, UpdatesMayChangeImagesAndAddTolerations) {
  const std::string before = "spec { containers { name: 'c' image: 'i:1' } ";
  EXPECT_THAT(UpdateErrors<Pod>(before + "}",
                                "spec { containers { name: 'c' image: 'i:2' image_pull_policy: "
                                "'IfNotPresent' } active_deadline_seconds: 5 tolerations { "
                                "operator: 'Exists' } }"),
              IsEmpty());
  EXPECT_THAT(
      UpdateErrors<Pod>(before + "}", before + "node_name: 'node-1' hostname: 'h' }"),
      ElementsAre(AllOf(StartsWith("spec: Forbidden: pod updates may not change fields other than "
                                   "`spec.containers[*].image`,`spec.initContainers[*].image`,"
                                   "`spec.activeDeadlineSeconds`,`spec.tolerations`"),
                        HasSubstr("changed: spec.nodeName, spec.hostname"))));
  EXPECT_THAT(
      UpdateErrors<Pod>(before + "}", before + "containers { name: 'd' image: 'i:1' } }"),
      ElementsAre("spec.containers: Forbidden: pod updates may not add or remove containers"));
  EXPECT_THAT(UpdateErrors<Pod>(before + "tolerations { operator: 'Exists' } }", before + "}"),
              ElementsAre("spec.tolerations: Forbidden: existing toleration can not be modified "
                          "except its tolerationSeconds"));
}

TEST(ServiceValidationTest, PortsAreRequiredAndNamedWhenThereAreSeveral) {
  EXPECT_THAT(CreateErrors<Service>("spec { ports { port: 80 } }"), IsEmpty());
  EXPECT_THAT(CreateErrors<Service>(""), ElementsAre("spec.ports: Required value"));
  EXPECT_THAT(CreateErrors<Service>("spec { cluster_ip: 'None' }"), IsEmpty());
  EXPECT_THAT(CreateErrors<Service>("spec { ports { port: 80 } ports { port: 81 name: 'b' } }"),
              ElementsAre("spec.ports[0].name: Required value"));
  EXPECT_THAT(CreateErrors<Service>("spec { ports { port: 80 node_port: 30000 } }"),
              ElementsAre("spec.ports[0].nodePort: Forbidden: may not be used when `type` is "
                          "'ClusterIP'"));
  EXPECT_THAT(CreateErrors<Service>("spec { type: 'NodePort' ports { name: 'a' port: 80 node_port: "
                                    "30000 } ports { name: 'b' port: 81 node_port: 30000 } }"),
              ElementsAre("spec.ports[1].nodePort: Duplicate value: 30000"));
}

TEST(ServiceValidationTest, TypesNamesAndAddresses) {
  EXPECT_THAT(CreateErrors<Service>("spec { type: 'Odd' ports { port: 80 } }"),
              ElementsAre("spec.type: Unsupported value: \"Odd\": supported values: \"ClusterIP\", "
                          "\"ExternalName\", \"LoadBalancer\", \"NodePort\""));
  EXPECT_THAT(CreateErrors<Service>("metadata { name: '1x' } spec { ports { port: 80 } }"),
              ElementsAre(StartsWith("metadata.name: Invalid value: \"1x\": a DNS-1035 label")));
  EXPECT_THAT(
      CreateErrors<Service>("spec { type: 'NodePort' cluster_ip: 'None' ports { port: 80 } }"),
      ElementsAre("spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' "
                  "for NodePort services"));
  EXPECT_THAT(CreateErrors<Service>("spec { type: 'ExternalName' }"),
              ElementsAre("spec.externalName: Required value"));
}

TEST(ServiceValidationTest, TheClusterIpStays) {
  const std::string ports = " ports { port: 80 } }";
  EXPECT_THAT(UpdateErrors<Service>("spec { cluster_ip: '10.0.0.1'" + ports,
                                    "spec { cluster_ip: '10.0.0.2'" + ports),
              ElementsAre("spec.clusterIPs[0]: Invalid value: []string{\"10.0.0.2\"}: may not "
                          "change once set"));
}

std::string DeploymentText(const std::string& spec, const std::string& label = "web") {
  return "spec { selector { match_labels { key: 'app' value: 'web' } } template { metadata { "
         "labels { key: 'app' value: '" +
         label + "' } } spec { " + C() + "} } " + spec + " }";
}

TEST(WorkloadValidationTest, TheSelectorMustMatchTheTemplate) {
  EXPECT_THAT(CreateErrors<Deployment>(DeploymentText("")), IsEmpty());
  EXPECT_THAT(CreateErrors<Deployment>(DeploymentText("", "db")),
              ElementsAre("spec.template.metadata.labels: Invalid value: "
                          "map[string]string{\"app\":\"db\"}: `selector` does not match template "
                          "`labels`"));
  EXPECT_THAT(CreateErrors<Deployment>("spec { template { spec { " + C() + "} } }"),
              ElementsAre("spec.selector: Required value"));
  EXPECT_THAT(CreateErrors<ReplicaSet>(DeploymentText("", "db")),
              ElementsAre(HasSubstr("`selector` does not match template `labels`")));
}

TEST(WorkloadValidationTest, NumbersAndStrategies) {
  EXPECT_THAT(CreateErrors<Deployment>(DeploymentText("replicas: -1")),
              ElementsAre("spec.replicas: Invalid value: -1: must be greater than or equal to 0"));
  EXPECT_THAT(CreateErrors<Deployment>(DeploymentText(
                  "strategy { type: 'RollingUpdate' rolling_update { max_surge { int_val: 0 } "
                  "max_unavailable { type: 1 str_val: '0%' } } }")),
              ElementsAre("spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may "
                          "not be 0 when `maxSurge` is 0"));
  EXPECT_THAT(
      CreateErrors<Deployment>(DeploymentText("strategy { type: 'Recreate' rolling_update { } }")),
      ElementsAre("spec.strategy.rollingUpdate: Forbidden: may not be specified when "
                  "strategy `type` is 'Recreate'"));
  EXPECT_THAT(CreateErrors<Deployment>(DeploymentText("strategy { type: 'Fast' }")),
              ElementsAre("spec.strategy.type: Unsupported value: \"Fast\": supported values: "
                          "\"Recreate\", \"RollingUpdate\""));
  EXPECT_THAT(CreateErrors<Deployment>(DeploymentText("min_ready_seconds: 600")),
              ElementsAre("spec.progressDeadlineSeconds: Invalid value: 600: must be greater than "
                          "minReadySeconds"));
}

TEST(WorkloadValidationTest, TheTemplateIsAPodThatRestartsAlways) {
  const std::string text =
      "spec { selector { match_labels { key: 'a' value: 'b' } } template { metadata { labels { "
      "key: 'a' value: 'b' } } spec { restart_policy: 'Never' containers { name: 'c' } } } }";
  EXPECT_THAT(CreateErrors<Deployment>(text),
              ElementsAre("spec.template.spec.containers[0].image: Required value",
                          "spec.template.spec.restartPolicy: Unsupported value: \"Never\": "
                          "supported values: \"Always\""));
}

TEST(WorkloadValidationTest, TheSelectorIsImmutable) {
  const std::string other =
      "spec { selector { match_labels { key: 'app' value: 'db' } } template { metadata { labels { "
      "key: 'app' value: 'db' } } spec { " +
      C() + "} } }";
  EXPECT_THAT(UpdateErrors<Deployment>(DeploymentText(""), other),
              ElementsAre("spec.selector: Invalid value: v1.LabelSelector{MatchLabels:"
                          "map[string]string{\"app\":\"db\"}, MatchExpressions:"
                          "[]v1.LabelSelectorRequirement(nil)}: field is immutable"));
}

TEST(ConfigValidationTest, KeysAndSizesHaveLimits) {
  EXPECT_THAT(CreateErrors<ConfigMap>("data { key: 'a.b' value: '1' }"), IsEmpty());
  EXPECT_THAT(
      CreateErrors<ConfigMap>("data { key: 'a/b' }"),
      ElementsAre(StartsWith("data[a/b]: Invalid value: \"a/b\": a valid config key must")));
  EXPECT_THAT(
      CreateErrors<ConfigMap>("data { key: 'a' value: '" + std::string(1048577, 'x') + "' }"),
      ElementsAre("[]: Too long: may not be more than 1048576 bytes"));
  EXPECT_THAT(CreateErrors<Secret>("data { key: 'a' value: '" + std::string(1048577, 'x') + "' }"),
              ElementsAre("data: Too long: may not be more than 1048576 bytes"));
  EXPECT_THAT(CreateErrors<ConfigMap>("data { key: 'a' } binary_data { key: 'a' }"),
              ElementsAre("data[a]: Invalid value: \"a\": duplicate of key present in binaryData"));
}

TEST(ConfigValidationTest, TypedSecretsNeedTheirKeys) {
  EXPECT_THAT(CreateErrors<Secret>("type: 'kubernetes.io/tls'"),
              ElementsAre("data[tls.crt]: Required value", "data[tls.key]: Required value"));
  EXPECT_THAT(
      CreateErrors<Secret>(
          "type: 'kubernetes.io/dockerconfigjson' data { key: '.dockerconfigjson' value: '{' }"),
      ElementsAre(HasSubstr("<secret contents redacted>")));
}

TEST(ConfigValidationTest, WhatIsImmutableStays) {
  EXPECT_THAT(UpdateErrors<ConfigMap>("immutable: true data { key: 'a' value: '1' }",
                                      "immutable: true data { key: 'a' value: '2' }"),
              ElementsAre("data: Forbidden: field is immutable when `immutable` is set"));
  EXPECT_THAT(UpdateErrors<Secret>("type: 'a'", "type: 'b'"),
              ElementsAre("type: Invalid value: \"b\": field is immutable"));
}

TEST(ClusterValidationTest, NodesHaveTaintsOncePerEffectAndKeepTheirRange) {
  EXPECT_THAT(CreateErrors<Node>("spec { taints { key: 'a' effect: 'NoSchedule' } }"), IsEmpty());
  EXPECT_THAT(CreateErrors<Node>("spec { taints { key: 'a' effect: 'Never' } }"),
              ElementsAre("spec.taints[0].effect: Unsupported value: \"Never\": supported values: "
                          "\"NoExecute\", \"NoSchedule\", \"PreferNoSchedule\""));
  EXPECT_THAT(CreateErrors<Node>("spec { taints { key: 'a' effect: 'NoSchedule' } taints { key: "
                                 "'a' effect: 'NoSchedule' } }"),
              ElementsAre(HasSubstr("taints must be unique by key and effect pair")));
  EXPECT_THAT(UpdateErrors<Node>("spec { pod_cidrs: '10.244.0.0/24' }",
                                 "spec { pod_cidrs: '10.244.1.0/24' }"),
              ElementsAre("spec.podCIDRs: Forbidden: node updates may not change podCIDR except "
                          "from \"\" to valid"));
  EXPECT_THAT(CreateErrors<Node>("spec { pod_cidrs: 'here' }"),
              ElementsAre(HasSubstr("must be a valid CIDR value")));
}

TEST(ClusterValidationTest, NamespacesLeasesAndEvents) {
  EXPECT_THAT(CreateErrors<Namespace>("metadata { name: 'a.b' }"),
              ElementsAre(StartsWith("metadata.name: Invalid value: \"a.b\": a lowercase RFC 1123 "
                                     "label must")));
  EXPECT_THAT(CreateErrors<::k8s::coordination::v1::Lease>("spec { lease_duration_seconds: 0 }"),
              ElementsAre("spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"));
  EXPECT_THAT(CreateErrors<::k8s::core::v1::Event>("involved_object { namespace: 'm' }"),
              ElementsAre("involvedObject.namespace: Invalid value: \"m\": does not match "
                          "event.namespace"));
  EXPECT_THAT(CreateErrors<::k8s::core::v1::Event>(
                  "metadata { namespace: 'default' } involved_object { kind: 'Node' }"),
              IsEmpty());
}

TEST(EndpointsValidationTest, AddressesAndPorts) {
  EXPECT_THAT(CreateErrors<::k8s::core::v1::Endpoints>(
                  "subsets { addresses { ip: '10.0.0.1' } ports { port: 80 } }"),
              IsEmpty());
  EXPECT_THAT(CreateErrors<::k8s::core::v1::Endpoints>("subsets { ports { port: 80 } }"),
              ElementsAre("subsets[0]: Required value: must specify `addresses` or "
                          "`notReadyAddresses`"));
  using ::k8s::discovery::v1::EndpointSlice;
  EXPECT_THAT(CreateErrors<EndpointSlice>(
                  "address_type: 'IPv4' endpoints { addresses: '10.0.0.1' } ports { port: 80 }"),
              IsEmpty());
  EXPECT_THAT(CreateErrors<EndpointSlice>("endpoints { }"),
              ElementsAre("addressType: Required value",
                          "endpoints[0].addresses: Required value: must contain at least 1 "
                          "address"));
  EXPECT_THAT(UpdateErrors<EndpointSlice>("address_type: 'IPv4'", "address_type: 'IPv6'"),
              ElementsAre("addressType: Invalid value: \"IPv6\": field is immutable"));
}

}  // namespace
}  // namespace kubemu
