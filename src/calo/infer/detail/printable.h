#pragma once

#include <cstddef>
#include <string>

namespace calo::infer {

/// Text of a file as it may stand in a message: not too long, and without control characters.
inline std::string printable(std::string text, std::size_t longest = 80) {
  if (text.size() > longest) text = text.substr(0, longest) + "…";
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text;
}

}  // namespace calo::infer
