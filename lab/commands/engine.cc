#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "lab/cluster/api_client.h"
#include "lab/cluster/topology.h"
#include "lab/commands/commands.h"
#include "messages/component.h"
#include "messages/core/strings.h"
#include "messages/process.h"
#include "messages/program.h"
#include "messages/proto/control.pb.h"
#include "messages/runtime/process_runtime.h"

namespace kubemu {
namespace {

constexpr char kEndpointAnnotation[] = "kubemu.io/endpoint";

// Tells one engine to go down or come back, until it answers.
class EngineSwitch : public Component, public Program {
 public:
  EngineSwitch(std::string node, std::string endpoint, bool down)
      : node_(std::move(node)), endpoint_(std::move(endpoint)), down_(down) {}

  void set_done(std::function<void()> done) { done_ = std::move(done); }
  bool answered() const { return answered_; }

  void AddTo(Process& process) override { process.Add("lab", this); }

  void Receive(const Message& message, Env&) override {
    if (message.kind != bus::ENGINE_CONTROL_RESULT) return;
    answered_ = message.As<bus::EngineControlResult>().down() == down_;
    if (answered_) done_();
  }

  void Tick(Env& env) override {
    if (env.now >= kGiveUp) return done_();
    bus::PeerEndpoint peer;
    peer.set_process(node_);
    peer.set_endpoint(endpoint_);
    env.outbox.Send("lab/bus", std::move(peer));
    bus::EngineControl control;
    control.set_down(down_);
    env.outbox.Send(node_ + "/engine", std::move(control));
    next_ = env.now + kRetry;
  }
  Time NextWake() const override { return answered_ ? kNever : next_; }

 private:
  static constexpr Duration kRetry = 500ms;
  static constexpr Time kGiveUp = Time(5s);

  const std::string node_;
  const std::string endpoint_;
  const bool down_;
  bool answered_ = false;
  Time next_{};
  std::function<void()> done_;
};

absl::StatusOr<std::string> EndpointOf(const Topology& topology, const std::string& node) {
  const auto answer = HttpGet(topology.api, "/api/v1/nodes/" + node);
  if (!answer.ok()) return answer.status();
  if (answer->status != 200) return absl::NotFoundError(StrCat("there is no node ", node));
  boost::system::error_code error;
  const boost::json::value object = boost::json::parse(answer->body, error);
  const boost::json::value* endpoint =
      error ? nullptr
            : object.find_pointer(StrCat("/metadata/annotations/kubemu.io~1endpoint"), error);
  if (endpoint == nullptr || !endpoint->is_string()) {
    return absl::NotFoundError(StrCat(node, " has no annotation ", kEndpointAnnotation));
  }
  return std::string(endpoint->as_string());
}

void Switch(const std::string& node, bool down, CommandContext& context) {
  const auto paths = ClusterPaths::For(context.cluster);
  if (!paths.ok()) return Fail(context, std::string(paths.status().message()), 2);
  const absl::StatusOr<Topology> topology = Topology::Load(paths->topology());
  if (!topology.ok()) return Fail(context, std::string(topology.status().message()));
  const absl::StatusOr<std::string> endpoint = EndpointOf(*topology, node);
  if (!endpoint.ok()) return Fail(context, std::string(endpoint.status().message()));
  EngineSwitch program(node, *endpoint, down);
  ProcessRuntime::Options options;
  options.process = "lab";
  options.journal_directory = paths->journal().string();
  ProcessRuntime runtime(options);
  program.set_done([&runtime] { runtime.Stop(); });
  absl::Status status = runtime.Start();
  if (status.ok()) status = runtime.Run(program);
  if (!status.ok()) return Fail(context, std::string(status.message()));
  if (!program.answered()) return Fail(context, StrCat(node, " does not answer at ", *endpoint));
  std::cout << node << ": the container engine is " << (down ? "down" : "up") << '\n';
}

}  // namespace

void AddEngineCommand(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand("engine", "stop or start the container engine of a node");
  auto action = std::make_shared<std::string>();
  auto node = std::make_shared<std::string>();
  command->add_option("action", *action, "stop or start")
      ->required()
      ->check(CLI::IsMember({"stop", "start"}));
  command->add_option("node", *node, "name of the node")->required();
  command->footer("Example:\n  kubemu engine stop node-2    # node-2 becomes NotReady");
  command->callback([action, node, &context] { Switch(*node, *action == "stop", context); });
}

}  // namespace kubemu
