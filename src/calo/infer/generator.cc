#include "calo/infer/generator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "calo/infer/noise.h"
#include "calo/infer/program.h"
#include "core/error.h"

namespace calo::infer {
namespace {

constexpr std::size_t kMostRows = 512;  // at once, so that memory is bounded whatever the batch

[[noreturn]] void refuse(const Model& model, std::string message, std::string field) {
  throw core::InputError(
      {.message = std::move(message),
       .file = model.file(),
       .field = std::move(field),
       .hint = "`calopipe convert` writes such properties; a model of somebody else needs a contract "
               "(par04-vae, par04-calodit2) and a mesh (doc/onnx.md)"});
}

// Fills an input with at(row, column), of type float, in the type that the model asks for.
template <class At>
void fill_input(const Program& program, RunState& state, std::size_t i, std::size_t rows, std::size_t columns,
                const At& at) {
  Tensor& tensor = state.values[static_cast<std::size_t>(program.input_values[i])];
  tensor.type = program.inputs[i].type;
  tensor.shape = {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)};
  tensor.make_room();
  by_real(tensor.type, [&](auto zero) {
    auto* next = tensor.numbers<decltype(zero)>();
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t j = 0; j < columns; ++j) *next++ = at(row, j);
  });
  settle(tensor);
}

}  // namespace

Generator Generator::load(const std::filesystem::path& file, const LoadOptions& options,
                          const ForeignContract& contract) {
  return Generator(Model::load(file, options), contract);
}

Generator::Generator(Model model, const ForeignContract& contract)
    : model_(std::move(model)), properties_(properties_under(contract, model_)) {
  try {
    said_ = GeneratorProperties::read(properties_);
  } catch (const core::InputError& error) {
    refuse(model_, error.details().message, error.details().field);
  }
  const std::vector<std::string>& known = said_.geometries;
  for (const ConditionNumber& number : said_.conditions) {
    Column column{.times = static_cast<float>(number.times)};
    switch (number.kind) {
      case ConditionNumber::Kind::kEnergyMev:
        column.kind = Column::Kind::kEnergy;
        break;
      case ConditionNumber::Kind::kThetaRad:
        column.kind = Column::Kind::kTheta;
        break;
      case ConditionNumber::Kind::kPhiRad:
        column.kind = Column::Kind::kPhi;
        break;
      case ConditionNumber::Kind::kGeometry:
        const auto place = std::find(known.begin(), known.end(), number.geometry);
        column.kind = place == known.end() ? Column::Kind::kNothing : Column::Kind::kGeometry;
        column.geometry = static_cast<std::uint32_t>(place - known.begin());
    }
    columns_.push_back(column);
  }
  check_inputs();
  if (const auto& sampler = model_.program().sampler) {
    for (const std::string& name : said_.geometries) {
      const auto& own = sampler->geometries();
      const auto place = std::find(own.begin(), own.end(), name);
      if (place == own.end()) refuse(model_, fmt::format("does not know {}", name), "calopipe.cascade");
      sampler_geometries_.push_back(static_cast<std::uint32_t>(place - own.begin()));
    }
    if (sampler->num_cells() != cells_)
      refuse(model_, "makes another number of cells than the output has", "calopipe.cascade");
  }
}

// The file's inputs must be what its contract says.
void Generator::check_inputs() {
  constexpr std::int64_t kMost = 1'000'000;
  const auto columns = static_cast<std::int64_t>(columns_.size());
  if (said_.latent_dim < (said_.contract == Contract::kPar04CaloDit ? 0 : 1) || said_.latent_dim > kMost)
    refuse(model_, "is out of range", "calopipe.latent_dim");
  std::vector<std::pair<std::string, std::int64_t>> wanted;
  switch (said_.contract) {
    case Contract::kPlain:
      wanted = {{"latent", said_.latent_dim}, {"energy_mev", 1}, {"theta_rad", 1}, {"geometry", columns - 2}};
      break;
    case Contract::kPar04Vae:
      wanted = {{"", said_.latent_dim + columns}};
      break;
    case Contract::kPar04CaloDit:
      wanted = {{"", columns}};
  }
  bool fits = model_.inputs().size() == wanted.size() && model_.outputs().size() == 1;
  for (std::size_t i = 0; fits && i < wanted.size(); ++i) {
    const TensorInfo& input = model_.inputs()[i];
    fits = is_real(model_.program().inputs[i].type) && input.shape.size() == 2 &&
           input.shape[1] == wanted[i].second && (wanted[i].first.empty() || input.name == wanted[i].first);
  }
  if (!fits) refuse(model_, "has other inputs or outputs than its contract asks for", "calopipe.contract");
  // The first extent is the batch; a flat output of Par04's contracts may have none.
  const TensorInfo& output = model_.outputs()[0];
  const std::int64_t in_mesh = said_.mesh.n_r * said_.mesh.n_phi * said_.mesh.n_z;
  const bool flat = output.shape.size() == 1 && said_.contract != Contract::kPlain;
  bool open = false;
  cells_ = 1;
  for (std::size_t i = flat ? 0 : 1; i < output.shape.size(); ++i) {
    if (output.shape[i] < 0 && in_mesh > 0 && said_.contract != Contract::kPlain) {
      open = true;  // the run will tell
      continue;
    }
    if (output.shape[i] <= 0 || cells_ > (std::int64_t{1} << 31) / output.shape[i])
      refuse(model_, "has an output without a fixed number of cells", output.name);
    cells_ *= output.shape[i];
  }
  if (open && in_mesh % cells_ == 0) cells_ = in_mesh;
  if (in_mesh > 0 && in_mesh != cells_)
    refuse(model_,
           fmt::format("makes {} cells, and the mesh has {} x {} x {} = {}", cells_, said_.mesh.n_r,
                       said_.mesh.n_phi, said_.mesh.n_z, in_mesh),
           output.name);
  if (model_.program().output && model_.program().output->layer.cells() != cells_)
    refuse(model_, "makes another number of cells", output.name);
  if (!is_real(model_.program().outputs[0].type) || (output.shape.size() < 2 && !flat))
    refuse(model_, "is no batch of cells", output.name);
}

void Generator::check(std::span<const Particle> particles) const {
  for (const Particle& particle : particles) {
    if (!(particle.energy_mev > 0) || !std::isfinite(particle.energy_mev))
      throw core::UsageError(
          {.message = fmt::format("cannot be {} MeV", particle.energy_mev), .field = "energy_mev"});
    if (!std::isfinite(particle.theta_rad) || !std::isfinite(particle.phi_rad))
      throw core::UsageError({.message = "is no number", .field = "theta_rad, phi_rad"});
    if (particle.geometry >= said_.geometries.size())
      throw core::UsageError({.message = fmt::format("cannot be {}", particle.geometry),
                              .field = "geometry",
                              .hint = fmt::format("0 to {}: {}", said_.geometries.size() - 1,
                                                  fmt::join(said_.geometries, ", "))});
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
  const auto latent = static_cast<std::size_t>(said_.latent_dim);
  state.noise.clear();
  state.to_mev.clear();
  for (const Particle& particle : particles) {
    state.noise.push_back(noise_of({.seed = seed, .event = particle.event, .particle = particle.particle}));
    state.to_mev.push_back(said_.contract == Contract::kPlain      ? 1.0f
                           : said_.contract == Contract::kPar04Vae ? particle.energy_mev
                                                                   : 1000.0f);
  }
  if (said_.contract == Contract::kPlain) {
    fill_input(program, state, 0, rows, latent,
               [&](std::size_t row, std::size_t) { return state.noise[row].normal(); });
    std::size_t next = 0;
    for (std::size_t input = 1; input < 4; ++input) {
      const std::size_t width = input == 3 ? columns - 2 : 1;
      fill_input(program, state, input, rows, width,
                 [&](std::size_t row, std::size_t j) { return column(columns_[next + j], particles[row]); });
      next += width;
    }
    return;
  }
  const std::size_t before = said_.contract == Contract::kPar04Vae ? latent : 0;
  fill_input(program, state, 0, rows, before + columns, [&](std::size_t row, std::size_t j) {
    return j < before ? state.noise[row].normal() : column(columns_[j - before], particles[row]);
  });
}

void Generator::refuse_spoilt(std::span<const Particle> particles, std::span<const std::size_t> counts,
                              const std::function<std::pair<std::size_t, float>(std::size_t)>& first) const {
  const auto is_spoilt = [](std::size_t count) { return count > 0; };
  const auto i =
      static_cast<std::size_t>(std::find_if(counts.begin(), counts.end(), is_spoilt) - counts.begin());
  const Particle& particle = particles[i];
  const auto [cell, value] = first(i);
  const auto n_phi = static_cast<std::size_t>(said_.mesh.n_phi),
             n_z = static_cast<std::size_t>(said_.mesh.n_z);
  const bool regular = said_.mesh.n_r > 0 && n_phi > 0 && n_z > 0;
  infer::refuse(
      {.model = model_.file(),
       .name = fmt::format("event {}, particle {}", particle.event, particle.particle),
       .energy_mev = particle.energy_mev,
       .theta_rad = particle.theta_rad,
       .phi_rad = particle.phi_rad,
       .geometry = said_.geometries[particle.geometry],
       .count = counts[i],
       .num_cells = static_cast<std::size_t>(cells_),
       .num_showers = static_cast<std::size_t>(std::count_if(counts.begin(), counts.end(), is_spoilt)),
       .of_showers = counts.size(),
       .cell = cell,
       .place = regular
                    ? fmt::format("r {}, phi {}, z {}", cell / (n_phi * n_z), cell / n_z % n_phi, cell % n_z)
                    : "",
       .value = value});
}

// What the shapes of the file left open shows in the run.
void Generator::check_made(const OutputView& made, std::size_t rows) const {
  if (made.floats.size() != rows * static_cast<std::size_t>(cells_))
    refuse(model_,
           fmt::format("makes {} cells in {} showers, and the mesh has {}", made.floats.size(), rows, cells_),
           model_.outputs()[0].name);
}

// A cascade's showers, by the engine's own sampler.
void Generator::sample(std::span<const Particle> particles, std::uint64_t seed, float threshold_mev,
                       RunState& state, SparseShowers& out) const {
  if (!state.sampler_work) state.sampler_work = std::make_unique<cascade::Sampler::Work>();
  std::vector<cascade::WantedShower>& wanted = state.sampler_work->wanted;
  wanted.clear();
  for (const Particle& particle : particles)
    wanted.push_back({.energy_mev = particle.energy_mev,
                      .theta_rad = particle.theta_rad,
                      .geometry = sampler_geometries_[particle.geometry],
                      .key = {.seed = seed, .event = particle.event, .particle = particle.particle}});
  try {
    model_.program().sampler->sample(wanted, threshold_mev, state.pool, *state.sampler_work, out);
  } catch (const core::InputError& error) {
    throw core::InputError(error, model_.file());
  }
}

std::size_t Generator::rows_at_once() const {
  return model_.runs_any_batch() && model_.outputs()[0].shape.size() > 1 ? kMostRows : 1;
}

void Generator::generate(std::span<const Particle> particles, std::uint64_t seed, float threshold_mev,
                         Workspace& workspace, SparseShowers& out) const {
  check(particles);
  if (std::isnan(threshold_mev))
    throw core::UsageError({.message = "is no number", .field = "threshold_mev"});
  const auto check_finite = [&] {
    if (std::all_of(out.not_finite_.begin(), out.not_finite_.end(), [](std::size_t n) { return n == 0; }))
      return;
    refuse_spoilt(particles, out.not_finite_, [&](std::size_t i) {
      const std::size_t at = first_not_finite(out.energies_of(i));
      return std::pair<std::size_t, float>(out.cells_of(i)[at], out.energies_of(i)[at]);
    });
  };
  RunState& state = workspace.state();
  const Program& program = model_.program();
  if (program.sampler) return sample(particles, seed, threshold_mev, state, out);
  const bool direct = program.output.has_value() && particles.size() <= rows_at_once();
  const auto cells = static_cast<std::size_t>(cells_);
  if (!direct) {
    out.cells_.make_room(particles.size() *
                         cells);  // the worst case; pages that are not written cost nothing
    out.energies_.make_room(particles.size() * cells);
    out.offsets_.assign(1, 0);
    out.not_finite_.clear();
  }
  if (particles.empty()) {
    out.offsets_.assign(1, 0);
    out.not_finite_.clear();
    return;
  }
  for (std::size_t begin = 0; begin < particles.size(); begin += rows_at_once()) {
    const auto part = particles.subspan(begin, std::min(rows_at_once(), particles.size() - begin));
    encode(part, seed, state);
    if (program.output) {
      run(program, state,
          {.scale = state.to_mev, .sparse = direct ? &out : &state.sparse, .threshold = threshold_mev});
      if (direct) {
        check_finite();
        return;
      }
      const SparseShowers& found = state.sparse;
      std::uint64_t place = out.offsets_.back();
      for (std::size_t i = 0; i < found.size(); ++i) {
        const auto hits = found.cells_of(i);
        if (!hits.empty()) {
          std::memcpy(out.cells_.data() + place, hits.data(), hits.size_bytes());
          std::memcpy(out.energies_.data() + place, found.energies_of(i).data(), hits.size() * sizeof(float));
        }
        out.offsets_.push_back(place += hits.size());
        out.not_finite_.push_back(found.num_not_finite(i));
      }
      continue;
    }
    run(program, state);
    const OutputView dense = model_.output(workspace, 0);
    check_made(dense, part.size());
    std::uint64_t place = out.offsets_.back();
    const std::size_t part_begin = out.size();
    for (std::size_t i = 0; i < part.size(); ++i) {
      for (std::size_t cell = 0; cell < cells; ++cell) {
        const float energy = dense.floats[i * cells + cell] * state.to_mev[i];
        if ((energy < threshold_mev || energy <= 0) && std::isfinite(energy)) continue;
        out.cells_[place] = static_cast<std::uint32_t>(cell);
        out.energies_[place++] = energy;
      }
      out.offsets_.push_back(place);
      out.not_finite_.push_back(count_not_finite(out.energies_of(part_begin + i)));
    }
  }
  check_finite();
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
  if (program.sampler) {
    sample(particles, seed, 0, state, state.sparse);
    std::fill(out.begin(), out.end(), 0.0f);
    for (std::size_t i = 0; i < particles.size(); ++i) {
      const auto hits = state.sparse.cells_of(i);
      const auto energies = state.sparse.energies_of(i);
      for (std::size_t k = 0; k < hits.size(); ++k) out[i * cells + hits[k]] = energies[k];
    }
    return;
  }
  bool finite = true;
  for (std::size_t begin = 0; begin < particles.size(); begin += rows_at_once()) {
    const auto part = particles.subspan(begin, std::min(rows_at_once(), particles.size() - begin));
    encode(part, seed, state);
    run(program, state, {.scale = state.to_mev, .dense = out.data() + begin * cells});
    if (program.output) {
      finite &= state.cells_are_finite;
      continue;
    }
    const OutputView dense = model_.output(workspace, 0);
    check_made(dense, part.size());
    for (std::size_t i = 0; i < part.size(); ++i)
      for (std::size_t cell = 0; cell < cells; ++cell)
        out[(begin + i) * cells + cell] = dense.floats[i * cells + cell] * state.to_mev[i];
    finite &= count_not_finite(out.subspan(begin * cells, part.size() * cells)) == 0;
  }
  if (finite) return;
  std::vector<std::size_t> counts;
  for (std::size_t i = 0; i < particles.size(); ++i)
    counts.push_back(count_not_finite(out.subspan(i * cells, cells)));
  refuse_spoilt(particles, counts, [&](std::size_t i) {
    const std::size_t cell = first_not_finite(out.subspan(i * cells, cells));
    return std::pair<std::size_t, float>(cell, out[i * cells + cell]);
  });
}

}  // namespace calo::infer
