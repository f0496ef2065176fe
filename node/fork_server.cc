#include "node/fork_server.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/types.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <utility>

#include "absl/status/statusor.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

namespace json = boost::json;

struct Request {
  bool commit = false;  // and nothing else
  std::vector<std::string> arguments;
  std::string log;  // "": /dev/null
};

absl::StatusOr<Request> ParseRequest(const std::string& line) {
  const auto bad = [](const std::string& what) {
    return absl::InvalidArgumentError(StrCat(
        what, "; a request is one line: {\"args\": [\"--name\", \"node-1\"], \"log\": \"FILE\"}"));
  };
  if (line.size() > ForkServer::kLineBytesMax) return bad("the line is too long");
  json::error_code error;
  const json::value value = json::parse(line, error);
  if (error) return bad(error.message());
  if (!value.is_object()) return bad("not an object");
  if (value.get_object().contains("commit")) return Request{.commit = true, .log = ""};
  const json::value* arguments = value.get_object().if_contains("args");
  if (arguments == nullptr || !arguments->is_array()) return bad("\"args\" is not a list");
  Request request;
  for (const json::value& argument : arguments->get_array()) {
    if (!argument.is_string()) return bad("\"args\" holds something else than text");
    request.arguments.emplace_back(argument.get_string());
  }
  if (const json::value* log = value.get_object().if_contains("log")) {
    if (!log->is_string()) return bad("\"log\" is not text");
    request.log = std::string(log->get_string());
  }
  return request;
}

// In the child: nothing of the parent's terminal or pipes stays open.
void Detach(int log) {
  ::setsid();
  std::signal(SIGCHLD, SIG_DFL);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  // Also what the parent inherited: a pipe held open here would never end for its reader.
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
}

void Answer(const json::object& answer) {
  std::cout << json::serialize(answer) << std::endl;
}

void AnswerError(const std::string& why) {
  Answer({{"error", why}});
}

// 0: this is the child. Otherwise the request is answered.
pid_t Fork(const Request& request) {
  const char* const path = request.log.empty() ? "/dev/null" : request.log.c_str();
  const int log = ::open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (log < 0) {
    AnswerError(StrCat("cannot log to ", path, ": ", std::strerror(errno)));
    return -1;
  }
  std::cout.flush();
  const pid_t pid = ::fork();
  if (pid == 0) {
    Detach(log);
    return 0;
  }
  const int fork_error = errno;
  ::close(log);
  if (pid < 0) {
    AnswerError(StrCat("cannot fork: ", std::strerror(fork_error)));
  } else {
    Answer({{"pid", pid}});
  }
  return pid;
}

}  // namespace

std::optional<std::vector<std::string>> ForkServer::Serve() {
  std::signal(SIGCHLD, SIG_IGN);  // children that end leave nothing behind
  std::signal(SIGPIPE, SIG_IGN);  // whoever asked may be gone: then stdin has ended too
  size_t forks = 0;
  std::vector<pid_t> uncommitted;
  for (std::string line; std::getline(std::cin, line);) {
    if (StripSpaces(line).empty()) continue;
    absl::StatusOr<Request> request = ParseRequest(line);
    if (!request.ok()) {
      AnswerError(std::string(request.status().message()));
    } else if (request->commit) {
      uncommitted.clear();
    } else if (++forks > kForksMax) {
      AnswerError(StrCat("limit: no more than ", kForksMax, " processes"));
    } else {
      const pid_t pid = Fork(*request);
      if (pid == 0) return std::move(request->arguments);
      if (pid > 0) uncommitted.push_back(pid);
    }
  }
  for (const pid_t pid : uncommitted) ::kill(pid, SIGTERM);
  return std::nullopt;
}

}  // namespace kubemu
