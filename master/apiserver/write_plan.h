#ifndef KUBEMU_MASTER_APISERVER_WRITE_PLAN_H_
#define KUBEMU_MASTER_APISERVER_WRITE_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "master/apiserver/cache.h"
#include "master/apiserver/call.h"
#include "master/apiserver/object_fields.h"
#include "master/apiserver/service_addresses.h"
#include "messages/core/random.h"
#include "messages/core/time.h"

namespace kubemu {

// An object past this is refused, as etcd does (--max-request-bytes).
inline constexpr size_t kObjectBytesMax = 3 * 512 * 1024;

// What the decisions about one write are made of. Everything below is a function of a call and
// this: when the store refuses the write because the object has changed meanwhile, the same
// function is asked again.
struct World {
  const Cache& cache;
  ServiceAddresses& addresses;
  WallTime wall;
  Random& random;
  Trace trace;  // of the request; written objects carry it
  // The revision that the write will most likely get: written objects carry it, so that the store,
  // which has the last word, need not make another copy to put it in.
  uint64_t next_revision = 0;
};

// What a write comes to: one operation on one key of the store, or none.
struct WritePlan {
  enum class Store { kNothing, kPut, kRemove };
  Store store = Store::kNothing;
  std::string key;                 // the store's
  uint64_t expected_revision = 0;  // the write fails unless this is the key's; 0: no such key
  Object object;                   // to put; of kRemove: what is removed; of kNothing: the answer
  uint32_t code = 200;
  // The answer is this instead of the object that was written (bindings, evictions, deletions).
  std::optional<ApiStatus> status;
  bool answer_scale = false;          // the answer is the Scale of the object
  std::vector<std::string> warnings;  // for Warning headers
  // Service addresses that were taken for this write, to be given back if it fails.
  ServiceAddresses::Reservation reservation;
};

// The plan for a write (create, update, patch, delete, and of subresources), or why not.
OrStatus<WritePlan> PlanWrite(const ApiCall& call, World& world);

// The parts of PlanWrite.
OrStatus<WritePlan> PlanCreate(const ApiCall& call, World& world);
// `old` and what it becomes: the rules of an update, whoever asked for it. `subresource` is "",
// "status" or "finalize". `managed` is who owns its fields, if that is decided already.
OrStatus<WritePlan> PlanChange(const ApiCall& call, const Object& old, MutableObject object,
                               World& world, const ManagedFields* managed = nullptr);
OrStatus<WritePlan> PlanUpdate(const ApiCall& call, World& world);
OrStatus<WritePlan> PlanPatch(const ApiCall& call, World& world);
OrStatus<WritePlan> PlanDelete(const ApiCall& call, World& world);
OrStatus<WritePlan> PlanBinding(const ApiCall& call, World& world);
OrStatus<WritePlan> PlanEviction(const ApiCall& call, World& world);
OrStatus<WritePlan> PlanScale(const ApiCall& call, World& world);

// The Scale of a Deployment or ReplicaSet.
Object ScaleOf(const Object& object);

// A plan that puts `object` in the place of `old` (none: as a new object).
OrStatus<WritePlan> PutPlan(const ApiCall& call, const Object& old, MutableObject object,
                            World& world);
WritePlan RemovePlan(const Object& object);

// What a kind has beside its main part; "" is that itself.
bool HasSubresource(const Kind& kind, std::string_view subresource);

struct GroupResource;
GroupResource ResourceOf(const Kind& kind);
ApiStatus NotFoundStatus(const Kind& kind, const std::string& name);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_WRITE_PLAN_H_
