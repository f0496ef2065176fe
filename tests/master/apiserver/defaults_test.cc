#include "master/apiserver/defaults/defaults.h"

#include <gtest/gtest.h>

#include "master/apiserver/defaults/pod_defaults.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"
#include "tests/messages/api/text_proto.h"

namespace kubemu {
namespace {

using ::k8s::apps::v1::Deployment;
using ::k8s::core::v1::Container;
using ::k8s::core::v1::Pod;
using ::k8s::core::v1::Service;

template <typename T>
T Defaulted(const std::string& text) {
  T object = FromText<T>(text);
  ApplyDefaults(&object);
  T again = object;
  ApplyDefaults(&again);
  EXPECT_EQ(object.SerializeAsString(), again.SerializeAsString()) << "not idempotent: " << text;
  return object;
}

TEST(DefaultsTest, APodIsFilledIn) {
  const Pod pod = Defaulted<Pod>(R"(spec { containers {
      name: 'c' image: 'nginx' ports { container_port: 80 }
      liveness_probe { handler { http_get { port { int_val: 80 } } } } } })");
  EXPECT_EQ(pod.spec().restart_policy(), "Always");
  EXPECT_EQ(pod.spec().dns_policy(), "ClusterFirst");
  EXPECT_EQ(pod.spec().scheduler_name(), "default-scheduler");
  EXPECT_EQ(pod.spec().termination_grace_period_seconds(), 30);
  EXPECT_TRUE(pod.spec().has_security_context());
  EXPECT_TRUE(pod.spec().enable_service_links());
  const Container& container = pod.spec().containers(0);
  EXPECT_EQ(container.image_pull_policy(), "Always");
  EXPECT_EQ(container.termination_message_path(), "/dev/termination-log");
  EXPECT_EQ(container.termination_message_policy(), "File");
  EXPECT_EQ(container.ports(0).protocol(), "TCP");
  EXPECT_EQ(container.liveness_probe().timeout_seconds(), 1);
  EXPECT_EQ(container.liveness_probe().period_seconds(), 10);
  EXPECT_EQ(container.liveness_probe().success_threshold(), 1);
  EXPECT_EQ(container.liveness_probe().failure_threshold(), 3);
  EXPECT_EQ(container.liveness_probe().handler().http_get().path(), "/");
  EXPECT_EQ(container.liveness_probe().handler().http_get().scheme(), "HTTP");
}

TEST(DefaultsTest, WhatAPodSaysStays) {
  const Pod pod = Defaulted<Pod>(R"(spec {
      restart_policy: 'Never' termination_grace_period_seconds: 0 enable_service_links: false
      containers { image: 'a:1' image_pull_policy: 'Never'
                   readiness_probe { period_seconds: 3 } } })");
  EXPECT_EQ(pod.spec().restart_policy(), "Never");
  EXPECT_EQ(pod.spec().termination_grace_period_seconds(), 0);
  EXPECT_FALSE(pod.spec().enable_service_links());
  EXPECT_EQ(pod.spec().containers(0).image_pull_policy(), "Never");
  EXPECT_EQ(pod.spec().containers(0).readiness_probe().period_seconds(), 3);
}

TEST(DefaultsTest, LimitsBecomeRequestsThatAreNotGiven) {
  const Pod pod = Defaulted<Pod>(R"(spec { containers { resources {
      limits { key: 'cpu' value { string: '2' } } limits { key: 'memory' value { string: '1Gi' } }
      requests { key: 'cpu' value { string: '1' } } } } })");
  const auto& requests = pod.spec().containers(0).resources().requests();
  ASSERT_EQ(requests.size(), 2);
  EXPECT_EQ(requests[0].value().string(), "1");
  EXPECT_EQ(requests[1].key(), "memory");
  EXPECT_EQ(requests[1].value().string(), "1Gi");
}

TEST(DefaultsTest, APodOnTheHostNetworkUsesItsPortsAsHostPorts) {
  const Pod pod =
      Defaulted<Pod>("spec { host_network: true containers { ports { container_port: 8080 } } }");
  EXPECT_EQ(pod.spec().containers(0).ports(0).host_port(), 8080);
}

TEST(DefaultsTest, AVolumeWithoutASourceIsAnEmptyDir) {
  const Pod pod = Defaulted<Pod>(R"(spec {
      volumes { name: 'a' }
      volumes { name: 'b' volume_source { secret { secret_name: 's' } } }
      volumes { name: 'c' volume_source { host_path { path: '/' } } } })");
  EXPECT_TRUE(pod.spec().volumes(0).volume_source().has_empty_dir());
  EXPECT_FALSE(pod.spec().volumes(1).volume_source().has_empty_dir());
  EXPECT_EQ(pod.spec().volumes(1).volume_source().secret().default_mode(), 0644);
  EXPECT_TRUE(pod.spec().volumes(2).volume_source().host_path().has_type());
}

TEST(DefaultsTest, TheImageTagDecidesThePullPolicy) {
  EXPECT_EQ(DefaultImagePullPolicy("nginx"), "Always");
  EXPECT_EQ(DefaultImagePullPolicy("nginx:latest"), "Always");
  EXPECT_EQ(DefaultImagePullPolicy("nginx:1.27"), "IfNotPresent");
  EXPECT_EQ(DefaultImagePullPolicy("registry:5000/nginx"), "Always");
  EXPECT_EQ(DefaultImagePullPolicy("registry:5000/nginx:1"), "IfNotPresent");
  EXPECT_EQ(DefaultImagePullPolicy("nginx@sha256:00"), "IfNotPresent");
}

TEST(DefaultsTest, ADeploymentRollsByAQuarterAndItsTemplateIsFilledIn) {
  const Deployment deployment =
      Defaulted<Deployment>("spec { template { spec { containers { image: 'a' } } } }");
  EXPECT_EQ(deployment.spec().replicas(), 1);
  EXPECT_EQ(deployment.spec().revision_history_limit(), 10);
  EXPECT_EQ(deployment.spec().progress_deadline_seconds(), 600);
  EXPECT_EQ(deployment.spec().strategy().type(), "RollingUpdate");
  EXPECT_EQ(deployment.spec().strategy().rolling_update().max_surge().str_val(), "25%");
  EXPECT_EQ(deployment.spec().strategy().rolling_update().max_unavailable().str_val(), "25%");
  EXPECT_EQ(deployment.spec().template_().spec().restart_policy(), "Always");
  EXPECT_FALSE(deployment.spec().template_().spec().has_enable_service_links());
}

TEST(DefaultsTest, ZeroReplicasStayZeroAndRecreateHasNoRollingUpdate) {
  const Deployment deployment =
      Defaulted<Deployment>("spec { replicas: 0 strategy { type: 'Recreate' } }");
  EXPECT_EQ(deployment.spec().replicas(), 0);
  EXPECT_FALSE(deployment.spec().strategy().has_rolling_update());
}

TEST(DefaultsTest, AServiceIsAClusterIpServiceWhoseTargetPortIsItsPort) {
  const Service service = Defaulted<Service>("spec { ports { port: 80 } }");
  EXPECT_EQ(service.spec().type(), "ClusterIP");
  EXPECT_EQ(service.spec().session_affinity(), "None");
  EXPECT_EQ(service.spec().ports(0).protocol(), "TCP");
  EXPECT_EQ(service.spec().ports(0).target_port().int_val(), 80);
  EXPECT_EQ(service.spec().internal_traffic_policy(), "Cluster");
  EXPECT_TRUE(service.spec().external_traffic_policy().empty());
  EXPECT_EQ(service.spec().ip_families(0), "IPv4");
  EXPECT_EQ(service.spec().ip_family_policy(), "SingleStack");
}

TEST(DefaultsTest, ALoadBalancerServiceHasNodePortsAndAnExternalPolicy) {
  const Service service = Defaulted<Service>(
      "spec { type: 'LoadBalancer' session_affinity: 'ClientIP'"
      " ports { port: 80 target_port { type: 1 str_val: 'http' } } }");
  EXPECT_TRUE(service.spec().allocate_load_balancer_node_ports());
  EXPECT_EQ(service.spec().external_traffic_policy(), "Cluster");
  EXPECT_EQ(service.spec().session_affinity_config().client_ip().timeout_seconds(), 10800);
  EXPECT_EQ(service.spec().ports(0).target_port().str_val(), "http");
}

TEST(DefaultsTest, TheOtherKinds) {
  EXPECT_EQ(Defaulted<::k8s::core::v1::Secret>("").type(), "Opaque");
  const auto ns = Defaulted<::k8s::core::v1::Namespace>("metadata { name: 'n' }");
  EXPECT_EQ(ns.spec().finalizers(0), "kubernetes");
  EXPECT_EQ(ns.status().phase(), "Active");
  EXPECT_EQ(ns.metadata().labels(0).key(), "kubernetes.io/metadata.name");
  EXPECT_EQ(ns.metadata().labels(0).value(), "n");
  const auto node =
      Defaulted<::k8s::core::v1::Node>("status { capacity { key: 'cpu' value { string: '4' } } }");
  EXPECT_EQ(node.status().allocatable(0).value().string(), "4");
  const auto slice = Defaulted<::k8s::discovery::v1::EndpointSlice>("ports { port: 80 }");
  EXPECT_EQ(slice.ports(0).protocol(), "TCP");
  EXPECT_TRUE(slice.ports(0).has_name());
}

TEST(DefaultsTest, ANamespaceThatIsBeingDeletedMayLoseItsFinalizer) {
  const auto ns = Defaulted<::k8s::core::v1::Namespace>(
      "metadata { name: 'n' deletion_timestamp { seconds: 1 } }");
  EXPECT_TRUE(ns.spec().finalizers().empty());
}

TEST(DefaultsTest, AnUpdateOfAServiceKeepsWhatWasAllocated) {
  const Service old_service = FromText<Service>(R"(spec { type: 'NodePort'
      cluster_ip: '10.96.0.9' cluster_ips: '10.96.0.9'
      ports { name: 'a' port: 80 protocol: 'TCP' node_port: 30080 } })");
  Service service = FromText<Service>(
      "spec { type: 'NodePort' ports { name: 'b' port: 80 } ports { name: 'a' port: 81 } }");
  CarryOver(old_service, &service);
  EXPECT_EQ(service.spec().cluster_ip(), "10.96.0.9");
  EXPECT_EQ(service.spec().cluster_ips(0), "10.96.0.9");
  EXPECT_EQ(service.spec().ports(0).node_port(), 0);
  EXPECT_EQ(service.spec().ports(1).node_port(), 30080);

  Service moved = FromText<Service>(
      "spec { type: 'NodePort' ports { name: 'b' node_port: 30080 } ports { name: 'a' } }");
  CarryOver(old_service, &moved);
  EXPECT_EQ(moved.spec().ports(1).node_port(), 0);

  Service external = FromText<Service>("spec { type: 'ExternalName' external_name: 'a.b' }");
  CarryOver(old_service, &external);
  EXPECT_TRUE(external.spec().cluster_ip().empty());
}

TEST(DefaultsTest, AServiceOfAnotherTypeLosesWhatThatTypeHasNoUseFor) {
  const Service old_service = FromText<Service>(R"(spec { type: 'LoadBalancer'
      cluster_ip: '10.96.0.9' cluster_ips: '10.96.0.9' ip_families: 'IPv4'
      ip_family_policy: 'SingleStack' external_traffic_policy: 'Local'
      health_check_node_port: 30090 allocate_load_balancer_node_ports: true
      load_balancer_class: 'a/b' ports { port: 80 protocol: 'TCP' node_port: 30080 } }
      status { load_balancer { ingress { ip: '127.4.0.1' } } })");
  Service plain = old_service;
  plain.mutable_spec()->set_type("ClusterIP");
  CarryOver(old_service, &plain);
  EXPECT_EQ(plain.spec().cluster_ip(), "10.96.0.9");
  EXPECT_EQ(plain.spec().ports(0).node_port(), 0);
  EXPECT_TRUE(plain.spec().external_traffic_policy().empty());
  EXPECT_EQ(plain.spec().health_check_node_port(), 0);
  EXPECT_FALSE(plain.spec().has_allocate_load_balancer_node_ports());
  EXPECT_FALSE(plain.spec().has_load_balancer_class());
  EXPECT_TRUE(plain.status().load_balancer().ingress().empty());

  Service external = old_service;
  external.mutable_spec()->set_type("ExternalName");
  CarryOver(old_service, &external);
  EXPECT_TRUE(external.spec().cluster_ips().empty());
  EXPECT_TRUE(external.spec().ip_families().empty());
  EXPECT_FALSE(external.spec().has_ip_family_policy());

  Service changed = old_service;  // what the writer changed is for validation to refuse
  changed.mutable_spec()->set_type("ClusterIP");
  changed.mutable_spec()->mutable_ports(0)->set_node_port(30081);
  CarryOver(old_service, &changed);
  EXPECT_EQ(changed.spec().ports(0).node_port(), 30081);
}

}  // namespace
}  // namespace kubemu
