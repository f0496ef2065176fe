#include "node/kernel/command_lane.h"

#include <utility>

namespace kubemu {

bool CommandLane::Run(uint64_t tag, std::vector<std::string> words, std::string input,
                      std::string network, Env& env) {
  if (queue_.size() >= kQueuedMax) return false;
  Command command{tag, {}, env.outbox.cause()};
  command.run.set_number(++count_ * kLanes + lane_);
  for (std::string& word : words) command.run.add_words(std::move(word));
  command.run.set_input(std::move(input));
  command.run.set_network(std::move(network));
  command.run.set_timeout_ms(static_cast<uint32_t>(kTimeout / 1ms));
  queue_.push_back(std::move(command));
  if (queue_.size() == 1) Start(env);
  return true;
}

void CommandLane::Start(Env& env) {
  const Trace cause = env.outbox.cause();
  env.outbox.Because(queue_.front().trace);
  env.outbox.Send(door_, queue_.front().run);
  env.outbox.Because(cause);
  answer_.Set(env.now + kAnswerTimeout);
}

CommandLane::Result CommandLane::Finish(Env& env) {
  Result result;
  result.tag = queue_.front().tag;
  queue_.pop_front();
  answer_.Clear();
  if (!queue_.empty()) Start(env);
  return result;
}

std::optional<CommandLane::Result> CommandLane::Receive(const bus::CommandDone& done, Env& env) {
  if (queue_.empty() || queue_.front().run.number() != done.number()) return std::nullopt;
  Result result = Finish(env);
  result.output = done.output();
  result.error = done.error();
  return result;
}

std::optional<CommandLane::Result> CommandLane::Tick(Env& env) {
  if (!answer_.Take(env.now)) return std::nullopt;
  env.outbox.Because(queue_.front().trace);
  Result result = Finish(env);
  result.error = "no answer from the command door";
  return result;
}

}  // namespace kubemu
