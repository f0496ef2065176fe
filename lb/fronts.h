#ifndef KUBEMU_LB_FRONTS_H_
#define KUBEMU_LB_FRONTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "lb/address_pool.h"
#include "lb/settings.h"
#include "messages/api/calls.h"
#include "messages/api/event_recorder.h"
#include "messages/api/informer.h"
#include "messages/component.h"
#include "messages/core/ip.h"

namespace kubemu {

// True for a Service that wants an address of this load balancer.
bool WantsAddress(const Object& service);

// The side that clients see: an address for each Service, a real listener on each of its TCP ports,
// and, once these are there, the address in the Service's status.
class Fronts {
 public:
  static constexpr Duration kRetryInterval = 1s;  // of a status write or a listen that failed

  // `services` and `events` are not owned.
  Fronts(Ipv4Network addresses, const Informer* services, EventRecorder* events)
      : pool_(addresses), services_(services), events_(events) {}

  // The Service wants an address and these ports, new or again.
  void Ensure(const Object& service, const ServiceSettings& settings, Env& env);
  // It no longer wants one; `service` is its last state.
  void Remove(const Object& service, Env& env);

  // Handles ListenResult and the answers of the API server.
  void Receive(const Message& message, Env& env);
  void Tick(Env& env);
  Time NextWake() const;

  // Whose address and port it is; null: nobody's.
  const std::string* Find(SocketAddress address) const;
  std::optional<Ipv4> AddressOf(const std::string& key) const;
  // True if the port is really listened on.
  bool IsListening(const std::string& key, uint16_t port) const;

 private:
  // What a Service asks for and how far it is there.
  struct Front {
    Ipv4 ip;
    std::map<uint16_t, bool> ports;  // true: it is listened on
    bool writing = false;            // the status write is in flight
    Trace trace;
  };

  void SyncPorts(const std::string& key, const ServiceSettings& settings, Front& front, Env& env);
  void SyncStatus(const std::string& key, Front& front, Env& env);
  void OnListenResult(const Message& message, Env& env);
  void OnCallResult(const CallResult& result, Env& env);
  void Retry(const std::string& key, Env& env);

  AddressPool pool_;
  const Informer* const services_;
  EventRecorder* const events_;
  Calls calls_;
  std::map<std::string, Front> fronts_;             // by Service key
  std::map<SocketAddress, std::string> listeners_;  // to Service key
  std::map<std::string, Time> retries_;             // Service key: when to try again
};

}  // namespace kubemu

#endif  // KUBEMU_LB_FRONTS_H_
