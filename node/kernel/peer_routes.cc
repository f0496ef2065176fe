#include "node/kernel/peer_routes.h"

#include <algorithm>
#include <utility>

#include "messages/core/ip.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

// Of the numbers that rtnetlink leaves to whoever wants one.
constexpr std::string_view kRouteProtocol = "proto 77";

}  // namespace

void PeerRoutes::SetNetwork(const bus::NodeNetwork& network, Env& env) {
  wanted_.clear();
  // A pod that is not there is unreachable, and not a matter for the default route.
  const auto own = Ipv4Network::Parse(network.pod_cidr());
  if (own.ok()) wanted_[own->ToString()] = "unreachable";
  for (const bus::NodeNetwork::Peer& peer : network.peers()) {
    const auto cidr = Ipv4Network::Parse(peer.pod_cidr());
    const Ipv4 ip(peer.ip());
    if (!cidr.ok() || ip.IsNone() || ip.IsLoopback() || wanted_.size() >= kRoutesMax) continue;
    wanted_[cidr->ToString()] = StrCat("via ", ip.ToString());
  }
  begun_ = true;
  if (!retry_.IsSet()) Sync(env);
}

void PeerRoutes::Sync(Env& env) {
  if (!lane_.idle() || !begun_) return;
  if (!switched_) {
    // route_localnet as kube-proxy sets it, for NodePorts at 127.0.0.1.
    lane_.Run(kSwitches,
              {"sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.route_localnet=1"},
              "", "", env);
    return;
  }
  if (flushed_ && installed_ == wanted_) return;
  lane_.Run(kRoutes, {"ip", "-force", "-batch", "-"}, Batch(), "", env);
}

std::string PeerRoutes::Batch() {
  std::string text;
  if (!flushed_) {
    StrAppend(&text, "link set lo up\nroute flush ", kRouteProtocol, "\n");
  }
  for (const auto& [cidr, route] : installed_) {
    if (!wanted_.contains(cidr)) {
      StrAppend(&text, "route flush exact ", cidr, " ", kRouteProtocol, "\n");
    }
  }
  for (const auto& [cidr, route] : wanted_) {
    const auto known = installed_.find(cidr);
    if (known != installed_.end() && known->second == route) continue;
    const bool unreachable = route == "unreachable";
    StrAppend(&text, "route replace ", unreachable ? "unreachable " : "", cidr,
              unreachable ? "" : " ", unreachable ? "" : route, " ", kRouteProtocol, "\n");
  }
  sent_ = wanted_;
  return text;
}

void PeerRoutes::OnResult(const CommandLane::Result& result, Env& env) {
  if (!result.error.empty()) {
    if (result.tag == kRoutes) {
      for (const auto& [cidr, route] : sent_) {
        if (std::string& known = installed_[cidr]; known != route) known.clear();
      }
    }
    retry_.Set(env.now + back_off_);
    back_off_ = std::min(back_off_ * 2, kRetryMax);
    return;
  }
  back_off_ = kRetryMin;
  if (result.tag == kSwitches) {
    switched_ = true;
  } else {
    flushed_ = true;
    installed_ = std::exchange(sent_, {});
  }
  Sync(env);
}

void PeerRoutes::Receive(const bus::CommandDone& done, Env& env) {
  if (const auto result = lane_.Receive(done, env)) OnResult(*result, env);
}

void PeerRoutes::Tick(Env& env) {
  if (const auto result = lane_.Tick(env)) OnResult(*result, env);
  if (retry_.Take(env.now)) Sync(env);
}

Time PeerRoutes::NextWake() const {
  return std::min(lane_.NextWake(), retry_.at());
}

}  // namespace kubemu
