#include "master/apiserver/tables/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "boost/json/value.hpp"
#include "google/protobuf/message.h"
#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

using ::testing::ElementsAre;

constexpr WallTime kNow{std::chrono::seconds(1'700'000'000)};  // 2023-11-14T22:13:20Z

// The cells of an object in JSON, as text.
std::vector<std::string> Cells(const char* api_version, const char* kind_name,
                               const std::string& json) {
  const Kind* kind = FindKind(api_version, kind_name);
  std::unique_ptr<google::protobuf::Message> object(kind->prototype->New());
  const absl::StatusOr<boost::json::value> value = ParseJson(json);
  EXPECT_TRUE(value.ok()) << value.status();
  const absl::Status read = FromJson(*value, object.get(), nullptr);
  EXPECT_TRUE(read.ok()) << read;
  std::vector<std::string> texts;
  const TablePrinter& printer = PrinterOf(*kind);
  for (const TableCell& cell : printer.cells(Object::Of(std::move(object)), kNow)) {
    const auto* number = std::get_if<int64_t>(&cell);
    texts.push_back(number != nullptr ? StrCat(*number) : std::get<std::string>(cell));
  }
  EXPECT_EQ(texts.size(), printer.columns.size());
  return texts;
}

struct PodCase {
  const char* name;
  const char* json;  // spec and status
  const char* ready;
  const char* status;
  const char* restarts;
};

class PodTable : public ::testing::TestWithParam<PodCase> {};

TEST_P(PodTable, ShowsWhatThePodIsDoing) {
  const PodCase& pod = GetParam();
  const std::vector<std::string> cells =
      Cells("v1", "Pod",
            StrCat(R"({"metadata":{"name":"p","creationTimestamp":"2023-11-14T22:03:20Z")",
                   pod.json, "}"));
  EXPECT_EQ(cells[1], pod.ready);
  EXPECT_EQ(cells[2], pod.status);
  EXPECT_EQ(cells[3], pod.restarts);
  EXPECT_EQ(cells[4], "10m");
}

INSTANTIATE_TEST_SUITE_P(
    Pods, PodTable,
    ::testing::Values(
        PodCase{"Pending", R"(},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Pending"})",
                "0/1", "Pending", "0"},
        PodCase{"Running",
                R"(},"spec":{"containers":[{"name":"a"},{"name":"b"}]},"status":{"phase":"Running",
                "containerStatuses":[{"name":"a","ready":true,"state":{"running":{}}},
                {"name":"b","ready":false,"state":{"running":{}}}]})",
                "1/2", "Running", "0"},
        PodCase{"CrashLoop",
                R"(},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Running",
                "containerStatuses":[{"name":"a","restartCount":3,
                "state":{"waiting":{"reason":"CrashLoopBackOff"}},
                "lastState":{"terminated":{"exitCode":1,"finishedAt":"2023-11-14T22:13:10Z"}}}]})",
                "0/1", "CrashLoopBackOff", "3 (10s ago)"},
        PodCase{"Completed",
                R"(},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Succeeded",
                "containerStatuses":[{"name":"a","state":{"terminated":{"exitCode":0,
                "reason":"Completed"}}}]})",
                "0/1", "Completed", "0"},
        PodCase{"ExitCode",
                R"(},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Failed",
                "containerStatuses":[{"name":"a","state":{"terminated":{"exitCode":7}}}]})",
                "0/1", "ExitCode:7", "0"},
        PodCase{"Init",
                R"(},"spec":{"initContainers":[{"name":"i"},{"name":"j"}],
                "containers":[{"name":"a"}]},"status":{"phase":"Pending",
                "initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":0}}},
                {"name":"j","state":{"running":{}}}]})",
                "0/1", "Init:1/2", "0"},
        PodCase{"InitError",
                R"(},"spec":{"initContainers":[{"name":"i"}],"containers":[{"name":"a"}]},
                "status":{"phase":"Pending","initContainerStatuses":[{"name":"i",
                "state":{"terminated":{"exitCode":2,"reason":"Error"}}}]})",
                "0/1", "Init:Error", "0"},
        PodCase{"Sidecar",
                R"(},"spec":{"initContainers":[{"name":"s","restartPolicy":"Always"}],
                "containers":[{"name":"a"}]},"status":{"phase":"Running",
                "initContainerStatuses":[{"name":"s","ready":true,"started":true,
                "state":{"running":{}}}],"containerStatuses":[{"name":"a","ready":true,
                "state":{"running":{}}}]})",
                "2/2", "Running", "0"},
        PodCase{
            "Terminating",
            R"(,"deletionTimestamp":"2023-11-14T22:13:50Z"},"spec":{"containers":[{"name":"a"}]},
                "status":{"phase":"Running","containerStatuses":[{"name":"a","ready":true,
                "state":{"running":{}}}]})",
            "1/1", "Terminating", "0"},
        PodCase{"Evicted",
                R"(},"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Failed",
                "reason":"Evicted"})",
                "0/1", "Evicted", "0"}),
    [](const auto& info) { return info.param.name; });

TEST(Tables, Services) {
  EXPECT_THAT(
      Cells("v1", "Service",
            R"({"metadata":{"name":"s"},"spec":{"type":"LoadBalancer","clusterIP":"10.96.0.5",
            "clusterIPs":["10.96.0.5"],"selector":{"b":"2","a":"1"},
            "ports":[{"port":80,"nodePort":30080,"protocol":"TCP"},{"port":53,"protocol":"UDP"}]}})"),
      ElementsAre("s", "LoadBalancer", "10.96.0.5", "<pending>", "80:30080/TCP,53/UDP", "<unknown>",
                  "a=1,b=2"));
  EXPECT_THAT(
      Cells("v1", "Service",
            R"({"metadata":{"name":"s"},"spec":{"type":"ExternalName",
                    "externalName":"example.com"}})"),
      ElementsAre("s", "ExternalName", "<none>", "example.com", "<none>", "<unknown>", "<none>"));
}

TEST(Tables, EndpointsShowThreeAddresses) {
  EXPECT_THAT(Cells("v1", "Endpoints",
                    R"({"metadata":{"name":"e"},"subsets":[{"ports":[{"port":80}],"addresses":[
                    {"ip":"1.0.0.1"},{"ip":"1.0.0.2"},{"ip":"1.0.0.3"},{"ip":"1.0.0.4"},
                    {"ip":"1.0.0.5"}]}]})"),
              ElementsAre("e", "1.0.0.1:80,1.0.0.2:80,1.0.0.3:80 + 2 more...", "<unknown>"));
  EXPECT_THAT(Cells("discovery.k8s.io/v1", "EndpointSlice",
                    R"({"metadata":{"name":"e"},"addressType":"IPv4","endpoints":[],"ports":[]})"),
              ElementsAre("e", "IPv4", "<unset>", "<unset>", "<unknown>"));
}

TEST(Tables, Deployments) {
  EXPECT_THAT(
      Cells("apps/v1", "Deployment",
            R"({"metadata":{"name":"d"},"spec":{"replicas":3,"selector":{
                    "matchLabels":{"app":"d"},"matchExpressions":[{"key":"tier","operator":"In",
                    "values":["b","a"]}]},"template":{"spec":{"containers":[
                    {"name":"x","image":"i:1"},{"name":"y","image":"j"}]}}},
                    "status":{"readyReplicas":2,"updatedReplicas":3,"availableReplicas":2}})"),
      ElementsAre("d", "2/3", "3", "2", "<unknown>", "x,y", "i:1,j", "app=d,tier in (a,b)"));
}

TEST(Tables, Events) {
  EXPECT_THAT(Cells("v1", "Event",
                    R"({"metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"p",
                    "fieldPath":"spec.containers{c}"},"type":"Normal","reason":"Pulled",
                    "message":"done\n","source":{"component":"kubelet","host":"node-1"},"count":4,
                    "firstTimestamp":"2023-11-14T21:13:20Z",
                    "lastTimestamp":"2023-11-14T22:13:00Z"})"),
              ElementsAre("20s", "Normal", "Pulled", "pod/p", "spec.containers{c}",
                          "kubelet, node-1", "done", "60m", "4", "e"));
}

TEST(Tables, SmallKinds) {
  EXPECT_THAT(Cells("v1", "ConfigMap", R"({"metadata":{"name":"c"},"data":{"a":"1","b":"2"},
                    "binaryData":{"c":"AA=="}})"),
              ElementsAre("c", "3", "<unknown>"));
  EXPECT_THAT(Cells("v1", "Secret", R"({"metadata":{"name":"s"},"type":"Opaque"})"),
              ElementsAre("s", "Opaque", "0", "<unknown>"));
  EXPECT_THAT(Cells("coordination.k8s.io/v1", "Lease",
                    R"({"metadata":{"name":"l"},"spec":{"holderIdentity":"node-1"}})"),
              ElementsAre("l", "node-1", "<unknown>"));
}

}  // namespace
}  // namespace kubemu
