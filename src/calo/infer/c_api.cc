#include <calopipe_infer.h>

#include <new>
#include <string>

#include "calo/infer/generator.h"
#include "core/error.h"

struct calopipe_infer_model {
  calo::infer::Generator generator;
};

struct calopipe_infer_workspace {
  calo::infer::Workspace workspace;
  calo::infer::SparseShowers showers;
};

namespace {

thread_local std::string last_error;

// No exception leaves through C.
template <class Body>
calopipe_infer_status guarded(const Body& body) {
  try {
    body();
    return CALOPIPE_INFER_OK;
  } catch (const calo::infer::NotFiniteError& error) {
    last_error = error.what();
    return CALOPIPE_INFER_NOT_FINITE;
  } catch (const core::Error& error) {
    last_error = error.what();
    return static_cast<calopipe_infer_status>(error.exit_code());
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
    return CALOPIPE_INFER_UNAVAILABLE;
  } catch (const std::exception& error) {
    last_error = error.what();
    return CALOPIPE_INFER_INTERNAL;
  }
}

void require(bool holds, const char* what) {
  if (!holds) throw core::UsageError({.message = "is required", .field = what});
}

// Both are plain numbers in the same order.
using calo::infer::Particle;
static_assert(sizeof(Particle) == sizeof(calopipe_infer_particle));
static_assert(offsetof(Particle, energy_mev) == offsetof(calopipe_infer_particle, energy_mev));
static_assert(offsetof(Particle, theta_rad) == offsetof(calopipe_infer_particle, theta_rad));
static_assert(offsetof(Particle, phi_rad) == offsetof(calopipe_infer_particle, phi_rad));
static_assert(offsetof(Particle, geometry) == offsetof(calopipe_infer_particle, geometry));
static_assert(offsetof(Particle, event) == offsetof(calopipe_infer_particle, event));
static_assert(offsetof(Particle, particle) == offsetof(calopipe_infer_particle, particle));

std::span<const Particle> particles_of(const calopipe_infer_particle* particles, std::size_t count) {
  return {reinterpret_cast<const Particle*>(particles), count};
}

}  // namespace

extern "C" {

const char* calopipe_infer_error(void) {
  return last_error.c_str();
}

calopipe_infer_status calopipe_infer_load(const char* file, int precision, calopipe_infer_model** model) {
  const calopipe_infer_options options = {.size = sizeof options, .precision = precision};
  return calopipe_infer_load_with(file, &options, model);
}

calopipe_infer_status calopipe_infer_load_with(const char* file, const calopipe_infer_options* options,
                                               calopipe_infer_model** model) {
  return guarded([&] {
    require(file != nullptr, "file");
    require(options != nullptr, "options");
    require(model != nullptr, "model");
    *model = nullptr;
    // A program that knows more options than this library must not believe that they are heeded.
    if (options->size != sizeof *options)
      throw core::UsageError(
          {.message = "is of another version of this library: " + std::to_string(options->size) +
                      " bytes, not " + std::to_string(sizeof *options),
           .field = "options.size"});
    const int precision = options->precision;
    if (precision < CALOPIPE_INFER_FP32 || precision > CALOPIPE_INFER_AS_STORED)
      throw core::UsageError({.message = "cannot be " + std::to_string(precision), .field = "precision"});
    calo::infer::LoadOptions load;
    if (precision != CALOPIPE_INFER_AS_STORED)
      load.precision = static_cast<calo::infer::Precision>(precision);
    const auto text = [](const char* given) { return given != nullptr ? std::string(given) : std::string(); };
    *model = new calopipe_infer_model{
        calo::infer::Generator::load(file, load,
                                     {.contract = text(options->contract),
                                      .mesh = text(options->mesh),
                                      .energy_scale_gev = options->energy_scale_gev})};
  });
}

void calopipe_infer_free(calopipe_infer_model* model) {
  delete model;
}

int64_t calopipe_infer_num_cells(const calopipe_infer_model* model) {
  return model->generator.num_cells();
}

void calopipe_infer_mesh(const calopipe_infer_model* model, int64_t* n_r, int64_t* n_phi, int64_t* n_z) {
  const calo::infer::MeshInfo& mesh = model->generator.mesh();
  *n_r = mesh.n_r;
  *n_phi = mesh.n_phi;
  *n_z = mesh.n_z;
}

size_t calopipe_infer_num_geometries(const calopipe_infer_model* model) {
  return model->generator.geometries().size();
}

const char* calopipe_infer_geometry(const calopipe_infer_model* model, size_t index) {
  const auto& names = model->generator.geometries();
  return index < names.size() ? names[index].c_str() : nullptr;
}

const char* calopipe_infer_property(const calopipe_infer_model* model, const char* name) {
  const auto& properties = model->generator.properties();
  const auto found = properties.find(name);
  return found != properties.end() ? found->second.c_str() : nullptr;
}

size_t calopipe_infer_weight_bytes(const calopipe_infer_model* model) {
  return model->generator.model().weight_bytes();
}

calopipe_infer_workspace* calopipe_infer_workspace_new(void) {
  calopipe_infer_workspace* workspace = nullptr;
  guarded([&] { workspace = new calopipe_infer_workspace; });
  return workspace;
}

void calopipe_infer_workspace_free(calopipe_infer_workspace* workspace) {
  delete workspace;
}

calopipe_infer_status calopipe_infer_generate(const calopipe_infer_model* model,
                                              calopipe_infer_workspace* workspace,
                                              const calopipe_infer_particle* particles, size_t count,
                                              uint64_t seed, float threshold_mev,
                                              calopipe_infer_showers* showers) {
  return guarded([&] {
    require(model != nullptr, "model");
    require(workspace != nullptr, "workspace");
    require(particles != nullptr || count == 0, "particles");
    require(showers != nullptr, "showers");
    *showers = {};
    const calo::infer::SparseShowers& made = workspace->showers;
    model->generator.generate(particles_of(particles, count), seed, threshold_mev, workspace->workspace,
                              workspace->showers);
    *showers = {.count = made.size(),
                .offsets = made.offsets().data(),
                .cells = made.cells(),
                .energies_mev = made.energies_mev()};
  });
}

calopipe_infer_status calopipe_infer_generate_dense(const calopipe_infer_model* model,
                                                    calopipe_infer_workspace* workspace,
                                                    const calopipe_infer_particle* particles, size_t count,
                                                    uint64_t seed, float* cells_mev, size_t room) {
  return guarded([&] {
    require(model != nullptr, "model");
    require(workspace != nullptr, "workspace");
    require(particles != nullptr || count == 0, "particles");
    require(cells_mev != nullptr || room == 0, "cells_mev");
    model->generator.generate_dense(particles_of(particles, count), seed, workspace->workspace,
                                    {cells_mev, room});
  });
}

}  // extern "C"
