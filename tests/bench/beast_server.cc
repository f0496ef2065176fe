// A bare Boost.Beast server: the measure for kubemu's API server. One thread; answers every GET
// with the bytes of a file, every other request with 201 and the same bytes.
//   beast_server --listen 127.0.0.1:18080 --file answer.json
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "messages/core/ip.h"

namespace kubemu {
namespace {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const std::string& body) : socket_(std::move(socket)), body_(body) {}

  void Read() {
    request_ = {};
    http::async_read(socket_, buffer_, request_,
                     [self = shared_from_this()](boost::system::error_code error, size_t) {
                       if (!error) self->Answer();
                     });
  }

 private:
  void Answer() {
    const bool get = request_.method() == http::verb::get;
    response_ = {};
    response_.result(get ? http::status::ok : http::status::created);
    response_.set(http::field::content_type, "application/json");
    response_.body() = body_;
    response_.prepare_payload();
    http::async_write(socket_, response_,
                      [self = shared_from_this()](boost::system::error_code error, size_t) {
                        if (!error) self->Read();
                      });
  }

  tcp::socket socket_;
  const std::string& body_;
  boost::beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
};

void Accept(tcp::acceptor& acceptor, const std::string& body) {
  acceptor.async_accept([&](boost::system::error_code error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true), error);
      std::make_shared<Session>(std::move(socket), body)->Read();
    }
    Accept(acceptor, body);
  });
}

int Main(int argc, char** argv) {
  std::string listen;
  std::string file;
  CLI::App app("a bare HTTP server that answers with a file's bytes");
  app.add_option("--listen", listen)->required();
  app.add_option("--file", file)->required()->check(CLI::ExistingFile);
  CLI11_PARSE(app, argc, argv);
  std::stringstream body;
  body << std::ifstream(file).rdbuf();
  const std::string text = body.str();
  const auto address = SocketAddress::Parse(listen);
  if (!address.ok()) {
    std::cerr << "beast_server: " << address.status().message() << '\n';
    return 2;
  }
  boost::asio::io_context io(1);
  tcp::acceptor acceptor(
      io, tcp::endpoint(boost::asio::ip::address_v4(address->ip.bits()), address->port));
  Accept(acceptor, text);
  io.run();
  return 0;
}

}  // namespace
}  // namespace kubemu

int main(int argc, char** argv) {
  return kubemu::Main(argc, argv);
}
