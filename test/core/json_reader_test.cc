#include "core/json_reader.h"

#include <gtest/gtest.h>

#include <limits>

namespace {

using nlohmann::json;

struct Plate {
  std::string material;
  double thickness_mm = 0;

  template <class V>
  void describe(V& v) {
    v("material", material, {.choices = {"W", "Pb"}, .required = true});
    v("thickness_mm", thickness_mm, {.min = 0, .above_min = true});
  }
};

struct Device {
  int layers = 1;
  std::vector<Plate> plates;
  std::map<std::string, std::int64_t> counts;
  std::optional<bool> measured;

  template <class V>
  void describe(V& v) {
    v("layers", layers, {.min = 1});
    v("plates", plates);
    v("counts", counts, {.min = 0});
    v("measured", measured);
  }
};

Device read(const json& value) {
  core::JsonPlace place("device.yaml", "top");
  Device device;
  core::read_json(device, value, place);
  return device;
}

// The field that an error names, and its message with its hint.
std::pair<std::string, std::string> refusal(const json& value) {
  try {
    read(value);
  } catch (const core::InputError& error) {
    EXPECT_EQ(error.details().file, "device.yaml");
    return {error.details().field, error.details().message + "|" + error.details().hint};
  }
  return {"accepted", ""};
}

TEST(JsonReader, FillsWhatIsThere) {
  const Device device = read({{"layers", 3},
                              {"plates", {{{"material", "W"}, {"thickness_mm", 2}}}},
                              {"counts", {{"a", 1}, {"b", 2.0}}},
                              {"measured", nullptr}});
  EXPECT_EQ(device.layers, 3);
  EXPECT_EQ(device.plates.at(0).material, "W");
  EXPECT_EQ(device.plates.at(0).thickness_mm, 2);
  EXPECT_EQ(device.counts.at("b"), 2);
  EXPECT_FALSE(device.measured);  // null is the same as absent
  EXPECT_EQ(read(json::object()).layers, 1);
}

TEST(JsonReader, NamesThePlaceAndWhatWasExpected) {
  using Refusal = std::pair<std::string, std::string>;
  EXPECT_EQ(refusal(json::array()), Refusal("top", "cannot be []: expected a mapping|"));
  EXPECT_EQ(refusal({{"layer", 1}}), Refusal("top", "has an unknown field \"layer\"|did you mean layers?"));
  EXPECT_EQ(refusal({{"x", 1}}),
            Refusal("top", "has an unknown field \"x\"|known: layers, plates, counts, measured"));
  EXPECT_EQ(
      refusal({{"layers", 0}}),
      Refusal("top.layers", "cannot be 0: expected an integer|allowed: at least 1, at most 2147483647"));
  EXPECT_EQ(refusal({{"layers", 1.5}}).first, "top.layers");
  EXPECT_EQ(refusal({{"layers", 3000000000}}).first, "top.layers");
  EXPECT_EQ(refusal({{"plates", 1}}), Refusal("top.plates", "cannot be 1: expected a list|"));
  EXPECT_EQ(refusal({{"plates", {{{"material", 74}}}}}),
            Refusal("top.plates[0].material", "cannot be 74: expected a string|put it in quotes"));
  EXPECT_EQ(
      refusal({{"plates", {{{"material", "Pd"}}}}}),
      Refusal("top.plates[0].material", "cannot be \"Pd\", did you mean \"Pb\"?|allowed: one of W, Pb"));
  EXPECT_EQ(refusal({{"plates", {{{"thickness_mm", 1}}}}}),
            Refusal("top.plates[0].material", "is required|"));
  EXPECT_EQ(refusal({{"plates", {{{"material", "W"}, {"thickness_mm", 0}}}}}).first,
            "top.plates[0].thickness_mm");
  EXPECT_EQ(refusal({{"counts", {{"a", -1}}}}).first, "top.counts.a");
  EXPECT_EQ(refusal({{"measured", "yes"}}), Refusal("top.measured", "cannot be \"yes\": expected a bool|"));
}

TEST(JsonReader, ReadsWhatTheWriterWrites) {
  const Device device = read({{"layers", 7}, {"plates", {{{"material", "Pb"}, {"thickness_mm", 0.5}}}}});
  const json plates = core::JsonWriter::written(device.plates);
  EXPECT_EQ(plates, json::array({{{"material", "Pb"}, {"thickness_mm", 0.5}}}));
  EXPECT_EQ(core::JsonWriter::written(read({{"plates", plates}}).plates), plates);
  EXPECT_EQ(core::JsonWriter::written(std::numeric_limits<double>::quiet_NaN()), nullptr);
  EXPECT_EQ(core::JsonWriter::written(std::numeric_limits<double>::infinity()), nullptr);
}

}  // namespace
