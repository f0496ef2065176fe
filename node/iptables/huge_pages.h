#ifndef KUBEMU_NODE_IPTABLES_HUGE_PAGES_H_
#define KUBEMU_NODE_IPTABLES_HUGE_PAGES_H_

#include <cstddef>
#include <memory_resource>

namespace kubemu::iptables {

// Memory for what is large and read at random places: pieces of 2 MB and more lie in huge pages if
// the system has some to give. What is smaller comes from the heap.
class HugePages : public std::pmr::memory_resource {
 public:
  static constexpr size_t kPage = size_t{2} << 20;

 private:
  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* memory, size_t bytes, size_t alignment) override;
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_HUGE_PAGES_H_
