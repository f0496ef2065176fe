#include "master/apiserver/reads.h"

#include <map>
#include <optional>
#include <utility>

#include "master/apiserver/admission.h"
#include "master/apiserver/continue_token.h"
#include "master/apiserver/filter.h"
#include "master/apiserver/write_plan.h"
#include "messages/api/kinds.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

// What was different at an earlier revision: the state then of every object that changed since
// (none: there was no such object).
using Overlay = std::map<std::string, Object, std::less<>>;

std::optional<Overlay> StateAt(uint64_t revision, const Kind& kind, const Cache& cache) {
  const EventLog& log = cache.Log(kind);
  const std::optional<uint64_t> begin = log.PositionAfter(revision);
  if (!begin) return std::nullopt;
  Overlay overlay;
  for (uint64_t position = *begin; position < log.end(); ++position) {
    const CacheEvent& event = log.At(position);
    // The first change since then says what was before it. (A deletion's state carries the
    // deletion's revision; what it was made of is the same.)
    overlay.emplace(event.after ? event.after.key() : event.before.key(), event.before);
  }
  return overlay;
}

struct Page {
  uint64_t revision = 0;
  std::string start;  // first key
  bool exact = false;
};

OrStatus<Page> PageOf(const ApiCall& call, const Cache& cache) {
  Page page;
  page.revision = cache.revision();
  if (!call.continue_token.empty()) {
    const std::optional<ContinueToken> token = ContinueToken::Decode(call.continue_token);
    if (!token) return api_error::BadRequest("continue key is not valid");
    page.start = token->start;
    page.exact = token->revision != 0 && token->revision < cache.revision();
    if (page.exact) page.revision = token->revision;
    return page;
  }
  if (call.resource_version.empty() || call.resource_version == "0") return page;
  uint64_t wanted = 0;
  if (!ParseInteger(call.resource_version, &wanted)) {
    return api_error::BadRequest(StrCat("resourceVersion: Invalid value: \"", call.resource_version,
                                        "\": strconv.ParseUint: parsing \"", call.resource_version,
                                        "\": invalid syntax"));
  }
  if (wanted > cache.revision()) return api_error::ResourceVersionTooNew(wanted, cache.revision());
  if (call.resource_version_match == "Exact" && wanted < cache.revision()) {
    page.exact = true;
    page.revision = wanted;
  }
  return page;
}

constexpr const char* kContinueExpired =
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list.";

ApiAnswer TooOld(const ApiCall& call, const Page& page, const Cache& cache) {
  if (call.continue_token.empty()) {
    return ApiAnswer::Failure(
        api_error::ResourceVersionTooOld(page.revision, cache.Log(*call.kind).dropped_revision()));
  }
  ApiStatus status = api_error::Expired(kContinueExpired);
  status.mutable_metadata()->set_continue_(ContinueToken{0, page.start}.Encode());
  return ApiAnswer::Failure(std::move(status));
}

// Adds matching objects in the order of their keys until the page is full.
class Collector {
 public:
  Collector(const ApiCall& call, const Filter& filter, ApiAnswer* answer)
      : limit_(call.limit), filter_(filter), answer_(*answer) {}

  void Add(const Object& object) {
    if (!object || !filter_.Matches(object)) return;
    if (limit_ > 0 && answer_.objects.size() == static_cast<size_t>(limit_)) {
      ++left_out_;
      return;
    }
    answer_.objects.push_back(object);
  }
  // Whether what follows need not be looked at: only a list without selectors counts the rest.
  bool Done() const { return left_out_ > 0 && filter_.HasSelectors(); }

  void Finish(uint64_t revision) {
    if (left_out_ == 0) return;
    std::string start = answer_.objects.back().key();
    start.push_back('\0');
    answer_.continue_token = ContinueToken{revision, std::move(start)}.Encode();
    if (!filter_.HasSelectors()) answer_.remaining = left_out_;
  }

 private:
  const int64_t limit_;
  const Filter& filter_;
  ApiAnswer& answer_;
  int64_t left_out_ = 0;
};

// The keys of the cache and of the overlay, merged; the overlay's state wins.
void Walk(const Cache::Range& range, const std::string& start, const Overlay& overlay,
          Collector* collector) {
  auto it = range.begin;
  auto other = overlay.lower_bound(start);
  while (it != range.end && it->first < start) ++it;
  while ((it != range.end || other != overlay.end()) && !collector->Done()) {
    if (other != overlay.end() && (it == range.end || other->first <= it->first)) {
      collector->Add(other->second);
      if (it != range.end && it->first == other->first) ++it;
      ++other;
    } else {
      collector->Add(it->second);
      ++it;
    }
  }
}

}  // namespace

ApiAnswer GetObject(const ApiCall& call, const Cache& cache) {
  if (!HasSubresource(*call.kind, call.subresource))
    return ApiAnswer::Failure(api_error::PathNotFound());
  const Object object = cache.Find(*call.kind, call.ns, call.name);
  if (std::optional<ApiStatus> refused = AuthorizeNode(call, object, cache))
    return ApiAnswer::Failure(*std::move(refused));
  if (!object) return ApiAnswer::Failure(NotFoundStatus(*call.kind, call.name));
  return ApiAnswer::Of(call.subresource == "scale" ? ScaleOf(object) : object);
}

ApiAnswer ListObjects(const ApiCall& call, const Cache& cache) {
  if (std::optional<ApiStatus> refused = AuthorizeNode(call, Object(), cache))
    return ApiAnswer::Failure(*std::move(refused));
  OrStatus<Filter> filter = Filter::Make(call);
  if (!filter.ok()) return ApiAnswer::Failure(filter.status());
  OrStatus<Page> page = PageOf(call, cache);
  if (!page.ok()) return ApiAnswer::Failure(page.status());
  Overlay overlay;
  if (page->exact) {
    std::optional<Overlay> then = StateAt(page->revision, *call.kind, cache);
    if (!then) return TooOld(call, *page, cache);
    overlay = *std::move(then);
  }
  ApiAnswer answer;
  answer.is_list = true;
  answer.revision = page->revision;
  Collector collector(call, *filter, &answer);
  if (const std::string* name = filter->name();
      name != nullptr && !page->exact && !call.ns.empty()) {
    collector.Add(cache.Find(*call.kind, call.ns, *name));
  } else {
    Walk(cache.In(*call.kind, call.ns), page->start, overlay, &collector);
  }
  collector.Finish(page->revision);
  return answer;
}

}  // namespace kubemu
