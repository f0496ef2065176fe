// Connections that the TCP door makes because a part opened a flow to it.
#include <boost/asio/ip/tcp.hpp>
#include <utility>

#include "messages/core/strings.h"
#include "messages/flow/flow_relay.h"
#include "messages/runtime/tcp_door.h"
#include "messages/runtime/tcp_door_parts.h"

namespace kubemu {
namespace {

bus::FlowClose::Reason ReasonOf(const boost::system::error_code& error) {
  namespace asio_error = boost::asio::error;
  if (error == asio_error::connection_refused) return bus::FlowClose::REFUSED;
  if (error == asio_error::host_unreachable || error == asio_error::network_unreachable) {
    return bus::FlowClose::UNREACHABLE;
  }
  if (error == asio_error::timed_out) return bus::FlowClose::TIMED_OUT;
  return bus::FlowClose::RESET;
}

}  // namespace

void TcpDoor::Dial(const Message& message) {
  const auto& open = message.As<bus::FlowOpen>();
  if (dialled_.contains({message.from, open.flow()})) return;  // doubled
  const auto refuse = [&](bus::FlowClose::Reason reason, std::string detail) {
    bus::FlowClose close;
    close.set_flow(open.flow());
    close.set_reply(true);
    close.set_reason(reason);
    close.set_detail(std::move(detail));
    host_->Inject(message.to, message.from, std::move(close), message.Context());
  };
  const SocketAddress destination{Ipv4(open.destination_ip()),
                                  static_cast<uint16_t>(open.destination_port())};
  if (!insecure_ && !destination.ip.IsLoopback()) {
    return refuse(bus::FlowClose::UNREACHABLE,
                  StrCat(destination.ToString(), " is not a loopback address"));
  }
  if (flows_.size() >= kConnectionsMax) {
    return refuse(bus::FlowClose::LIMIT,
                  StrCat("kConnectionsMax: no more than ", kConnectionsMax, " TCP connections"));
  }
  boost::asio::ip::tcp::socket socket(io_);
  boost::system::error_code error;
  const absl::Status entered =
      spaces_->Inside(open.network(), [&] { socket.open(boost::asio::ip::tcp::v4(), error); });
  if (!entered.ok()) {
    return refuse(bus::FlowClose::UNREACHABLE, std::string(entered.message()));
  }
  if (error) return refuse(bus::FlowClose::LIMIT, error.message());
  const uint64_t number = next_flow_++;
  Flow& flow = *(flows_[number] = std::make_unique<Flow>(std::move(socket)));
  dialled_[{message.from, open.flow()}] = number;
  flow.self = message.to;
  flow.part = message.from;
  flow.flow = open.flow();
  flow.dialled = true;
  flow.trace = message.Context();
  flow.credit = open.credit();
  Connect(number, flow, destination);
  AwaitEstablished(number);
}

void TcpDoor::Connect(uint64_t number, Flow& flow, SocketAddress destination) {
  flow.socket.async_connect(
      {boost::asio::ip::address_v4(destination.ip.bits()), destination.port},
      [this, number](const boost::system::error_code& error) {
        const auto it = flows_.find(number);
        if (error == boost::asio::error::operation_aborted || it == flows_.end()) return;
        if (error) return Break(number, *it->second, ReasonOf(error), error.message());
        OnConnected(number, *it->second);
      });
}

void TcpDoor::OnConnected(uint64_t number, Flow& flow) {
  boost::system::error_code ignored;
  flow.socket.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  flow.socket.non_blocking(true, ignored);
  flow.established = true;
  bus::FlowCredit credit;  // also says that the connection stands
  credit.set_flow(flow.flow);
  credit.set_reply(true);
  credit.set_bytes(kFlowWindowMax);
  host_->Inject(flow.self, flow.part, std::move(credit), flow.trace);
  if (flow.credit > 0) WaitReadable(number, flow);
}

}  // namespace kubemu
