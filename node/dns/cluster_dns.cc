#include "node/dns/cluster_dns.h"

#include <algorithm>
#include <chrono>

#include "messages/api/calls.h"
#include "messages/api/kinds.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/k8s/core_namespace.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"

namespace kubemu {

ClusterDns::ClusterDns(uint64_t first_stream)
    : first_stream_(first_stream),
      namespaces_(first_stream, {.kind = &KindOf<k8s::core::v1::Namespace>()}),
      services_(first_stream + 1, {.kind = &KindOf<k8s::core::v1::Service>()}),
      slices_(first_stream + 2, {.kind = &KindOf<k8s::discovery::v1::EndpointSlice>()}) {}

void ClusterDns::Receive(const Message& message, Env& env) {
  bool changed = false;
  for (const Informer::Change& change : namespaces_.Receive(message, env)) {
    changed = true;
    if (change.after) {
      records_.AddNamespace(change.key);
    } else {
      records_.RemoveNamespace(change.key);
    }
  }
  for (const Informer::Change& change : services_.Receive(message, env)) {
    changed = true;
    if (change.after) {
      records_.SetService(change.key, dns::FactsOfService(change.after));
    } else {
      records_.RemoveService(change.key);
    }
  }
  for (const Informer::Change& change : slices_.Receive(message, env)) {
    changed = true;
    if (change.after) {
      records_.SetSlice(change.key, dns::FactsOfSlice(change.after));
    } else {
      records_.RemoveSlice(change.key);
    }
  }
  if (!changed) return;
  changed_ = static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(env.wall.time_since_epoch()).count());
}

void ClusterDns::Tick(Env& env) {
  namespaces_.Tick(env);
  services_.Tick(env);
  slices_.Tick(env);
}

Time ClusterDns::NextWake() const {
  return std::min({namespaces_.NextWake(), services_.NextWake(), slices_.NextWake()});
}

void ClusterDns::Stop(Env& env) {
  for (uint64_t i = 0; i < kStreams; ++i) {
    bus::WatchCancel cancel;
    cancel.set_stream(first_stream_ + i);
    env.outbox.Send(std::string(kApiServerAddress), std::move(cancel));
  }
}

bool ClusterDns::synced() const {
  return namespaces_.synced() && services_.synced() && slices_.synced();
}

std::optional<std::string> ClusterDns::Answer(std::string_view query, bool tcp, Ipv4 server,
                                              Env& env) {
  ++answered_;
  const dns::ZoneOptions options{.serial = changed_, .synced = synced(), .server = server};
  return dns::AnswerPacket(records_, options, query, tcp, env.random);
}

}  // namespace kubemu
