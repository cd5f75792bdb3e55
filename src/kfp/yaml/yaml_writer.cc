#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>

#include "core/error.h"
#include "kfp/yaml/utf8.h"
#include "kfp/yaml/yaml.h"

namespace kfp {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxImplicitKey = 1000;  // YAML allows 1024 characters before the colon

// Properties of a string that decide how it can be written.
struct TextTraits {
  bool printable = true;  // no control characters except line feeds, and no YAML line breaks
  bool lines = false;     // contains line feeds
};

TextTraits traits_of(const std::string& text) {
  TextTraits traits;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Character c = decode_utf8(text, at);
    if (!c.valid)
      throw core::InputError(
          {.message = "has a string that is not UTF-8", .field = fmt::format("byte {} of the string", at)});
    at += c.bytes;
    if (c.code == '\n') {
      traits.lines = true;
    } else if (c.code < 0x20 || (c.code >= 0x7F && c.code < 0xA0) || c.code == 0x2028 || c.code == 0x2029 ||
               c.code == 0xFEFF || (c.code & 0xFFFE) == 0xFFFE) {
      traits.printable = false;
    }
  }
  return traits;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// True for every string that a reader of YAML 1.1 or 1.2 may read as a number, time or date: all strings of
// their characters, except those with several points and nothing else, which are versions.
bool like_number(const std::string& text) {
  const char first = text[0];
  if (!(first >= '0' && first <= '9') && first != '+' && first != '-' && first != '.') return false;
  if (text.find_first_not_of("0123456789abcdefABCDEFxXoO+-_.:tTzZinIN ") != std::string::npos) return false;
  const bool version = text.find_first_not_of("0123456789.") == std::string::npos &&
                       std::count(text.begin(), text.end(), '.') > 1;
  // Options such as -ec and --data have no digit and no point.
  const bool option = first == '-' && text.find_first_of("0123456789.") == std::string::npos;
  return !version && !option;
}

bool plain_allowed(const std::string& text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || text.back() == ':') return false;
  static constexpr std::string_view kIndicators = "?:,[]{}#&*!|>'\"%@`=~<";
  if (kIndicators.find(text.front()) != std::string_view::npos) return false;
  if (text.front() == '-' && (text.size() == 1 || text[1] == ' ' || text.starts_with("---"))) return false;
  if (text.starts_with("...")) return false;
  if (text.find(": ") != std::string::npos || text.find(" #") != std::string::npos) return false;
  static constexpr std::array<std::string_view, 10> kWords = {"y",   "n",    "yes",   "no",   "on",
                                                              "off", "true", "false", "null", "nan"};
  const std::string word = lower(text);
  for (const std::string_view other : kWords)
    if (word == other) return false;
  return !like_number(text);
}

std::string double_quoted(const std::string& text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Character c = decode_utf8(text, at);
    if (c.code == '"' || c.code == '\\') {
      out += '\\';
      out += static_cast<char>(c.code);
    } else if (c.code == '\n') {
      out += "\\n";
    } else if (c.code == '\t') {
      out += "\\t";
    } else if (c.code == '\r') {
      out += "\\r";
    } else if (c.code < 0x20 || (c.code >= 0x7F && c.code < 0xA0)) {
      out += fmt::format("\\x{:02X}", c.code);
    } else if (c.code == 0x2028 || c.code == 0x2029 || c.code == 0xFEFF || c.code == 0xFFFE ||
               c.code == 0xFFFF) {
      out += fmt::format("\\u{:04X}", c.code);
    } else if ((c.code & 0xFFFE) == 0xFFFE) {
      out += fmt::format("\\U{:08X}", c.code);
    } else {
      out += text.substr(at, c.bytes);
    }
    at += c.bytes;
  }
  return out + '"';
}

std::string single_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + '\'';
}

std::string text_on_one_line(const std::string& text) {
  const TextTraits traits = traits_of(text);
  if (!traits.printable || traits.lines) return double_quoted(text);
  return plain_allowed(text) ? text : single_quoted(text);
}

// A block keeps lines readable, but it cannot represent strings that begin with a space or an empty line (the
// reader derives the indentation from it) or end in several line feeds.
bool block_allowed(const std::string& text) {
  const TextTraits traits = traits_of(text);
  return traits.printable && traits.lines && text[0] != ' ' && text[0] != '\n' && !text.ends_with("\n\n") &&
         text.find(" \n") == std::string::npos && text.back() != ' ';
}

std::string number_text(const json& value) {
  if (!value.is_number_float()) return value.dump();
  if (!std::isfinite(value.get<double>()))
    throw core::InputError({.message = "has a number that is not finite"});
  std::string text = value.dump();
  // Readers of YAML 1.1 read 1e+22 as a string.
  const std::size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos) text.insert(exponent, ".0");
  return text;
}

class Writer {
 public:
  std::string take() { return std::move(out_); }

  void document(const json& value) {
    if (value.is_structured() && !value.empty()) {
      block(value, 0, true);
    } else {
      scalar(value, 0);
      out_ += '\n';
    }
  }

 private:
  void indent(int columns) { out_.append(static_cast<std::size_t>(columns), ' '); }

  // Writes the lines of a mapping or sequence. The first line has its indentation already if the value begins
  // after a dash.
  void block(const json& value, int column, bool at_line_start) {
    bool first = true;
    if (value.is_array()) {
      for (const json& element : value) {
        if (!first || at_line_start) indent(column);
        first = false;
        out_ += '-';
        if (element.is_structured() && !element.empty()) {
          out_ += ' ';
          block(element, column + 2, false);
        } else {
          out_ += ' ';
          scalar(element, column);
          out_ += '\n';
        }
      }
      return;
    }
    for (const auto& [key, element] : value.items()) {
      if (!first || at_line_start) indent(column);
      first = false;
      const std::string name = text_on_one_line(key);
      if (name.size() > kMaxImplicitKey) {
        out_ += "? " + name + '\n';
        indent(column);
      } else {
        out_ += name;
      }
      out_ += ':';
      if (element.is_structured() && !element.empty()) {
        out_ += '\n';
        block(element, element.is_array() ? column : column + 2, true);
      } else {
        out_ += ' ';
        scalar(element, column);
        out_ += '\n';
      }
    }
  }

  void scalar(const json& value, int column) {
    if (value.is_array()) {
      out_ += "[]";
    } else if (value.is_object()) {
      out_ += "{}";
    } else if (value.is_string()) {
      text(value.get_ref<const std::string&>(), column);
    } else if (value.is_number()) {
      out_ += number_text(value);
    } else {
      out_ += value.dump();
    }
  }

  void text(const std::string& value, int column) {
    if (!block_allowed(value)) {
      out_ += text_on_one_line(value);
      return;
    }
    const bool ends = value.back() == '\n';
    out_ += ends ? "|" : "|-";
    std::string_view rest = value;
    if (ends) rest.remove_suffix(1);
    while (true) {
      const std::size_t end = rest.find('\n');
      const std::string_view line = rest.substr(0, end);
      out_ += '\n';
      if (!line.empty()) {
        indent(column + 2);
        out_ += line;
      }
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
  }

  std::string out_;
};

}  // namespace

std::string to_yaml(const json& value) {
  Writer writer;
  writer.document(value);
  return writer.take();
}

}  // namespace kfp
