#include "master/apiserver/validation/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/coordination.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_endpoints.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"
#include "tests/master/apiserver/validation_errors.h"

namespace kubemu {
namespace {

using ::k8s::apps::v1::Deployment;
using ::k8s::apps::v1::ReplicaSet;
using ::k8s::core::v1::ConfigMap;
using ::k8s::core::v1::Namespace;
using ::k8s::core::v1::Node;
using ::k8s::core::v1::Secret;
using ::k8s::core::v1::Service;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
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
  EXPECT_THAT(
      CreateErrors<Service>("spec { ports { name: 'a' port: 80 } ports { name: 'b' port: 80 } }"),
      ElementsAre(StartsWith("spec.ports[1]: Duplicate value: core.ServicePort{Name:\"\", "
                             "Protocol:\"TCP\", AppProtocol:(*string)(nil), Port:80,")));
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

TEST(ServiceValidationTest, FamiliesAndTrafficDistribution) {
  EXPECT_THAT(CreateErrors<Service>("spec { ip_families: 'IPv5' ports { port: 80 } }"),
              ElementsAre("spec.ipFamilies[0]: Unsupported value: \"IPv5\": supported values: "
                          "\"IPv4\", \"IPv6\""));
  EXPECT_THAT(
      CreateErrors<Service>("spec { ip_families: 'IPv4' ip_families: 'IPv4' ports { port: 80 } }"),
      ElementsAre("spec.ipFamilies[1]: Duplicate value: \"IPv4\""));
  EXPECT_THAT(CreateErrors<Service>("spec { ip_family_policy: 'Both' ports { port: 80 } }"),
              ElementsAre("spec.ipFamilyPolicy: Unsupported value: \"Both\": supported values: "
                          "\"PreferDualStack\", \"RequireDualStack\", \"SingleStack\""));
  EXPECT_THAT(
      CreateErrors<Service>("spec { traffic_distribution: 'PreferClose' ports { port: 80 } }"),
      IsEmpty());
  EXPECT_THAT(CreateErrors<Service>("spec { traffic_distribution: 'Far' ports { port: 80 } }"),
              ElementsAre("spec.trafficDistribution: Unsupported value: \"Far\": supported values: "
                          "\"PreferClose\""));
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
  EXPECT_THAT(UpdateErrors<Node>("spec { pod_cidr: '10.244.0.0/24' pod_cidrs: '10.244.0.0/24' }",
                                 "spec { pod_cidr: '10.244.1.0/24' pod_cidrs: '10.244.0.0/24' }"),
              ElementsAre(HasSubstr("node updates may not change podCIDR")));
  EXPECT_THAT(UpdateErrors<Node>("", "spec { pod_cidr: '10.244.1.0/24' }"), IsEmpty());
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
