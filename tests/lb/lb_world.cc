#include "tests/lb/lb_world.h"

#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/http.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

LbWorld::LbWorld() {
  Advance(Duration{});
}

void LbWorld::Step(const Message* message) {
  Outbox outbox("lb", message == nullptr ? Trace{} : message->Context());
  Env env{now_, WallTime{1'700'000'000s} + now_.time_since_epoch(), random_, outbox};
  if (message != nullptr) {
    lb_.Receive(*message, env);
  } else {
    lb_.Tick(env);
  }
  std::vector<Message> checks;
  for (Message& sent : outbox.messages()) {
    if (sent.from == kCheckAddress) {
      checks.push_back(std::move(sent));
    } else {
      Note(sent);
      sent_.push_back(std::move(sent));
    }
  }
  for (const Message& check : checks) AnswerCheck(check);
}

void LbWorld::AnswerCheck(const Message& message) {
  if (message.kind == bus::FLOW_OPEN) {
    const auto& open = message.As<bus::FlowOpen>();
    const std::string node(ProcessOf(message.to));
    const auto port = static_cast<uint16_t>(open.destination_port());
    checks_[open.flow()] = {node, port};
    Health health = Health::kGood;
    for (const uint16_t key : {uint16_t{0}, port}) {
      if (const auto it = health_.find({node, key}); it != health_.end()) health = it->second;
    }
    if (health == Health::kSilent) return;
    if (health == Health::kRefuses) {
      bus::FlowClose close;
      close.set_flow(open.flow());
      close.set_reply(true);
      close.set_reason(bus::FlowClose::REFUSED);
      return DeliverTo(kCheckAddress, message.to, std::move(close));
    }
    bus::FlowCredit credit;
    credit.set_flow(open.flow());
    credit.set_reply(true);
    credit.set_bytes(1000);
    return DeliverTo(kCheckAddress, message.to, std::move(credit));
  }
  if (message.kind != bus::FLOW_DATA || message.As<bus::FlowData>().data().empty()) return;
  const auto& data = message.As<bus::FlowData>();
  const auto check = checks_.at(data.flow());
  const bool asked = data.data().starts_with("GET /healthz HTTP/1.1\r\n");
  Health health = Health::kGood;
  for (const uint16_t key : {uint16_t{0}, check.second}) {
    if (const auto it = health_.find({check.first, key}); it != health_.end()) health = it->second;
  }
  bus::FlowData answer;
  answer.set_flow(data.flow());
  answer.set_reply(true);
  answer.set_data(asked && health == Health::kGood
                      ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                      : "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
  answer.set_fin(true);
  DeliverTo(kCheckAddress, message.to, std::move(answer));
}

// Keeps track of clients' flows.
void LbWorld::Note(const Message& message) {
  const bool to_node = message.to.ends_with("/iptables");
  if (message.kind == bus::WATCH_REQUEST) {
    const auto& request = message.As<bus::WatchRequest>();
    generation_[request.stream()] = request.generation();
    sequence_[request.stream()] = 0;
  } else if (message.kind == bus::FLOW_OPEN && to_node) {
    const auto& open = message.As<bus::FlowOpen>();
    const auto known = near_.find(open.flow());
    const uint64_t client = known != near_.end() ? known->second : opening_;
    near_[open.flow()] = client;
    far_[client].node = std::string(ProcessOf(message.to));
    far_[client].number = open.flow();
  } else if (message.kind == bus::FLOW_DATA && to_node) {
    Far& far = far_.at(near_.at(message.As<bus::FlowData>().flow()));
    if (message.As<bus::FlowData>().offset() == far.data.size()) {
      far.data += message.As<bus::FlowData>().data();
    }
  } else if (message.kind == bus::FLOW_CLOSE && !to_node) {
    closed_[message.As<bus::FlowClose>().flow()] = message.As<bus::FlowClose>().reason();
  }
}

void LbWorld::Advance(Duration by) {
  const Time end = now_ + by;
  while (lb_.NextWake() <= end) {
    now_ = std::max(now_, lb_.NextWake());
    Step(nullptr);
  }
  now_ = end;
}

void LbWorld::LinkDown(int node) {
  bus::LinkDown down;
  down.set_process(Name(node));
  down.set_reason("gone");
  Deliver("lb/bus", std::move(down));
}

void LbWorld::Watched(uint64_t stream, Object object, bus::WatchEvent::Type type) {
  bus::WatchEvent event;
  event.set_stream(stream);
  event.set_generation(generation_[stream]);
  event.set_sequence(++sequence_[stream]);
  event.set_type(type);
  event.set_revision(object.revision());
  Deliver("master/apiserver", std::move(event), {object});
}

void LbWorld::AddNode(int number, const std::map<std::string, std::string>& annotations,
                      const std::map<std::string, std::string>& labels, const std::string& taint) {
  k8s::core::v1::Node node;
  auto* meta = node.mutable_metadata();
  meta->set_name(Name(number));
  meta->set_resource_version(std::to_string(++revision_));
  for (const auto& [key, value] : annotations) {
    SetEntry(meta->mutable_annotations(), key, value);
  }
  SetEntry(meta->mutable_annotations(), "kubemu.io/endpoint",
           "tcp://127.1.0." + std::to_string(number) + ":7");
  for (const auto& [key, value] : labels) SetEntry(meta->mutable_labels(), key, value);
  if (!taint.empty()) node.mutable_spec()->add_taints()->set_key(taint);
  auto* address = node.mutable_status()->add_addresses();
  address->set_type("InternalIP");
  address->set_address("127.1.0." + std::to_string(number));
  const bool known = nodes_.contains(number);
  nodes_[number] = Object::From(std::move(node));
  Watched(2, nodes_[number], known ? bus::WatchEvent::MODIFIED : bus::WatchEvent::ADDED);
  Advance(Duration{});
}

void LbWorld::RemoveNode(int number) {
  Watched(2, nodes_.at(number), bus::WatchEvent::DELETED);
  nodes_.erase(number);
}

void LbWorld::PutService(const std::map<std::string, std::string>& annotations, Edit edit) {
  k8s::core::v1::Service service;
  auto* meta = service.mutable_metadata();
  meta->set_namespace_("default");
  meta->set_name("web");
  meta->set_resource_version(std::to_string(++revision_));
  for (const auto& [key, value] : annotations) {
    SetEntry(meta->mutable_annotations(), "kubemu.io/lb-" + key, value);
  }
  service.mutable_spec()->set_type("LoadBalancer");
  auto* port = service.mutable_spec()->add_ports();
  port->set_port(8080);
  port->set_node_port(30080);
  port->set_protocol("TCP");
  if (edit != nullptr) edit(&service);
  const bool known = static_cast<bool>(service_);
  service_ = Object::From(std::move(service), Trace{5, 5});
  Watched(1, service_, known ? bus::WatchEvent::MODIFIED : bus::WatchEvent::ADDED);
  Advance(Duration{});
}

void LbWorld::RemoveService() {
  Watched(1, service_, bus::WatchEvent::DELETED);
  service_ = Object();
}

void LbWorld::Listening(uint16_t port, const std::string& error) {
  bus::ListenResult result;
  result.set_ip(Ipv4(127, 2, 0, 1).bits());
  result.set_port(port);
  result.set_error(error);
  Deliver("lb/door", std::move(result));
}

void LbWorld::Ready(int nodes, const std::map<std::string, std::string>& annotations, Edit edit) {
  for (int node = 1; node <= nodes; ++node) AddNode(node);
  PutService(annotations, edit);
  Listening();
  sent_.clear();
}

std::string LbWorld::Open(uint64_t flow, Ipv4 client, uint16_t port) {
  opening_ = flow;
  bus::FlowOpen open;
  open.set_flow(flow);
  open.set_protocol(bus::TCP);
  open.set_source_ip(client.bits());
  open.set_source_port(static_cast<uint32_t>(30000 + flow % 30000));
  open.set_destination_ip(Ipv4(127, 2, 0, 1).bits());
  open.set_destination_port(port);
  open.set_credit(1000);
  Deliver(ClientOf(flow), std::move(open));
  return NodeOf(flow);
}

std::string LbWorld::NodeOf(uint64_t flow) const {
  const auto it = far_.find(flow);
  return it == far_.end() || closed_.contains(flow) ? "" : it->second.node;
}

bus::FlowClose::Reason LbWorld::ClosedFor(uint64_t flow) const {
  const auto it = closed_.find(flow);
  return it == closed_.end() ? bus::FlowClose::REASON_UNSPECIFIED : it->second;
}

void LbWorld::Accept(uint64_t flow, uint32_t bytes) {
  bus::FlowCredit credit;
  credit.set_flow(FarFlow(flow));
  credit.set_reply(true);
  credit.set_bytes(bytes);
  Deliver(far_.at(flow).node + "/iptables", std::move(credit));
}

void LbWorld::Refuse(uint64_t flow, bus::FlowClose::Reason reason) {
  bus::FlowClose close;
  close.set_flow(FarFlow(flow));
  close.set_reply(true);
  close.set_reason(reason);
  close.set_detail("test");
  Deliver(far_.at(flow).node + "/iptables", std::move(close));
}

void LbWorld::SendIn(uint64_t flow, const std::string& bytes, bool fin) {
  bus::FlowData data;
  data.set_flow(flow);
  data.set_offset(sent_in_[flow]);
  data.set_data(bytes);
  data.set_fin(fin);
  sent_in_[flow] += bytes.size();
  Deliver(ClientOf(flow), std::move(data));
}

void LbWorld::SendOut(uint64_t flow, const std::string& bytes, bool fin) {
  Far& far = far_.at(flow);
  bus::FlowData data;
  data.set_flow(far.number);
  data.set_reply(true);
  data.set_offset(far.sent);
  data.set_data(bytes);
  data.set_fin(fin);
  far.sent += bytes.size();
  Deliver(far.node + "/iptables", std::move(data));
}

std::string LbWorld::Visit(uint64_t flow, Ipv4 client) {
  std::string node = Open(flow, client);
  if (node.empty()) return node;
  Accept(flow);
  SendIn(flow, "ping", true);
  SendOut(flow, "pong", true);
  return node;
}

std::string LbWorld::Ask(const std::string& question) {
  bus::InspectRequest request;
  request.set_number(9);
  request.set_question(question);
  Deliver("lab", std::move(request));
  std::string text;
  for (const auto& part : Take<bus::InspectResponse>()) text += part.error() + part.text();
  return text;
}

std::string LbWorld::Http(const std::string& target, uint32_t* status) {
  bus::HttpRequest request;
  request.set_request(3);
  request.set_method("GET");
  request.set_target(target);
  Deliver("client/prometheus", std::move(request));
  const auto responses = Take<bus::HttpResponse>();
  if (responses.size() != 1) return "no answer";
  if (status != nullptr) *status = responses[0].status();
  return responses[0].body();
}

std::vector<std::string> LbWorld::TakeEvents() {
  std::vector<std::string> events;
  std::vector<Message> rest;
  for (Message& message : sent_) {
    if (message.kind == bus::API_REQUEST && !message.objects.empty() &&
        message.objects[0].kind().plural == "events") {
      const auto& event = message.objects[0].As<k8s::core::v1::Event>();
      events.push_back(event.type() + " " + event.reason() + " " + event.message());
    } else {
      rest.push_back(std::move(message));
    }
  }
  sent_ = std::move(rest);
  return events;
}

}  // namespace kubemu
