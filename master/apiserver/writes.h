#ifndef KUBEMU_MASTER_APISERVER_WRITES_H_
#define KUBEMU_MASTER_APISERVER_WRITES_H_

#include <cstdint>
#include <map>
#include <vector>

#include "master/apiserver/cache.h"
#include "master/apiserver/call.h"
#include "master/apiserver/caller.h"
#include "master/apiserver/service_addresses.h"
#include "master/apiserver/write_plan.h"
#include "messages/component.h"
#include "messages/proto/store.pb.h"

namespace kubemu {

// The writes that are in flight to the store. Each was decided from the cache and goes only through
// if the object has not changed meanwhile; else it is decided again from what is then in the cache,
// which makes a Conflict of it if the client said which version it means.
class Writes {
 public:
  static constexpr size_t kInFlightMax = 100'000;
  static constexpr int kTriesMax = 8;
  static constexpr Duration kTimeout = 10s;
  // How often and how long a pod waits for its namespace's ServiceAccount "default".
  static constexpr int kAccountTriesMax = 10;
  static constexpr Duration kAccountInterval = 100ms;

  // Neither is owned; both outlive this.
  Writes(const Cache* cache, ServiceAddresses* addresses) : cache_(cache), addresses_(addresses) {}

  // Decides, and answers at once or sends a StoreTxn. `trace` is that of the request.
  void Start(ApiCall call, Caller caller, Env& env);
  // Deletes each of the objects and answers with the list of them when all are done.
  void StartCollection(const ApiCall& call, const std::vector<Object>& objects, Caller caller,
                       Env& env);
  // REQUIRES: the events of the transaction are in the cache already.
  void Receive(const bus::StoreTxnResult& result, Env& env);

  void Tick(Env& env);
  Time NextWake() const;

  size_t in_flight() const { return in_flight_.size() + waiting_.size(); }
  // Of those, the API server's own.
  size_t internal() const { return internal_; }

 private:
  struct Write {
    ApiCall call;
    Caller caller;
    Trace trace;
    WritePlan plan;
    int tries = 1;
    Time deadline;
  };
  struct Group {
    Caller caller;
    size_t left = 0;
    ApiAnswer answer;
  };

  struct Waiting {
    Write write;
    int tries = 1;
  };

  void Begin(Write write, Env& env);
  // Decides and sends; true if the write is (still) in flight.
  bool Try(uint64_t id, Write& write, Env& env);
  void Send(uint64_t id, const Write& write, Env& env);
  void Stored(Write& write, Env& env);
  void Answer(const Caller& caller, ApiAnswer answer, Env& env);
  static ApiAnswer AnswerOf(const WritePlan& plan, Object object);

  const Cache* const cache_;
  ServiceAddresses* const addresses_;
  uint64_t next_ = 1;
  std::map<uint64_t, Write> in_flight_;   // in the order of their deadlines
  std::multimap<Time, Waiting> waiting_;  // for a ServiceAccount, until the key
  std::map<uint64_t, Group> groups_;
  size_t internal_ = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_WRITES_H_
