#include "calo/infer/generator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "calo/infer/noise.h"
#include "calo/infer/program.h"
#include "core/error.h"

namespace calo::infer {
namespace {

using nlohmann::json;

constexpr std::size_t kMostRows = 512;  // at once, so that memory is bounded whatever the batch

[[noreturn]] void refuse(const Model& model, std::string message, std::string field) {
  throw core::InputError(
      {.message = std::move(message),
       .file = model.file(),
       .field = std::move(field),
       .hint = "showers are made with models that `calopipe convert` wrote; Model runs others"});
}

const std::string& property(const Model& model, const std::string& name) {
  const auto found = model.metadata().find("calopipe." + name);
  if (found == model.metadata().end()) refuse(model, "is missing in the properties", "calopipe." + name);
  return found->second;
}

json parse(const Model& model, const std::string& name) {
  json parsed = json::parse(property(model, name), nullptr, false);
  if (parsed.is_discarded()) refuse(model, "is no JSON", "calopipe." + name);
  return parsed;
}

Tensor& input_tensor(const Program& program, RunState& state, std::size_t i, std::size_t rows,
                     std::size_t columns) {
  Tensor& tensor = state.values[static_cast<std::size_t>(program.input_values[i])];
  tensor.type = ElementType::kFloat;
  tensor.shape = {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)};
  tensor.floats.make_room(rows * columns);
  return tensor;
}

}  // namespace

Generator Generator::load(const std::filesystem::path& file, const LoadOptions& options) {
  return Generator(Model::load(file, options));
}

Generator::Generator(Model model) : model_(std::move(model)), contract_(property(model_, "contract")) {
  if (contract_ == "plain")
    kind_ = Contract::kPlain;
  else if (contract_ == "par04-vae")
    kind_ = Contract::kPar04Vae;
  else if (contract_ == "par04-calodit")
    kind_ = Contract::kPar04CaloDit;
  else
    refuse(model_, "is none of plain, par04-vae, par04-calodit", "calopipe.contract");
  try {
    latent_ = std::stoll(property(model_, "latent_dim"));
  } catch (const std::logic_error&) {
    refuse(model_, "is no number", "calopipe.latent_dim");
  }
  try {
    parse(model_, "geometries").get_to(geometries_);
    for (const json& entry : parse(model_, "conditions")) {
      const std::string quantity = entry.at("quantity");
      Column column;
      if (quantity.starts_with("incident energy"))
        column.kind = Column::Kind::kEnergy;
      else if (quantity.starts_with("theta"))
        column.kind = Column::Kind::kTheta;
      else if (quantity.starts_with("phi"))
        column.kind = Column::Kind::kPhi;
      else if (quantity == "one-hot")
        column.kind = Column::Kind::kGeometry;
      else
        refuse(model_, fmt::format("has the quantity \"{}\", which is not known", quantity),
               "calopipe.conditions");
      if (column.kind == Column::Kind::kGeometry) {
        const std::string name = entry.at("geometry");
        const auto place = std::find(geometries_.begin(), geometries_.end(), name);
        if (place == geometries_.end())
          column.kind = Column::Kind::kNothing;
        else
          column.geometry = static_cast<std::uint32_t>(place - geometries_.begin());
      } else {
        column.times = entry.at("times").get<float>();
      }
      columns_.push_back(column);
    }
    const json mesh = parse(model_, "mesh");
    mesh_.json = mesh.dump();
    const auto extent = [&](const char* name) { return mesh.value(name, std::int64_t{0}); };
    mesh_.n_r = extent("n_r");
    mesh_.n_phi = extent("n_phi");
    mesh_.n_z = extent("n_z");
  } catch (const json::exception& error) {
    refuse(model_, fmt::format("is not as it is written: {}", error.what()), "calopipe properties");
  }
  check_inputs();
}

// The file's inputs must be what its contract says.
void Generator::check_inputs() {
  constexpr std::int64_t kMost = 1'000'000;
  const auto columns = static_cast<std::int64_t>(columns_.size());
  if (latent_ < 1 || latent_ > kMost) refuse(model_, "is out of range", "calopipe.latent_dim");
  std::vector<std::pair<std::string, std::int64_t>> wanted;
  switch (kind_) {
    case Contract::kPlain:
      wanted = {{"latent", latent_}, {"energy_mev", 1}, {"theta_rad", 1}, {"geometry", columns - 2}};
      break;
    case Contract::kPar04Vae:
      wanted = {{"", latent_ + columns}};
      break;
    case Contract::kPar04CaloDit:
      wanted = {{"", columns}};
  }
  bool fits = model_.inputs().size() == wanted.size() && model_.outputs().size() == 1;
  for (std::size_t i = 0; fits && i < wanted.size(); ++i) {
    const TensorInfo& input = model_.inputs()[i];
    fits = input.type == "float" && input.shape.size() == 2 && input.shape[1] == wanted[i].second &&
           (wanted[i].first.empty() || input.name == wanted[i].first);
  }
  if (!fits) refuse(model_, "has other inputs or outputs than its contract asks for", "calopipe.contract");
  const TensorInfo& output = model_.outputs()[0];
  cells_ = 1;
  for (std::size_t i = 1; i < output.shape.size(); ++i) {
    if (output.shape[i] <= 0 || cells_ > (std::int64_t{1} << 31) / output.shape[i])
      refuse(model_, "has an output without a fixed number of cells", output.name);
    cells_ *= output.shape[i];
  }
  if (model_.program().output && model_.program().output->layer.cells() != cells_)
    refuse(model_, "makes another number of cells", output.name);
  if (output.type != "float" || output.shape.size() < 2) refuse(model_, "is no batch of cells", output.name);
}

void Generator::check(std::span<const Particle> particles) const {
  for (const Particle& particle : particles) {
    if (!(particle.energy_mev > 0) || !std::isfinite(particle.energy_mev))
      throw core::UsageError(
          {.message = fmt::format("cannot be {} MeV", particle.energy_mev), .field = "energy_mev"});
    if (!std::isfinite(particle.theta_rad) || !std::isfinite(particle.phi_rad))
      throw core::UsageError({.message = "is no number", .field = "theta_rad, phi_rad"});
    if (particle.geometry >= geometries_.size())
      throw core::UsageError(
          {.message = fmt::format("cannot be {}", particle.geometry),
           .field = "geometry",
           .hint = fmt::format("0 to {}: {}", geometries_.size() - 1, fmt::join(geometries_, ", "))});
  }
}

float Generator::column(const Column& column, const Particle& particle) const {
  switch (column.kind) {
    case Column::Kind::kEnergy:
      return particle.energy_mev * column.times;
    case Column::Kind::kTheta:
      return particle.theta_rad * column.times;
    case Column::Kind::kPhi:
      return particle.phi_rad * column.times;
    case Column::Kind::kGeometry:
      return particle.geometry == column.geometry ? 1.0f : 0.0f;
    case Column::Kind::kNothing:
      break;
  }
  return 0;
}

// Fills the inputs, the noise and the factor that makes MeV of the output.
void Generator::encode(std::span<const Particle> particles, std::uint64_t seed, RunState& state) const {
  const Program& program = model_.program();
  if (state.values.size() < program.num_values()) state.values.resize(program.num_values());
  const std::size_t rows = particles.size(), columns = columns_.size();
  const auto latent = static_cast<std::size_t>(latent_);
  state.noise.clear();
  state.to_mev.clear();
  for (const Particle& particle : particles) {
    state.noise.push_back(noise_of({.seed = seed, .event = particle.event, .particle = particle.particle}));
    state.to_mev.push_back(kind_ == Contract::kPlain      ? 1.0f
                           : kind_ == Contract::kPar04Vae ? particle.energy_mev
                                                          : 1000.0f);
  }
  if (kind_ == Contract::kPlain) {
    Tensor& noise = input_tensor(program, state, 0, rows, latent);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < latent; ++j) noise.floats[i * latent + j] = state.noise[i].normal();
    std::size_t next = 0;
    for (std::size_t input = 1; input < 4; ++input) {
      const std::size_t width = input == 3 ? columns - 2 : 1;
      Tensor& tensor = input_tensor(program, state, input, rows, width);
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < width; ++j)
          tensor.floats[i * width + j] = column(columns_[next + j], particles[i]);
      next += width;
    }
    return;
  }
  const std::size_t before = kind_ == Contract::kPar04Vae ? latent : 0, width = before + columns;
  Tensor& tensor = input_tensor(program, state, 0, rows, width);
  for (std::size_t i = 0; i < rows; ++i) {
    float* const row = tensor.floats.data() + i * width;
    for (std::size_t j = 0; j < before; ++j) row[j] = state.noise[i].normal();
    for (std::size_t j = 0; j < columns; ++j) row[before + j] = column(columns_[j], particles[i]);
  }
}

std::size_t Generator::rows_at_once() const {
  return model_.runs_any_batch() ? kMostRows : 1;
}

void Generator::generate(std::span<const Particle> particles, std::uint64_t seed, float threshold_mev,
                         Workspace& workspace, SparseShowers& out) const {
  check(particles);
  RunState& state = workspace.state();
  const Program& program = model_.program();
  const bool direct = program.output.has_value() && particles.size() <= rows_at_once();
  const auto cells = static_cast<std::size_t>(cells_);
  if (!direct) {
    out.cells_.make_room(particles.size() *
                         cells);  // the worst case; pages that are not written cost nothing
    out.energies_.make_room(particles.size() * cells);
    out.offsets_.assign(1, 0);
  }
  if (particles.empty()) {
    out.offsets_.assign(1, 0);
    return;
  }
  for (std::size_t begin = 0; begin < particles.size(); begin += rows_at_once()) {
    const auto part = particles.subspan(begin, std::min(rows_at_once(), particles.size() - begin));
    encode(part, seed, state);
    if (program.output) {
      run(program, state,
          {.scale = state.to_mev, .sparse = direct ? &out : &state.sparse, .threshold = threshold_mev});
      if (direct) return;
      const SparseShowers& found = state.sparse;
      std::uint64_t place = out.offsets_.back();
      for (std::size_t i = 0; i < found.size(); ++i) {
        const auto hits = found.cells_of(i);
        if (!hits.empty()) {
          std::memcpy(out.cells_.data() + place, hits.data(), hits.size_bytes());
          std::memcpy(out.energies_.data() + place, found.energies_of(i).data(), hits.size() * sizeof(float));
        }
        out.offsets_.push_back(place += hits.size());
      }
      continue;
    }
    run(program, state);
    const OutputView dense = model_.output(workspace, 0);
    if (dense.floats.size() != part.size() * cells) refuse(model_, "makes another number of cells", "output");
    std::uint64_t place = out.offsets_.back();
    for (std::size_t i = 0; i < part.size(); ++i) {
      for (std::size_t cell = 0; cell < cells; ++cell) {
        const float energy = dense.floats[i * cells + cell] * state.to_mev[i];
        if (!(energy >= threshold_mev) || !(energy > 0)) continue;
        out.cells_[place] = static_cast<std::uint32_t>(cell);
        out.energies_[place++] = energy;
      }
      out.offsets_.push_back(place);
    }
  }
}

void Generator::generate_dense(std::span<const Particle> particles, std::uint64_t seed, Workspace& workspace,
                               std::span<float> out) const {
  check(particles);
  const auto cells = static_cast<std::size_t>(cells_);
  if (out.size() != particles.size() * cells)
    throw core::UsageError({.message = fmt::format("has room for {} cells, and {} are made", out.size(),
                                                   particles.size() * cells),
                            .field = "out"});
  RunState& state = workspace.state();
  const Program& program = model_.program();
  for (std::size_t begin = 0; begin < particles.size(); begin += rows_at_once()) {
    const auto part = particles.subspan(begin, std::min(rows_at_once(), particles.size() - begin));
    encode(part, seed, state);
    run(program, state, {.scale = state.to_mev, .dense = out.data() + begin * cells});
    if (program.output) continue;
    const OutputView dense = model_.output(workspace, 0);
    if (dense.floats.size() != part.size() * cells) refuse(model_, "makes another number of cells", "output");
    for (std::size_t i = 0; i < part.size(); ++i)
      for (std::size_t cell = 0; cell < cells; ++cell)
        out[(begin + i) * cells + cell] = dense.floats[i * cells + cell] * state.to_mev[i];
  }
}

}  // namespace calo::infer
