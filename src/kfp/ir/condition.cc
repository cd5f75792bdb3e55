#include "kfp/ir/condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

#include "core/error.h"

namespace kfp::ir {
namespace {

using nlohmann::json;
using Kind = Condition::Kind;

constexpr int kMaxDepth = 100;

bool is_word(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

void append_utf8(std::string& text, std::uint32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xc0 | code >> 6);
    text += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    text += static_cast<char>(0xe0 | code >> 12);
    text += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    text += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    text += static_cast<char>(0xf0 | code >> 18);
    text += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    text += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    text += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// Reads CEL from left to right: the common part of the parsers for conditions and selectors.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  [[noreturn]] void fail(const std::string& what, std::string hint = "") const {
    throw core::InputError({.message = fmt::format("{} at {} of the expression \"{}\"", what, at_ + 1, text_),
                            .hint = std::move(hint)});
  }

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

  // Consumes `symbol` if it comes next.
  bool take(std::string_view symbol) {
    skip_space();
    if (!text_.substr(at_).starts_with(symbol)) return false;
    at_ += symbol.size();
    return true;
  }

  void expect(std::string_view symbol) {
    if (!take(symbol)) fail(fmt::format("expected \"{}\"", symbol));
  }

  bool next_is_word() {
    skip_space();
    return at_ < text_.size() && is_word(text_[at_], true);
  }

  bool next_is_number() {
    skip_space();
    const std::string_view rest = text_.substr(at_);
    return !rest.empty() && (is_digit(rest[0]) || (rest.size() > 1 && (rest[0] == '-' || rest[0] == '.') &&
                                                   (is_digit(rest[1]) || rest[1] == '.')));
  }

  bool next_is_text() {
    skip_space();
    return at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"');
  }

  std::string word() {
    if (!next_is_word()) fail("expected a name");
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_], false)) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  // An integer or a double.
  json number() {
    std::size_t end = at_ + (text_[at_] == '-' ? 1 : 0);
    bool whole = true;
    for (; end < text_.size(); ++end) {
      const char c = text_[end];
      const bool sign_of_exponent =
          (c == '-' || c == '+') && (text_[end - 1] == 'e' || text_[end - 1] == 'E');
      if (c == '.' || c == 'e' || c == 'E' || sign_of_exponent)
        whole = false;
      else if (!is_digit(c))
        break;
    }
    const char* first = text_.data() + at_;
    const char* last = text_.data() + end;
    std::int64_t integer = 0;
    double real = 0;
    const auto result = whole ? std::from_chars(first, last, integer) : std::from_chars(first, last, real);
    if (result.ec != std::errc() || result.ptr != last || last[-1] == '.')
      fail("expected a number that fits 64 bits");
    at_ = end;
    return whole ? json(integer) : json(real);
  }

  // A string in single or double quotes.
  std::string text() {
    const char quote = text_[at_++];
    std::string value;
    while (true) {
      if (at_ == text_.size() || text_[at_] == '\n') fail("string without an end");
      const char c = text_[at_++];
      if (c == quote) return value;
      if (c == '\\')
        escape(value);
      else
        value += c;
    }
  }

  // The key or the index in brackets, after "[".
  Selector::Step index() {
    Selector::Step step;
    if (next_is_text()) {
      step = text();
    } else if (next_is_number()) {
      const json position = number();
      if (!position.is_number_integer() || position.get<std::int64_t>() < 0) fail("expected an index from 0");
      step = position.get<std::size_t>();
    } else {
      fail("expected a key in quotes or an index");
    }
    expect("]");
    return step;
  }

 private:
  void escape(std::string& value) {
    if (at_ == text_.size()) fail("string without an end");
    const char c = text_[at_++];
    static constexpr std::string_view kNames = "abfnrtv\\'\"`?";
    static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"`?";
    if (const std::size_t known = kNames.find(c); known != std::string_view::npos) {
      value += kMeanings[known];
    } else if (c == 'x' || c == 'X') {
      append_utf8(value, code(2, 16));
    } else if (c == 'u') {
      append_utf8(value, code(4, 16));
    } else if (c == 'U') {
      append_utf8(value, code(8, 16));
    } else if (c >= '0' && c <= '3') {
      --at_;
      append_utf8(value, code(3, 8));
    } else {
      fail("unknown escape");
    }
  }

  std::uint32_t code(std::size_t digits, int base) {
    std::uint32_t code = 0;
    const std::string_view part = text_.substr(at_, digits);
    const auto result = std::from_chars(part.data(), part.data() + part.size(), code, base);
    if (part.size() != digits || result.ec != std::errc() || result.ptr != part.data() + part.size())
      fail(fmt::format("expected {} digits of base {}", digits, base));
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) fail("not a Unicode character");
    at_ += digits;
    return code;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Recursive descent, by rising priority: || && comparison ! primary.
class ConditionParser {
 public:
  explicit ConditionParser(std::string_view cel) : reader_(cel) {}

  Condition parse() {
    Condition condition = either();
    if (!reader_.at_end()) reader_.fail("unexpected text");
    return condition;
  }

 private:
  static Condition join(Kind kind, Condition left, Condition right) {
    Condition joined{.kind = kind};
    joined.operands.push_back(std::move(left));
    joined.operands.push_back(std::move(right));
    return joined;
  }

  Condition either() {
    if (++depth_ > kMaxDepth) reader_.fail("more than 100 levels");
    Condition left = both();
    // The tree is as deep as the chain is long, and so is the recursion of the evaluation.
    for (int length = 0; reader_.take("||"); ++length) {
      if (length > kMaxDepth) reader_.fail("more than 100 alternatives");
      left = join(Kind::kOr, std::move(left), both());
    }
    --depth_;
    return left;
  }

  Condition both() {
    Condition left = comparison();
    for (int length = 0; reader_.take("&&"); ++length) {
      if (length > kMaxDepth) reader_.fail("more than 100 conditions");
      left = join(Kind::kAnd, std::move(left), comparison());
    }
    return left;
  }

  Condition comparison() {
    static constexpr std::array<std::pair<std::string_view, Kind>, 6> kSigns = {{{"==", Kind::kEqual},
                                                                                 {"!=", Kind::kNotEqual},
                                                                                 {"<=", Kind::kLessEqual},
                                                                                 {">=", Kind::kGreaterEqual},
                                                                                 {"<", Kind::kLess},
                                                                                 {">", Kind::kGreater}}};
    Condition left = unary();
    for (int length = 0;; ++length) {
      const auto sign = std::find_if(kSigns.begin(), kSigns.end(),
                                     [&](const auto& known) { return reader_.take(known.first); });
      if (sign == kSigns.end()) return left;
      if (length > kMaxDepth) reader_.fail("more than 100 comparisons");
      left = join(sign->second, std::move(left), unary());
    }
  }

  Condition unary() {
    if (++depth_ > kMaxDepth) reader_.fail("more than 100 levels");
    Condition condition;
    if (reader_.take("!")) {
      condition.kind = Kind::kNot;
      condition.operands.push_back(unary());
    } else {
      condition = primary();
    }
    --depth_;
    return condition;
  }

  Condition primary() {
    if (reader_.take("(")) {
      Condition inner = either();
      reader_.expect(")");
      return inner;
    }
    if (reader_.next_is_text()) return {.value = reader_.text()};
    if (reader_.next_is_number()) return {.value = reader_.number()};
    if (!reader_.next_is_word()) reader_.fail("expected a value");
    const std::string word = reader_.word();
    if (word == "true" || word == "false") return {.value = word == "true"};
    if (word == "null") return {.value = nullptr};
    if (word == "inputs") return parameter();
    static const std::map<std::string, Kind> kConversions = {
        {"int", Kind::kInt}, {"double", Kind::kDouble}, {"string", Kind::kString}, {"bool", Kind::kBool}};
    const auto conversion = kConversions.find(word);
    if (conversion == kConversions.end())
      reader_.fail(
          fmt::format("\"{}\" is unknown", word),
          "known: inputs.parameter_values['x'], true, false, null, int(), double(), string(), bool()");
    reader_.expect("(");
    Condition condition{.kind = conversion->second};
    condition.operands.push_back(either());
    reader_.expect(")");
    return condition;
  }

  Condition parameter() {
    reader_.expect(".");
    if (const std::string field = reader_.word(); field != "parameter_values")
      reader_.fail(fmt::format("\"inputs.{}\" is unknown", field), "known: inputs.parameter_values['x']");
    if (reader_.take(".")) return {.kind = Kind::kParameter, .name = reader_.word()};
    reader_.expect("[");
    if (!reader_.next_is_text()) reader_.fail("expected the name of a parameter in quotes");
    Condition condition{.kind = Kind::kParameter, .name = reader_.text()};
    reader_.expect("]");
    return condition;
  }

  Reader reader_;
  int depth_ = 0;
};

class SelectorParser {
 public:
  explicit SelectorParser(std::string_view selector) : reader_(selector) {}

  Selector parse() {
    value(0);
    if (!reader_.at_end()) reader_.fail("unexpected text");
    return std::move(selector_);
  }

 private:
  void value(int depth) {
    if (depth > kMaxDepth) reader_.fail("more than 100 levels");
    const std::string word = reader_.word();
    if (word == "parseJson") {
      reader_.expect("(");
      value(depth + 1);
      reader_.expect(")");
      selector_.steps.emplace_back(Selector::ParseJson());
    } else if (word == "struct_value" || word == "list_value") {
      // The value itself, which may be given as a string.
      selector_.steps.emplace_back(Selector::ParseJson());
    } else if (word != "string_value") {
      reader_.fail(fmt::format("\"{}\" is unknown", word), "known: parseJson(string_value)[\"key\"]");
    }
    while (true) {
      if (reader_.take("["))
        selector_.steps.push_back(reader_.index());
      else if (reader_.take("."))
        selector_.steps.emplace_back(reader_.word());
      else
        return;
    }
  }

  Reader reader_;
  Selector selector_;
};

[[noreturn]] void refuse(std::string message) {
  throw core::InputError({.message = std::move(message)});
}

// A double as cel-go writes it: the fewest digits that give the same number again, 1234567 as 1.234567e+06.
std::string double_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char buffer[32];
  const auto scientific = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string text(buffer, scientific.ptr);
  const int exponent = std::stoi(text.substr(text.find('e') + 1));
  if (exponent < -4 || exponent >= 6) return text;
  const auto fixed = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  return {buffer, fixed.ptr};
}

json convert(Kind kind, const json& value) {
  const auto no = [&](std::string_view to) -> json {
    refuse(fmt::format("{} cannot be converted to {}",
                       value.dump(-1, ' ', false, json::error_handler_t::replace), to));
  };
  const auto parsed = [&]<class T>(T number, std::string_view to) {
    const auto& text = value.get_ref<const std::string&>();
    const std::size_t begin = text.size() > 1 && text[0] == '+' && text[1] != '-' ? 1 : 0;
    const char* last = text.data() + text.size();
    const auto result = std::from_chars(text.data() + begin, last, number);
    if (result.ec != std::errc() || result.ptr != last) no(to);
    return number;
  };
  switch (kind) {
    case Kind::kInt:
      if (value.is_string()) return parsed(std::int64_t{}, "an integer");
      if (value.is_number_integer()) return value;
      if (value.is_number_float()) {
        const double number = std::trunc(value.get<double>());
        if (!(std::abs(number) < 0x1p63)) no("an integer");
        return static_cast<std::int64_t>(number);
      }
      return no("an integer");
    case Kind::kDouble:
      if (value.is_string()) return parsed(double{}, "a double");
      if (value.is_number()) return value.get<double>();
      return no("a double");
    case Kind::kString:
      if (value.is_string()) return value;
      if (value.is_number_float()) return double_text(value.get<double>());
      if (value.is_number() || value.is_boolean()) return value.dump();
      return no("a string");
    default:
      if (value.is_boolean()) return value;
      for (const char* yes : {"true", "True", "TRUE", "t", "T", "1"})
        if (value == yes) return true;
      for (const char* not_so : {"false", "False", "FALSE", "f", "F", "0"})
        if (value == not_so) return false;
      return no("true or false");
  }
}

bool compare(Kind kind, const json& left, const json& right) {
  if (kind == Kind::kEqual) return left == right;
  if (kind == Kind::kNotEqual) return left != right;
  const bool ordered = (left.is_number() && right.is_number()) || (left.is_string() && right.is_string()) ||
                       (left.is_boolean() && right.is_boolean());
  if (!ordered)
    refuse(fmt::format("{} and {} cannot be compared by size", left.type_name(), right.type_name()));
  switch (kind) {
    case Kind::kLess:
      return left < right;
    case Kind::kLessEqual:
      return left <= right;
    case Kind::kGreater:
      return left > right;
    default:
      return left >= right;
  }
}

class Evaluation {
 public:
  explicit Evaluation(const std::map<std::string, json>& values) : values_(values) {}

  json operator()(const Condition& condition) const {
    switch (condition.kind) {
      case Kind::kLiteral:
        return condition.value;
      case Kind::kParameter: {
        const auto found = values_.find(condition.name);
        if (found == values_.end()) refuse(fmt::format("there is no parameter \"{}\"", condition.name));
        return found->second.is_number() ? json(found->second.get<double>()) : found->second;
      }
      case Kind::kNot:
        return !truth(condition.operands[0]);
      case Kind::kAnd:
        return decide(condition, false);
      case Kind::kOr:
        return decide(condition, true);
      case Kind::kInt:
      case Kind::kDouble:
      case Kind::kString:
      case Kind::kBool:
        return convert(condition.kind, (*this)(condition.operands[0]));
      default:
        return compare(condition.kind, (*this)(condition.operands[0]), (*this)(condition.operands[1]));
    }
  }

  bool truth(const Condition& condition) const {
    const json value = (*this)(condition);
    if (!value.is_boolean())
      refuse(fmt::format("the condition is a {}, not true or false", value.type_name()));
    return value.get<bool>();
  }

 private:
  // A side equal to `decisive` decides, even if the other is an error.
  bool decide(const Condition& condition, bool decisive) const {
    std::optional<core::InputError> error;
    for (const Condition& operand : condition.operands) {
      try {
        if (truth(operand) == decisive) return decisive;
      } catch (const core::InputError& wrong) {
        if (!error) error = wrong;
      }
    }
    if (error) throw *error;
    return !decisive;
  }

  const std::map<std::string, json>& values_;
};

}  // namespace

Condition parse_condition(std::string_view cel) {
  return ConditionParser(cel).parse();
}

std::vector<std::string> inputs_of_condition(const Condition& condition) {
  if (condition.kind == Kind::kParameter) return {condition.name};
  std::vector<std::string> names;
  for (const Condition& operand : condition.operands)
    for (std::string& name : inputs_of_condition(operand)) names.push_back(std::move(name));
  return names;
}

bool evaluate_condition(const Condition& condition, const std::map<std::string, json>& parameter_values) {
  return Evaluation(parameter_values).truth(condition);
}

bool evaluate_condition(std::string_view cel, const std::map<std::string, json>& parameter_values) {
  try {
    return evaluate_condition(parse_condition(cel), parameter_values);
  } catch (const core::InputError& error) {
    if (!error.details().field.empty()) throw;
    throw core::InputError({.message = error.details().message,
                            .field = "condition",
                            .hint = error.details().hint.empty() ? std::string(cel) : error.details().hint});
  }
}

Selector parse_selector(std::string_view selector) {
  return SelectorParser(selector).parse();
}

json select(const Selector& selector, const json& value) {
  json part = value;
  for (const Selector::Step& step : selector.steps) {
    if (std::holds_alternative<Selector::ParseJson>(step)) {
      if (!part.is_string()) continue;
      part = json::parse(part.get_ref<const std::string&>(), nullptr, false);
      if (part.is_discarded()) refuse("the value that a part is selected from is not JSON");
    } else if (const auto* key = std::get_if<std::string>(&step)) {
      if (!part.is_object() || !part.contains(*key)) refuse(fmt::format("the value has no \"{}\"", *key));
      part = json(part.at(*key));
    } else {
      const std::size_t position = std::get<std::size_t>(step);
      if (!part.is_array() || position >= part.size())
        refuse(fmt::format("the value has no element {}", position));
      part = json(part.at(position));
    }
  }
  return part;
}

json select(std::string_view selector, const json& value) {
  return select(parse_selector(selector), value);
}

}  // namespace kfp::ir
