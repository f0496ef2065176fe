#ifndef KUBEMU_MESSAGES_RUNTIME_TCP_DOOR_PARTS_H_
#define KUBEMU_MESSAGES_RUNTIME_TCP_DOOR_PARTS_H_

// What TcpDoor keeps; for its own source files.

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <utility>

#include "messages/runtime/tcp_door.h"

namespace kubemu {

struct TcpDoor::Listener {
  explicit Listener(boost::asio::io_context& io) : retry(io) {}
  Place place;
  std::string part;  // who asked
  std::unique_ptr<boost::asio::ip::tcp::acceptor> acceptor;
  boost::asio::steady_timer retry;
};

struct TcpDoor::Timer {
  explicit Timer(boost::asio::io_context& io) : timer(io) {}
  boost::asio::steady_timer timer;
};

struct TcpDoor::Flow {
  explicit Flow(boost::asio::ip::tcp::socket connected) : socket(std::move(connected)) {}

  boost::asio::ip::tcp::socket socket;
  std::string self;  // "internet/127.0.0.1:40000", or the door's own address if `dialled`
  std::string part;
  uint64_t flow = 0;     // its number in messages; chosen by the part if `dialled`
  bool dialled = false;  // a part opened it, we accepted: what we send is the reply direction
  Trace trace;
  bool established = false;
  bool waiting_readable = false;
  bool waiting_writable = false;

  uint64_t credit = 0;      // bytes the part still takes
  uint64_t sent = 0;        // bytes given to the part
  bool client_fin = false;  // the other end has finished sending

  uint64_t received = 0;  // bytes that came from the part
  uint64_t written = 0;   // of them, bytes the socket took
  uint64_t granted = 0;   // `written` when credit was last given
  std::string unsent;     // received, not written
  bool part_fin = false;  // the part has finished sending
  bool fin_written = false;
  bool closing = false;  // FlowClose DONE came: ends when all is written
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_RUNTIME_TCP_DOOR_PARTS_H_
