#ifndef KUBEMU_MESSAGES_CORE_RANDOM_H_
#define KUBEMU_MESSAGES_CORE_RANDOM_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace kubemu {

// A seeded pseudo-random stream (xoshiro256**, Blackman and Vigna). Same seed, same stream, on
// every machine and standard library; std::*_distribution promises no such thing. Not for secrets.
class Random {
 public:
  explicit Random(uint64_t seed);

  // A stream of its own for the part called `name`: independent of how much other parts draw.
  Random Fork(std::string_view name) const;

  uint64_t Next();
  // Uniform in [0, n). REQUIRES: n > 0.
  uint64_t Uniform(uint64_t n);
  // Uniform in [0, 1).
  double Fraction();
  // True with probability p (p <= 0: never, p >= 1: always).
  bool Chance(double p);
  // `length` characters of Kubernetes' alphabet for generated names, "bcdfghjklmnpqrstvwxz2456789"
  // (apimachinery/pkg/util/rand).
  std::string Suffix(int length);
  // A random (version 4) UUID, RFC 9562 section 5.4.
  std::string Uuid();

 private:
  uint64_t seed_;
  uint64_t state_[4];
};

// FNV-1a, 64 bits. Stable over processes and machines, unlike std::hash.
uint64_t StableHash(std::string_view text);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_CORE_RANDOM_H_
