#ifndef KUBEMU_MASTER_CONTROLLERS_DEPLOYMENT_CONTROLLER_H_
#define KUBEMU_MASTER_CONTROLLERS_DEPLOYMENT_CONTROLLER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "master/controllers/deployment_rules.h"
#include "master/controllers/owned_index.h"
#include "master/controllers/reconciler.h"
#include "messages/api/event_recorder.h"

namespace k8s::apps::v1 {
class DeploymentStatus;
}

namespace kubemu {

// Turns a Deployment's template into ReplicaSets, one per revision, and moves its pods from the old
// ones to the new one as its strategy says. At "master/controllers/deployment".
// Rules: pkg/controller/deployment (kubernetes.md section 5.1).
//
// One look at a Deployment plans one step and sends its writes; the next look comes when the cache
// shows them.
class DeploymentController final : public Reconciler {
 public:
  static constexpr std::string_view kAddress = "master/controllers/deployment";

  DeploymentController();

 protected:
  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  void Reconcile(const std::string& key, Env& env) override;
  bool Answered(const std::string& key, const CallResult& result, Env& env) override;

 private:
  // What a call in flight is for.
  struct Request {
    bool is_creation = false;
    std::string set;        // name of the ReplicaSet that is made or resized
    std::string canonical;  // of a creation: the template, to tell a collision from a repetition
    int from = 0;
    int to = 0;
  };
  struct State {
    std::string uid;
    std::string created;  // the ReplicaSet that was made last: to be told in the status
    std::map<uint64_t, Request> requests;
    int64_t progress_update = 0;  // lastUpdateTime of Progressing that progress_since is for
    Time progress_since{};
  };
  // One look at one Deployment.
  struct Look {
    const std::string& key;
    Object object;
    State& state;
    RevisionSets sets;
  };

  void AddSelecting(const Object& set, Trace trace);
  State& StateOf(const Object& deployment);
  void Resize(Look& look, Env& env);
  void Roll(Look& look, Env& env);
  void Recreate(Look& look, Env& env);
  bool OldPodsRun(Look& look) const;
  void CleanUp(Look& look, Env& env);
  bool IsOverdue(Look& look, Env& env);
  void WriteStatus(Look& look, bool rollout, Env& env);
  bool CreationFailed(const Object& deployment, const Request& request, const CallResult& result,
                      State& state, Env& env);

  // These return whether they wrote something.
  bool Claim(const Look& look, Env& env);
  bool SyncNewSet(Look& look, Env& env);
  bool Scale(Look& look, bool resize, Env& env);
  void SyncRevision(Look& look, Env& env);
  void CreateNewSet(Look& look, Env& env);

  OwnedIndex sets_;  // by Deployment
  OwnedIndex pods_;  // by ReplicaSet
  std::map<std::string, State> states_;
  EventRecorder events_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_DEPLOYMENT_CONTROLLER_H_
