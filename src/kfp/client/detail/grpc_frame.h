#pragma once

#include <string>

namespace kfp::client {

/// A message of gRPC with the head of its frame: not compressed, and its length.
inline std::string grpc_frame(const std::string& message) {
  const std::size_t size = message.size();
  std::string frame(1, '\0');
  for (const int shift : {24, 16, 8, 0}) frame += static_cast<char>(size >> shift & 0xFF);
  return frame + message;
}

}  // namespace kfp::client
