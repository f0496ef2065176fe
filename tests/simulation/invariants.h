#ifndef KUBEMU_TESTS_SIMULATION_INVARIANTS_H_
#define KUBEMU_TESTS_SIMULATION_INVARIANTS_H_

#include <map>
#include <string>
#include <vector>

#include "master/store/memory_storage.h"

namespace kubemu {

// Reads the whole history of a store, write by write, and says what must never be, whatever
// happens to messages and processes:
//   - a revision that is missing or comes twice;
//   - a uid of two objects; a uid, creation or deletion time of an object that changes;
//   - a pod that moves to another node, whose phase goes back or whose restarts get fewer;
//   - more asked of a node than it has, by the pods that are bound to it and have not ended;
//   - more active pods of a ReplicaSet than it ever wanted;
//   - a cluster address, node port, pod address or pod network that two have at a time.
// Empty: all is well. REQUIRES: the history was not compacted.
std::vector<std::string> BrokenInvariants(const MemoryDisk& disk);

// Writes by resource ("pods") after `revision`.
std::map<std::string, int> WritesSince(const MemoryDisk& disk, uint64_t revision);
uint64_t LastRevision(const MemoryDisk& disk);

}  // namespace kubemu

#endif  // KUBEMU_TESTS_SIMULATION_INVARIANTS_H_
