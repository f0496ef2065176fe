#ifndef KUBEMU_MESSAGES_API_ELEMENT_INDEX_H_
#define KUBEMU_MESSAGES_API_ELEMENT_INDEX_H_

#include <cstddef>
#include <string>
#include <unordered_map>

#include "boost/json/fwd.hpp"

namespace kubemu {

// Finds the elements of a list by what tells them apart: a member (the merge key), or their own
// value. Lists come from outside and may be long, so that looking through them for each element of
// a patch would take minutes. Internal to strategic_merge.cc.
class ElementIndex {
 public:
  // What tells an element apart; nullptr: it has no such member. "": the element itself.
  static const boost::json::value* IdentityOf(const boost::json::value& element,
                                              const std::string& merge_key);

  // `list` is read at every call: it outlives this, and its elements keep their identities.
  ElementIndex(const boost::json::array& list, std::string merge_key);

  // The first position of an element with the same identity as `element`; -1 if there is none.
  int Find(const boost::json::value& element) const;
  // The list has got one more element at its end.
  void AddLast();

 private:
  void Add(size_t position);

  const boost::json::array& list_;
  const std::string merge_key_;
  // By the hash of their identities, the first of each identity only; never iterated.
  std::unordered_multimap<size_t, size_t> positions_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_ELEMENT_INDEX_H_
