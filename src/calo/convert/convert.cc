#include "calo/convert/convert.h"

#include <fstream>

#include "calo/models/generator_graph.h"
#include "core/error.h"
#include "core/staged_output.h"

namespace calo {

ConvertReport convert(const ModelFolder& model, const ConvertOptions& options,
                      const std::filesystem::path& out) {
  const ContractMapping mapping = map_contract(options.contract, model.transform, options.geometry);
  std::string macro;
  if (!options.macro_file.empty()) {
    if (options.contract == Contract::kPlain)
      throw core::UsageError({.message = "is for the contracts of Par04 only",
                              .field = "par04_macro",
                              .hint = "add --contract par04-vae, or par04-calodit"});
    Par04MacroOptions macro_options = options.macro;
    if (macro_options.model_path.empty())
      macro_options.model_path =
          std::filesystem::absolute(out)
              .lexically_proximate(std::filesystem::absolute(options.macro_file).parent_path())
              .string();
    macro = par04_macro(model, mapping, macro_options);
  }
  core::StagedOutput staged(out, core::StagedOutput::Kind::kFile);
  {
    const std::string bytes = generator_graph(model, mapping, options.provenance);
    std::ofstream file(staged.path(), std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) throw core::UnavailableError({.message = "cannot be written", .file = out});
  }
  const std::string written = core::read_file(staged.path());
  ConvertReport report{.bytes = static_cast<std::int64_t>(written.size())};
  report.check = check_generator(written, model, mapping, options.check_showers, options.seed);
  staged.commit();
  if (!macro.empty()) core::write_file(options.macro_file, macro);
  return report;
}

}  // namespace calo
