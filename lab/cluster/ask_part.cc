#include "lab/cluster/ask_part.h"

#include <spdlog/spdlog.h>

#include <boost/json.hpp>

#include "lab/cluster/api_client.h"
#include "messages/api/node_facts.h"
#include "messages/core/strings.h"
#include "messages/inspect.h"
#include "messages/process.h"
#include "messages/program.h"
#include "messages/runtime/process_runtime.h"

namespace kubemu {
namespace {

constexpr Duration kAskAgain = 1s;
constexpr Time kGiveUp = Time(5s);
// Another command may be speaking with the same process as "lab" just now.
constexpr int kTurnsMax = 5;

class Conversation : public Component, public Program {
 public:
  Conversation(std::string process, std::string endpoint, const std::function<void(Env&)>& ask,
               const std::function<bool(const Message&)>& take)
      : process_(std::move(process)), endpoint_(std::move(endpoint)), ask_(ask), take_(take) {}

  void set_done(std::function<void()> done) { done_ = std::move(done); }
  bool answered() const { return answered_; }

  void AddTo(Process& process) override { process.Add("lab", this); }

  void Receive(const Message& message, Env&) override {
    if (answered_ || ProcessOf(message.from) != process_) return;
    answered_ = take_(message);
    if (answered_) done_();
  }

  void Tick(Env& env) override {
    if (answered_) return;
    if (env.now >= kGiveUp) {
      next_ = kNever;
      return done_();
    }
    bus::PeerEndpoint peer;
    peer.set_process(process_);
    peer.set_endpoint(endpoint_);
    env.outbox.Send("lab/bus", std::move(peer));
    ask_(env);
    next_ = env.now + kAskAgain;
  }
  Time NextWake() const override { return answered_ ? kNever : next_; }

 private:
  const std::string process_;
  const std::string endpoint_;
  const std::function<void(Env&)>& ask_;
  const std::function<bool(const Message&)>& take_;
  bool answered_ = false;
  Time next_{};
  std::function<void()> done_;
};

}  // namespace

absl::StatusOr<std::string> EndpointOf(const Topology& topology, const std::string& process) {
  if (process == "master") return topology.endpoint;
  if (process == "lb") return topology.BalancerEndpoint();
  const auto answer = HttpGet(topology.api, "/api/v1/nodes/" + process);
  if (!answer.ok()) {
    return absl::UnavailableError(StrCat("the API server at ", topology.api,
                                         " does not answer, so nobody knows where ", process,
                                         " is; see \"kubemu status\""));
  }
  if (answer->status != 200) {
    return absl::NotFoundError(
        StrCat("there is no node ", process, "; \"kubectl get nodes\" lists them"));
  }
  boost::system::error_code error;
  const boost::json::value object = boost::json::parse(answer->body, error);
  const boost::json::value* endpoint =
      error ? nullptr : object.find_pointer("/metadata/annotations/kubemu.io~1endpoint", error);
  if (endpoint == nullptr || !endpoint->is_string()) {
    return absl::NotFoundError(StrCat("node ", process, " has no annotation ", kEndpointAnnotation,
                                      ": no kubemu-node has registered it"));
  }
  return std::string(endpoint->as_string());
}

absl::Status Converse(const Topology& topology, const std::string& process,
                      const std::function<void(Env&)>& ask,
                      const std::function<bool(const Message&)>& take) {
  const absl::StatusOr<std::string> endpoint = EndpointOf(topology, process);
  if (!endpoint.ok()) return endpoint.status();
  const absl::StatusOr<ClusterPaths> paths = ClusterPaths::For(topology.cluster);
  if (!paths.ok()) return paths.status();
  // The log goes to standard output, where only the answer belongs; what matters is in the status.
  spdlog::set_level(spdlog::level::off);
  absl::Status status;
  for (int turn = 0; turn < kTurnsMax; ++turn) {
    Conversation conversation(process, *endpoint, ask, take);
    ProcessRuntime::Options options;
    options.process = "lab";
    if (topology.journal == "on") options.journal_directory = paths->journal().string();
    ProcessRuntime runtime(options);
    conversation.set_done([&runtime] { runtime.Stop(); });
    status = runtime.Start();
    if (status.ok()) status = runtime.Run(conversation);
    if (absl::IsFailedPrecondition(status)) continue;  // the name is taken
    if (!status.ok() || conversation.answered()) return status;
    return absl::UnavailableError(StrCat(process, " does not answer at ", *endpoint,
                                         "; see \"kubemu status\" whether it runs, \"kubemu up\" "
                                         "starts it again"));
  }
  return status;
}

absl::StatusOr<std::string> AskPart(const Topology& topology, const std::string& process,
                                    const std::string& part, const std::string& question,
                                    const std::vector<std::string>& arguments) {
  bus::InspectRequest request;
  request.set_question(question);
  for (const std::string& argument : arguments) request.add_arguments(argument);
  InspectAnswer answer;
  const absl::Status status = Converse(
      topology, process,
      [&](Env& env) {
        request.set_number(request.number() + 1);
        env.outbox.Send(part, request);
      },
      [&](const Message& message) {
        return message.kind == bus::INSPECT_RESPONSE &&
               answer.Take(message.As<bus::InspectResponse>());
      });
  if (!status.ok()) return status;
  return answer.Text();
}

}  // namespace kubemu
