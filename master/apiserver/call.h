#ifndef KUBEMU_MASTER_APISERVER_CALL_H_
#define KUBEMU_MASTER_APISERVER_CALL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "master/apiserver/field_validation.h"
#include "messages/object.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/k8s/meta_request.pb.h"

namespace kubemu {

struct Kind;

using ApiStatus = k8s::meta::v1::Status;

// A value, or the Status that tells the client why there is none.
template <class T>
class OrStatus {
 public:
  OrStatus(T value) : rep_(std::move(value)) {}            // NOLINT: converts on purpose
  OrStatus(ApiStatus status) : rep_(std::move(status)) {}  // NOLINT: converts on purpose

  bool ok() const { return rep_.index() == 0; }
  // REQUIRES: ok().
  T& operator*() & { return std::get<0>(rep_); }
  T&& operator*() && { return std::get<0>(std::move(rep_)); }
  T* operator->() { return &std::get<0>(rep_); }
  // REQUIRES: !ok().
  ApiStatus& status() { return std::get<1>(rep_); }

 private:
  std::variant<T, ApiStatus> rep_;
};

enum class Action : uint8_t {
  kGet,
  kList,
  kWatch,
  kCreate,
  kUpdate,
  kPatch,
  kDelete,
  kDeleteCollection,
};

// "get", "list", ... as RBAC and error texts name it.
const char* ActionName(Action action);

// One request to the API, whichever face it came through. Field meanings are those of
// bus::ApiRequest.
struct ApiCall {
  Action action = Action::kGet;
  const Kind* kind = nullptr;
  std::string ns;
  std::string name;
  std::string subresource;

  // Who asks: the process of the sender for the bus face ("node-3"), "" for HTTP clients, which may
  // do everything.
  std::string process;
  std::string field_manager;

  // Of reads.
  std::string label_selector;
  std::string field_selector;
  int64_t limit = 0;
  std::string continue_token;
  std::string resource_version;
  std::string resource_version_match;
  bool watch_bookmarks = false;
  bool send_initial_events = false;
  int64_t timeout_seconds = 0;  // of a watch; 0: the server chooses

  // Of writes.
  Object object;  // of CREATE and UPDATE; Binding, Scale, Eviction ... for subresources
  bus::PatchType patch_type = bus::PATCH_TYPE_UNSPECIFIED;
  std::string patch;  // JSON text
  FieldValidation field_validation = FieldValidation::kIgnore;
  bool dry_run = false;
  bool force = false;

  // Of deletions.
  std::optional<int64_t> grace_period_seconds;
  std::string propagation_policy;
  std::string precondition_uid;
  std::string precondition_resource_version;
};

// What a call is answered with.
struct ApiAnswer {
  uint32_t code = 200;
  std::vector<Object> objects;  // one, or a list's
  bool is_list = false;
  uint64_t revision = 0;  // of a list
  std::string continue_token;
  std::optional<int64_t> remaining;
  // Set on failures; also the "Success" that some deletions are answered with.
  std::optional<ApiStatus> status;

  std::vector<std::string> warnings;  // texts of Warning headers

  static ApiAnswer Failure(ApiStatus status);
  static ApiAnswer Of(Object object, uint32_t code = 200);
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_CALL_H_
