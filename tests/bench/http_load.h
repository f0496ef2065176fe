#ifndef KUBEMU_TESTS_BENCH_HTTP_LOAD_H_
#define KUBEMU_TESTS_BENCH_HTTP_LOAD_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "messages/core/time.h"

namespace kubemu {

// What became of one request.
struct LoadAnswer {
  WallTime sent;
  WallTime answered;
  int status = 0;
};

// Sends `count` requests, number 0 first, over `clients` keep-alive connections; each connection
// sends its next request when it has the answer to the last one. `request(n)` is the whole text of
// request n. Exits with a message if the server closes a connection or answers without
// Content-Length. Returns one entry per request, in the order of their numbers.
std::vector<LoadAnswer> RunHttpLoad(const std::string& address, int clients, size_t count,
                                    const std::function<std::string(size_t)>& request);

// One request on a connection of its own; returns the answer's body.
std::string HttpOnce(const std::string& address, const std::string& request);

// The value that `share` (0 to 1) of the values do not exceed. Sorts. REQUIRES: not empty.
double Percentile(std::vector<double>* values, double share);

// Ends the program: nothing measured is better than something wrong.
[[noreturn]] void FailLoad(const std::string& why);

}  // namespace kubemu

#endif  // KUBEMU_TESTS_BENCH_HTTP_LOAD_H_
