#ifndef KUBEMU_MASTER_CONTROLLERS_RECONCILER_H_
#define KUBEMU_MASTER_CONTROLLERS_RECONCILER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "master/controllers/work_queue.h"
#include "messages/api/calls.h"
#include "messages/api/informer.h"
#include "messages/component.h"
#include "messages/core/deadline.h"

namespace kubemu {

// What most controllers are: some watched kinds, a work queue, and one function that compares for
// one key what is with what should be, and starts the calls that bring them together.
//
// A key stays in work until every call that was started for it is answered and the caches show
// what the calls wrote, so that it is never reconciled against a cache older than its own writes
// (what upstream's "expectations" are for). A call that fails puts the key back with a back-off.
class Reconciler : public Component {
 public:
  // Calls in flight; past it no further key is taken.
  static constexpr size_t kCallsMax = 1000;
  // How long a key waits for the caches to show its writes before it is looked at again. Longer
  // than a cache needs to heal: a watch event that was lost is missed at the next bookmark.
  static constexpr Duration kCacheLagMax = 6 * Informer::kBookmarkInterval;

  void Receive(const Message& message, Env& env) final;
  void Tick(Env& env) final;
  Time NextWake() const final;

 protected:
  // Adds a watched kind; to be called in the constructor. Returns its source number: 0, 1, 2 ...
  size_t Watch(Informer::Options options);
  const Informer& source(size_t number) const { return informers_[number]; }
  bool synced() const;
  WorkQueue& queue() { return queue_; }

  // An object of a source was added, changed or removed. Usually adds keys to the queue.
  virtual void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) = 0;

  // Compares and acts, for one key, once all sources are in sync. What it sends carries the trace
  // of the key's first cause.
  virtual void Reconcile(const std::string& key, Env& env) = 0;

  // A call for `key` was answered, or not (code 504). True: take it as a success. By default
  // that is an OK, and a deletion of what is gone already.
  virtual bool Answered(const std::string& key, const CallResult& result, Env& env);

  // Duties of the controller's own that depend on time. Called in each Tick when in sync, before
  // keys are taken.
  virtual void OnTick(Env&) {}
  virtual Time OwnWake() const { return kNever; }

  // Start a call for the key that is being reconciled (or answered); the key is done when it is
  // answered. They return the call's number.
  uint64_t Call(bus::ApiRequest request, Object object, Env& env);
  uint64_t Create(Object object, Env& env);
  // With the resourceVersion that is in the object's metadata as precondition, if there is any.
  uint64_t Update(Object object, const std::string& subresource, Env& env);
  // Exactly this object (by uid). `policy`: "", "Background", "Foreground", "Orphan".
  uint64_t Delete(const Object& object, const std::string& policy, Env& env);
  // The same without grace: a pod goes at once.
  uint64_t DeleteAtOnce(const Object& object, Env& env);

 private:
  struct InWork {
    Trace trace;
    int calls = 0;
    bool failed = false;
    std::set<uint64_t> deletions;        // call numbers
    std::map<size_t, uint64_t> awaited;  // source -> revision that it must have reached
  };
  void Work(const WorkQueue::Item& item, Env& env);
  void Finish(const CallResult& result, Env& env);
  void Await(InWork& work, const Object& written) const;
  bool HasSeenAll(const InWork& work) const;
  // Ends the work on a key of lagging_ if it waits for nothing any more, or not any longer.
  // Returns whether it did; the entry is then to be removed from lagging_.
  bool Settle(const std::string& key, Time deadline, Env& env);
  void SettleAll(Env& env);
  bool TakesWork() const { return calls_.in_flight() < kCallsMax && synced(); }

  std::deque<Informer> informers_;
  std::vector<const Kind*> kinds_;  // of the informers
  Calls calls_;
  WorkQueue queue_;
  std::string current_;  // the key that is being reconciled
  std::map<std::string, InWork> in_work_;
  std::map<std::string, Time> lagging_;  // all calls answered; waits for the caches, until then
  Deadline lag_check_;                   // at or before the first of these
};

// Whether a create failed because its namespace is going: nothing to try again.
bool IsNamespaceTerminating(const CallResult& result);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_RECONCILER_H_
