#pragma once

#include "kfp/dsl/pipeline.h"

// The components of peer_pipelines.py.
namespace test {

using namespace kfp::dsl;  // NOLINT(google-build-using-namespace): the DSL's words are what the tests are
                           // about
using enum kfp::ir::ParameterType;

inline const std::string kImage = "registry.example.org/tools@sha256:0123";

inline ContainerComponent flip_coin() {
  return {.name = "flip_coin",
          .outputs = {{"out", parameter(kString)}},
          .image = kImage,
          .command = {"flip"},
          .args = {"--out", output_file("out")}};
}

inline ContainerComponent say() {
  return {.name = "say",
          .inputs = {{"text", parameter(kString)}},
          .image = kImage,
          .command = {"say", input("text")}};
}

inline ContainerComponent repeat() {
  return {.name = "repeat",
          .inputs = {{"text", parameter(kString)}},
          .outputs = {{"out", parameter(kString)}},
          .image = kImage,
          .command = {"repeat"},
          .args = {input("text"), "--out", output_file("out")}};
}

inline ContainerComponent count() {
  return {.name = "count",
          .inputs = {{"n", parameter(kNumberInteger)}},
          .outputs = {{"out", parameter(kNumberInteger)}},
          .image = kImage,
          .command = {"count"},
          .args = {"--n", input("n"), "--out", output_file("out")}};
}

inline ContainerComponent prepare() {
  return {.name = "prepare",
          .inputs = {{"showers", artifact("system.Dataset", {.description = "What Geant4 made."})},
                     {"fraction", parameter(kNumberDouble,
                                            {.default_value = 0.1, .description = "How much is held out."})},
                     {"seed", parameter(kNumberInteger, {.default_value = 42})}},
          .outputs = {{"prepared", artifact("system.Dataset")}},
          .image = kImage,
          .command = {"prepare"},
          .args = {"--showers", input_path("showers"), "--fraction=" + input("fraction"), "--seed",
                   input("seed"), "--out", output_path("prepared")}};
}

inline ContainerComponent train() {
  return {.name = "train",
          .inputs = {{"prepared", artifact("system.Dataset")},
                     {"epochs", parameter(kNumberInteger)},
                     {"layers", parameter(list_of(kNumberInteger))},
                     {"options", parameter(struct_of(kString))},
                     {"resume", parameter(kBoolean, {.default_value = false})}},
          .outputs = {{"model", artifact("system.Model")},
                      {"metrics", artifact("system.Metrics")},
                      {"loss", parameter(kNumberDouble)}},
          .image = kImage,
          .command = {"train", executor_input()},
          .args = {input_uri("prepared"), input_metadata("prepared"), output_uri("model"),
                   output_path("metrics"), output_file("loss")}};
}

inline ContainerComponent split() {
  return {.name = "split",
          .outputs = {{"names", parameter(list_of(kString))},
                      {"settings", parameter(list_of(struct_of(kNumberInteger)))},
                      {"options", parameter(struct_of(kString))}},
          .image = kImage,
          .command = {"split"},
          .args = {output_file("names"), output_file("settings"), output_file("options")}};
}

inline ContainerComponent merge() {
  return {.name = "merge",
          .inputs = {{"models", artifact("system.Model", {.list = true})}},
          .outputs = {{"merged", artifact("system.Model")}},
          .image = kImage,
          .command = {"merge"},
          .args = {"--models", input_artifacts("models"), "--out", output_path("merged")}};
}

inline ContainerComponent add_up() {
  return {.name = "add_up",
          .inputs = {{"numbers", parameter(list_of(kNumberInteger))}},
          .outputs = {{"out", parameter(kNumberInteger)}},
          .image = kImage,
          .command = {"add"},
          .args = {"--numbers", input("numbers"), output_file("out")}};
}

inline ContainerComponent fit() {
  return {.name = "fit",
          .inputs = {{"n", parameter(kNumberInteger)}},
          .outputs = {{"model", artifact("system.Model")}},
          .image = kImage,
          .command = {"fit"},
          .args = {"--n", input("n"), output_path("model")}};
}

inline ContainerComponent use() {
  return {.name = "use",
          .inputs = {{"model", artifact("system.Model")}},
          .image = kImage,
          .command = {"use"},
          .args = {input_path("model")}};
}

inline ContainerComponent clean_up() {
  return {.name = "clean_up",
          .inputs = {{"text", parameter(kString)}, {"status", task_final_status()}},
          .image = kImage,
          .command = {"clean-up"},
          .args = {input("text"), input("status")}};
}

inline ContainerComponent maybe() {
  return {.name = "maybe",
          .inputs = {{"a", parameter(kString, {.optional = true})},
                     {"b", parameter(kString, {.default_value = "b"})},
                     {"data", artifact("system.Dataset", {.optional = true})}},
          .image = kImage,
          .command = {"maybe", executor_input()},
          .args = {if_present("a", {"--a", input("a")}, {"--no-a"}), if_present("b", {"--b", input("b")})}};
}

inline ContainerComponent guess() {
  return {.name = "guess",
          .inputs = {{"a", parameter(kString, {.default_value = "nothing"})}},
          .image = kImage,
          .command = {"guess"},
          .args = {input("a")}};
}

inline ContainerComponent wait_a_bit() {
  return {.name = "wait", .image = kImage, .command = {"wait"}};
}

}  // namespace test
