#include "node/engine/emulated_engine.h"

#include <algorithm>
#include <utility>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "node/engine/catalogue.h"
#include "node/engine/probe_answer.h"

namespace kubemu {
namespace {

constexpr char kVersion[] = "kubemu://0.1.0";
constexpr int kKilled = 137;       // 128 + SIGKILL
constexpr int kCannotStart = 128;  // as containerd reports a container that never ran

int64_t WallNanoseconds(WallTime wall) {
  return wall.time_since_epoch().count();
}

std::string ContainerId(const std::string& pod_uid, const std::string& name, uint32_t attempt) {
  return HexDigits(StrCat(pod_uid, "/", name, "/", attempt));
}

}  // namespace

EmulatedEngine::EmulatedEngine(Options options)
    : options_(std::move(options)),
      address_(options_.node + "/engine"),
      kubelet_(options_.node + "/kubelet"),
      network_(options_.node, options_.announce_ports) {}

void EmulatedEngine::Receive(const Message& message, Env& env) {
  if (message.to != address_) {
    OnPodMessage(message, env);
  } else if (message.kind == bus::ENGINE_CONTROL) {
    down_ = message.As<bus::EngineControl>().down();
    bus::EngineControlResult result;
    result.set_down(down_);
    env.outbox.Send(message.from, std::move(result));
  } else if (message.kind == bus::LOG_REQUEST) {
    followers_.Receive(message, sandboxes_, env);  // logs are files: no engine needed
  } else if (message.kind == bus::POD_NETWORK_UPDATE) {
    network_.Announce(env);
  } else if (message.kind == bus::WATCH_EVENT || message.kind == bus::LINK_UP ||
             message.kind == bus::LINK_DOWN) {
    network_.ReceiveForDns(message, env);
  } else if (!down_) {
    OnRequest(message, env);
  }
  TakeFetched(env);
  EndDrained(env);
  followers_.Pump(sandboxes_, env);
}

void EmulatedEngine::OnRequest(const Message& message, Env& env) {
  switch (message.kind) {
    case bus::ENGINE_STATUS_REQUEST: {
      bus::EngineStatus status;
      status.set_number(message.As<bus::EngineStatusRequest>().number());
      status.set_version(kVersion);
      status.set_events(events_);
      return env.outbox.Send(message.from, std::move(status));
    }
    case bus::RUN_POD_SANDBOX:
      return RunSandbox(message.As<bus::RunPodSandbox>(), env);
    case bus::STOP_POD_SANDBOX:
      return StopSandbox(message.As<bus::StopPodSandbox>(), env);
    case bus::PULL_IMAGE:
      return Pull(message.As<bus::PullImage>(), env);
    case bus::START_CONTAINER:
      return Start(message.As<bus::StartContainer>(), env);
    case bus::STOP_CONTAINER:
      return Stop(message.As<bus::StopContainer>(), env);
    case bus::REMOVE_CONTAINER:
      return Remove(message.As<bus::RemoveContainer>(), env);
    default:
      return;
  }
}

void EmulatedEngine::OnPodMessage(const Message& message, Env& env) {
  switch (message.kind) {
    case bus::FLOW_OPEN:
    case bus::FLOW_DATA:
    case bus::FLOW_CREDIT:
    case bus::FLOW_CLOSE:
    case bus::DATAGRAM:
      return network_.Receive(message, env);
    case bus::PROBE_REQUEST:
      return Probe(message, env);
    default:
      return;
  }
}

void EmulatedEngine::RunSandbox(const bus::RunPodSandbox& request, Env& env) {
  bus::EngineEvent event;
  event.set_type(bus::EngineEvent::SANDBOX_FAILED);
  event.set_pod_uid(request.pod_uid());
  if (const Sandbox* known = sandboxes_.Find(request.pod_uid()); known != nullptr && known->ready) {
    event.set_type(bus::EngineEvent::SANDBOX_READY);
    event.set_ip(known->ip.bits());
    return Send(std::move(event), env);
  }
  const Sandbox* const namesake = sandboxes_.FindByName(request.namespace_(), request.name());
  if (namesake != nullptr && namesake->ready) {
    event.set_message(StrCat("the name is reserved by the sandbox of pod uid ", namesake->uid));
    return Send(std::move(event), env);
  }
  if (sandboxes_.all().size() >= Sandboxes::kSandboxesMax) {
    event.set_message("kSandboxesMax: too many sandboxes on this node");
    return Send(std::move(event), env);
  }
  Ipv4 ip(request.host_ip());
  if (!request.host_network()) {
    const absl::StatusOr<Ipv4Network> cidr = Ipv4Network::Parse(request.pod_cidr());
    if (!cidr.ok()) {
      event.set_message(StrCat("network is not ready: the node has no usable podCIDR (\"",
                               request.pod_cidr(), "\")"));
      return Send(std::move(event), env);
    }
    if (addresses_.network() != *cidr) addresses_ = IpPool(*cidr);
    const std::optional<Ipv4> taken = addresses_.Take(Ipv4(request.wanted_ip()));
    if (!taken) {
      event.set_message(StrCat("no IP addresses available in range set: ", cidr->ToString()));
      return Send(std::move(event), env);
    }
    ip = *taken;
  }
  Sandbox& sandbox = sandboxes_.all()[request.pod_uid()];
  sandbox.uid = request.pod_uid();
  sandbox.ns = request.namespace_();
  sandbox.name = request.name();
  sandbox.address = StrCat(options_.node, "/pod/", request.namespace_(), "/", request.name());
  sandbox.ip = ip;
  sandbox.host_network = request.host_network();
  sandbox.ready = true;
  sandbox.hostname = request.hostname().empty() ? request.name() : request.hostname();
  network_.AddPod(sandbox.address, ip, sandbox.host_network, env);
  network_.SetResolvConf(sandbox.address, request.dns());
  event.set_type(bus::EngineEvent::SANDBOX_READY);
  event.set_ip(ip.bits());
  Send(std::move(event), env);
}

void EmulatedEngine::StopSandbox(const bus::StopPodSandbox& request, Env& env) {
  if (Sandbox* const sandbox = sandboxes_.Find(request.pod_uid())) {
    for (const uint64_t id : sandbox->containers) {
      Container& container = *sandboxes_.Get(id);
      if (container.state != Container::State::kExited) Exit(container, kKilled, env, true);
    }
    if (sandbox->ready) {
      network_.RemovePod(sandbox->address, env);
      if (!sandbox->host_network) addresses_.Release(sandbox->ip);
      sandbox->ready = false;
    }
    if (request.remove()) sandboxes_.RemoveSandbox(request.pod_uid());
  }
  bus::EngineEvent event;
  event.set_type(bus::EngineEvent::SANDBOX_STOPPED);
  event.set_pod_uid(request.pod_uid());
  Send(std::move(event), env);
}

void EmulatedEngine::Pull(const bus::PullImage& request, Env& env) {
  const absl::StatusOr<ImageName> name = ImageName::Parse(request.image());
  const bool present = name.ok() && images_.contains(name->Full());
  if (options_.pull_delay == Duration{} || present) return FinishPull(request, Duration{}, env);
  for (const auto& [at, pull] : pulls_) {
    const bool same = pull.request.pod_uid() == request.pod_uid() &&
                      pull.request.container() == request.container() &&
                      pull.request.image() == request.image();
    if (same) return;
  }
  pulls_.emplace(env.now + options_.pull_delay, PendingPull{request, env.now, env.outbox.cause()});
}

void EmulatedEngine::FinishPull(const bus::PullImage& request, Duration took, Env& env) {
  bus::EngineEvent event;
  event.set_type(bus::EngineEvent::IMAGE_FAILED);
  event.set_pod_uid(request.pod_uid());
  event.set_container(request.container());
  event.set_image(request.image());
  event.set_pull_ms(static_cast<uint32_t>(took / 1ms));
  const absl::StatusOr<ImageName> name = ImageName::Parse(request.image());
  if (!name.ok()) {
    event.set_reason("InvalidImageName");
    event.set_message(StrCat("Failed to apply default image tag \"", request.image(),
                             "\": couldn't parse image name \"", request.image(),
                             "\": ", std::string(name.status().message())));
    return Send(std::move(event), env);
  }
  const absl::StatusOr<const ImageEntry*> image = FindImage(*name);
  if (!image.ok()) {
    event.set_reason("ErrImagePull");
    event.set_message(std::string(image.status().message()));
    return Send(std::move(event), env);
  }
  images_[name->Full()] = (*image)->bytes;
  event.set_type(bus::EngineEvent::IMAGE_PULLED);
  event.set_image_id(ImageId(*name));
  event.set_image_bytes((*image)->bytes);
  Send(std::move(event), env);
}

void EmulatedEngine::Start(const bus::StartContainer& request, Env& env) {
  bus::EngineEvent failed;
  failed.set_type(bus::EngineEvent::CONTAINER_FAILED);
  failed.set_pod_uid(request.pod_uid());
  failed.set_container(request.container());
  failed.set_attempt(request.attempt());
  failed.set_exit_code(kCannotStart);
  failed.set_reason("StartError");
  Sandbox* const sandbox = sandboxes_.Find(request.pod_uid());
  if (sandbox == nullptr || !sandbox->ready) {
    failed.set_message("the pod's sandbox does not run");
    return Send(std::move(failed), env);
  }
  if (const Container* known = sandboxes_.Find(*sandbox, request.container(), request.attempt())) {
    if (known->state == Container::State::kRunning) {
      Report(*known, bus::EngineEvent::CONTAINER_STARTED, env);
    } else if (known->state == Container::State::kExited) {
      Report(*known, bus::EngineEvent::CONTAINER_EXITED, env);
    }
    return;
  }
  const absl::StatusOr<ImageName> name = ImageName::Parse(request.image());
  const absl::StatusOr<const ImageEntry*> image =
      name.ok() ? FindImage(*name) : absl::StatusOr<const ImageEntry*>(name.status());
  if (!image.ok()) {
    failed.set_message(std::string(image.status().message()));
    return Send(std::move(failed), env);
  }
  if (sandbox->containers.size() >= Sandboxes::kContainersMax) {
    failed.set_message("kContainersMax: too many containers in the sandbox");
    return Send(std::move(failed), env);
  }
  network_.SetHosts(sandbox->address, request.hosts());
  ContainerIdentity identity{sandbox->name, sandbox->ns, options_.node, sandbox->hostname, {}, {}};
  identity.files = {{"/etc/hosts", request.hosts()},
                    {"/etc/hostname", sandbox->hostname + "\n"},
                    {"/etc/resolv.conf", ResolvConfText(network_.Find(sandbox->address)->dns)}};
  for (const auto& variable : request.env()) {
    identity.env.emplace_back(variable.name(), variable.value());
  }
  Container container;
  container.sandbox = sandbox->uid;
  container.name = request.container();
  container.attempt = request.attempt();
  container.container_id = ContainerId(sandbox->uid, container.name, container.attempt);
  container.program =
      MakeProgram(**image, *name, {request.command().begin(), request.command().end()},
                  {request.args().begin(), request.args().end()}, identity);
  container.trace = env.outbox.cause();
  if (!container.program.start_error.empty()) {
    failed.set_container_id(container.container_id);
    failed.set_message(
        StrCat("failed to create containerd task: failed to create shim task: OCI runtime create "
               "failed: runc create failed: unable to start container process: ",
               container.program.start_error, ": unknown"));
    return Send(std::move(failed), env);
  }
  Container& added = sandboxes_.Add(std::move(container));
  sandboxes_.SetTimes(added, env.now + added.program.start_delay, kNever);
}

void EmulatedEngine::Stop(const bus::StopContainer& request, Env& env) {
  Sandbox* const sandbox = sandboxes_.Find(request.pod_uid());
  Container* const container =
      sandbox == nullptr ? nullptr
                         : sandboxes_.Find(*sandbox, request.container(), request.attempt());
  if (container == nullptr) {
    bus::EngineEvent event;
    event.set_type(bus::EngineEvent::CONTAINER_EXITED);
    event.set_pod_uid(request.pod_uid());
    event.set_container(request.container());
    event.set_attempt(request.attempt());
    event.set_exit_code(kKilled);
    event.set_reason("ContainerStatusUnknown");
    event.set_message("The container could not be located when the pod was terminated");
    event.set_finished_ns(WallNanoseconds(env.wall));
    return Send(std::move(event), env);
  }
  container->trace = env.outbox.cause();
  if (container->state == Container::State::kExited) {
    return Report(*container, bus::EngineEvent::CONTAINER_EXITED, env);
  }
  if (request.grace_ms() == 0 || container->state == Container::State::kStarting) {
    return Exit(*container, kKilled, env, true);
  }
  if (container->program.handles_term && !container->program.drains) {
    return Exit(*container, container->program.term_exit_code, env);
  }
  const Time kill_at = env.now + std::chrono::milliseconds(request.grace_ms());
  sandboxes_.SetTimes(*container, container->step_at, std::min(container->kill_at, kill_at));
  if (container->program.handles_term) BeginDrain(*container, env);
}

void EmulatedEngine::Remove(const bus::RemoveContainer& request, Env&) {
  Sandbox* const sandbox = sandboxes_.Find(request.pod_uid());
  if (sandbox == nullptr) return;
  Container* const container = sandboxes_.Find(*sandbox, request.container(), request.attempt());
  if (container == nullptr || container->state != Container::State::kExited) return;
  sandboxes_.Remove(container->id);
}

void EmulatedEngine::Probe(const Message& message, Env& env) {
  const auto& probe = message.As<bus::ProbeRequest>();
  bus::ProbeResult result;
  result.set_number(probe.number());
  Sandbox* const sandbox = sandboxes_.Find(probe.pod_uid());
  const Container* const container =
      sandbox == nullptr ? nullptr : sandboxes_.Newest(*sandbox, probe.container());
  if (container == nullptr || container->state != Container::State::kRunning) {
    result.set_message("the container does not run");
    return env.outbox.SendAs(message.to, message.from, std::move(result));
  }
  ProbeAnswer answer = AnswerProbe(probe, sandbox->address, network_, env.now, env.random);
  result.set_success(answer.success);
  result.set_message(std::move(answer.message));
  if (answer.delay == Duration{}) {
    return env.outbox.SendAs(message.to, message.from, std::move(result));
  }
  probes_.emplace(env.now + answer.delay,
                  PendingProbe{message.to, message.from, std::move(result), env.outbox.cause()});
}

void EmulatedEngine::Tick(Env& env) {
  while (Container* const container = sandboxes_.TakeDue(env.now)) {
    env.outbox.Because(container->trace);
    Wake(*container, env);
  }
  while (!pulls_.empty() && pulls_.begin()->first <= env.now) {
    const PendingPull pull = std::move(pulls_.extract(pulls_.begin()).mapped());
    env.outbox.Because(pull.trace);
    FinishPull(pull.request, env.now - pull.since, env);
  }
  while (!probes_.empty() && probes_.begin()->first <= env.now) {
    PendingProbe probe = std::move(probes_.extract(probes_.begin()).mapped());
    env.outbox.Because(probe.trace);
    env.outbox.SendAs(std::move(probe.from), std::move(probe.to), std::move(probe.result));
  }
  network_.Tick(env);
  TakeFetched(env);
  EndDrained(env);
  followers_.Pump(sandboxes_, env);
}

Time EmulatedEngine::NextWake() const {
  Time wake = std::min(sandboxes_.NextWake(), network_.NextWake());
  if (!pulls_.empty()) wake = std::min(wake, pulls_.begin()->first);
  if (!probes_.empty()) wake = std::min(wake, probes_.begin()->first);
  return wake;
}

void EmulatedEngine::Send(bus::EngineEvent event, Env& env) {
  if (down_) return;
  event.set_sequence(++events_);
  env.outbox.SendAs(address_, kubelet_, std::move(event));
}

void EmulatedEngine::Report(const Container& container, bus::EngineEvent::Type type, Env& env) {
  bus::EngineEvent event;
  event.set_type(type);
  event.set_pod_uid(container.sandbox);
  event.set_container(container.name);
  event.set_attempt(container.attempt);
  event.set_container_id(container.container_id);
  event.set_started_ns(WallNanoseconds(container.started));
  if (container.state == Container::State::kExited) {
    event.set_exit_code(container.exit_code);
    event.set_reason(container.exit_code == 0 ? "Completed" : "Error");
    event.set_finished_ns(WallNanoseconds(container.finished));
  }
  Send(std::move(event), env);
}

}  // namespace kubemu
