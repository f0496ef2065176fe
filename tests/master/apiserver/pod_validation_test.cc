#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "messages/proto/k8s/core_pod.pb.h"
#include "tests/master/apiserver/validation_errors.h"

namespace kubemu {
namespace {

using ::k8s::core::v1::Pod;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

Errors PodErrors(const std::string& spec) {
  return CreateErrors<Pod>("spec {" + spec + "}");
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
  EXPECT_THAT(
      PodErrors(C() + "tolerations { key: 'a' operator: 'Exists' value: 'v' }"),
      ElementsAre(
          "spec.tolerations[0].operator: Invalid value: core.Toleration{Key:\"a\", "
          "Operator:\"Exists\", Value:\"v\", Effect:\"\", TolerationSeconds:(*int64)(nil)}: value "
          "must be empty when `operator` is 'Exists'"));
  EXPECT_THAT(PodErrors(C() + "tolerations { value: 'v' }"),
              ElementsAre(HasSubstr("operator must be Exists when `key` is empty")));
  EXPECT_THAT(PodErrors(C() + "affinity { node_affinity { "
                              "required_during_scheduling_ignored_during_execution { "
                              "node_selector_terms { match_expressions { key: 'a' operator: "
                              "'Near' } } } } }"),
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

}  // namespace
}  // namespace kubemu
