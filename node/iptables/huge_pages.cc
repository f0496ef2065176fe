#include "node/iptables/huge_pages.h"

#include <sys/mman.h>

#include <new>

namespace kubemu::iptables {
namespace {

// As much and aligned as it is asked of the heap.
size_t WholePages(size_t bytes) {
  return (bytes + HugePages::kPage - 1) / HugePages::kPage * HugePages::kPage;
}

}  // namespace

void* HugePages::do_allocate(size_t bytes, size_t alignment) {
  if (bytes < kPage) return ::operator new(bytes, std::align_val_t(alignment));
  void* memory = ::operator new(WholePages(bytes), std::align_val_t(kPage));
  ::madvise(memory, WholePages(bytes), MADV_HUGEPAGE);  // where there are none, nothing is lost
  return memory;
}

void HugePages::do_deallocate(void* memory, size_t bytes, size_t alignment) {
  ::operator delete(memory, std::align_val_t(bytes < kPage ? alignment : kPage));
}

}  // namespace kubemu::iptables
