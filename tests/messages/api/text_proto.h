#ifndef KUBEMU_TESTS_MESSAGES_API_TEXT_PROTO_H_
#define KUBEMU_TESTS_MESSAGES_API_TEXT_PROTO_H_

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

namespace kubemu {

// A message from Protobuf's text form; the test fails if the text is wrong.
template <typename T>
T FromText(const std::string& text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MESSAGES_API_TEXT_PROTO_H_
