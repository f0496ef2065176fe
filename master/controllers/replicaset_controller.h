#ifndef KUBEMU_MASTER_CONTROLLERS_REPLICASET_CONTROLLER_H_
#define KUBEMU_MASTER_CONTROLLERS_REPLICASET_CONTROLLER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "master/controllers/owned_index.h"
#include "master/controllers/pod_tally.h"
#include "master/controllers/reconciler.h"
#include "master/controllers/replicaset_status.h"
#include "messages/api/event_recorder.h"
#include "messages/api/selector.h"

namespace k8s::core::v1 {
class Pod;
}

namespace kubemu {

// Keeps as many pods of each ReplicaSet as its spec says, and its status true. At
// "master/controllers/replicaset". Rules: pkg/controller/replicaset (kubernetes.md section 5.2).
//
// Pods are named here, not by the API server: a doubled message then cannot make two pods. A
// ReplicaSet is not looked at again before the cache shows the pods made or removed last time.
class ReplicaSetController final : public Reconciler {
 public:
  static constexpr std::string_view kAddress = "master/controllers/replicaset";
  // Pods made or removed in one go.
  static constexpr int kBurst = 500;

  ReplicaSetController();

 protected:
  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  void Reconcile(const std::string& key, Env& env) override;
  bool Answered(const std::string& key, const CallResult& result, Env& env) override;

 private:
  enum class Purpose { kCreate, kDelete, kOther };
  struct Request {
    Purpose purpose = Purpose::kOther;
    std::string pod;  // its name
    std::string pod_uid;
  };
  struct State {
    std::string uid;
    int64_t generation = -1;  // the version that the tally is for
    LabelSelector selector;
    PodTally tally;
    std::optional<ReplicaFailure> failure;
    std::map<uint64_t, Request> requests;
    // A burst of creations under way: 1, 2, 4, 8 ... at a time, until one fails (slow start).
    int left = 0;
    int batch = 0;
    int unanswered = 0;
    bool batch_failed = false;
    // Names of pods that may or may not have been made (no answer came, or the cache does not show
    // them yet): they are tried again before new ones, so that no pod is made in their place.
    std::set<std::string> unknown;
  };

  void SetChanged(const Informer::Change& change, Trace trace);
  void PodChanged(const Informer::Change& change, Trace trace, Env& env);
  void AddOwner(const Object& pod, Trace trace);
  // The state of the ReplicaSet that owns the pod; nullptr: none, or not looked at yet.
  State* OwnerState(const Object& pod);

  State& Refresh(const Object& set, Env& env);
  void Claim(const Object& set, State& state, Env& env);
  std::vector<Object> Group(const Object& set) const;
  void Manage(const Object& set, State& state, Env& env);
  std::string NextName(const Object& set, State& state, Env& env) const;
  void CreateBatch(const Object& set, State& state, Env& env);
  void DeletePods(const Object& set, int count, State& state, Env& env);
  void UpdateStatus(const Object& set, State& state, Env& env);

  bool Created(const std::string& key, const Request& request, const CallResult& result,
               State& state, Env& env);
  bool Deleted(const std::string& key, const Request& request, const CallResult& result,
               State& state, Env& env);
  void NextBatch(const std::string& key, State& state, Env& env);

  OwnedIndex pods_;
  OwnedIndex sets_;  // by their Deployment
  std::map<std::string, State> states_;
  EventRecorder events_;
};

// The pod that a ReplicaSet makes from its template.
k8s::core::v1::Pod PodFromTemplate(const Object& set, const std::string& name);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_REPLICASET_CONTROLLER_H_
