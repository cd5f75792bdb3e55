#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "core/error.h"
#include "kfp/component/command_line.h"
#include "kfp/ir/document.h"
#include "kfp/ir/show.h"
#include "kfp/ir/validate.h"
#include "word_count.h"

// kfp-hello: a component as a command, and checks of a compiled pipeline.
namespace {

/// Prints the graph and the mistakes of a compiled pipeline.
int check(const std::string& file) {
  const kfp::ir::Pipeline pipeline = kfp::ir::read_pipeline(file);
  std::cout << kfp::ir::show(pipeline);
  const std::vector<kfp::ir::Problem> problems = kfp::ir::validate(pipeline);
  for (const kfp::ir::Problem& problem : problems) std::cout << problem.to_text() << '\n';
  return kfp::ir::has_errors(problems) ? static_cast<int>(core::ExitCode::kInput) : 0;
}

int run(int argc, char** argv) {
  CLI::App app("kfp-hello: a component and a pipeline in C++");
  app.require_subcommand(1);
  kfp::ComponentOf<WordCount> word_count;
  CLI::App* count = app.add_subcommand(word_count.info().name);
  kfp::CommandLine line(*count, word_count);
  std::string file;
  CLI::App* checking = app.add_subcommand("check", "Shows and checks a compiled pipeline");
  checking->add_option("pipeline", file, "YAML file")->required();
  CLI11_PARSE(app, argc, argv);

  if (checking->parsed()) return check(file);
  core::ThreadPool pool;
  line.run(pool);
  std::cout << word_count.result().dump(2) << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const core::Error& error) {
    std::fprintf(stderr, "kfp-hello: %s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
