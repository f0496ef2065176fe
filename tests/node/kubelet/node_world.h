#ifndef KUBEMU_TESTS_NODE_KUBELET_NODE_WORLD_H_
#define KUBEMU_TESTS_NODE_KUBELET_NODE_WORLD_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "messages/journal/journal.h"
#include "messages/process.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_pod_status.pb.h"
#include "messages/proto/k8s/meta.pb.h"
#include "messages/proto/node.pb.h"
#include "node/engine/emulated_engine.h"
#include "node/kubelet/kubelet.h"

namespace kubemu {

// Kubelet and engine of node-1 in virtual time. What the other side of the bus says is written
// here by hand: the API server keeps objects and answers watches, "node-1/iptables" keeps what it
// gets. One message to another process takes no time.
class NodeWorld {
 public:
  struct Settings {
    Duration pull_delay{};
    uint64_t seed = 7;
    int pods = 110;
    std::string cpu = "4";
    bool answers = true;     // the API server is there
    bool gives_cidr = true;  // node IPAM
    double loss = 0;         // of messages from the API server
  };

  NodeWorld() : NodeWorld(Settings{}) {}
  explicit NodeWorld(Settings settings);

  Time now() const { return now_; }
  WallTime wall() const { return WallTime(1'700'000'000s) + now_.time_since_epoch(); }
  void Run(Duration duration);
  // Until `done`, at most `limit`. Returns whether it is.
  bool RunUntil(const std::function<bool()>& done, Duration limit = 60s);

  // As written by somebody else than the kubelet.
  void Put(Object object);
  void Remove(const std::string& kind, const std::string& key);
  Object Get(const std::string& kind, const std::string& key) const;
  k8s::core::v1::Pod Pod(const std::string& key) const;
  k8s::core::v1::Node Node() const;
  bool Exists(const std::string& kind, const std::string& key) const;

  // A pod bound to the node: one container of that image, in namespace default.
  static k8s::core::v1::Pod MakePod(const std::string& name, const std::string& image,
                                    std::vector<std::string> args = {});
  void AddPod(const k8s::core::v1::Pod& pod) { Put(Object::From(pod)); }
  // kubectl delete pod.
  void DeletePod(const std::string& key, int64_t grace);

  // Sends a message as `from` to a part of the node.
  template <class T>
  void Send(const std::string& from, const std::string& to, T body) {
    Outbox outbox(from, {});
    outbox.Send(to, std::move(body));
    Inject(std::move(outbox.messages().back()));
  }

  // Everything the kubelet has asked of the API server, and everything others got, in order.
  struct Seen {
    Time at;
    Message message;
  };
  const std::vector<Seen>& calls() const { return calls_; }
  const std::vector<Seen>& outside() const { return outside_; }
  std::vector<Seen>& iptables() { return iptables_; }

  // How many status writes a pod has had.
  int StatusWrites(const std::string& key) const;
  // "Reason: message" of all events about an object of that name, in order.
  std::vector<std::string> Events(const std::string& name) const;
  // Times of the calls of that kind and verb.
  std::vector<Time> TimesOf(const std::string& kind, bus::Verb verb) const;

  Settings& settings() { return settings_; }
  Process& process() { return *process_; }
  Kubelet& kubelet() { return *kubelet_; }
  // The node's process is killed and started again.
  void RestartNode();

 private:
  class Recorder : public Component {
   public:
    explicit Recorder(NodeWorld* world) : world_(world) {}
    void Receive(const Message& message, Env& env) override;
    void Tick(Env&) override {}
    Time NextWake() const override { return kNever; }

   private:
    // Carries the kubelet's own connections to the pods and back.
    void Relay(const Message& message, Env& env);
    void RelayOpen(bus::FlowOpen open, Env& env);
    template <class T>
    void Pass(const Message& message, Env& env);

    NodeWorld* world_;
    std::map<uint32_t, std::string> pods_;     // by address
    std::map<uint64_t, std::string> targets_;  // of the kubelet's flows
  };
  struct Watch {
    uint64_t generation;
    uint32_t kind;
    std::string selector;
    uint64_t sequence = 1;
  };

  void Start();
  void Turn();
  void Inject(Message message);
  void Handle(const Message& message);
  void Answer(const Message& request);
  void StartWatch(const Message& message);
  void SendEvent(const std::pair<std::string, uint64_t>& who, Watch& watch,
                 bus::WatchEvent::Type type, const Object& object, uint64_t revision);
  void Notify(bus::WatchEvent::Type type, const Object& object);
  Object Store(std::unique_ptr<google::protobuf::Message> object, bool created);
  bool Selected(const Watch& watch, const Object& object) const;

  Settings settings_;
  Time now_{};
  uint64_t epoch_ = 1;
  uint64_t revision_ = 100;
  uint64_t next_uid_ = 1;
  uint64_t next_id_ = 1'000'000;
  Random random_{1};
  Journal journal_{nullptr};
  std::unique_ptr<Kubelet> kubelet_;
  std::unique_ptr<EmulatedEngine> engine_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Process> process_;
  std::map<std::pair<uint32_t, std::string>, Object> objects_;
  std::map<std::pair<std::string, uint64_t>, Watch> watches_;
  struct Past {
    uint64_t revision;
    bus::WatchEvent::Type type;
    Object object;
  };
  std::vector<Past> history_;  // of all changes, for watches that begin in the past
  std::vector<Seen> calls_;
  std::vector<Seen> outside_;
  std::vector<Seen> iptables_;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_NODE_KUBELET_NODE_WORLD_H_
