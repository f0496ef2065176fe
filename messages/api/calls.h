#ifndef KUBEMU_MESSAGES_API_CALLS_H_
#define KUBEMU_MESSAGES_API_CALLS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "messages/component.h"
#include "messages/proto/api.pb.h"

namespace kubemu {

// How a call to the API server ended.
struct CallResult {
  uint64_t call = 0;    // as returned by Calls::Start
  std::string tag;      // as given to Start: what the caller wanted, in its own words
  uint32_t code = 0;    // HTTP status code; 504: no answer came, the outcome is unknown
  std::string reason;   // Status.reason; "" on success
  std::string message;  // Status.message
  std::vector<Object> objects;
  Trace trace;  // of the call

  bool ok() const { return code >= 200 && code < 300; }
  bool conflict() const { return reason == "Conflict"; }
};

// The calls that one part has in flight to the API server: map entries with a deadline. Whoever
// needs a thing done keeps it in its own desired state and calls again; Calls never repeats one.
class Calls {
 public:
  static constexpr Duration kTimeout = 10s;
  static constexpr size_t kInFlightMax = 100'000;

  // Sends the call, from the part that is stepped, to "master/apiserver". The object of CREATE and
  // UPDATE is given in `object`. Returns the call's number (never 0).
  uint64_t Start(bus::ApiRequest request, Object object, std::string tag, Env& env);

  // If the message answers a call of ours, its result.
  std::optional<CallResult> Receive(const Message& message);

  // Calls whose time is up, as results with code 504. To be called from Tick.
  std::vector<CallResult> Expired(Time now);

  // Forgets all calls (the API server was restarted), as results with code 504.
  std::vector<CallResult> Abandon();

  Time NextWake() const;
  size_t in_flight() const { return in_flight_.size(); }

 private:
  struct InFlight {
    std::string tag;
    Time deadline;
    Trace trace;
  };
  static CallResult Unknown(uint64_t call, InFlight& in_flight);

  uint64_t next_ = 1;
  // Deadlines grow with call numbers, so the first entry is due first.
  std::map<uint64_t, InFlight> in_flight_;
};

inline constexpr std::string_view kApiServerAddress = "master/apiserver";

// Requests in short. `kind` is messages/api/kinds.h's Kind::id through KindOf<T>().
bus::ApiRequest CreateRequest(const Kind& kind, const std::string& ns);
bus::ApiRequest UpdateRequest(const Object& object, const std::string& subresource = "");
bus::ApiRequest DeleteRequest(const Kind& kind, const std::string& ns, const std::string& name);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_CALLS_H_
