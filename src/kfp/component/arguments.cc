#include "kfp/component/arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "kfp/component/field.h"

namespace kfp {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// The long options, with their dashes.
std::vector<std::string> long_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// The option that the user probably meant: it begins with `name`, or differs in few letters.
std::string nearest_option(const std::string& name, const std::vector<std::string>& known) {
  constexpr std::size_t kTelling = 4;  // dashes and two letters
  std::string best;
  if (name.size() >= kTelling)
    for (const std::string& candidate : known)
      if (candidate.starts_with(name) && (best.empty() || candidate.size() < best.size())) best = candidate;
  if (best.empty()) best = nearest(name, known);
  return best;
}

// The first command that has an option of this name: "train", "runs show".
std::string owner_of(const CLI::App& app, const std::string& name) {
  for (const CLI::App* command : commands_of(app)) {
    if (command->get_option_no_throw(name) != nullptr) return command->get_name();
    const std::string inside = owner_of(*command, name);
    if (!inside.empty()) return command->get_name() + " " + inside;
  }
  return "";
}

class Check {
 public:
  Check(const CLI::App& app, const std::vector<std::string>& arguments, std::string program)
      : root_(app), command_(&app), words_(arguments), program_(program), path_(std::move(program)) {}

  void run() {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const std::string& word = words_[i];
      if (word == "--") return;
      // "-3" and "-.5" are values, "-" is the standard input.
      const bool number = word.size() > 1 && ((word[1] >= '0' && word[1] <= '9') || word[1] == '.');
      if (word.starts_with("--"))
        i += long_option(word);
      else if (word.starts_with('-') && word.size() > 1 && !number)
        i += short_option(word);
      else
        plain(word);
    }
  }

 private:
  // Both return the number of following words that are its values.
  std::size_t long_option(const std::string& word) {
    const std::size_t equals = word.find('=');
    const CLI::Option* option = known(word.substr(0, equals));
    if (option == nullptr) unknown(word.substr(0, equals));
    return equals == std::string::npos ? values_of(*option) : 0;
  }

  std::size_t short_option(const std::string& word) {
    const CLI::Option* option = known(word.substr(0, 2));
    if (option == nullptr) unknown(word.substr(0, word.find('=')));
    return word.size() == 2 ? values_of(*option) : 0;
  }

  const CLI::Option* known(const std::string& name) {
    const CLI::Option* option = command_->get_option_no_throw(name);
    if (option == nullptr) return nullptr;
    given_.push_back(option);
    // A list takes all following words.
    takes_more_ = option->get_allow_extra_args() ||
                  option->get_items_expected_max() > std::max(1, option->get_items_expected_min());
    return option;
  }

  static std::size_t values_of(const CLI::Option& option) {
    return static_cast<std::size_t>(std::max(0, option.get_items_expected_min()));
  }

  [[noreturn]] void unknown(const std::string& name) const {
    const std::string wanted = name.starts_with("--") ? name : "-" + name;  // for "-energy"
    const std::string near = nearest_option(wanted, long_names(*command_));
    const std::string owner = owner_of(root_, wanted);
    std::string hint = path_ + " --help lists the options";
    if (!near.empty())
      hint = fmt::format("did you mean {}?", near);
    else if (!owner.empty())
      hint = fmt::format("it is an option of {} {}", program_, owner);
    throw core::UsageError({.message = "no such option", .field = name, .hint = hint});
  }

  void plain(const std::string& word) {
    const std::vector<const CLI::App*> commands = commands_of(*command_);
    for (const CLI::App* command : commands) {
      if (command->get_name() != word) continue;
      command_ = command;
      path_ += " " + word;
      given_.clear();
      takes_more_ = false;
      return;
    }
    if (takes_more_) return;
    if (places_left() > 0) {
      ++taken_;
      return;
    }
    if (commands.empty())
      throw core::UsageError({.message = fmt::format("unexpected word \"{}\"", word),
                              .hint = path_ + " --help lists its arguments"});
    std::vector<std::string> names;
    names.reserve(commands.size());
    for (const CLI::App* command : commands) names.push_back(command->get_name());
    const std::string near = nearest(word, names);
    throw core::UsageError(
        {.message = fmt::format("\"{}\" is not a command{}{}", word,
                                command_ == &root_ ? "" : fmt::format(" of {}", path_),
                                near.empty() ? "" : fmt::format(", did you mean {}?", near)),
         .hint = path_ + " --help lists the commands"});
  }

  // Number of further positional words that the command accepts.
  int places_left() const {
    int places = -taken_;
    for (const CLI::Option* option : command_->get_options()) {
      if (!option->get_positional()) continue;
      const bool named = std::find(given_.begin(), given_.end(), option) != given_.end();
      const int most = std::min(option->get_items_expected_max(), 1 << 20);
      if (!named || most > 1) places += most;
    }
    return places;
  }

  const CLI::App& root_;
  const CLI::App* command_;
  const std::vector<std::string>& words_;
  std::string program_;
  std::string path_;
  std::vector<const CLI::Option*> given_;  // options given to the command
  int taken_ = 0;
  bool takes_more_ = false;
};

}  // namespace

void check_arguments(const CLI::App& app, const std::vector<std::string>& arguments,
                     const std::string& program) {
  Check(app, arguments, program).run();
}

}  // namespace kfp
