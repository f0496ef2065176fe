// Google Benchmark: what one step of the hot paths costs.
#include <benchmark/benchmark.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <memory>
#include <string>

#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/journal/journal.h"
#include "messages/message.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

// A pod as `kubectl get -o json` shows it after it has run: about 3 KB without spaces.
std::string PodJson() {
  std::string containers;
  std::string statuses;
  for (const char* name : {"web", "proxy"}) {
    const std::string comma = containers.empty() ? "" : ",";
    containers +=
        comma + R"({"name":")" + name + R"(","image":"nginx:1.25","args":["--port=80",)" +
        R"("--delay=5ms"],"env":[{"name":"MODE","value":"production"},{"name":"POD_IP",)" +
        R"("valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"status.podIP"}}}],)" +
        R"("ports":[{"name":"http","containerPort":80,"protocol":"TCP"}],"resources":)" +
        R"({"limits":{"cpu":"500m","memory":"128Mi"},"requests":{"cpu":"100m",)" +
        R"("memory":"64Mi"}},"readinessProbe":{"httpGet":{"path":"/","port":80,)" +
        R"("scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,)" +
        R"("failureThreshold":3},"terminationMessagePath":"/dev/termination-log",)" +
        R"("terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"})";
    statuses += comma + R"({"name":")" + name + R"(","state":{"running":{"startedAt":)" +
                R"("2026-01-02T03:04:05Z"}},"lastState":{},"ready":true,"restartCount":0,)" +
                R"("image":"nginx:1.25","imageID":"nginx@sha256:0123456789abcdef","started":true})";
  }
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-66f7b86d7b-d4v9x",)"
         R"("generateName":"web-66f7b86d7b-","namespace":"default","uid":)"
         R"("5f0e3f6e-0f3c-4a51-9d6e-3f1f6a3f6b11","resourceVersion":"1234","creationTimestamp":)"
         R"("2026-01-02T03:04:05Z","labels":{"app":"web","pod-template-hash":"66f7b86d7b"},)"
         R"("annotations":{"example.com/description":"answers the requests of the shop's front page; )"
         R"(its proxy keeps connections to the services behind it open","example.com/owner":)"
         R"("front-page"},)"
         R"("ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-66f7b86d7b",)"
         R"("uid":"aab27f0e-92f0-4f55-8a53-0c9a0f6d5cbb","controller":true,)"
         R"("blockOwnerDeletion":true}]},"spec":{"containers":[)" +
         containers +
         R"(],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":)"
         R"("ClusterFirst","serviceAccountName":"default","nodeName":"node-1",)"
         R"("schedulerName":"default-scheduler","tolerations":[{"key":)"
         R"("node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute",)"
         R"("tolerationSeconds":300}],"priority":0,"enableServiceLinks":true},"status":{"phase":)"
         R"("Running","conditions":[{"type":"Ready","status":"True","lastTransitionTime":)"
         R"("2026-01-02T03:04:06Z"},{"type":"PodScheduled","status":"True","lastTransitionTime":)"
         R"("2026-01-02T03:04:05Z"}],"hostIP":"127.1.0.1","podIP":"10.244.0.4","podIPs":[{"ip":)"
         R"("10.244.0.4"}],"startTime":"2026-01-02T03:04:05Z","containerStatuses":[)" +
         statuses + R"(],"qosClass":"Burstable"}})";
}

k8s::core::v1::Pod Pod(const std::string& text) {
  k8s::core::v1::Pod pod;
  const auto json = ParseJson(text);
  FieldErrors errors;
  if (!json.ok() || !FromJson(*json, &pod, &errors).ok() || !errors.unknown.empty()) std::abort();
  return pod;
}

void BM_JsonToPod(benchmark::State& state) {
  const std::string text = PodJson();
  Pod(text);
  for (auto _ : state) {
    unsigned char first[kJsonMemoryOnStack];  // as in master/apiserver/http/body.cc
    boost::json::monotonic_resource memory(first, sizeof first);
    const auto json = ParseJson(text, &memory);
    k8s::core::v1::Pod pod;
    FieldErrors errors;
    benchmark::DoNotOptimize(FromJson(*json, &pod, &errors).ok());
  }
  state.SetBytesProcessed(static_cast<int64_t>(text.size()) * state.iterations());
  state.counters["json_bytes"] = static_cast<double>(text.size());
}
BENCHMARK(BM_JsonToPod)->Unit(benchmark::kMicrosecond);

void BM_PodToJson(benchmark::State& state) {
  const std::string text = PodJson();
  const k8s::core::v1::Pod pod = Pod(text);
  const Kind* kind = FindKind("v1", "Pod");
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendJson(pod, kind, &out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(out.size()) * state.iterations());
  state.counters["json_bytes"] = static_cast<double>(out.size());
}
BENCHMARK(BM_PodToJson)->Unit(benchmark::kMicrosecond);

Message DataMessage() {
  auto data = std::make_shared<bus::FlowData>();
  data->set_flow(42);
  data->set_data(std::string(330, 'x'));
  Message message;
  message.id = 1;
  message.lamport = 1;
  message.from = "node-2/iptables";
  message.to = "node-1/iptables";
  message.kind = bus::FLOW_DATA;
  message.body = std::move(data);
  return message;
}

void BM_EnvelopeThereAndBack(benchmark::State& state) {
  const Message message = DataMessage();
  for (auto _ : state) {
    bus::Envelope envelope;
    ToEnvelope(message, &envelope);
    Message back;
    std::string error;
    benchmark::DoNotOptimize(FromEnvelope(envelope, &back, &error));
  }
}
BENCHMARK(BM_EnvelopeThereAndBack);

class NoSink : public JournalSink {
 public:
  bool Append(std::string_view) override { return true; }
};

void BM_JournalRecord(benchmark::State& state) {
  const Message message = DataMessage();
  NoSink sink;
  Journal journal(&sink);
  for (auto _ : state) journal.Append(bus::JournalRecord::SENT, message, Time{}, WallTime{});
}
BENCHMARK(BM_JournalRecord);

}  // namespace
}  // namespace kubemu

BENCHMARK_MAIN();
