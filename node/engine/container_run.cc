// How an emulated container runs its program: the part of EmulatedEngine that a real engine leaves
// to the kernel.
#include <algorithm>
#include <utility>

#include "messages/core/strings.h"
#include "node/engine/emulated_engine.h"

namespace kubemu {
namespace {

constexpr int kSigKill = 137;  // 128 + SIGKILL

// What a command printed goes to the container's log.
void WriteOutput(const CommandOutput& output, Container& container, const Env& env) {
  if (!output.text.empty()) {
    for (const std::string_view line : StrSplit(output.text, '\n')) {
      container.log.Append(env.wall, line);
    }
  }
  container.status = output.status;
}

}  // namespace

// A container's time has come: SIGKILL, its start, or the end of a sleep.
void EmulatedEngine::Wake(Container& container, Env& env) {
  const Time kill_at = container.kill_at;
  const bool step = container.step_at <= env.now;
  container.step_at = step ? kNever : container.step_at;
  container.kill_at = kNever;
  sandboxes_.SetTimes(container, container.step_at, kNever);
  if (kill_at <= env.now) return Exit(container, kSigKill, env, true);
  sandboxes_.SetTimes(container, container.step_at, kill_at);
  if (!step) return;
  if (container.state == Container::State::kStarting) {
    Run(container, env);
  } else {
    DoSteps(container, env);
  }
}

void EmulatedEngine::Run(Container& container, Env& env) {
  const Sandbox& sandbox = *sandboxes_.Find(container.sandbox);
  container.state = Container::State::kRunning;
  container.started = env.wall;
  Report(container, bus::EngineEvent::CONTAINER_STARTED, env);
  for (const ServerSpec& server : container.program.servers) {
    if (network_.Listen(sandbox.address, container.name, server, &container.log, env)) continue;
    container.log.Append(env.wall,
                         StrCat("listen tcp :", server.port, ": bind: address already in use"));
    return Exit(container, 1, env);
  }
  container.program.servers.clear();  // the network has them now
  DoSteps(container, env);
}

void EmulatedEngine::DoSteps(Container& container, Env& env) {
  for (int done = 0; done < kStepsMax; ++done) {
    if (container.next_step >= container.program.steps.size()) {
      return Exit(container, container.status, env);
    }
    const Step& step = container.program.steps[container.next_step++];
    if (!DoStep(container, step, env)) return;
  }
  sandboxes_.SetTimes(container, env.now + kBusyRest, container.kill_at);
}

// True if the next step follows at once.
bool EmulatedEngine::DoStep(Container& container, const Step& step, Env& env) {
  switch (step.kind) {
    case Step::Kind::kEcho:
      for (const std::string_view line : StrSplit(step.text, '\n')) {
        container.log.Append(env.wall, line);
      }
      container.status = 0;
      return true;
    case Step::Kind::kStatus:
      container.status = step.code;
      return true;
    case Step::Kind::kJump:
      container.next_step = static_cast<size_t>(step.code);
      return true;
    case Step::Kind::kJumpOk:
      if (container.status == 0) container.next_step = static_cast<size_t>(step.code);
      return true;
    case Step::Kind::kJumpFail:
      if (container.status != 0) container.next_step = static_cast<size_t>(step.code);
      return true;
    case Step::Kind::kSleep:
      container.status = 0;
      sandboxes_.SetTimes(container, env.now + step.duration, container.kill_at);
      return false;
    case Step::Kind::kFetch: {
      FetchTarget target;
      if (!FetchTarget::Parse(step.text, &target)) {
        WriteOutput(BadUrlOutput(step), container, env);
        return true;
      }
      container.fetching = true;
      network_.Fetch(container.id, sandboxes_.Find(container.sandbox)->address, container.name,
                     target, env);
      return false;
    }
    case Step::Kind::kLookup: {
      const std::string& address = sandboxes_.Find(container.sandbox)->address;
      container.fetching = true;
      network_.Query(container.id, address, container.name,
                     LookupQuestions(step, network_.Find(address)->dns), env);
      return false;
    }
    case Step::Kind::kExit:
      Exit(container, step.code < 0 ? container.status : step.code, env);
      return false;
    case Step::Kind::kServe:
      return false;
  }
  return false;
}

void EmulatedEngine::TakeFetched(Env& env) {
  for (const FetchResult& result : network_.TakeFetched()) OnFetched(result, env);
  for (const Resolved& result : network_.TakeQueried()) OnQueried(result, env);
}

// The step that a container waits for.
void EmulatedEngine::OnFetched(const FetchResult& result, Env& env) {
  Container* const container = sandboxes_.Get(result.tag);
  if (container == nullptr || !std::exchange(container->fetching, false)) return;
  const Step& step = container->program.steps[container->next_step - 1];
  FetchTarget target;
  FetchTarget::Parse(step.text, &target);
  Finish(*container, FetchOutput(step, target, result), env);
}

void EmulatedEngine::OnQueried(const Resolved& result, Env& env) {
  Container* const container = sandboxes_.Get(result.tag);
  if (container == nullptr || !std::exchange(container->fetching, false)) return;
  const Sandbox* const sandbox = sandboxes_.Find(container->sandbox);
  const NetPod* const pod = network_.Find(sandbox->address);
  Finish(*container, LookupOutput(pod == nullptr ? bus::DnsConfig() : pod->dns, result), env);
}

void EmulatedEngine::Finish(Container& container, const CommandOutput& output, Env& env) {
  env.outbox.Because(container.trace);
  WriteOutput(output, container, env);
  // The next step is done on its own wake-up: a loop without a pause must not fill this step.
  sandboxes_.SetTimes(container, env.now + 1ms, container.kill_at);
}

void EmulatedEngine::BeginDrain(Container& container, Env& env) {
  if (std::exchange(container.draining, true)) return;
  draining_.insert(container.id);
  network_.Drain(sandboxes_.Find(container.sandbox)->address, container.name,
                 container.program.drain_idle, env);
}

void EmulatedEngine::EndDrained(Env& env) {
  for (auto it = draining_.begin(); it != draining_.end();) {
    Container* const container = sandboxes_.Get(*it);
    const bool ends =
        container != nullptr && container->draining &&
        network_.Drained(sandboxes_.Find(container->sandbox)->address, container->name);
    if (container != nullptr && container->draining && !ends) {
      ++it;
      continue;
    }
    it = draining_.erase(it);
    if (!ends) continue;
    env.outbox.Because(container->trace);
    Exit(*container, container->program.term_exit_code, env);
  }
}

void EmulatedEngine::Exit(Container& container, int code, Env& env, bool killed) {
  const Sandbox& sandbox = *sandboxes_.Find(container.sandbox);
  container.state = Container::State::kExited;
  container.fetching = false;
  container.draining = false;
  container.exit_code = code;
  container.finished = env.wall;
  if (container.started == WallTime{}) container.started = env.wall;
  sandboxes_.SetTimes(container, kNever, kNever);
  network_.CloseContainer(sandbox.address, container.name, killed, env);
  container.program = ContainerProgram();  // only its log and its end are of use now
  Report(container, bus::EngineEvent::CONTAINER_EXITED, env);
}

}  // namespace kubemu
