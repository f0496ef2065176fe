#ifndef KUBEMU_MASTER_APISERVER_READS_H_
#define KUBEMU_MASTER_APISERVER_READS_H_

#include "master/apiserver/cache.h"
#include "master/apiserver/call.h"

namespace kubemu {

// Answers GET from the cache: the object, or for the subresource "scale" its Scale.
ApiAnswer GetObject(const ApiCall& call, const Cache& cache);

// Answers LIST. With a limit the answer holds that many objects and a token for the rest; pages
// that follow are of the same revision as the first, for as long as the log of changes reaches back
// to it (then 410 with upstream's text). resourceVersion N means "not older than N", or with
// resourceVersionMatch=Exact the state at N.
ApiAnswer ListObjects(const ApiCall& call, const Cache& cache);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_READS_H_
