#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/compare_command.h"
#include "app/compile_command.h"
#include "app/completion.h"
#include "app/components_command.h"
#include "app/inspect_command.h"
#include "app/kerberos_command.h"
#include "app/kubeflow_command.h"
#include "app/kubernetes_commands.h"
#include "app/log_options.h"
#include "app/pictures_command.h"
#include "app/pipeline_command.h"
#include "app/run_command.h"
#include "app/runs_command.h"
#include "app/showers_command.h"
#include "app/train_processes.h"
#include "app/tune_command.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/provenance.h"
#include "kfp/component/arguments.h"
#include "kfp/component/command_line.h"
#include "parallel/place.h"
#include "pipeline/components.h"
#include "pipeline/logging.h"
#include "pipeline/remote_run.h"
#include "storage/storage.h"

namespace {

// How the scripts of `calopipe completion` call this program, with "--" and the words of the command line.
constexpr const char* kComplete = "__complete";

struct Global {
  int threads = 0;
  bool quiet = false;
  bool json = false;
};

void add_work_options(CLI::App& app, Global& global) {
  app.add_option("--threads", global.threads, "Number of threads; 0 = as many as the process may use")
      ->envname("CALOPIPE_THREADS")
      ->check(CLI::Range(0, 4096))
      ->group("General");
  app.add_flag("--quiet,-q", global.quiet, "Only warnings and errors")->group("General");
}

void add_global(CLI::App& app, Global& global) {
  add_work_options(app, global);
  app.add_flag("--json", global.json, "Print the result as JSON")->group("General");
}

// True if a long option is on the command line; CLI11 also counts values from the environment.
bool is_given(const std::string& option, const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& word) {
    return word == option || word.starts_with(option + "=");
  });
}

void apply_global(const Global& global) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("calopipe"));
  spdlog::set_pattern("%^%l%$: %v");
  if (global.quiet) spdlog::set_level(spdlog::level::warn);
  core::set_progress_enabled(!global.quiet);
}

void print_result(const kfp::Component& component, bool json) {
  if (json) {
    std::cout << component.result().dump(2) << '\n';
    return;
  }
  for (const kfp::Field& field : component.fields()) {
    // Outputs that were not requested have no path.
    if (field.kind == kfp::Field::Kind::kOutput && !field.output->path.empty())
      fmt::print("{}: {}\n", field.name, field.output->path.string());
    if (field.kind == kfp::Field::Kind::kOutputParameter)
      fmt::print("{}: {}\n", field.name, field.value().dump());
  }
}

// "0.1.0", and in container images the commit of the sources, too.
std::string version_line() {
#ifdef CALOPIPE_SOURCE_ID
  return fmt::format("{} (source {})", core::version(), CALOPIPE_SOURCE_ID);
#else
  return core::version();
#endif
}

int run(int argc, char** argv) {
  CLI::App app("calopipe: from Geant4 showers to a validated fast simulation");
  app.require_subcommand(1);
  app.set_version_flag("--version", version_line());
  app.footer(
      "calopipe COMMAND --help lists the options of a command.\nExit codes: 0 done, 1 internal error, 2 "
      "usage, "
      "3 bad input, 4 unavailable, 130 interrupted.");
  app.get_formatter()->column_width(34);
  Global global;

  kfp::Registry registry;
  pipeline::register_components(registry);
  app::RunCommand run_command(app, registry);
  app::TuneCommand tune_command(app, registry);
  app::InspectCommand inspect_command(app);
  app::ShowersCommand showers_command(app);
  app::CompareCommand compare_command(app);
  app::PicturesCommand pictures_command(app);
  app::PipelineCommand pipeline_command(app);
  app::CompileCommand compile_command(*pipeline_command.subcommand(), registry);
  app::ComponentsCommand components_command(app, registry);
  app::RunsCommand runs_command(app, [&](const app::RunsCommand::ResumeRequest& request) {
    app::resume_run(request, global.threads, global.quiet);
    return 0;
  });
  app::KubeflowCommand kubeflow_command(
      app, [](const kfp::client::Context& context, const std::string& run, bool quiet, bool json) {
        const nlohmann::json summary = pipeline::attach_remotely(context, run, quiet);
        fmt::print("{}\n", json ? summary.dump(2) : "run: " + summary.at("run").get<std::string>());
      });
  app::KubernetesCommands kubernetes_commands(*kubeflow_command.subcommand(), registry);
  app::KerberosCommand kerberos_command(app);
  app::CompletionCommand completion_command(app);
  add_work_options(*runs_command.resume_subcommand(), global);
  add_global(*run_command.subcommand(), global);
  add_work_options(*tune_command.subcommand(), global);
  add_global(*inspect_command.subcommand(), global);
  add_global(*showers_command.convert_subcommand(), global);
  add_global(*compare_command.subcommand(), global);

  struct Command {
    std::unique_ptr<kfp::Component> component;
    CLI::App* subcommand;
    std::unique_ptr<kfp::CommandLine> line;
    pipeline::LogOptions log;
  };
  std::list<Command> commands;  // options have the address of their value
  for (const auto& [name, factory] : registry.all()) {
    Command& command = commands.emplace_back();
    command.component = factory();
    command.subcommand = app.add_subcommand(name);
    command.subcommand->group("Components");
    command.line = std::make_unique<kfp::CommandLine>(*command.subcommand, *command.component);
    if (pipeline::is_logged(*command.component))
      app::add_log_options(
          *command.subcommand, command.log,
          pipeline::has_model(*command.component) ? "Name under which MLflow's registry gets the model" : "");
    add_global(*command.subcommand, global);
  }
  const app::TrainProcesses train_processes(*app.get_subcommand("train"));
  std::string docs_folder = "doc/components";
  CLI::App* docs =
      app.add_subcommand("docs", "Writes the reference pages of the components (Markdown)")->group("Tools");
  docs->add_option("--out", docs_folder, "Folder")->type_name("PATH")->capture_default_str();

  if (argc > 2 && std::string(argv[1]) == kComplete) {
    const app::Completions found = app::complete(app, {argv + 3, argv + argc});
    for (const std::string& word : found.words) fmt::print("{}\n", word);
    if (found.files) fmt::print(":files\n");
    return 0;
  }
  kfp::check_arguments(app, {argv + 1, argv + argc}, "calopipe");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : static_cast<int>(core::ExitCode::kUsage);
  }
  apply_global(global);
  storage::provide();
  core::catch_interrupts();
  if (docs->parsed()) {
    kfp::write_reference(registry, docs_folder);
    return 0;
  }
  if (completion_command.subcommand()->parsed()) {
    completion_command.run();
    return 0;
  }
  if (compile_command.parsed()) return compile_command.run();
  if (pipeline_command.subcommand()->parsed()) return pipeline_command.run();
  if (runs_command.subcommand()->parsed()) return runs_command.run();
  if (kubernetes_commands.parsed()) {
    kubernetes_commands.run();
    return 0;
  }
  if (kubeflow_command.subcommand()->parsed()) return kubeflow_command.run();
  if (kerberos_command.subcommand()->parsed()) return kerberos_command.run();
  if (components_command.subcommand()->parsed()) {
    components_command.run();
    return 0;
  }
  if (run_command.subcommand()->parsed()) {
    run_command.run(global.threads, is_given("--threads", {argv + 1, argv + argc}), global.quiet,
                    global.json);
    return 0;
  }
  if (tune_command.subcommand()->parsed()) {
    tune_command.run(global.threads, global.quiet);
    return 0;
  }
  if (compare_command.subcommand()->parsed()) {
    compare_command.run(global.json);
    return 0;
  }
  if (pictures_command.subcommand()->parsed()) {
    pictures_command.run();
    return 0;
  }
  if (const auto code = train_processes.launch({argv, argv + argc}, global.threads)) return *code;
  core::ThreadPool pool(global.threads);
  if (inspect_command.subcommand()->parsed()) {
    inspect_command.run(pool, global.json);
    return 0;
  }
  if (showers_command.subcommand()->parsed()) {
    showers_command.run(pool, global.json);
    return 0;
  }
  for (Command& command : commands) {
    if (!command.subcommand->parsed()) continue;
    std::optional<pipeline::ComponentLog> log;
    // Of processes that train together, the first one speaks.
    const bool is_first =
        command.subcommand->get_name() != "train" || parallel::place_of(parallel::own_environment).rank == 0;
    if (command.log && is_first) log.emplace(command.log);
    command.line->run(pool, log ? &*log : nullptr);
    if (command.component->writes_outputs()) print_result(*command.component, global.json);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const core::Error& error) {
    fmt::print(stderr, "calopipe: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "calopipe: not enough memory\n");
    return static_cast<int>(core::ExitCode::kUnavailable);
  } catch (const std::exception& error) {
    fmt::print(stderr, "calopipe: internal error: {}\n", error.what());
    return static_cast<int>(core::ExitCode::kInternal);
  }
}
