#include "messages/runtime/tcp_door.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "messages/core/random.h"
#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/runtime/listen_address.h"
#include "messages/runtime/tcp_door_parts.h"

namespace kubemu {

using boost::asio::ip::tcp;
using boost::system::error_code;

TcpDoor::TcpDoor(RuntimeHost* host, boost::asio::io_context& io, bool insecure,
                 const NetworkSpaces* spaces)
    : host_(host),
      io_(io),
      insecure_(insecure),
      spaces_(spaces),
      expire_(std::make_unique<Timer>(io)) {}

TcpDoor::~TcpDoor() = default;

void TcpDoor::Receive(const Message& message) {
  uint64_t number = 0;
  switch (message.kind) {
    case bus::LISTEN:
      return Listen(message);
    case bus::UNLISTEN: {
      const auto& unlisten = message.As<bus::Unlisten>();
      listeners_.erase(
          {unlisten.network(), {Ipv4(unlisten.ip()), static_cast<uint16_t>(unlisten.port())}});
      return;
    }
    case bus::FLOW_OPEN:
      return Dial(message);
    case bus::FLOW_DATA:
      number = message.As<bus::FlowData>().flow();
      break;
    case bus::FLOW_CREDIT:
      number = message.As<bus::FlowCredit>().flow();
      break;
    case bus::FLOW_CLOSE:
      number = message.As<bus::FlowClose>().flow();
      break;
    default:
      return host_->Lost(message, "the TCP door takes no such message");
  }
  if (message.to == host_->process() + "/door") {
    const auto dialled = dialled_.find({message.from, number});
    if (dialled == dialled_.end()) return;
    number = dialled->second;
  }
  const auto it = flows_.find(number);
  if (it == flows_.end()) return;
  Flow& flow = *it->second;
  if (message.kind == bus::FLOW_CLOSE) {
    TakeClose(number, flow, message.As<bus::FlowClose>());
  } else if (message.kind == bus::FLOW_DATA) {
    TakeData(number, flow, message);
  } else {
    if (!flow.dialled) flow.established = true;
    flow.credit += message.As<bus::FlowCredit>().bytes();
    if (flow.established && !flow.client_fin) WaitReadable(number, flow);
  }
}

void TcpDoor::Listen(const Message& message) {
  const auto& listen = message.As<bus::Listen>();
  bus::ListenResult result;
  result.set_ip(listen.ip());
  result.set_port(listen.port());
  result.set_network(listen.network());
  const SocketAddress address{Ipv4(listen.ip()), static_cast<uint16_t>(listen.port())};
  const Place place{listen.network(), address};
  const auto it = listeners_.find(place);
  if (listen.port() == 0 || listen.port() > 65535) {
    result.set_error(StrCat("port ", listen.port(), " is not between 1 and 65535"));
  } else if (it != listeners_.end() && it->second->part != message.from) {
    result.set_error(StrCat(address.ToString(), " is listened on for ", it->second->part));
  } else if (it == listeners_.end()) {
    absl::StatusOr<std::unique_ptr<tcp::acceptor>> acceptor;
    const absl::Status entered =
        spaces_->Inside(listen.network(), [&] { acceptor = ListenOn(address, insecure_, io_); });
    if (!entered.ok()) {
      result.set_error(std::string(entered.message()));
    } else if (acceptor.ok()) {
      auto listener = std::make_unique<Listener>(io_);
      listener->place = place;
      listener->part = message.from;
      listener->acceptor = *std::move(acceptor);
      listener->acceptor->non_blocking(true);
      AcceptMore(*listener);
      listeners_[place] = std::move(listener);
    } else {
      result.set_error(std::string(acceptor.status().message()));
    }
  }
  if (!result.error().empty()) log_.Warn(StrCat(result.error(), " (for ", message.from, ")"));
  host_->Inject(host_->process() + "/door", message.from, std::move(result), message.Context());
}

void TcpDoor::AcceptMore(Listener& listener) {
  // The acceptor's closing ends the wait, so that the listener is there whenever this succeeds ...
  listener.acceptor->async_wait(tcp::acceptor::wait_read,
                                [this, place = listener.place](const error_code& error) {
                                  if (error) return;
                                  // ... or a listener that took its place, to whom being woken for
                                  // nothing does no harm.
                                  const auto it = listeners_.find(place);
                                  if (it != listeners_.end()) Accept(*it->second);
                                });
}

void TcpDoor::Accept(Listener& listener) {
  for (int i = 0; i < kAcceptsPerEventMax; ++i) {
    error_code error;
    tcp::socket socket(io_);
    listener.acceptor->accept(socket, error);
    if (error == boost::asio::error::would_block) break;
    if (error == boost::asio::error::connection_aborted) continue;
    if (error) {
      // Out of descriptors: tried again when some connections may have ended.
      log_.Warn(
          StrCat("cannot accept on ", listener.place.address.ToString(), ": ", error.message()));
      listener.retry.expires_after(std::chrono::milliseconds(100));
      listener.retry.async_wait([this, place = listener.place](const error_code& aborted) {
        const auto it = listeners_.find(place);
        if (!aborted && it != listeners_.end()) Accept(*it->second);
      });
      return;
    }
    if (flows_.size() >= kConnectionsMax) {
      log_.Warn(StrCat("limit: no more than ", kConnectionsMax, " TCP connections; refused one on ",
                       listener.place.address.ToString()));
      socket.set_option(boost::asio::socket_base::linger(true, 0), error);
      socket.close(error);
      continue;
    }
    Open(listener, std::make_unique<Flow>(std::move(socket)));
  }
  AcceptMore(listener);
}

void TcpDoor::Open(const Listener& listener, std::unique_ptr<Flow> accepted) {
  error_code error;
  const SocketAddress client = ToSocketAddress(accepted->socket.remote_endpoint(error));
  if (error) return;  // it is gone already
  // Of a listener on all addresses, the one that was meant.
  const SocketAddress here = ToSocketAddress(accepted->socket.local_endpoint(error));
  if (error) return;
  accepted->socket.set_option(tcp::no_delay(true), error);
  accepted->socket.non_blocking(true, error);
  const uint64_t number = next_flow_++;
  Flow& flow = *(flows_[number] = std::move(accepted));
  flow.self = StrCat("internet/", client.ToString());
  flow.part = listener.part;
  flow.flow = number;
  // All messages of one connection are one trace, like those of one kubectl run.
  flow.trace.trace_id =
      StableHash(StrCat(host_->process(), "#", host_->epoch(), "#flow", number)) | 1;
  bus::FlowOpen open;
  open.set_flow(number);
  open.set_protocol(bus::TCP);
  open.set_source_ip(client.ip.bits());
  open.set_source_port(client.port);
  open.set_destination_ip(here.ip.bits());
  open.set_destination_port(here.port);
  open.set_credit(kFlowWindowMax);
  open.set_network(listener.place.network);
  host_->Inject(flow.self, flow.part, std::move(open), flow.trace);
  AwaitEstablished(number);
}

void TcpDoor::AwaitEstablished(uint64_t number) {
  unestablished_.emplace_back(RealNow() + kEstablishTimeout, number);
  ExpireUnestablished();
}

void TcpDoor::ExpireUnestablished() {
  const RealTime now = RealNow();
  while (!unestablished_.empty()) {
    const auto [deadline, number] = unestablished_.front();
    const auto it = flows_.find(number);
    if (it != flows_.end() && !it->second->established) {
      if (deadline > now) break;
      Break(number, *it->second, bus::FlowClose::TIMED_OUT, "nobody took the connection in time");
    }
    unestablished_.pop_front();
  }
  if (unestablished_.empty() || expiring_) return;
  expiring_ = true;
  expire_->timer.expires_at(unestablished_.front().first);
  expire_->timer.async_wait([this](const error_code& aborted) {
    if (aborted) return;
    expiring_ = false;
    ExpireUnestablished();
  });
}

void TcpDoor::WaitReadable(uint64_t number, Flow& flow) {
  if (flow.waiting_readable) return;
  flow.waiting_readable = true;
  flow.socket.async_wait(tcp::socket::wait_read, [this, number](const error_code& error) {
    const auto it = flows_.find(number);
    if (error == boost::asio::error::operation_aborted || it == flows_.end()) return;
    it->second->waiting_readable = false;
    Read(number, *it->second);
  });
}

void TcpDoor::Read(uint64_t number, Flow& flow) {
  if (flow.credit == 0 || flow.client_fin) return;  // the next FlowCredit goes on
  const size_t limit = std::min<uint64_t>(flow.credit, kReadBytesMax);
  scratch_.resize(kReadBytesMax);  // not before the first byte: most nodes never read one
  ssize_t got = 0;
  do {
    got = ::recv(flow.socket.native_handle(), scratch_.data(), limit, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return WaitReadable(number, flow);
  if (got < 0) return Break(number, flow, bus::FlowClose::RESET, std::strerror(errno));
  bus::FlowData data;
  data.set_flow(flow.flow);
  data.set_reply(flow.dialled);
  data.set_offset(flow.sent);
  if (got == 0) {
    data.set_fin(true);
    flow.client_fin = true;
  } else {
    data.set_data(scratch_.data(), static_cast<size_t>(got));
    flow.sent += static_cast<uint64_t>(got);
    flow.credit -= static_cast<uint64_t>(got);
  }
  host_->Inject(flow.self, flow.part, std::move(data), flow.trace);
  if (flow.client_fin) return EndIfFinished(number, flow);
  if (flow.credit > 0) WaitReadable(number, flow);
}

void TcpDoor::TakeData(uint64_t number, Flow& flow, const Message& message) {
  const auto& data = message.As<bus::FlowData>();
  if (data.offset() < flow.received || flow.part_fin) return;  // doubled
  if (data.offset() > flow.received) {
    return Break(number, flow, bus::FlowClose::RESET, "flow data was lost");
  }
  flow.received += data.data().size();
  flow.part_fin = data.fin();
  if (flow.received - flow.granted > kFlowWindowMax) {
    return Break(number, flow, bus::FlowClose::LIMIT, "more data than there was credit for");
  }
  Write(number, flow, data.data(), message.Context());
}

// Writes what is unsent and then `fresh`; what the socket does not take becomes unsent.
void TcpDoor::Write(uint64_t number, Flow& flow, std::string_view fresh, Trace cause) {
  const bool queued = !flow.unsent.empty();
  if (queued) flow.unsent += fresh;
  std::string_view rest = queued ? std::string_view(flow.unsent) : fresh;
  while (!rest.empty()) {
    const ssize_t sent =
        ::send(flow.socket.native_handle(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) {
      return Break(number, flow, bus::FlowClose::RESET, std::strerror(errno));
    }
    if (sent < 0) break;
    rest.remove_prefix(static_cast<size_t>(sent));
    flow.written += static_cast<uint64_t>(sent);
  }
  flow.unsent = std::string(rest);
  if (flow.written - flow.granted >= kFlowWindowMax / 4) {
    bus::FlowCredit credit;
    credit.set_flow(flow.flow);
    credit.set_reply(flow.dialled);
    credit.set_bytes(static_cast<uint32_t>(flow.written - flow.granted));
    flow.granted = flow.written;
    host_->Inject(flow.self, flow.part, std::move(credit),
                  cause.trace_id != 0 ? cause : flow.trace);
  }
  if (!flow.unsent.empty()) return WaitWritable(number, flow);
  EndIfFinished(number, flow);
}

void TcpDoor::WaitWritable(uint64_t number, Flow& flow) {
  if (flow.waiting_writable) return;
  flow.waiting_writable = true;
  flow.socket.async_wait(tcp::socket::wait_write, [this, number](const error_code& error) {
    const auto it = flows_.find(number);
    if (error == boost::asio::error::operation_aborted || it == flows_.end()) return;
    it->second->waiting_writable = false;
    Write(number, *it->second, {}, {});
  });
}

void TcpDoor::EndIfFinished(uint64_t number, Flow& flow) {
  if (!flow.unsent.empty()) return;
  error_code ignored;
  if (flow.part_fin && !flow.fin_written) {
    flow.fin_written = true;
    flow.socket.shutdown(tcp::socket::shutdown_send, ignored);
  }
  const bool both_finished = flow.fin_written && flow.client_fin;
  if (both_finished || flow.closing) Erase(number, flow);
}

void TcpDoor::TakeClose(uint64_t number, Flow& flow, const bus::FlowClose& close) {
  if (close.reason() != bus::FlowClose::DONE) return ResetSocket(number, flow);
  flow.closing = true;
  EndIfFinished(number, flow);
}

void TcpDoor::Break(uint64_t number, Flow& flow, bus::FlowClose::Reason reason,
                    std::string detail) {
  bus::FlowClose close;
  close.set_flow(flow.flow);
  close.set_reply(flow.dialled);
  close.set_reason(reason);
  close.set_detail(std::move(detail));
  host_->Inject(flow.self, flow.part, std::move(close), flow.trace);
  ResetSocket(number, flow);
}

void TcpDoor::ResetSocket(uint64_t number, Flow& flow) {
  error_code ignored;
  flow.socket.set_option(boost::asio::socket_base::linger(true, 0), ignored);
  flow.socket.close(ignored);  // a destructor would close it politely
  Erase(number, flow);
}

void TcpDoor::Erase(uint64_t number, Flow& flow) {
  if (flow.dialled) dialled_.erase({flow.part, flow.flow});
  flows_.erase(number);
}

}  // namespace kubemu
