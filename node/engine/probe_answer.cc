#include "node/engine/probe_answer.h"

#include "messages/core/strings.h"
#include "node/engine/command_parser.h"

namespace kubemu {
namespace {

constexpr int kExecStepsMax = 1000;

// The status of a GET as that server answers it now; the delay is added to *delay.
int HttpStatus(const Listener& listener, std::string_view path, const PodNetwork& network, Time now,
               Random& random, Duration* delay) {
  const ServerSpec& spec = listener.spec;
  *delay += spec.delay;
  if (spec.jitter > Duration{}) *delay += Duration(random.Uniform(spec.jitter.count() + 1));
  if (now < listener.since + spec.ready_after) return 503;
  if (spec.ready_with_dns && !network.DnsSynced()) return 503;
  if (spec.fail > 0 && random.Chance(spec.fail)) return 500;
  path = path.substr(0, path.find('?'));
  if (spec.root_only && !path.empty() && path != "/" && path != "/index.html") return 404;
  return 200;
}

// A fetch of an exec probe: only servers of the same pod are asked.
int FetchStatus(const std::string& url, const std::string& address, const PodNetwork& network,
                Time now, Random& random, Duration* delay) {
  FetchTarget target;
  if (!FetchTarget::Parse(url, &target)) return 1;
  if (target.host != "localhost" && !target.host.starts_with("127.")) return 0;
  const Listener* listener = network.FindListener(address, target.port);
  if (listener == nullptr) return 1;
  if (listener->spec.protocol != ServerSpec::Protocol::kHttp) return 1;
  return HttpStatus(*listener, target.path, network, now, random, delay) < 400 ? 0 : 1;
}

}  // namespace

ProbeAnswer AnswerProbe(const bus::ProbeRequest& probe, const std::string& address,
                        const PodNetwork& network, Time now, Random& random) {
  ProbeAnswer answer;
  const ContainerProgram program =
      ParseCommand({probe.command().begin(), probe.command().end()}, {});
  int status = 0;
  size_t next = 0;
  for (int steps = 0; next < program.steps.size() && steps < kExecStepsMax; ++steps) {
    const Step& step = program.steps[next++];
    const bool jump = step.kind == Step::Kind::kJump ||
                      (step.kind == Step::Kind::kJumpOk && status == 0) ||
                      (step.kind == Step::Kind::kJumpFail && status != 0);
    if (jump) {
      next = static_cast<size_t>(step.code);
    } else if (step.kind == Step::Kind::kEcho) {
      status = 0;
      answer.message = step.text;
    } else if (step.kind == Step::Kind::kSleep) {
      status = 0;
      answer.delay += step.duration;
    } else if (step.kind == Step::Kind::kStatus) {
      status = step.code;
    } else if (step.kind == Step::Kind::kFetch) {
      status = FetchStatus(step.text, address, network, now, random, &answer.delay);
    } else if (step.kind == Step::Kind::kExit) {
      if (step.code >= 0) status = step.code;
      break;
    }
  }
  answer.success = status == 0;
  if (!answer.success && answer.message.empty()) {
    answer.message = StrCat("command failed with exit code ", status);
  }
  return answer;
}

}  // namespace kubemu
