// The same packets through the real kernel and through the evaluator: thousands of real connections
// and datagrams to random Services. Skipped, loudly, where network namespaces are not allowed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "messages/core/strings.h"
#include "node/iptables/explain.h"
#include "tests/node/iptables/kernel_net.h"
#include "tests/node/iptables/kernel_traffic.h"
#include "tests/node/iptables/random_cluster.h"

namespace kubemu {
namespace {

using iptables::Outcome;
using iptables::Packet;
using iptables::Verdict;
using Result = Probe::Result;

// Of chi-square at 1e-6, for 1 to 8 degrees of freedom.
constexpr double kChiSquareMax[] = {0, 23.93, 27.63, 30.66, 33.38, 35.89, 38.26, 40.52, 42.70};

std::vector<Ipv4> AllPods() {
  std::vector<Ipv4> pods;
  for (int i = 0; i < KernelNet::kPodCount; ++i) pods.push_back(KernelNet::Pod(i));
  return pods;
}

std::string_view ResultName(Result result) {
  switch (result) {
    case Result::kNothing:
      return "no answer";
    case Result::kAnswered:
      return "answered";
    case Result::kRejected:
      return "rejected";
    case Result::kReset:
      return "reset";
    case Result::kFailed:
      return "failed";
  }
  return "";
}

class KernelTrafficTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!net_.missing().empty()) {
      GTEST_SKIP() << "NOT TESTED against the kernel: " << net_.missing();
    }
  }

  void Load(const std::string& text, bool noflush = false) {
    ASSERT_EQ(net_.Restore(text, noflush), "");
    const auto input = iptables::ParseRestore(text);
    ASSERT_TRUE(input.ok()) << input.status();
    ASSERT_TRUE(ruleset_.Restore(*input, noflush).ok());
  }

  static Packet PacketOf(const Probe& probe) {
    Packet packet;
    packet.protocol = probe.protocol;
    packet.source = probe.source;
    packet.source_port = probe.source_port;
    packet.destination = probe.destination.ip;
    packet.destination_port = probe.destination.port;
    packet.local_process = probe.place == KernelNet::kNode;
    return packet;
  }

  std::vector<Outcome> Expected(const Probe& probe) {
    return iptables::AllOutcomes(ruleset_, PacketOf(probe), local_, Time{});
  }

  // Whether the evaluator allows what the kernel did.
  bool Fits(const Probe& probe, const Outcome& outcome) const {
    const Verdict& verdict = outcome.verdict;
    // Who sends a datagram from the node itself is told at once, by the call's result.
    const bool not_sent = probe.place == KernelNet::kNode && probe.error == EPERM;
    if (verdict.action == Verdict::Action::kDrop) {
      return probe.result == Result::kNothing || not_sent;
    }
    if (verdict.action == Verdict::Action::kReject) {
      return probe.result == Result::kRejected || not_sent;
    }
    if (!verdict.dnat) {
      if (!verdict.to_local) return probe.result == Result::kNothing;  // nobody has the address
      // Nobody listens on the node itself.
      return probe.result == Result::kReset || probe.result == Result::kRejected;
    }
    return probe.result == Result::kAnswered && probe.endpoint == *verdict.dnat &&
           (probe.seen.ip != probe.source) == verdict.masquerade;
  }

  void ExpectFits(const Probe& probe, const std::vector<Outcome>& expected) {
    const bool fits = std::any_of(expected.begin(), expected.end(),
                                  [&](const Outcome& o) { return Fits(probe, o); });
    if (fits) return;
    std::string all;
    for (const Outcome& outcome : expected) {
      StrAppend(&all, " ", outcome.verdict.dnat ? outcome.verdict.dnat->ToString() : "-",
                outcome.verdict.masquerade ? " masqueraded" : "", " action ",
                static_cast<int>(outcome.verdict.action), ";");
    }
    ADD_FAILURE() << iptables::ProtocolName(probe.protocol) << " " << probe.source.ToString()
                  << " -> " << probe.destination.ToString()
                  << ": the kernel: " << ResultName(probe.result) << " "
                  << probe.endpoint.ToString() << " saw " << probe.seen.ToString() << " error "
                  << probe.error << "; the evaluator:" << all;
  }

  KernelNet net_;
  KernelTraffic traffic_{net_.missing().empty() ? &net_ : nullptr, RandomCluster::kPodPort};
  iptables::Ruleset ruleset_;
  const iptables::LocalAddresses local_ = KernelNodeAddresses();
};

// Every way to every face of every Service, from outside, from pods, from the node itself, and
// from an endpoint to itself.
class CaseMaker {
 public:
  explicit CaseMaker(const RandomCluster& cluster, uint64_t seed)
      : cluster_(cluster), random_(seed) {}

  std::vector<Probe> Make() {
    for (const auto& [service, ports] : cluster_.services()) {
      for (const auto& [name, info] : ports) AddPort(name, info);
    }
    return std::move(probes_);
  }

 private:
  void AddPort(const proxy::ServicePortName& name, const proxy::ServicePortInfo& info) {
    protocol_ = name.protocol == proxy::Protocol::kUdp ? iptables::Protocol::kUdp
                                                       : iptables::Protocol::kTcp;
    From({info.cluster_ip, info.port});
    for (Ipv4 ip : info.external_ips) From({ip, info.port});
    for (Ipv4 ip : info.load_balancer_ips) From({ip, info.port});
    if (info.node_port != 0) {
      From({KernelNet::kNodeIp, info.node_port});
      From({Ipv4(203, 0, 113, 254), info.node_port});
    }
    const auto endpoints = cluster_.Endpoints(name);
    if (endpoints.size() == 1) {
      Add(KernelNet::kPods, endpoints[0].address.ip, {info.cluster_ip, info.port});
    }
  }

  void From(SocketAddress destination) {
    for (int i = 0; i < 3; ++i) {
      Add(KernelNet::kClient,
          KernelNet::Client(static_cast<int>(random_.Uniform(KernelNet::kClients))), destination);
    }
    for (int i = 0; i < 2; ++i) {
      Add(KernelNet::kOtherPods,
          KernelNet::OtherPod(static_cast<int>(random_.Uniform(KernelNet::kOtherPodCount))),
          destination);
    }
    Add(KernelNet::kNode, KernelNet::kNodeIp, destination);
  }

  void Add(KernelNet::Place place, Ipv4 source, SocketAddress destination) {
    probes_.push_back(
        {.place = place, .protocol = protocol_, .source = source, .destination = destination});
  }

  const RandomCluster& cluster_;
  Random random_;
  iptables::Protocol protocol_ = iptables::Protocol::kTcp;
  std::vector<Probe> probes_;
};

TEST_F(KernelTrafficTest, RandomServicesTreatThousandsOfConnectionsAlike) {
  size_t cases = 0;
  std::map<std::string_view, size_t> results;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    RandomCluster cluster(seed, AllPods());
    for (int i = 0; i < 30; ++i) cluster.AddService();
    Load(proxy::RestoreText(cluster.Compile()));
    if (HasFatalFailure()) return;
    std::vector<Probe> probes = CaseMaker(cluster, seed).Make();
    std::vector<std::vector<Outcome>> expected;
    for (Probe& probe : probes) {
      expected.push_back(Expected(probe));
      const Verdict& first = expected.back()[0].verdict;
      probe.silence_expected =
          first.action == Verdict::Action::kDrop ||
          (first.action == Verdict::Action::kAccept && !first.dnat && !first.to_local);
    }
    traffic_.Run(&probes);
    for (size_t i = 0; i < probes.size(); ++i) {
      ExpectFits(probes[i], expected[i]);
      ++results[ResultName(probes[i].result)];
    }
    cases += probes.size();
  }
  std::printf("%zu connections and datagrams, seeds 1 to 6:", cases);
  for (const auto& [name, count] : results) {
    std::printf(" %zu %s", count, std::string(name).c_str());
  }
  std::printf("\n");
  EXPECT_GT(cases, 3000u);
  for (const auto& name : {"answered", "rejected", "no answer"}) EXPECT_GT(results[name], 50u);
}

// A ClusterIP with `count` endpoints and nothing else.
class OneServiceTest : public KernelTrafficTest {
 protected:
  void LoadOne(int count, bool noflush = false) {
    proxy::ServiceMap map;
    map.SetService(name_.service, {{name_, info_}});
    std::vector<proxy::EndpointInfo> endpoints;
    for (int i = 0; i < count; ++i) {
      endpoints.push_back(
          {.address = {KernelNet::Pod(first_pod_ + i), RandomCluster::kPodPort}, .node = "node-2"});
    }
    map.SetSlice("ns/svc-a", name_.service, {{name_, endpoints}});
    proxy::ProxyNode node;
    node.name = "node-1";
    node.ip = KernelNet::kNodeIp;
    node.cluster_cidr = Ipv4Network(Ipv4(10, 180, 0, 0), 16);
    proxy::CompiledRules rules = proxy::CompileRules(map, node);
    Load(noflush ? proxy::DiffText(rules_, rules) : proxy::RestoreText(rules), noflush);
    rules_ = std::move(rules);
  }

  std::vector<Probe> Probes(int count, int clients = KernelNet::kClients) {
    std::vector<Probe> probes;
    for (int i = 0; i < count; ++i) {
      probes.push_back({.source = KernelNet::Client(i % clients), .destination = service_});
    }
    return probes;
  }

  const SocketAddress service_{Ipv4(172, 30, 0, 41), 80};
  proxy::ServicePortName name_{"ns/svc", "", proxy::Protocol::kTcp};
  proxy::ServicePortInfo info_{.cluster_ip = service_.ip, .port = service_.port};
  int first_pod_ = 0;
  proxy::CompiledRules rules_;
};

double ChiSquare(const std::map<SocketAddress, int>& counts, int endpoints, int total) {
  const double mean = static_cast<double>(total) / endpoints;
  double sum = (endpoints - static_cast<int>(counts.size())) * mean;  // those that got nothing
  for (const auto& [endpoint, count] : counts) sum += (count - mean) * (count - mean) / mean;
  return sum;
}

TEST_F(OneServiceTest, KernelAndEvaluatorGiveEveryEndpointItsShare) {
  constexpr int kTotal = 1500;
  for (const int count : {2, 3, 5, 8}) {
    LoadOne(count);
    if (HasFatalFailure()) return;
    std::vector<Probe> probes = Probes(kTotal);
    traffic_.Run(&probes);
    std::map<SocketAddress, int> kernel;
    std::map<SocketAddress, int> ours;
    Random random(static_cast<uint64_t>(count));
    for (const Probe& probe : probes) {
      ASSERT_EQ(probe.result, Result::kAnswered);
      ++kernel[probe.endpoint];
      const Verdict verdict =
          iptables::Evaluate(ruleset_, PacketOf(probe), {local_, random, Time{}});
      ++ours[verdict.dnat.value()];
    }
    EXPECT_LT(ChiSquare(kernel, count, kTotal), kChiSquareMax[count - 1]) << count;
    EXPECT_LT(ChiSquare(ours, count, kTotal), kChiSquareMax[count - 1]) << count;
  }
}

TEST_F(OneServiceTest, AffinityHoldsEveryClientInBoth) {
  info_.affinity_seconds = 10800;
  LoadOne(6);
  if (HasFatalFailure()) return;
  std::map<Ipv4, SocketAddress> kernel;
  std::map<Ipv4, SocketAddress> ours;
  std::set<SocketAddress> used;
  Random random(3);
  for (int round = 0; round < 5; ++round) {
    std::vector<Probe> probes = Probes(KernelNet::kClients);
    traffic_.Run(&probes);
    for (const Probe& probe : probes) {
      ASSERT_EQ(probe.result, Result::kAnswered);
      used.insert(probe.endpoint);
      EXPECT_EQ(kernel.try_emplace(probe.source, probe.endpoint).first->second, probe.endpoint);
      const SocketAddress chosen =
          iptables::Evaluate(ruleset_, PacketOf(probe), {local_, random, Time{}}).dnat.value();
      EXPECT_EQ(ours.try_emplace(probe.source, chosen).first->second, chosen);
    }
  }
  EXPECT_GT(used.size(), 1u);
}

TEST_F(OneServiceTest, AConnectionKeepsItsEndpointWhileTheRulesChange) {
  LoadOne(1);
  if (HasFatalFailure()) return;
  std::vector<Probe> probes = Probes(3);
  for (Probe& probe : probes) probe.keep = true;
  traffic_.Run(&probes);
  for (const Probe& probe : probes) ASSERT_EQ(probe.endpoint.ip, KernelNet::Pod(0));
  first_pod_ = 1;
  LoadOne(2, /*noflush=*/true);
  if (HasFatalFailure()) return;
  for (const Probe& probe : probes) EXPECT_EQ(traffic_.AskAgain(probe).ip, KernelNet::Pod(0));
  std::vector<Probe> later = Probes(20);
  traffic_.Run(&later);
  for (const Probe& probe : later) EXPECT_NE(probe.endpoint.ip, KernelNet::Pod(0));
  LoadOne(0, /*noflush=*/true);
  if (HasFatalFailure()) return;
  for (const Probe& probe : probes) EXPECT_EQ(traffic_.AskAgain(probe).ip, KernelNet::Pod(0));
  later = Probes(5);
  traffic_.Run(&later);
  for (const Probe& probe : later) EXPECT_EQ(probe.result, Result::kRejected);
}

}  // namespace
}  // namespace kubemu
