#include "lab/simulator/sim_cluster.h"

#include <boost/json.hpp>
#include <deque>
#include <utility>

#include "lab/simulator/manifest.h"
#include "lb/lb.h"
#include "master/master.h"
#include "messages/api/json.h"
#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "node/node.h"

namespace kubemu {

// The laboratory's hand in the simulation, at "lab".
class SimLab : public Component {
 public:
  void Control(std::string node, bool down) { queued_.emplace_back(std::move(node), down); }

  void Receive(const Message&, Env&) override {}
  void Tick(Env& env) override {
    for (auto& [node, down] : std::exchange(queued_, {})) {
      bus::EngineControl control;
      control.set_down(down);
      env.outbox.Because(Trace{});
      env.outbox.Send(node + "/engine", std::move(control));
    }
  }
  Time NextWake() const override { return queued_.empty() ? kNever : Time{}; }

 private:
  std::deque<std::pair<std::string, bool>> queued_;
};

namespace {

class SimLabProgram : public Program {
 public:
  void AddTo(Process& process) override { process.Add("lab", &lab_); }
  SimLab& lab() { return lab_; }

 private:
  SimLab lab_;
};

std::string NodeName(int number) {
  return StrCat("node-", number);
}

// The whole list, or of one object its items' one.
std::string ConditionOf(const boost::json::value& node, std::string_view type) {
  const boost::json::value conditions = JsonAt(node, "/status/conditions");
  if (!conditions.is_array()) return "";
  for (const boost::json::value& condition : conditions.get_array()) {
    if (JsonText(condition, "/type") == type) return JsonText(condition, "/status");
  }
  return "";
}

}  // namespace

SimCluster::SimCluster(Options options)
    : options_(std::move(options)),
      disk_(std::make_shared<MemoryDisk>()),
      simulator_({.seed = options_.seed, .keep_journal = options_.keep_journal}) {
  Master::Options master;
  master.apiserver.cluster_dns = options_.cluster_dns;
  simulator_.Add("master", [master, disk = disk_] {
    return std::make_unique<Master>(master, std::make_unique<MemoryStorage>(disk));
  });
  for (int i = 1; i <= options_.nodes; ++i) AddNode(i);
  simulator_.Add("lb", [] { return std::make_unique<Lb>(LoadBalancer::Options{}); });
  simulator_.Add("client", [] { return std::make_unique<SimClientProgram>(); });
  simulator_.Add("internet", [] { return std::make_unique<SimInternetProgram>(); });
  simulator_.Add("lab", [] { return std::make_unique<SimLabProgram>(); });
  client_ = &static_cast<SimClientProgram*>(simulator_.program("client"))->client();
  internet_ = &static_cast<SimInternetProgram*>(simulator_.program("internet"))->internet();
  lab_ = &static_cast<SimLabProgram*>(simulator_.program("lab"))->lab();
}

SimCluster::~SimCluster() = default;

void SimCluster::AddNode(int number) {
  Node::Options node;
  node.kubelet.node = NodeName(number);
  node.kubelet.address =
      Ipv4(127, 1, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number));
  node.kubelet.endpoint = StrCat("sim://", node.kubelet.node);
  node.kubelet.cpu = options_.cpu;
  node.kubelet.memory = options_.memory;
  node.kubelet.pods = options_.pods;
  simulator_.Add(node.kubelet.node, [node] { return std::make_unique<Node>(node); });
}

std::vector<std::string> SimCluster::nodes() const {
  std::vector<std::string> names;
  for (int i = 1; i <= options_.nodes; ++i) names.push_back(NodeName(i));
  return names;
}

bool SimCluster::RunUntil(const std::function<bool()>& done, Duration limit, Duration interval) {
  const Time end = now() + limit;
  while (!done()) {
    if (now() >= end) return false;
    simulator_.Run(std::min(interval, end - now()));
  }
  return true;
}

bool SimCluster::RunUntilReady(Duration limit) {
  return RunUntil(
      [&] {
        const boost::json::value list = Get("/api/v1/nodes");
        const boost::json::value items = JsonAt(list, "/items");
        if (!items.is_array()) return false;
        int ready = 0;
        for (const boost::json::value& node : items.get_array()) {
          if (ConditionOf(node, "Ready") == "True") ++ready;
        }
        return ready == options_.nodes;
      },
      limit);
}

uint64_t SimCluster::Start(const std::string& method, const std::string& target,
                           const std::string& body, const std::string& content_type,
                           const std::string& accept) {
  bus::HttpRequest request;
  request.set_method(method);
  request.set_target(target);
  request.set_body(body);
  const auto add = [&request](const char* name, const std::string& value) {
    bus::HttpHeader* header = request.add_headers();
    header->set_name(name);
    header->set_value(value);
  };
  add("accept", accept);
  add("user-agent", "kubectl/v1.33.1");
  if (!body.empty()) add("content-type", content_type);
  const uint64_t number = client_->Start(std::move(request));
  simulator_.Wake("client");
  return number;
}

const SimCluster::Answer& SimCluster::answer(uint64_t request) const {
  return client_->answer(request);
}

SimCluster::Answer SimCluster::Request(const std::string& method, const std::string& target,
                                       const std::string& body, const std::string& content_type,
                                       const std::string& accept) {
  const uint64_t number = Start(method, target, body, content_type, accept);
  const bool done =
      simulator_.RunUntil([&] { return client_->answer(number).done; }, 2 * SimClient::kTimeout);
  KUBEMU_CHECK(done);  // the client gives up by itself
  return client_->answer(number);
}

boost::json::value SimCluster::Get(const std::string& target) {
  const Answer answer = Request("GET", target);
  if (!answer.ok()) return nullptr;
  const auto json = ParseJson(answer.body);
  return json.ok() ? *json : boost::json::value();
}

std::string SimCluster::Apply(const std::string& manifest) {
  const auto documents = ReadManifest(manifest);
  if (!documents.ok()) return std::string(documents.status().message());
  constexpr std::string_view kManager =
      "?fieldManager=kubectl-client-side-apply&fieldValidation=Strict";
  for (const ManifestObject& object : *documents) {
    const std::string target = StrCat(object.collection, "/", object.name);
    const Answer there = Request("GET", target);
    const bool create = there.status == 404;
    const Answer answer = create ? Request("POST", StrCat(object.collection, kManager), object.json)
                                 : Request("PATCH", StrCat(target, kManager), object.json,
                                           "application/strategic-merge-patch+json");
    if (!answer.ok()) return StrCat(object.name, ": ", answer.status, " ", answer.body);
  }
  return "";
}

void SimCluster::SetEngineDown(const std::string& node, bool down) {
  lab_->Control(node, down);
  simulator_.Wake("lab");
}

uint64_t SimCluster::StartCurl(SocketAddress server, const std::string& path) {
  const uint64_t number = internet_->Get(server, simulator_.ListenerOn(server), path);
  simulator_.Wake("internet");
  return number;
}

const SimInternet::Answer& SimCluster::curl_answer(uint64_t request) const {
  return internet_->answer(request);
}

SimInternet::Answer SimCluster::Curl(SocketAddress server, const std::string& path) {
  const uint64_t number = StartCurl(server, path);
  const bool done = simulator_.RunUntil([&] { return internet_->answer(number).done; },
                                        2 * SimInternet::kTimeout);
  KUBEMU_CHECK(done);  // the client gives up by itself
  return internet_->answer(number);
}

MessageLog SimCluster::Messages() const {
  MessageLog log;
  for (const auto& [process, records] : simulator_.Journals()) log.Add(records);
  return log;
}

boost::json::value JsonAt(const boost::json::value& value, const std::string& pointer) {
  boost::system::error_code error;
  const boost::json::value* found = value.find_pointer(pointer, error);
  return found == nullptr ? boost::json::value() : *found;
}

std::string JsonText(const boost::json::value& value, const std::string& pointer) {
  const boost::json::value found = JsonAt(value, pointer);
  if (found.is_null()) return "";
  if (found.is_string()) return std::string(found.get_string());
  return boost::json::serialize(found);
}

}  // namespace kubemu
