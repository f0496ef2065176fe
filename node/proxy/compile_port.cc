// The rules of one Service port.
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "messages/core/strings.h"
#include "node/proxy/chain_names.h"
#include "node/proxy/compile_rules.h"

namespace kubemu::proxy {
namespace {

constexpr char kMarkMasq[] = "KUBE-MARK-MASQ";
constexpr char kReject[] = "REJECT --reject-with icmp-port-unreachable";

// 1/n as the rule has it: kube-proxy writes ten digits, the kernel keeps 31 bits of them, and
// iptables-save prints those with eleven digits.
std::string ProbabilityText(size_t n) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10f", 1.0 / static_cast<double>(n));
  const double kept = std::round(std::strtod(text, nullptr) * 2147483648.0);
  std::snprintf(text, sizeof text, "%.11f", kept / 2147483648.0);
  return text;
}

std::string Comment(std::string_view text) {
  return StrCat(" -m comment --comment \"", text, "\"");
}

std::string Host(Ipv4 ip) {
  return ip.ToString() + "/32";
}

class PortCompiler {
 public:
  PortCompiler(const ServicePortName& name, const ServicePortInfo& info,
               const std::vector<EndpointInfo>& endpoints, const ProxyNode& node,
               bool large_cluster)
      : info_(info),
        node_(node),
        large_cluster_(large_cluster),
        name_(name.ToString()),
        protocol_(ProtocolText(name.protocol)),
        usable_(Categorize(endpoints, info, node.name, node.zone)),
        cluster_chain_(ClusterPolicyChain(name_, protocol_)),
        local_chain_(LocalPolicyChain(name_, protocol_)),
        external_chain_(ExternalChain(name_, protocol_)),
        firewall_chain_(FirewallChain(name_, protocol_)),
        has_internal_(usable_.any && (!info.internal_policy_local || !usable_.local.empty())),
        has_external_(usable_.any && (!info.external_policy_local || !usable_.local.empty())),
        uses_firewall_(usable_.any && !info.load_balancer_ips.empty() &&
                       !info.source_ranges.empty()) {}

  CompiledPort Compile() {
    ClusterIp();
    for (Ipv4 ip : info_.external_ips) ExternalAddress(ip, " external IP", external_chain_);
    for (Ipv4 ip : info_.load_balancer_ips) LoadBalancerAddress(ip);
    NodePort();
    HealthCheckNodePort();
    if (has_internal_) InternalMasquerade();
    if (usable_.any && info_.ExternallyAccessible()) ExternalTraffic();
    if (uses_firewall_) Firewall();
    if (!usable_.cluster.empty()) EndpointChoice(cluster_chain_, usable_.cluster);
    if (!usable_.local.empty()) EndpointChoice(local_chain_, usable_.local);
    for (const EndpointInfo& endpoint : usable_.all) Endpoint(endpoint);
    return std::move(compiled_);
  }

 private:
  Rules& Top(TopChain chain) { return compiled_.top[chain]; }
  Rules& Chain(const std::string& name) { return compiled_.nat_chains[name]; }

  // "-d ip -p tcp -m comment ... [-m addrtype ...] -m tcp --dport port -j target"
  std::string PortRule(std::string_view destination, std::string_view comment, uint16_t port,
                       std::string_view target, std::string_view addrtype = "") const {
    return StrCat(destination, "-p ", protocol_, Comment(comment), addrtype, " -m ", protocol_,
                  " --dport ", port, " -j ", target);
  }
  static std::string To(Ipv4 ip) { return StrCat("-d ", Host(ip), " "); }
  std::string FilterComment() const {
    return StrCat(name_, usable_.any ? " has no local endpoints" : " has no endpoints");
  }
  // Nobody anywhere: tell the client at once. Nobody here: be silent, so that a load balancer
  // tries another node.
  std::string FilterTarget() const { return usable_.any ? "DROP" : kReject; }

  void ClusterIp() {
    const std::string to = To(info_.cluster_ip);
    if (has_internal_) {
      Top(kNatServices)
          .push_back(PortRule(to, name_ + " cluster IP", info_.port,
                              info_.internal_policy_local ? local_chain_ : cluster_chain_));
    } else {
      Top(kFilterServices).push_back(PortRule(to, FilterComment(), info_.port, FilterTarget()));
    }
  }

  void ExternalAddress(Ipv4 ip, std::string_view what, const std::string& chain) {
    if (usable_.any) {
      Top(kNatServices).push_back(PortRule(To(ip), StrCat(name_, what), info_.port, chain));
    }
    if (!has_external_) {
      Top(kFilterExternalServices)
          .push_back(PortRule(To(ip), FilterComment(), info_.port, FilterTarget()));
    }
  }

  void LoadBalancerAddress(Ipv4 ip) {
    ExternalAddress(ip, " loadbalancer IP", uses_firewall_ ? firewall_chain_ : external_chain_);
    if (!uses_firewall_) return;
    Top(kFilterProxyFirewall)
        .push_back(PortRule(To(ip), StrCat(name_, " traffic not accepted by ", firewall_chain_),
                            info_.port, "DROP"));
  }

  void NodePort() {
    if (info_.node_port == 0) return;
    if (usable_.any) {
      Top(kNatNodePorts).push_back(PortRule("", name_, info_.node_port, external_chain_));
    }
    if (!has_external_) {
      Top(kFilterExternalServices)
          .push_back(PortRule("", FilterComment(), info_.node_port, FilterTarget(),
                              " -m addrtype --dst-type LOCAL"));
    }
  }

  void HealthCheckNodePort() {
    if (info_.health_check_node_port == 0) return;
    Top(kFilterNodePorts)
        .push_back(StrCat("-p tcp", Comment(name_ + " health check node port"), " -m tcp --dport ",
                          info_.health_check_node_port, " -j ACCEPT"));
  }

  bool KnowsPods() const { return node_.cluster_cidr.prefix() > 0; }

  // Who is no pod gets an address of this node, so that the answer comes back the same way.
  void InternalMasquerade() {
    Rules& rules = Chain(info_.internal_policy_local ? local_chain_ : cluster_chain_);
    const std::string rule =
        PortRule(To(info_.cluster_ip), name_ + " cluster IP", info_.port, kMarkMasq);
    if (node_.masquerade_all) {
      rules.push_back(rule);
    } else if (KnowsPods()) {
      rules.push_back(StrCat("! -s ", node_.cluster_cidr.ToString(), " ", rule));
    }
  }

  void ExternalTraffic() {
    Rules& rules = Chain(external_chain_);
    const auto comment = [this](std::string_view what) {
      return Comment(StrCat(what, " traffic for ", name_, " external destinations"));
    };
    if (!info_.external_policy_local) {
      rules.push_back(StrCat(comment("masquerade").substr(1), " -j ", kMarkMasq));
    } else {
      // Pods and the node itself are not bound by the policy: for them it is as if they had gone
      // out to the load balancer and come back.
      if (KnowsPods()) {
        rules.push_back(
            StrCat("-s ", node_.cluster_cidr.ToString(), comment("pod"), " -j ", cluster_chain_));
      }
      constexpr char kFromHere[] = " -m addrtype --src-type LOCAL -j ";
      rules.push_back(StrCat(comment("masquerade LOCAL").substr(1), kFromHere, kMarkMasq));
      rules.push_back(StrCat(comment("route LOCAL").substr(1), kFromHere, cluster_chain_));
    }
    if (has_external_) {
      rules.push_back(StrCat("-j ", info_.external_policy_local ? local_chain_ : cluster_chain_));
    }
  }

  void Firewall() {
    Rules& rules = Chain(firewall_chain_);
    const std::string comment = Comment(name_ + " loadbalancer IP");
    const auto allow = [&](const Ipv4Network& from) {
      const std::string source = from.prefix() == 0 ? "" : StrCat(" -s ", from.ToString());
      rules.push_back(StrCat(source, comment, " -j ", external_chain_).substr(1));
    };
    bool from_node = false;
    for (const Ipv4Network& range : info_.source_ranges) {
      allow(range);
      from_node = from_node || range.Contains(node_.ip);
    }
    // The load balancer's address may be a local one: then this node's own requests have it as
    // their source.
    if (from_node) {
      for (Ipv4 ip : info_.load_balancer_ips) allow(Ipv4Network(ip, 32));
    }
    const std::string rest =
        StrCat("other traffic to ", name_, " will be dropped by KUBE-PROXY-FIREWALL");
    rules.push_back(Comment(rest).substr(1));
  }

  void EndpointChoice(const std::string& chain, const std::vector<EndpointInfo>& endpoints) {
    Rules& rules = Chain(chain);
    const auto jump = [&](const EndpointInfo& endpoint, std::string_view match) {
      const std::string address = endpoint.address.ToString();
      const std::string comment = large_cluster_ ? "" : Comment(StrCat(name_, " -> ", address));
      const std::string to = EndpointChain(name_, protocol_, address);
      const std::string conditions = StrCat(comment, match);
      rules.push_back(StrCat(conditions, " -j ", to).substr(1));
    };
    if (info_.affinity_seconds != 0) {
      for (const EndpointInfo& endpoint : endpoints) {
        jump(endpoint,
             StrCat(" -m recent --rcheck --seconds ", info_.affinity_seconds, " --reap --name ",
                    EndpointChain(name_, protocol_, endpoint.address.ToString()),
                    " --mask 255.255.255.255 --rsource"));
      }
    }
    for (size_t i = 0; i < endpoints.size(); ++i) {
      const size_t left = endpoints.size() - i;
      jump(endpoints[i],
           left == 1 ? ""
                     : StrCat(" -m statistic --mode random --probability ", ProbabilityText(left)));
    }
  }

  void Endpoint(const EndpointInfo& endpoint) {
    const std::string address = endpoint.address.ToString();
    const std::string chain = EndpointChain(name_, protocol_, address);
    Rules& rules = Chain(chain);
    const std::string comment = large_cluster_ ? "" : Comment(name_);
    // A pod that is sent to itself has to see another source than its own.
    rules.push_back(StrCat("-s ", Host(endpoint.address.ip), comment, " -j ", kMarkMasq));
    const std::string affinity =
        info_.affinity_seconds == 0
            ? ""
            : StrCat(" -m recent --set --name ", chain, " --mask 255.255.255.255 --rsource");
    rules.push_back(StrCat("-p ", protocol_, comment, affinity, " -m ", protocol_,
                           " -j DNAT --to-destination ", address));
  }

  const ServicePortInfo& info_;
  const ProxyNode& node_;
  const bool large_cluster_;
  const std::string name_;
  const std::string_view protocol_;
  const UsableEndpoints usable_;
  const std::string cluster_chain_;
  const std::string local_chain_;
  const std::string external_chain_;
  const std::string firewall_chain_;
  const bool has_internal_;   // traffic to the ClusterIP reaches somebody
  const bool has_external_;   // traffic from outside to external addresses reaches somebody
  const bool uses_firewall_;  // loadBalancerSourceRanges
  CompiledPort compiled_;
};

}  // namespace

CompiledPort CompilePort(const ServicePortName& name, const ServicePortInfo& info,
                         const std::vector<EndpointInfo>& endpoints, const ProxyNode& node,
                         bool large_cluster) {
  return PortCompiler(name, info, endpoints, node, large_cluster).Compile();
}

}  // namespace kubemu::proxy
