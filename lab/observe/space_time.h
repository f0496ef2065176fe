#ifndef KUBEMU_LAB_OBSERVE_SPACE_TIME_H_
#define KUBEMU_LAB_OBSERVE_SPACE_TIME_H_

#include <string>
#include <vector>

#include "lab/observe/message_log.h"

namespace kubemu {

// A space-time diagram as SVG: one vertical line for each address, in the order of first use, and
// an arrow for each message from its sender's line to its receiver's, downwards in the order given
// (a row each, so that nothing is hidden; the time stands at the left). Lost messages end in a
// cross; the end of a flow without an error is labelled FIN. `title` stands above.
std::string SpaceTimeSvg(const std::vector<const SeenMessage*>& messages, const std::string& title);

}  // namespace kubemu

#endif  // KUBEMU_LAB_OBSERVE_SPACE_TIME_H_
