#include "lab/observe/space_time.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr int kLeft = 110;       // room for the time
constexpr int kLane = 260;       // between two addresses
constexpr int kTop = 80;         // room for title and addresses
constexpr int kRow = 26;         // between two messages
constexpr size_t kTextMax = 40;  // characters of a label

std::string Escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Shorten(const std::string& text) {
  return text.size() <= kTextMax ? text : text.substr(0, kTextMax - 1) + "…";
}

std::string Text(int x, int y, const char* style, const std::string& text) {
  return StrCat("<text x=\"", x, "\" y=\"", y, "\" class=\"", style, "\">", Escape(text),
                "</text>\n");
}

// The end of a flow without an error: of one direction (FlowData), or of both (FlowClose).
bool IsFin(const SeenMessage& message) {
  return (message.kind == "FlowData" && message.what == "FIN") ||
         (message.kind == "FlowClose" && message.what == "DONE");
}

std::string Label(const SeenMessage& message) {
  std::string label = message.kind;
  if (IsFin(message)) {
    if (message.bytes != 0) StrAppend(&label, " ", message.bytes, " B");
    return StrCat("FIN (", label, ")");
  }
  if (!message.what.empty()) StrAppend(&label, " ", message.what);
  if (message.what.empty() && message.bytes != 0) StrAppend(&label, " ", message.bytes, " B");
  return Shorten(label);
}

// A message to oneself is a small bow; any other a straight arrow with its label above.
std::string Arrow(const SeenMessage& message, int from, int to, int y) {
  const char* style = message.lost.empty() ? "m" : "l";
  if (from == to) {
    return StrCat("<path class=\"", style, "\" d=\"M", from, ",", y - 6, " q30,6 0,12\"/>\n",
                  Text(from + 24, y + 3, "s", Label(message)));
  }
  std::string svg = StrCat("<line class=\"", style, "\" x1=\"", from, "\" y1=\"", y, "\" x2=\"", to,
                           "\" y2=\"", y, "\"/>\n");
  StrAppend(&svg, Text((from + to) / 2, y - 4, "c", Label(message)));
  if (!message.lost.empty()) StrAppend(&svg, Text(to, y + 5, "x", "✕"));
  return svg;
}

}  // namespace

std::string SpaceTimeSvg(const std::vector<const SeenMessage*>& messages,
                         const std::string& title) {
  std::map<std::string, int> lanes;
  std::vector<std::string> order;
  for (const SeenMessage* message : messages) {
    for (const std::string* address : {&message->from, &message->to}) {
      if (lanes.try_emplace(*address, static_cast<int>(order.size())).second) {
        order.push_back(*address);
      }
    }
  }
  const int width = kLeft + kLane * static_cast<int>(std::max<size_t>(order.size(), 1));
  const int height = kTop + kRow * static_cast<int>(messages.size() + 1);
  const auto lane_x = [](int lane) { return kLeft + kLane / 2 + lane * kLane; };
  std::string svg = StrCat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", width, "\" height=\"", height,
      "\" font-family=\"sans-serif\" font-size=\"11\">\n<style>.m{stroke:#1a5fb4;fill:none;",
      "marker-end:url(#a)}.l{stroke:#c01c28;fill:none;stroke-dasharray:4}.v{stroke:#bbb}",
      ".c{text-anchor:middle}.h{text-anchor:middle;font-weight:bold}.t{fill:#666}",
      ".x{text-anchor:middle;fill:#c01c28}.T{font-size:15px}</style>\n",
      "<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" ",
      "markerHeight=\"7\" orient=\"auto\"><path d=\"M0,0 8,4 0,8z\" fill=\"#1a5fb4\"/></marker>",
      "</defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
  StrAppend(&svg, Text(12, 24, "T", title));
  for (size_t i = 0; i < order.size(); ++i) {
    const int x = lane_x(static_cast<int>(i));
    StrAppend(&svg, "<line class=\"v\" x1=\"", x, "\" y1=\"", kTop - 16, "\" x2=\"", x, "\" y2=\"",
              height - 8, "\"/>\n", Text(x, kTop - 24, "h", Shorten(order[i])));
  }
  int y = kTop + kRow / 2;
  for (const SeenMessage* message : messages) {
    char time[24];
    std::snprintf(
        time, sizeof time, "%.3f ms",
        std::chrono::duration<double, std::milli>(message->sent - messages[0]->sent).count());
    StrAppend(&svg, Text(12, y + 3, "t", time),
              Arrow(*message, lane_x(lanes[message->from]), lane_x(lanes[message->to]), y));
    y += kRow;
  }
  return svg + "</svg>\n";
}

}  // namespace kubemu
