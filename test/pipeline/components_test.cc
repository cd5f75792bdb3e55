#include "pipeline/components.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"

namespace {

using nlohmann::json;

struct Case {
  std::string component;
  kfp::Field field;
};

// Holds the components, so that the fields stay valid.
class Components : public testing::Test {
 protected:
  Components() {
    kfp::Registry registry;
    pipeline::register_components(registry);
    for (const auto& [name, factory] : registry.all()) components_.push_back(factory());
    for (const auto& component : components_)
      for (const kfp::Field& field : component->fields())
        if (field.is_parameter()) cases_.push_back({component->info().name, field});
  }

  static void expect_refused(const Case& c, const json& value) {
    const json before = c.field.value();
    try {
      c.field.set(value);
      ADD_FAILURE() << c.component << " took " << value << " for " << c.field.name;
    } catch (const core::UsageError& error) {
      EXPECT_NE(error.details().field.find(c.field.name), std::string::npos) << error.what();
      EXPECT_EQ(error.exit_code(), core::ExitCode::kUsage);
    }
    EXPECT_EQ(c.field.value(), before) << "a refused value changed " << c.field.name;
  }

  std::vector<std::unique_ptr<kfp::Component>> components_;
  std::vector<Case> cases_;
};

TEST_F(Components, RefuseNonsenseInEveryParameter) {
  ASSERT_GT(cases_.size(), 50u);
  for (const Case& c : cases_) {
    const std::string type = c.field.type_name();
    const auto wrap = [&](const json& value) { return c.field.is_list() ? json::array({value}) : value; };
    if (type != "struct") {
      expect_refused(c, {{"an", "object"}});
      expect_refused(c, nullptr);
    }
    if (type != "string" && type != "list of strings") expect_refused(c, wrap("nonsense"));
    if (type.find("double") != std::string::npos) {
      expect_refused(c, wrap(std::numeric_limits<double>::quiet_NaN()));
      expect_refused(c, wrap(std::numeric_limits<double>::infinity()));
    }
    if (type.find("integer") != std::string::npos) expect_refused(c, wrap(0.5));
    const kfp::ParameterSpec& spec = c.field.parameter_spec;
    if (spec.min) expect_refused(c, wrap(*spec.min - 1));
    if (spec.max) expect_refused(c, wrap(*spec.max + 1));
    if (spec.above_min) expect_refused(c, wrap(*spec.min));
    if (spec.below_max) expect_refused(c, wrap(*spec.max));
    if (!spec.choices.empty()) expect_refused(c, wrap("none of these"));
  }
}

TEST_F(Components, AllowTheirOwnDefaultsAndExplainThemselves) {
  for (const Case& c : cases_) {
    EXPECT_GT(c.field.parameter_spec.help.size(), 3u) << c.component << ' ' << c.field.name;
    if (c.field.parameter_spec.required) continue;
    EXPECT_NO_THROW(c.field.set(c.field.value())) << c.component << ' ' << c.field.name;
  }
}

}  // namespace
