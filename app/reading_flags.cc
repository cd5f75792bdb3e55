#include "app/reading_flags.h"

#include <string>
#include <variant>

namespace app {

void add_reading_options(CLI::App& command, pipeline::ReadingOptions& options) {
  kfp::Visitor visitor;
  options.describe(visitor);
  for (const kfp::Field& field : visitor.take()) {
    const std::string name = "--" + field.option_name();
    if (field.kind == kfp::Field::Kind::kInput)
      command
          .add_option_function<std::string>(
              name, [input = field.input](const std::string& path) { input->path = path; },
              field.artifact_spec.help)
          ->type_name("FILE")
          ->group("Reading");
    else
      command.add_option(name, *std::get<std::string*>(field.parameter), field.parameter_spec.help)
          ->group("Reading");
  }
}

}  // namespace app
