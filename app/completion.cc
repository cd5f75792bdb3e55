#include "app/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "kfp/client/context.h"
#include "kfp/local/store.h"

namespace app {
namespace {

const CLI::Option* option_named(const CLI::App& app, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  for (const CLI::Option* option : app.get_options())
    if (name.starts_with('-') && option->check_name(name)) return option;
  return nullptr;
}

const CLI::App* command_named(const CLI::App& app, const std::string& word) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    if (command->check_name(word)) return command;
  return nullptr;
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

// Values that the declaration lists: its type is "TEXT:{a,b}".
std::vector<std::string> choices(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t begin = type.find('{'), end = type.find('}');
  std::vector<std::string> found;
  if (begin == std::string::npos || end == std::string::npos) return found;
  for (std::size_t at = begin + 1; at < end;) {
    const std::size_t comma = std::min(type.find(',', at), end);
    found.push_back(type.substr(at, comma - at));
    at = comma + 1;
  }
  return found;
}

std::vector<std::string> contexts() {
  std::vector<std::string> names;
  for (const auto& [name, unused] : kfp::client::read_contexts(kfp::client::contexts_file()))
    names.push_back(name);
  return names;
}

std::vector<std::string> runs() {
  std::vector<std::string> ids;
  if (!std::filesystem::exists(kfp::local::default_store_folder())) return ids;
  for (const kfp::local::RunRecord& run : kfp::local::Store::open(kfp::local::default_store_folder())->runs())
    ids.push_back(run.id);
  ids.emplace_back("latest");
  return ids;
}

// Values of an option or of a positional argument.
Completions values_of(const CLI::App& app, const CLI::Option& option) {
  const std::string& name = option.get_single_name();
  if (std::vector<std::string> listed = choices(option); !listed.empty()) return {.words = std::move(listed)};
  const CLI::App* parent = app.get_parent();
  if (name == "on" || (name == "context" && parent != nullptr) || name == "context-name")
    return {.words = contexts()};
  if (name.starts_with("run") && parent != nullptr && parent->get_name() == "runs") return {.words = runs()};
  return {.files = true};
}

constexpr const char* kBash =
    R"(# Completions of calopipe for bash: calopipe completion bash > ~/.local/share/bash-completion/completions/calopipe
_calopipe() {
  local lines
  mapfile -t lines < <("$1" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=()
  local line
  for line in "${lines[@]}"; do
    if [ "$line" = ":files" ]; then compopt -o default 2>/dev/null; else COMPREPLY+=("$line"); fi
  done
}
complete -F _calopipe calopipe
)";

constexpr const char* kZsh = R"(#compdef calopipe
# Completions of calopipe for zsh: calopipe completion zsh > FOLDER-OF-FPATH/_calopipe
_calopipe() {
  local -a lines
  lines=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -- "${(@)lines:#(:files|)}"
  (( ${lines[(Ie):files]} )) && _files
}
if [ "$funcstack[1]" = _calopipe ]; then _calopipe "$@"; else compdef _calopipe calopipe; fi
)";

constexpr const char* kFish =
    R"(# Completions of calopipe for fish: calopipe completion fish > ~/.config/fish/completions/calopipe.fish
function __calopipe_complete
  set -l words (commandline -opc)
  set -l lines ($words[1] __complete -- $words[2..-1] (commandline -ct) 2>/dev/null)
  for line in $lines
    if test "$line" = ":files"
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c calopipe -f -a '(__calopipe_complete)'
)";

}  // namespace

Completions complete(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* command = &app;
  const CLI::Option* open = nullptr;  // its value comes next
  std::size_t positional = 0;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (open != nullptr) {
      open = nullptr;
      continue;
    }
    if (const CLI::Option* option = option_named(*command, words[i])) {
      if (takes_value(*option) && words[i].find('=') == std::string::npos) open = option;
    } else if (const CLI::App* next = command_named(*command, words[i])) {
      command = next;
      positional = 0;
    } else {
      ++positional;
    }
  }
  const std::string last = words.empty() ? "" : words.back();
  Completions found;
  if (open != nullptr) {
    found = values_of(*command, *open);
  } else if (last.starts_with('-')) {
    for (const CLI::Option* option : command->get_options())
      for (const std::string& name : option->get_lnames()) found.words.push_back("--" + name);
  } else {
    for (const CLI::App* next : command->get_subcommands([](const CLI::App*) { return true; }))
      if (!next->get_name().empty()) found.words.push_back(next->get_name());
    if (found.words.empty()) {
      std::size_t place = 0;
      for (const CLI::Option* option : command->get_options()) {
        if (!option->get_positional()) continue;
        if (place++ < positional && option->get_items_expected_max() <= 1) continue;
        found = values_of(*command, *option);
        break;
      }
    }
  }
  std::erase_if(found.words, [&](const std::string& word) { return !word.starts_with(last); });
  std::sort(found.words.begin(), found.words.end());
  found.words.erase(std::unique(found.words.begin(), found.words.end()), found.words.end());
  return found;
}

CompletionCommand::CompletionCommand(CLI::App& app)
    : subcommand_(app.add_subcommand("completion", "Prints a script that completes commands in a shell")) {
  subcommand_->group("Tools");
  subcommand_->footer(
      "Examples:\n  source <(calopipe completion bash)\n"
      "  calopipe completion fish > ~/.config/fish/completions/calopipe.fish");
  subcommand_->add_option("shell", shell_, "Shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("SHELL");
}

void CompletionCommand::run() const {
  const std::map<std::string, const char*> scripts = {{"bash", kBash}, {"zsh", kZsh}, {"fish", kFish}};
  fmt::print("{}", scripts.at(shell_));
}

}  // namespace app
