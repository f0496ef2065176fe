// Wrong flags, busy ports, broken manifests, garbage: each a clear error, nothing changed, no
// process gone.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "messages/core/ip.h"
#include "tests/cluster/cluster.h"

namespace kubemu {
namespace {

using testing::HasSubstr;

std::string Program(const std::string& name) {
  return KUBEMU_PROGRAM_DIR "/" + name;
}

std::string ApiUrl(Cluster& cluster) {
  const boost::json::value up = boost::json::parse(cluster.up().out);
  return up.at("api").as_string().c_str();
}

std::string ApiAddress(Cluster& cluster) {
  return ApiUrl(cluster).substr(sizeof("http://") - 1);
}

std::string BusAddress(Cluster& cluster) {
  const boost::json::value up = boost::json::parse(cluster.up().out);
  return std::string(up.at("endpoint").as_string()).substr(sizeof("tcp://") - 1);
}

// Connects, sends, and closes. False if nobody listens.
bool SendRaw(const std::string& address, const std::string& bytes) {
  const auto to = SocketAddress::Parse(address);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(to->port);
  name.sin_addr.s_addr = htonl(to->ip.bits());
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;
  if (connected) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    static_cast<void>(sent);  // the other side may have closed already, which is its right
  }
  close(fd);
  return connected;
}

// The HTTP status of a POST with this body.
std::string PostStatus(Cluster& cluster, const std::string& path, const std::string& body) {
  const std::string file = (cluster.home() / "body.json").string();
  std::ofstream(file) << body;
  return RunProgram({"curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}",
                     "-H", "Content-Type: application/json", "-H", "Expect:", "--data-binary",
                     "@" + file, ApiUrl(cluster) + path})
      .out;
}

std::string Revision(Cluster& cluster) {
  const CommandResult list = cluster.Kubectl("get --raw /api/v1/configmaps?limit=1");
  return boost::json::parse(list.out).at("metadata").at("resourceVersion").as_string().c_str();
}

void ExpectAllRunning(Cluster& cluster) {
  for (const char* name : {"master", "node-1", "lb"}) EXPECT_EQ(cluster.State(name), "running");
}

TEST(BadInput, WrongFlagsEndWithCodeTwoAndSayWhich) {
  const CommandResult nodes = RunProgram({Program("kubemu"), "up", "--nodes", "many"});
  EXPECT_EQ(nodes.code, 2);
  EXPECT_THAT(nodes.err, HasSubstr("--nodes"));
  EXPECT_EQ(RunProgram({Program("kubemu"), "fly"}).code, 2);
  const CommandResult cluster = RunProgram({Program("kubemu"), "up", "--cluster", "No_Label"});
  EXPECT_EQ(cluster.code, 2);
  EXPECT_THAT(cluster.err, HasSubstr("No_Label"));
  for (const char* program : {"kubemu-master", "kubemu-node", "kubemu-lb"}) {
    const CommandResult wrong = RunProgram({Program(program), "--no-such-flag", "--name", "n"});
    EXPECT_EQ(wrong.code, 2) << program;
    EXPECT_THAT(wrong.err, HasSubstr("--no-such-flag")) << program;
    EXPECT_EQ(RunProgram({Program(program), "--help"}).code, 0) << program;
  }
}

TEST(BadInput, ACommandForAClusterThatDoesNotExistSaysSo) {
  for (const char* command : {"status", "down", "observe", "trace"}) {
    const CommandResult result =
        RunProgram({Program("kubemu"), command}, {{"KUBEMU_HOME", "/nonexistent/kubemu"}});
    EXPECT_EQ(result.code, 1) << command;
    EXPECT_THAT(result.err, HasSubstr("/nonexistent/kubemu")) << command;
  }
}

TEST(BadInput, ABusyPortIsNamed) {
  Cluster cluster({"--nodes", "1"});
  const CommandResult second =
      RunProgram({Program("kubemu-master"), "--listen", ApiAddress(cluster), "--endpoint",
                  "tcp://127.0.0.1:0", "--data", (cluster.home() / "second").string()});
  EXPECT_EQ(second.code, 1);
  EXPECT_THAT(second.err, HasSubstr(ApiAddress(cluster)));
  ExpectAllRunning(cluster);
}

TEST(BadInput, ASecondMasterOnTheSameStoreIsRefused) {
  Cluster cluster({"--nodes", "1"});
  const CommandResult second =
      RunProgram({Program("kubemu-master"), "--listen", "127.0.0.1:0", "--endpoint",
                  "tcp://127.0.0.1:0", "--data", (cluster.home() / "default").string()});
  EXPECT_EQ(second.code, 1);
  EXPECT_THAT(second.err, HasSubstr("store"));
  ExpectAllRunning(cluster);
}

TEST(BadInput, ATakenNodeNameIsRefused) {
  Cluster cluster({"--nodes", "1"});
  const CommandResult twin = RunProgram({Program("kubemu-node"), "--name", "node-1", "--master",
                                         "tcp://" + BusAddress(cluster), "--address", "127.0.0.1",
                                         "--data", (cluster.home() / "twin").string()});
  EXPECT_NE(twin.code, 0);
  EXPECT_THAT(twin.err, HasSubstr("node-1"));
  EXPECT_THAT(twin.err, HasSubstr("taken"));
  ExpectAllRunning(cluster);
  EXPECT_EQ(cluster.Get("node node-1", "{.status.conditions[?(@.type==\"Ready\")].status}"),
            "True");
}

TEST(BadInput, ANodeThatTheApiServerRefusesSaysSoInItsLog) {
  Cluster cluster({"--nodes", "1"});
  const std::filesystem::path log = cluster.home() / "refused.log";
  const Background node(
      {Program("kubemu-node"), "--name", "refused", "--master", "tcp://" + BusAddress(cluster),
       "--address", "127.0.0.1", "--labels", "not a label=x"},
      log);
  const auto content = [&log] {
    std::ifstream in(log);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  EXPECT_TRUE(Eventually([&] {
    return content().find("the API server refuses to register node refused (422 Invalid)") !=
           std::string::npos;
  })) << content();
}

TEST(BadInput, UnknownAndWrongFieldsOfAManifestAreNamed) {
  Cluster cluster({"--nodes", "1", "--no-cluster-dns"});  // nothing else is written meanwhile
  const std::string before = Revision(cluster);
  const std::string manifest = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  REPLICAS
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx}]}
)";
  const auto with = [&manifest](const std::string& field) {
    std::string text = manifest;
    return text.replace(text.find("REPLICAS"), 8, field);
  };
  const CommandResult unknown = cluster.Kubectl("apply -f -", with("replicaz: 3"));
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("unknown field \"spec.replicaz\""));
  const CommandResult wrong = cluster.Kubectl("apply --validate=false -f -", with("replicas: x"));
  EXPECT_EQ(wrong.code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("cannot unmarshal string into Go struct field"));
  const CommandResult negative = cluster.Kubectl("apply -f -", with("replicas: -1"));
  EXPECT_EQ(negative.code, 1);
  EXPECT_THAT(negative.err, HasSubstr("spec.replicas: Invalid value: -1"));
  EXPECT_EQ(cluster.Kubectl("get deployment web").code, 1);
  EXPECT_EQ(Revision(cluster), before);
}

TEST(BadInput, ABodyPastThreeMebibytesIsRefused) {
  Cluster cluster({"--nodes", "1"});
  const std::string path = "/api/v1/namespaces/default/configmaps";
  EXPECT_EQ(PostStatus(cluster, path, std::string((3 << 20) + 1, ' ')), "413");
  EXPECT_EQ(PostStatus(cluster, path, R"({"metadata": {"name": "small"}})"), "201");
  ExpectAllRunning(cluster);
}

TEST(BadInput, JsonThatIsTooDeepOrNoJsonIsRefused) {
  Cluster cluster({"--nodes", "1"});
  const std::string path = "/api/v1/namespaces/default/configmaps";
  std::string deep;
  for (int i = 0; i < 101; ++i) deep += R"({"metadata":)";
  EXPECT_EQ(PostStatus(cluster, path, deep + "1" + std::string(101, '}')), "400");
  EXPECT_EQ(PostStatus(cluster, path, "{\"metadata\": "), "400");
  EXPECT_EQ(PostStatus(cluster, path, "\x01\x02\x03"), "400");
  ExpectAllRunning(cluster);
}

TEST(BadInput, HalfRequestsAndGarbageOnThePortsHarmNobody) {
  Cluster cluster({"--nodes", "1"});
  std::string garbage;
  for (int i = 0; i < 4096; ++i) garbage += static_cast<char>(i * 131 + 7);
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(SendRaw(ApiAddress(cluster), "POST /api/v1/names"));
    EXPECT_TRUE(SendRaw(ApiAddress(cluster), garbage));
    EXPECT_TRUE(SendRaw(BusAddress(cluster), garbage));
    EXPECT_TRUE(SendRaw(BusAddress(cluster), "GET / HTTP/1.1\r\n\r\n"));
  }
  ExpectAllRunning(cluster);
  EXPECT_EQ(cluster.Kubectl("create configmap still-works --from-literal=a=b").code, 0);
  EXPECT_EQ(cluster.Get("node node-1", "{.status.conditions[?(@.type==\"Ready\")].status}"),
            "True");
}

TEST(BadInput, FreshRemovesNothingButAClustersOwnThings) {
  Cluster cluster({"--nodes", "1"});
  const std::filesystem::path foreign = cluster.home() / "precious";
  std::filesystem::create_directories(foreign);
  std::ofstream(foreign / "thesis.txt") << "years of work";
  const CommandResult refused = cluster.Kubemu("up --cluster precious --fresh");
  EXPECT_NE(refused.code, 0);
  EXPECT_THAT(refused.err, HasSubstr("is not a cluster's folder"));
  EXPECT_TRUE(std::filesystem::exists(foreign / "thesis.txt"));

  // Nor what somebody put beside a cluster's things.
  std::ofstream(cluster.home() / "default" / "notes.txt") << "mine";
  ASSERT_EQ(cluster.Kubemu("down --purge").code, 0);
  EXPECT_TRUE(std::filesystem::exists(cluster.home() / "default" / "notes.txt"));
  EXPECT_FALSE(std::filesystem::exists(cluster.home() / "default" / "topology.json"));
  EXPECT_FALSE(std::filesystem::exists(cluster.home() / "default" / "store.db"));
  std::filesystem::remove(cluster.home() / "default" / "notes.txt");
  ASSERT_EQ(cluster.Kubemu("up --nodes 1").code, 0);
}

TEST(BadInput, UpLeavesNoDescriptorOfItsCallerOpen) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);  // without O_CLOEXEC: kubemu inherits it
  Cluster cluster({"--nodes", "1"});
  close(ends[1]);
  // The end of the file comes as soon as nobody holds the other end.
  char byte;
  pollfd readable{ends[0], POLLIN, 0};
  EXPECT_EQ(poll(&readable, 1, 2000), 1) << "a detached process holds the pipe open";
  EXPECT_EQ(read(ends[0], &byte, 1), 0);
  close(ends[0]);
}

}  // namespace
}  // namespace kubemu
