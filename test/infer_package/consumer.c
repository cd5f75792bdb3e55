/* Prints the sum of a shower's cells, by the C API; then what its errors say. usage: consumer_c MODEL */
#include <calopipe_infer.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  calopipe_infer_model* model = NULL;
  if (calopipe_infer_load(argv[1], CALOPIPE_INFER_FP32, &model) != CALOPIPE_INFER_OK) {
    fprintf(stderr, "%s\n", calopipe_infer_error());
    return 3;
  }
  calopipe_infer_workspace* workspace = calopipe_infer_workspace_new();
  calopipe_infer_particle particles[2];
  memset(particles, 0, sizeof particles);
  particles[0].energy_mev = 64000.0f;
  particles[0].theta_rad = 1.5f;
  particles[1] = particles[0];
  particles[1].event = 1;
  calopipe_infer_showers showers;
  if (calopipe_infer_generate(model, workspace, particles, 2, 7, 0.5f, &showers) != CALOPIPE_INFER_OK) {
    fprintf(stderr, "%s\n", calopipe_infer_error());
    return 1;
  }
  double sum = 0;
  for (uint64_t i = showers.offsets[1]; i < showers.offsets[2]; ++i) {
    sum += showers.energies_mev[i];
    if (i > showers.offsets[1] && showers.cells[i] <= showers.cells[i - 1]) return 1;
  }
  printf("%" PRIu64 " hits, %.3f MeV\n", showers.offsets[2] - showers.offsets[1], sum);

  int64_t n_r = 0, n_phi = 0, n_z = 0;
  calopipe_infer_mesh(model, &n_r, &n_phi, &n_z);
  const size_t cells = (size_t)calopipe_infer_num_cells(model);
  if ((size_t)(n_r * n_phi * n_z) != cells) return 1;
  float* dense = malloc(2 * cells * sizeof *dense);
  if (calopipe_infer_generate_dense(model, workspace, particles, 2, 7, dense, 2 * cells) != CALOPIPE_INFER_OK) return 1;
  double dense_sum = 0;
  for (size_t i = cells; i < 2 * cells; ++i)
    if (dense[i] >= 0.5f) dense_sum += dense[i];
  if (dense_sum != sum) return 1;
  if (calopipe_infer_generate_dense(model, workspace, particles, 2, 7, dense, cells) != CALOPIPE_INFER_USAGE) return 1;
  free(dense);

  if (strcmp(calopipe_infer_geometry(model, 1), "SiW") != 0 || calopipe_infer_geometry(model, 2) != NULL) return 1;
  if (strcmp(calopipe_infer_property(model, "calopipe.contract"), "plain") != 0) return 1;
  if (calopipe_infer_property(model, "nothing") != NULL) return 1;
  particles[0].energy_mev = -1.0f;
  if (calopipe_infer_generate(model, workspace, particles, 2, 7, 0.5f, &showers) != CALOPIPE_INFER_USAGE) return 1;
  if (strstr(calopipe_infer_error(), "energy_mev") == NULL) return 1;
  if (calopipe_infer_generate(model, NULL, particles, 2, 7, 0.5f, &showers) != CALOPIPE_INFER_USAGE) return 1;
  calopipe_infer_model* other = NULL;
  if (calopipe_infer_load("/nowhere/model.onnx", CALOPIPE_INFER_FP32, &other) != CALOPIPE_INFER_INPUT || other) return 1;
  if (strstr(calopipe_infer_error(), "/nowhere/model.onnx") == NULL) return 1;
  if (calopipe_infer_load(argv[1], 9, &other) != CALOPIPE_INFER_USAGE) return 1;
  calopipe_infer_workspace_free(workspace);
  calopipe_infer_free(model);
  calopipe_infer_free(NULL);
  return 0;
}
