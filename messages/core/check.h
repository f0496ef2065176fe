#ifndef KUBEMU_MESSAGES_CORE_CHECK_H_
#define KUBEMU_MESSAGES_CORE_CHECK_H_

namespace kubemu {

// Prints "file:line: check failed: what" to stderr and aborts. For broken invariants of our own
// code only; what the outside world may do wrong is an absl::Status or data, never a check.
[[noreturn]] void CheckFailed(const char* file, int line, const char* what);

}  // namespace kubemu

// Always on, in every build type (TigerBeetle's TIGER_STYLE: assertions stay on in production).
#define KUBEMU_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::kubemu::CheckFailed(__FILE__, __LINE__, #condition))

#endif  // KUBEMU_MESSAGES_CORE_CHECK_H_
