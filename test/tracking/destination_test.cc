#include "tracking/destination.h"

#include "support/error_of.h"

namespace {

using tracking::Destination;

// A variable of the environment for one test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

std::string refusal(const std::string& text) {
  return test::error_of<core::UsageError>([&] { Destination::parse(text); }).message;
}

TEST(Destination, HasServerAndExperiment) {
  const Destination to = Destination::parse("mlflow=https://mlflow.example.org/team/");
  EXPECT_EQ(to.server, "https://mlflow.example.org/team");
  EXPECT_EQ(to.experiment, "calopipe");
  EXPECT_EQ(Destination::parse(to.text()).server, to.server);
}

TEST(Destination, IsThatOfMlflowsClient) {
  const Variable server("MLFLOW_TRACKING_URI", "http://localhost:5000/");
  const Variable experiment("MLFLOW_EXPERIMENT_NAME", "showers");
  EXPECT_EQ(Destination::parse("mlflow").server, "http://localhost:5000");
  EXPECT_EQ(Destination::parse("mlflow").experiment, "showers");
  EXPECT_EQ(Destination::parse("mlflow=http://other:1").server, "http://other:1");
}

TEST(Destination, RefusesOthers) {
  EXPECT_NE(refusal("wandb=http://a").find("\"wandb\""), std::string::npos);
  EXPECT_NE(refusal("http://localhost:5000").find("is not a place"), std::string::npos);
  EXPECT_NE(refusal("mlflow").find("does not name a server"), std::string::npos);
  EXPECT_NE(refusal("mlflow=").find("does not name a server"), std::string::npos);
  EXPECT_NE(refusal("mlflow=localhost:5000").find("https://"), std::string::npos);
  EXPECT_NE(refusal("mlflow=sqlite:///a.db").find("https://"), std::string::npos);
  EXPECT_NE(refusal("mlflow=http://a/?b=c").find("address"), std::string::npos);
}

TEST(Destination, DoesNotShowAPassword) {
  try {
    Destination::parse("mlflow=https://alice:geheim@mlflow.example.org");
    FAIL();
  } catch (const core::UsageError& error) {
    EXPECT_EQ(std::string(error.what()).find("geheim"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("MLFLOW_TRACKING_PASSWORD"), std::string::npos);
  }
}

TEST(Destination, LogsInAsMlflowsClientDoes) {
  EXPECT_FALSE(tracking::http_options("http://a", 1).credentials);
  const Variable token("MLFLOW_TRACKING_TOKEN", "abc");
  EXPECT_EQ(tracking::http_options("http://a", 1).credentials().token, "abc");
  const Variable user("MLFLOW_TRACKING_USERNAME", "alice");
  const Variable password("MLFLOW_TRACKING_PASSWORD", "geheim");
  EXPECT_EQ(tracking::http_options("http://a", 1).credentials().user.second, "geheim");
  EXPECT_EQ(tracking::http_options("http://a", 1).credentials().token, "");
}

}  // namespace
