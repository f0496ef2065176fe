#ifndef KUBEMU_TESTS_LB_LB_WORLD_H_
#define KUBEMU_TESTS_LB_LB_WORLD_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lb/load_balancer.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {

// Steps a load balancer by hand: stands in for the API server, the door and the nodes. Nodes answer
// health checks by themselves, as they are told to.
class LbWorld {
 public:
  enum class Health { kGood, kBad, kRefuses, kSilent };

  LbWorld();

  // Delivers a message to "lb" and answers the checks it brings about.
  template <class T>
  void Deliver(const std::string& from, T body, std::vector<Object> objects = {}) {
    DeliverTo("lb", from, std::move(body), std::move(objects));
  }
  // Lets time pass, tick by tick.
  void Advance(Duration by);

  // How a node answers checks on a port (0: on all); good at first.
  void SetHealth(int node, Health health, uint16_t port = 0) {
    health_[{Name(node), port}] = health;
  }
  void LinkDown(int node);

  // The API server's words.
  void AddNode(int node, const std::map<std::string, std::string>& annotations = {},
               const std::map<std::string, std::string>& labels = {},
               const std::string& taint = "");
  void RemoveNode(int node);
  // A Service "default/web" on port 8080 with node port 30080, annotations of lb without their
  // prefix, and what `edit` makes of it.
  using Edit = void (*)(k8s::core::v1::Service*);
  void PutService(const std::map<std::string, std::string>& annotations = {}, Edit edit = nullptr);
  void RemoveService();
  void Listening(uint16_t port = 8080, const std::string& error = "");
  // `nodes` healthy nodes and the Service, which is listened on.
  void Ready(int nodes, const std::map<std::string, std::string>& annotations = {},
             Edit edit = nullptr);

  // A client's connection: to which node it goes ("node-2"), or "" if it is refused.
  std::string Open(uint64_t flow, Ipv4 client = Ipv4(203, 0, 113, 1), uint16_t port = 8080);
  // The node that flow `flow` of the client goes to accepts it, with so much credit.
  void Accept(uint64_t flow, uint32_t credit = 65536);
  void Refuse(uint64_t flow, bus::FlowClose::Reason reason);
  void SendIn(uint64_t flow, const std::string& data, bool fin = false);   // from the client
  void SendOut(uint64_t flow, const std::string& data, bool fin = false);  // from the node
  // Opens, accepts and ends a connection; returns its node.
  std::string Visit(uint64_t flow, Ipv4 client = Ipv4(203, 0, 113, 1));
  // Where a client's flow goes now; "" if it has ended or was refused.
  std::string NodeOf(uint64_t flow) const;
  // The node's end of a client's flow: its number there.
  uint64_t FarFlow(uint64_t flow) const { return far_.at(flow).number; }
  // Why a client's flow was closed for it.
  bus::FlowClose::Reason ClosedFor(uint64_t flow) const;
  // What the node of a client's flow has got.
  std::string Arrived(uint64_t flow) const { return far_.at(flow).data; }

  std::string Ask(const std::string& question);  // InspectRequest: the whole answer
  std::string Http(const std::string& target, uint32_t* status = nullptr);
  // Events that were written: "Warning Reason message".
  std::vector<std::string> TakeEvents();

  // All of one type that were sent and not taken yet.
  template <class T>
  std::vector<T> Take() {
    std::vector<T> taken;
    std::vector<Message> rest;
    for (Message& message : sent_) {
      if (message.kind == MessageKindOf<T>()) {
        last_taken_ = message;
        taken.push_back(message.As<T>());
      } else {
        rest.push_back(std::move(message));
      }
    }
    sent_ = std::move(rest);
    return taken;
  }
  const Message& last_taken() const { return last_taken_; }
  std::vector<Message>& sent() { return sent_; }
  Time now() const { return now_; }
  LoadBalancer& lb() { return lb_; }

 private:
  struct Far {  // a client's flow behind the load balancer
    std::string node;
    uint64_t number = 0;
    std::string data;
    uint64_t sent = 0;  // by the node
  };

  template <class T>
  void DeliverTo(const std::string& to, const std::string& from, T body,
                 std::vector<Object> objects = {}) {
    Outbox outbox(from, Trace{7, 7});
    outbox.Send(to, std::move(body), std::move(objects));
    Step(&outbox.messages()[0]);
  }
  static std::string Name(int node) { return "node-" + std::to_string(node); }
  static std::string ClientOf(uint64_t flow) {
    return "internet/203.0.113.1:" + std::to_string(flow);
  }
  void Step(const Message* message);
  void AnswerCheck(const Message& message);
  void Note(const Message& message);
  void Watched(uint64_t stream, Object object, bus::WatchEvent::Type type);

  LoadBalancer lb_{LoadBalancer::Options{}};
  Random random_{1};
  Time now_{};
  uint64_t opening_ = 0;  // the client's flow that is being opened
  std::vector<Message> sent_;
  Message last_taken_;
  std::map<uint64_t, uint64_t> generation_;  // of each watch
  std::map<uint64_t, uint64_t> sequence_;
  uint64_t revision_ = 100;
  std::map<int, Object> nodes_;
  Object service_;
  std::map<std::pair<std::string, uint16_t>, Health> health_;
  std::map<uint64_t, std::pair<std::string, uint16_t>> checks_;  // by flow: node and port
  std::map<uint64_t, Far> far_;                                  // by the client's flow
  std::map<uint64_t, uint64_t> near_;                            // far number to client's flow
  std::map<uint64_t, uint64_t> sent_in_;
  std::map<uint64_t, bus::FlowClose::Reason> closed_;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_LB_LB_WORLD_H_
