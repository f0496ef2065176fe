#include "master/scheduler/filters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/scheduler/inter_pod_affinity.h"
#include "master/scheduler/topology_spread.h"
#include "tests/master/scheduler/fixtures.h"

namespace kubemu {
namespace {

using testing::ElementsAre;

std::vector<std::string> ReasonsOf(const Verdict& verdict) {
  return verdict ? verdict->reasons : std::vector<std::string>();
}

TEST(Filters, CordonedNodeIsRefusedUnlessTolerated) {
  Node node = MakeNode("a");
  node.mutable_spec()->set_unschedulable(true);
  const Cluster cluster = ClusterOf({node});
  Pod pod = MakePod("p");
  const NodeInfo& info = *cluster.nodes()[0];
  EXPECT_THAT(ReasonsOf(FilterNodeUnschedulable(InfoOf(pod), info)),
              ElementsAre("node(s) were unschedulable"));
  auto* toleration = pod.mutable_spec()->add_tolerations();
  toleration->set_key("node.kubernetes.io/unschedulable");
  toleration->set_operator_("Exists");
  EXPECT_FALSE(FilterNodeUnschedulable(InfoOf(pod), info));
}

TEST(Filters, NodeNameMustBeTheOneAskedFor) {
  const Cluster cluster = ClusterOf({MakeNode("a"), MakeNode("b")});
  const PodInfo pod = InfoOf(On(MakePod("p"), "b"));
  EXPECT_THAT(ReasonsOf(FilterNodeName(pod, *cluster.FindNode("a"))),
              ElementsAre("node(s) didn't match the requested node name"));
  EXPECT_FALSE(FilterNodeName(pod, *cluster.FindNode("b")));
}

TEST(Filters, UntoleratedTaintIsNamedWithItsValue) {
  Node node = MakeNode("a");
  AddTaint(&node, "dedicated", "NoSchedule");
  node.mutable_spec()->mutable_taints(0)->set_value("gpu");
  const Cluster cluster = ClusterOf({node});
  Pod pod = MakePod("p");
  EXPECT_THAT(ReasonsOf(FilterTaintToleration(InfoOf(pod), *cluster.nodes()[0])),
              ElementsAre("node(s) had untolerated taint {dedicated: gpu}"));
  auto* toleration = pod.mutable_spec()->add_tolerations();
  toleration->set_key("dedicated");
  toleration->set_value("gpu");
  EXPECT_FALSE(FilterTaintToleration(InfoOf(pod), *cluster.nodes()[0]));
}

TEST(Filters, PreferNoScheduleRefusesNothing) {
  Node node = MakeNode("a");
  AddTaint(&node, "slow", "PreferNoSchedule");
  const Cluster cluster = ClusterOf({node});
  EXPECT_FALSE(FilterTaintToleration(InfoOf(MakePod("p")), *cluster.nodes()[0]));
}

TEST(Filters, NodeSelectorMustMatch) {
  const Cluster cluster = ClusterOf({MakeNode("a"), InZone(MakeNode("b"), "z1")});
  Pod pod = MakePod("p");
  SetEntry(pod.mutable_spec()->mutable_node_selector(), kZoneLabel, "z1");
  EXPECT_THAT(ReasonsOf(FilterNodeAffinity(InfoOf(pod), *cluster.FindNode("a"))),
              ElementsAre("node(s) didn't match Pod's node affinity/selector"));
  EXPECT_FALSE(FilterNodeAffinity(InfoOf(pod), *cluster.FindNode("b")));
}

TEST(Filters, RequiredNodeAffinityIsAnOrOfTerms) {
  const Cluster cluster = ClusterOf({MakeNode("a"), MakeNode("b"), MakeNode("c")});
  Pod pod = MakePod("p");
  auto* required = pod.mutable_spec()
                       ->mutable_affinity()
                       ->mutable_node_affinity()
                       ->mutable_required_during_scheduling_ignored_during_execution();
  for (const char* name : {"a", "c"}) {
    auto* expression = required->add_node_selector_terms()->add_match_expressions();
    expression->set_key(std::string(kHostnameLabel));
    expression->set_operator_("In");
    expression->add_values(name);
  }
  EXPECT_FALSE(FilterNodeAffinity(InfoOf(pod), *cluster.FindNode("a")));
  EXPECT_TRUE(FilterNodeAffinity(InfoOf(pod), *cluster.FindNode("b")));
  EXPECT_FALSE(FilterNodeAffinity(InfoOf(pod), *cluster.FindNode("c")));
}

struct PortCase {
  const char* what;
  const char* used_ip;
  const char* wanted_ip;
  int wanted_port;
  bool fits;
};

TEST(Filters, HostPortsConflictByAddressAndPort) {
  const PortCase cases[] = {
      {"same port on all addresses", "", "", 80, false},
      {"other port", "", "", 81, true},
      {"one address against all", "127.0.0.1", "", 80, false},
      {"all addresses against one", "", "127.0.0.1", 80, false},
      {"two different addresses", "127.0.0.1", "127.0.0.2", 80, true},
  };
  for (const PortCase& test : cases) {
    Pod placed = On(MakePod("placed"), "a");
    AddHostPort(&placed, 80, test.used_ip);
    const Cluster cluster = ClusterOf({MakeNode("a")}, {placed});
    Pod pod = MakePod("p");
    AddHostPort(&pod, test.wanted_port, test.wanted_ip);
    EXPECT_EQ(!FilterNodePorts(InfoOf(pod), *cluster.nodes()[0]).has_value(), test.fits)
        << test.what;
  }
}

TEST(Filters, FitNamesEveryResourceThatIsShort) {
  const Cluster cluster =
      ClusterOf({MakeNode("a", "1", "1Gi", "1")}, {On(MakePod("placed", "600m", "600Mi"), "a")});
  const Verdict verdict =
      FilterNodeResourcesFit(InfoOf(MakePod("p", "500m", "500Mi")), *cluster.nodes()[0]);
  EXPECT_THAT(ReasonsOf(verdict),
              ElementsAre("Too many pods", "Insufficient cpu", "Insufficient memory"));
  EXPECT_TRUE(verdict->resolvable);
}

TEST(Filters, FitIsUnresolvableIfTheEmptyNodeIsTooSmall) {
  const Cluster cluster = ClusterOf({MakeNode("a", "1")});
  const Verdict verdict = FilterNodeResourcesFit(InfoOf(MakePod("p", "2")), *cluster.nodes()[0]);
  ASSERT_TRUE(verdict);
  EXPECT_FALSE(verdict->resolvable);
}

TEST(Filters, FitCountsExtendedResourcesByName) {
  Node node = MakeNode("a");
  SetAmount(node.mutable_status()->mutable_allocatable(), "example.com/gpu", "2");
  Pod pod = MakePod("p");
  SetAmount(pod.mutable_spec()->mutable_containers(0)->mutable_resources()->mutable_requests(),
            "example.com/gpu", "2");
  Cluster cluster = ClusterOf({node});
  EXPECT_FALSE(FilterNodeResourcesFit(InfoOf(pod), *cluster.nodes()[0]));
  cluster.SetPod(Object::From(On(pod, "a")));
  Pod second = pod;
  second.mutable_metadata()->set_name("q");
  EXPECT_THAT(ReasonsOf(FilterNodeResourcesFit(InfoOf(second), *cluster.nodes()[0])),
              ElementsAre("Insufficient example.com/gpu"));
}

TEST(Filters, ExactlyFullIsStillAFit) {
  const Cluster cluster =
      ClusterOf({MakeNode("a", "1", "1Gi")}, {On(MakePod("placed", "600m", "512Mi"), "a")});
  EXPECT_FALSE(FilterNodeResourcesFit(InfoOf(MakePod("p", "400m", "512Mi")), *cluster.nodes()[0]));
}

TEST(Filters, InitContainersCountTheirLargestMoment) {
  Pod pod = MakePod("p", "200m");
  auto* init = pod.mutable_spec()->add_init_containers();
  SetAmount(init->mutable_resources()->mutable_requests(), "cpu", "900m");
  EXPECT_EQ(InfoOf(pod).requests.milli_cpu, 900);
}

TEST(Filters, HardSpreadKeepsTheSkew) {
  const Cluster cluster = ClusterOf({InZone(MakeNode("a"), "z1"), InZone(MakeNode("b"), "z2")},
                                    {On(Labelled(MakePod("one"), "app", "web"), "a")});
  Pod pod = Labelled(MakePod("p"), "app", "web");
  AddSpread(&pod, kZoneLabel, 1, true, "web");
  const PodInfo info = InfoOf(pod);
  const SpreadFilter filter(info, cluster);
  EXPECT_THAT(ReasonsOf(filter.Filter(*cluster.FindNode("a"))),
              ElementsAre("node(s) didn't match pod topology spread constraints"));
  EXPECT_FALSE(filter.Filter(*cluster.FindNode("b")));
}

TEST(Filters, HardSpreadNeedsTheLabel) {
  const Cluster cluster = ClusterOf({MakeNode("a")});
  Pod pod = Labelled(MakePod("p"), "app", "web");
  AddSpread(&pod, kZoneLabel, 1, true, "web");
  const PodInfo info = InfoOf(pod);
  const Verdict verdict = SpreadFilter(info, cluster).Filter(*cluster.nodes()[0]);
  EXPECT_THAT(
      ReasonsOf(verdict),
      ElementsAre("node(s) didn't match pod topology spread constraints (missing required label)"));
  EXPECT_FALSE(verdict->resolvable);
}

TEST(Filters, MinDomainsCountsMissingDomainsAsEmpty) {
  const Cluster cluster =
      ClusterOf({InZone(MakeNode("a"), "z1")}, {On(Labelled(MakePod("one"), "app", "web"), "a")});
  Pod pod = Labelled(MakePod("p"), "app", "web");
  AddSpread(&pod, kZoneLabel, 1, true, "web");
  EXPECT_FALSE(SpreadFilter(InfoOf(pod), cluster).Filter(*cluster.nodes()[0]));
  pod.mutable_spec()->mutable_topology_spread_constraints(0)->set_min_domains(2);
  const PodInfo info = InfoOf(pod);
  EXPECT_TRUE(SpreadFilter(info, cluster).Filter(*cluster.nodes()[0]));
}

TEST(Filters, AffinityNeedsAPodOfThatKindInTheDomain) {
  const Cluster cluster = ClusterOf(
      {InZone(MakeNode("a"), "z1"), InZone(MakeNode("b"), "z1"), InZone(MakeNode("c"), "z2")},
      {On(Labelled(MakePod("db"), "app", "db"), "a")});
  Pod pod = MakePod("p");
  *pod.mutable_spec()
       ->mutable_affinity()
       ->mutable_pod_affinity()
       ->add_required_during_scheduling_ignored_during_execution() = TermFor("db", kZoneLabel);
  const PodInfo info = InfoOf(pod);
  const AffinityFilter filter(info, cluster);
  EXPECT_FALSE(filter.Filter(*cluster.FindNode("b")));
  EXPECT_THAT(ReasonsOf(filter.Filter(*cluster.FindNode("c"))),
              ElementsAre("node(s) didn't match pod affinity rules"));
}

TEST(Filters, FirstPodOfAGroupMayGoAnywhere) {
  const Cluster cluster = ClusterOf({InZone(MakeNode("a"), "z1")});
  Pod pod = Labelled(MakePod("p"), "app", "web");
  *pod.mutable_spec()
       ->mutable_affinity()
       ->mutable_pod_affinity()
       ->add_required_during_scheduling_ignored_during_execution() = TermFor("web", kZoneLabel);
  const PodInfo info = InfoOf(pod);
  EXPECT_FALSE(AffinityFilter(info, cluster).Filter(*cluster.nodes()[0]));
}

TEST(Filters, AntiAffinityWorksBothWays) {
  Pod loner = Labelled(MakePod("loner"), "app", "db");
  *loner.mutable_spec()
       ->mutable_affinity()
       ->mutable_pod_anti_affinity()
       ->add_required_during_scheduling_ignored_during_execution() = TermFor("web", kHostnameLabel);
  const Pod web = Labelled(MakePod("web"), "app", "web");
  const Cluster with_web = ClusterOf({MakeNode("a"), MakeNode("b")}, {On(web, "a")});
  const PodInfo loner_info = InfoOf(loner);
  const AffinityFilter own(loner_info, with_web);
  EXPECT_THAT(ReasonsOf(own.Filter(*with_web.FindNode("a"))),
              ElementsAre("node(s) didn't match pod anti-affinity rules"));
  EXPECT_FALSE(own.Filter(*with_web.FindNode("b")));
  const Cluster with_loner = ClusterOf({MakeNode("a"), MakeNode("b")}, {On(loner, "a")});
  const PodInfo web_info = InfoOf(web);
  const AffinityFilter existing(web_info, with_loner);
  EXPECT_THAT(ReasonsOf(existing.Filter(*with_loner.FindNode("a"))),
              ElementsAre("node(s) didn't satisfy existing pods anti-affinity rules"));
  EXPECT_FALSE(existing.Filter(*with_loner.FindNode("b")));
}

}  // namespace
}  // namespace kubemu
