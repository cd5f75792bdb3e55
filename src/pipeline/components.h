#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "calo/model/model_description.h"
#include "core/process_group.h"
#include "kfp/component/component.h"
#include "pipeline/foreign_models.h"
#include "pipeline/reading_options.h"

/// The components of the fast-simulation pipeline: the only code that knows both kfp and calo.
namespace pipeline {

/// All components, in the order of the pipeline.
void register_components(kfp::Registry& registry);

/// Simulates showers with Geant4, in the program calopipe-fullsim.
struct Simulate {
  kfp::InputArtifact detector_file;
  kfp::InputArtifact fast_model;
  std::string detector = "SiW";
  std::string mesh = "own";
  double sampling_fraction = 0;
  bool measure_sampling_fraction = false;
  std::string particle = "e-";
  std::vector<double> energy_gev;
  double min_energy_gev = 0;
  double max_energy_gev = 0;
  std::vector<double> angle_deg = {90};
  double min_angle_deg = 0;
  double max_angle_deg = 0;
  std::int64_t events = 100;
  std::string physics = "em-no-data";
  double cut_mm = 0.7;
  std::vector<std::string> fast_options;
  std::string layout = "par04";
  std::int64_t seed = 42;
  std::int64_t events_per_part = 100;
  bool resume = false;
  kfp::OutputArtifact showers;

  static kfp::ComponentInfo info();
  void describe(kfp::Visitor& visitor);
  void run(kfp::RunContext& context);

  /// Command line of calopipe-fullsim. @param parts folder of finished parts; empty = next to the output
  std::vector<std::string> arguments(const std::filesystem::path& parts) const;

 private:
  void run_for_url(kfp::RunContext& context);
};

/// Data, ranges and encoding that all components share, checked once.
struct InputParameters {
  std::string data;
  std::vector<std::string> geometries;
  std::vector<double> energies_gev;
  std::vector<double> angles_deg;
  double min_energy_gev = 0;
  double max_energy_gev = 1024;
  double min_angle_deg = 0;
  double max_angle_deg = 90;
  std::vector<std::string> geometry_encoding = {"SciPb", "SiW"};
  std::int64_t n_r = 0;
  std::int64_t n_phi = 0;
  std::int64_t n_z = 0;
  double size_r_mm = 0;
  double size_z_mm = 0;
  std::string binning;
  std::string particle;
  std::string data_fingerprint;
  std::string configuration_values;
  kfp::OutputArtifact configuration;

  static kfp::ComponentInfo info();
  void describe(kfp::Visitor& visitor);
  void run(kfp::RunContext& context);
};

/// Cleans, splits and stores showers for training. The showers are an artifact, or a path (data on EOS).
struct Preprocess {
  std::string data;
  std::string data_fingerprint;
  std::string configuration_values;
  kfp::InputArtifact showers;
  kfp::InputArtifact configuration;
  ReadingOptions reading;
  double threshold_mev = 0;
  double max_bad_fraction = 0;
  double max_dropped_fraction = 1;
  double holdout_fraction = 0.1;
  std::int64_t seed = 42;
  kfp::OutputArtifact prepared;

  static kfp::ComponentInfo info();
  void describe(kfp::Visitor& visitor);
  void run(kfp::RunContext& context);
};

/// Checks the parameters of a model and its training and writes them as a model description.
struct ModelParameters {
  calo::ModelDescription model = calo::ModelDescription::unsaid();
  kfp::OutputArtifact description;

  static kfp::ComponentInfo info();
  void describe(kfp::Visitor& visitor);
  void run(kfp::RunContext& context);
};

/// Trains a model, with other processes if the environment names them (parallel::place_of()).
struct Train {
  kfp::InputArtifact prepared;
  kfp::InputArtifact description;
  kfp::InputArtifact from;
  std::int64_t epochs = 0;
  std::int64_t seed = 42;
  std::string device = "auto";
  std::string checkpoints;
  bool resume = false;
  std::int64_t memory_mb = 400;
  kfp::OutputArtifact model;
  kfp::OutputArtifact metrics;
  kfp::OutputArtifact logs;

  static kfp::ComponentInfo info();
  void describe(kfp::Visitor& visitor);
  void run(kfp::RunContext& context);

 private:
  void train(kfp::RunContext& context, core::ProcessGroup& group);
};

/// Generates showers with a model.
struct Generate {
  kfp::InputArtifact model;
  kfp::InputArtifact like;
  ReadingOptions reading;
  std::string geometry;
  std::vector<double> energy_gev;
  std::vector<double> angle_deg = {90};
  double min_energy_gev = 0;
  double max_energy_gev = 0;
  std::int64_t events = 1000;
  std::string layout = "par04";
  double threshold_mev = 0.0005;
  std::string precision = "stored";
  ForeignModelOptions foreign;
  std::int64_t seed = 42;
  std::int64_t batch_size = 256;
  kfp::OutputArtifact showers;
  kfp::OutputArtifact performance;

  static kfp::ComponentInfo info();
  void describe(kfp::Visitor& visitor);
  void run(kfp::RunContext& context);
};

/// Writes a model's generator as ONNX.
struct Convert {
  kfp::InputArtifact model;
  std::string contract = "plain";
  std::string geometry;
  std::vector<double> energy_gev;
  std::vector<double> angle_deg = {90};
  std::int64_t events = 100;
  std::string model_path;
  std::int64_t check_showers = 16;
  std::int64_t seed = 42;
  kfp::OutputArtifact onnx;
  kfp::OutputArtifact par04_macro;

  static kfp::ComponentInfo info();
  void describe(kfp::Visitor& visitor);
  void run(kfp::RunContext& context);
};

/// Finds the precision in which a converted model runs best.
struct Optimise {
  kfp::InputArtifact onnx;
  kfp::InputArtifact full;
  ReadingOptions reading;
  std::vector<std::string> precisions = {"bf16", "int8", "w8a8"};
  double max_shift_sigma = 0.5;
  std::string objective = "size";
  std::string weights = "auto";
  ForeignModelOptions foreign;
  double threshold_mev = 0.0005;
  std::int64_t batch_size = 128;
  std::int64_t seed = 42;
  kfp::OutputArtifact optimised;
  kfp::OutputArtifact metrics;
  kfp::OutputArtifact card;

  static kfp::ComponentInfo info();
  void describe(kfp::Visitor& visitor);
  void run(kfp::RunContext& context);
};

/// Measures the speed of a converted model.
struct Benchmark {
  kfp::InputArtifact onnx;
  kfp::InputArtifact model;
  std::vector<std::string> against;
  std::vector<std::string> precisions = {"fp32", "bf16", "int8", "w8a8"};
  std::vector<std::int64_t> batch_sizes = {1, 8, 32, 128, 512, 1024, 4096};
  std::vector<std::int64_t> thread_counts;
  std::string geometry;
  double energy_gev = 0;
  ForeignModelOptions foreign;
  double threshold_mev = 0.0005;
  double seconds = 0.3;
  std::string python = "python3";
  kfp::OutputArtifact metrics;
  kfp::OutputArtifact report;

  static kfp::ComponentInfo info();
  void describe(kfp::Visitor& visitor);
  void run(kfp::RunContext& context);
};

/// Compares fast with full simulation.
struct Validate {
  kfp::InputArtifact full;
  kfp::InputArtifact fast;
  kfp::InputArtifact performance;
  ReadingOptions reading;
  double threshold_mev = 0;
  std::string label = "fast";
  std::vector<std::string> classifiers = {"features", "trees"};
  std::int64_t classifier_trainings = 3;
  std::int64_t classifier_epochs = 50;
  std::int64_t classifier_showers = 10'000;
  std::int64_t replicas = 30;
  std::int64_t seed = 42;
  kfp::OutputArtifact metrics;
  kfp::OutputArtifact classification;
  kfp::OutputArtifact plots;
  kfp::OutputArtifact report;

  static kfp::ComponentInfo info();
  void describe(kfp::Visitor& visitor);
  void run(kfp::RunContext& context);
};

}  // namespace pipeline
