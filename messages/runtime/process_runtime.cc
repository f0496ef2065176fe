#include "messages/runtime/process_runtime.h"

#include <malloc.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <optional>

#include "messages/core/strings.h"
#include "messages/journal/file_journal.h"
#include "messages/process.h"
#include "messages/proto/control.pb.h"
#include "messages/runtime/bus_links.h"
#include "messages/runtime/clock.h"
#include "messages/runtime/command_door.h"
#include "messages/runtime/http_door.h"
#include "messages/runtime/network_spaces.h"
#include "messages/runtime/rate_limited_log.h"
#include "messages/runtime/runtime_host.h"
#include "messages/runtime/tcp_door.h"
#include "messages/runtime/udp_door.h"
#include "messages/runtime/zmq_endpoint.h"

namespace kubemu {
namespace {

uint64_t EpochFromWallClock() {
  return static_cast<uint64_t>(RuntimeClock::Wall().time_since_epoch().count() / 1000);
}

}  // namespace

class ProcessRuntime::Impl : public RuntimeHost {
 public:
  explicit Impl(Options options)
      : options_(std::move(options)),
        clock_(options_.time_scale),
        journal_(MakeJournal()),
        process_({options_.process, options_.epoch, options_.seed}, &journal_) {}

  absl::Status Start();
  absl::Status Run(Program& program);
  void Stop() {
    boost::asio::post(io_, [this] { stopping_ = true; });
  }
  const Addresses& addresses() const { return addresses_; }

  // RuntimeHost:
  const std::string& process() const override { return process_.name(); }
  uint64_t epoch() const override { return options_.epoch; }
  void Inject(Outbox& from_door) override { process_.Inject(from_door, Now(), clock_.Wall()); }
  void Deliver(Message message) override {
    process_.Deliver(std::move(message), Now(), clock_.Wall());
  }
  void Lost(const Message& message, std::string_view reason) override {
    process_.Lost(message, reason, Now(), clock_.Wall());
  }
  void LinkUp(const std::string& peer, uint64_t epoch) override {
    bus::LinkUp up;
    up.set_process(peer);
    up.set_epoch(epoch);
    process_.Broadcast(up, Now(), clock_.Wall());
  }
  void LinkDown(const std::string& peer, uint64_t epoch, const std::string& reason) override {
    bus::LinkDown down;
    down.set_process(peer);
    down.set_epoch(epoch);
    down.set_reason(reason);
    process_.Broadcast(down, Now(), clock_.Wall());
  }
  void Fatal(std::string why) override {
    if (result_.ok()) result_ = absl::FailedPreconditionError(std::move(why));
    stopping_ = true;
  }

 private:
  JournalSink* MakeJournal() {
    if (options_.epoch == 0) options_.epoch = EpochFromWallClock();
    if (options_.journal_directory.empty()) return nullptr;
    journal_file_.emplace(
        FileJournal::Options{options_.journal_directory, options_.process, options_.epoch});
    return &*journal_file_;
  }
  // Never goes back, so that a deadline that was due stays due.
  Time Now() { return now_ = std::max(now_, clock_.Now()); }

  absl::Status StartHttp();
  void Gather();
  void Sleep(RealTime until);
  void Turn(Program& program);
  void Dispatch(std::vector<Message> messages);
  void DispatchToDoor(const Message& message);
  void HandleBusMessage(const Message& message);
  void WatchSignals();
  void WatchParent();

  Options options_;
  const RuntimeClock clock_;
  std::optional<FileJournal> journal_file_;
  Journal journal_;
  Process process_;
  Time now_{};
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_{io_};
  RealTime timer_at_ = RealTime::max();  // when timer_ fires; max: it is not armed
  boost::asio::signal_set signals_{io_};
  boost::asio::posix::stream_descriptor parent_{io_};
  char ignored_ = 0;  // what a parent writes there
  std::unique_ptr<ZmqEndpoint> endpoint_;
  std::unique_ptr<BusLinks> links_;
  std::unique_ptr<HttpDoor> http_;
  NetworkSpaces spaces_{this};
  std::unique_ptr<TcpDoor> tcp_;
  std::unique_ptr<CommandDoor> commands_;
  std::unique_ptr<UdpDoor> udp_;
  RealTime flush_journal_at_ = RealTime::max();
  Addresses addresses_;
  RateLimitedLog complaints_;
  int turns_since_trim_ = 0;
  bool stopping_ = false;
  absl::Status result_;
};

absl::Status ProcessRuntime::Impl::Start() {
  // Before ZeroMQ's thread asks for an arena of its own.
  if (options_.small_memory) ::mallopt(M_ARENA_MAX, 1);
  if (journal_file_) {
    if (absl::Status status = journal_file_->Open(); !status.ok()) return status;
    journal_.Start(options_.process, options_.epoch, Now(), clock_.Wall());
  }
  auto endpoint = ZmqEndpoint::Bind(options_.endpoint, options_.insecure, io_);
  if (!endpoint.ok()) return endpoint.status();
  endpoint_ = *std::move(endpoint);
  addresses_.endpoint = endpoint_->endpoint();
  tcp_ = std::make_unique<TcpDoor>(this, io_, options_.insecure, &spaces_);
  if (!options_.commands.empty()) {
    commands_ = std::make_unique<CommandDoor>(this, io_, &spaces_, options_.commands);
  }
  udp_ = std::make_unique<UdpDoor>(this, io_, options_.insecure);
  const std::string master(options_.master.empty() ? "" : "master");
  links_ = std::make_unique<BusLinks>(this, endpoint_.get(), master);
  if (!options_.master.empty()) {
    if (absl::Status status = ZmqEndpoint::CheckEndpoint(options_.master, options_.insecure);
        !status.ok()) {
      return status;
    }
    links_->SetEndpoint(master, options_.master, /*now=*/true);
  }
  return options_.http_listen.empty() ? absl::OkStatus() : StartHttp();
}

absl::Status ProcessRuntime::Impl::StartHttp() {
  const auto address = SocketAddress::Parse(options_.http_listen);
  if (!address.ok()) return address.status();
  auto http = HttpDoor::Listen(*address, options_.insecure, options_.http_handler,
                               options_.http_write_timeout, this, io_);
  if (!http.ok()) return http.status();
  http_ = *std::move(http);
  addresses_.http = http_->address().ToString();
  return absl::OkStatus();
}

void ProcessRuntime::Impl::WatchSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  boost::system::error_code error;
  signals_.add(SIGTERM, error);
  signals_.add(SIGINT, error);
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    spdlog::info("{} ends: signal {}", options_.process, signal);
    stopping_ = true;
  });
}

void ProcessRuntime::Impl::WatchParent() {
  if (options_.parent_fd < 0) return;
  boost::system::error_code error;
  parent_.assign(options_.parent_fd, error);
  if (error) {
    spdlog::warn("cannot watch descriptor {}: {}", options_.parent_fd, error.message());
    return;
  }
  boost::asio::async_read(parent_, boost::asio::buffer(&ignored_, 1),
                          [this](const boost::system::error_code& end, size_t) {
                            if (!end) return;  // it lets go of us
                            spdlog::info("{} ends: its parent is gone", options_.process);
                            stopping_ = true;
                          });
}

absl::Status ProcessRuntime::Impl::Run(Program& program) {
  WatchSignals();
  WatchParent();
  program.AddTo(process_);
  while (!stopping_) {
    Gather();
    if (stopping_) break;
    Turn(program);
  }
  journal_.Flush();
  return result_;
}

// Takes what came in; waits for something if nothing is due.
void ProcessRuntime::Impl::Gather() {
  const auto poll = [this] {
    for (size_t n = 0; n < kHandlersPerTurnMax && io_.poll_one() > 0; ++n) {
    }
  };
  poll();
  if (links_->Receive(kFramesPerTurnMax)) return;
  const Time wake = process_.NextWake();
  if (wake <= Now()) return;
  RealTime until = std::min(links_->NextWake(), flush_journal_at_);
  if (wake != kNever) until = std::min(until, clock_.RealTimeOf(wake));
  if (stopping_) return;
  Sleep(until);
  poll();
  links_->Receive(kFramesPerTurnMax);
}

void ProcessRuntime::Impl::Sleep(RealTime until) {
  if (options_.small_memory && turns_since_trim_ >= kTrimTurns &&
      until - RealNow() >= kTrimSleepMin) {
    // A burst (the first watches, a rollout) leaves holes that would stay resident for good.
    ::malloc_trim(0);
    turns_since_trim_ = 0;
  }
  // A timer that fires too early is left alone: that costs one turn, arming costs a system call.
  if (until < timer_at_) {
    timer_at_ = until;
    timer_.expires_at(until);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) timer_at_ = RealTime::max();
    });
  }
  io_.run_one();
}

void ProcessRuntime::Impl::Turn(Program& program) {
  const RealTime real = RealNow();
  ++turns_since_trim_;
  links_->Tick(real);
  process_.Turn(Now(), clock_.Wall());
  if (absl::Status status = program.Commit(); !status.ok()) {
    // What was not made durable must not be acknowledged: nothing of this turn leaves.
    Fatal(StrCat("cannot commit: ", std::string(status.message())));
    return;
  }
  if (const std::string complaint = program.TakeComplaint(); !complaint.empty())
    complaints_.Warn(complaint);
  Dispatch(process_.TakeOutgoing());
  if (journal_.buffered() == 0) return;
  if (real >= flush_journal_at_ || journal_.buffered() >= kJournalBytesPerTurnMax) {
    journal_.Flush();
    flush_journal_at_ = RealTime::max();
  } else if (flush_journal_at_ == RealTime::max()) {
    flush_journal_at_ = real + kJournalDelayMax;
  }
}

void ProcessRuntime::Impl::Dispatch(std::vector<Message> messages) {
  std::vector<Message> for_peers;
  const std::string bus_address = options_.process + "/bus";
  const std::string door_address = options_.process + "/door";
  for (Message& message : messages) {
    if (message.to == bus_address) {
      HandleBusMessage(message);
    } else if (message.to.starts_with("client/")) {
      if (http_ == nullptr) {
        Lost(message, "this process has no HTTP door");
      } else {
        http_->Receive(message);
      }
    } else if (message.to == door_address || message.to.starts_with("internet/")) {
      DispatchToDoor(message);
    } else {
      for_peers.push_back(std::move(message));
    }
  }
  if (!for_peers.empty()) links_->Send(std::move(for_peers));
}

void ProcessRuntime::Impl::DispatchToDoor(const Message& message) {
  if (UdpDoor::Takes(message)) return udp_->Receive(message);
  const bool command = message.kind == bus::RUN_COMMAND;
  if (!command && !NetworkSpaces::Takes(message)) return tcp_->Receive(message);
  if (commands_ == nullptr) return Lost(message, "this process may run no commands");
  if (command) {
    commands_->Receive(message);
  } else {
    spaces_.Receive(message);
  }
}

void ProcessRuntime::Impl::HandleBusMessage(const Message& message) {
  if (message.kind != bus::PEER_ENDPOINT) {
    return Lost(message, "the bus takes only PeerEndpoint");
  }
  const auto& peer = message.As<bus::PeerEndpoint>();
  links_->SetEndpoint(peer.process(), peer.endpoint());
}

ProcessRuntime::ProcessRuntime(Options options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
ProcessRuntime::~ProcessRuntime() = default;
absl::Status ProcessRuntime::Start() {
  return impl_->Start();
}
const ProcessRuntime::Addresses& ProcessRuntime::addresses() const {
  return impl_->addresses();
}
uint64_t ProcessRuntime::epoch() const {
  return impl_->epoch();
}
absl::Status ProcessRuntime::Run(Program& program) {
  return impl_->Run(program);
}
void ProcessRuntime::Stop() {
  impl_->Stop();
}

}  // namespace kubemu
