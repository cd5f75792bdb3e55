/* C API of calopipe-infer: calorimeter showers from a model that `calopipe convert` wrote, or from another
 * one under a contract of Geant4's example Par04.
 *
 * Functions that can fail return a calopipe_infer_status and leave a message for calopipe_infer_error() in
 * the same thread. A model may be used by many threads at once, a workspace by one at a time. Energies are
 * MeV, angles radians.
 */
#ifndef CALOPIPE_INFER_H
#define CALOPIPE_INFER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum calopipe_infer_status {
  CALOPIPE_INFER_OK = 0,
  CALOPIPE_INFER_INTERNAL = 1,
  CALOPIPE_INFER_USAGE = 2,       /* an argument is invalid */
  CALOPIPE_INFER_INPUT = 3,       /* the model file is unreadable, damaged or of an unknown kind */
  CALOPIPE_INFER_UNAVAILABLE = 4, /* no memory */
  /* The model produced cells that are NaN or infinite. Discard all results of the call, or energy would be
   * lost. The message names the model, the particle and the cell. */
  CALOPIPE_INFER_NOT_FINITE = 5
} calopipe_infer_status;

/* Format of the weights in memory. bf16 and int8 need less memory and time, and lose accuracy. */
typedef enum calopipe_infer_precision {
  CALOPIPE_INFER_FP32 = 0,
  CALOPIPE_INFER_BF16 = 1,
  CALOPIPE_INFER_INT8 = 2,
  CALOPIPE_INFER_W8A8 = 3,     /* the inputs of int8 layers have 8 bits, too */
  CALOPIPE_INFER_AS_STORED = 4 /* as the file says (calopipe optimise), else fp32 */
} calopipe_infer_precision;

typedef struct calopipe_infer_model calopipe_infer_model;
typedef struct calopipe_infer_workspace calopipe_infer_workspace;

/* The particle that starts a shower. Its noise belongs to (seed, event, particle): the shower is the same
 * whatever else is computed with it. */
typedef struct calopipe_infer_particle {
  float energy_mev;
  float theta_rad;
  float phi_rad;
  uint32_t geometry; /* index, see calopipe_infer_geometry() */
  uint64_t event;
  uint32_t particle;
} calopipe_infer_particle;

/* Cells above a threshold, in ascending order; hits of shower i are [offsets[i], offsets[i + 1]). Belongs to
 * the workspace and holds until it is used again. */
typedef struct calopipe_infer_showers {
  size_t count;
  const uint64_t* offsets; /* count + 1 */
  const uint32_t* cells;   /* index in [r, phi, z], z fastest, for a regular mesh */
  const float* energies_mev;
} calopipe_infer_showers;

/* Message of the last failure in this thread; empty if there was none. */
const char* calopipe_infer_error(void);

/* precision: a calopipe_infer_precision; an int, so that any other number is an error and not undefined
 * behaviour. */
calopipe_infer_status calopipe_infer_load(const char* file, int precision, calopipe_infer_model** model);
void calopipe_infer_free(calopipe_infer_model* model);

/* Options for loading a model. Begin with CALOPIPE_INFER_OPTIONS_INIT: `size` tells the library which options
 * the program knows; later versions will append their options. */
typedef struct calopipe_infer_options {
  size_t size;   /* size of this struct */
  int precision; /* a calopipe_infer_precision */
  /* For a model of other authors, whose file has no calopipe properties (doc/onnx.md); NULL = as the
   * file says. "par04-vae": one input [1, n] of noise, E / scale, theta / 90 degrees, one-hot of SciPb and
   * SiW; the output times E is MeV. "par04-calodit2": one input [1, 8], E in GeV, phi, theta, one-hot of SiW,
   * SciPb, ODD, FCCeeCLD, new; the noise is drawn inside; the output times 1000 is MeV. */
  const char* contract;
  /* With a contract: "SiW", "SciPb", "SiW-lowgran", or cells and their sizes in mm, r x phi x z : r x z, as
   * in "18x50x45:2.325x3.4". */
  const char* mesh;
  double energy_scale_gev; /* scale of par04-vae; 0 = 1024, as in Par04 */
} calopipe_infer_options;

#define CALOPIPE_INFER_OPTIONS_INIT \
  { sizeof(calopipe_infer_options), CALOPIPE_INFER_AS_STORED, NULL, NULL, 0.0 }

calopipe_infer_status calopipe_infer_load_with(const char* file, const calopipe_infer_options* options,
                                               calopipe_infer_model** model);

int64_t calopipe_infer_num_cells(const calopipe_infer_model* model);
/* Extents of a regular mesh; zeros for any other mesh. */
void calopipe_infer_mesh(const calopipe_infer_model* model, int64_t* n_r, int64_t* n_phi, int64_t* n_z);
size_t calopipe_infer_num_geometries(const calopipe_infer_model* model);
/* Name of a geometry; NULL after the last one. */
const char* calopipe_infer_geometry(const calopipe_infer_model* model, size_t index);
/* A property of the model file, such as "calopipe.mesh"; NULL if it has none of that name. */
const char* calopipe_infer_property(const calopipe_infer_model* model, const char* name);
size_t calopipe_infer_weight_bytes(const calopipe_infer_model* model);

/* Returns NULL if there is no memory. */
calopipe_infer_workspace* calopipe_infer_workspace_new(void);
void calopipe_infer_workspace_free(calopipe_infer_workspace* workspace);

/* Allocates nothing if the workspace has been used for as many particles before. */
calopipe_infer_status calopipe_infer_generate(const calopipe_infer_model* model,
                                              calopipe_infer_workspace* workspace,
                                              const calopipe_infer_particle* particles, size_t count,
                                              uint64_t seed, float threshold_mev,
                                              calopipe_infer_showers* showers);

/* All cells: `cells_mev` has room for count x calopipe_infer_num_cells() numbers. */
calopipe_infer_status calopipe_infer_generate_dense(const calopipe_infer_model* model,
                                                    calopipe_infer_workspace* workspace,
                                                    const calopipe_infer_particle* particles, size_t count,
                                                    uint64_t seed, float* cells_mev, size_t room);

#ifdef __cplusplus
}
#endif

#endif
