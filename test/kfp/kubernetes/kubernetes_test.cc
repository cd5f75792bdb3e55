#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/kubernetes/access.h"
#include "kfp/kubernetes/setup.h"
#include "support/temp_folder.h"

namespace {

namespace kubernetes = kfp::kubernetes;
using kubernetes::Access;
using nlohmann::json;
using testing::HasSubstr;

// Sets a variable, or removes it, until the end of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  ~Variable() { set(old_ ? old_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const char* value) {
    if (value == nullptr)
      ::unsetenv(name_);
    else
      ::setenv(name_, value, 1);
  }
  const char* name_;
  std::optional<std::string> old_;
};

class InCluster : public testing::Test {
 protected:
  InCluster() {
    core::write_file(folder_ / "token", "first\n");
    core::write_file(folder_ / "ca.crt", "authority");
    core::write_file(folder_ / "namespace", "jdoe\n");
  }
  Access choose(const std::string& namespace_name = {}) {
    return kubernetes::choose_access({.namespace_name = namespace_name, .service_account = folder_.path()});
  }

  test::TempFolder folder_;
  Variable home_{"HOME", nullptr}, config_{"KUBECONFIG", nullptr};
  Variable host_{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, port_{"KUBERNETES_SERVICE_PORT", "443"};
};

TEST_F(InCluster, AccessIsThatOfTheServiceAccount) {
  const Access access = choose();
  EXPECT_EQ(access.name, "in-cluster");
  EXPECT_EQ(access.server, "https://10.96.0.1:443");
  EXPECT_EQ(access.namespace_name, "jdoe");
  EXPECT_EQ(access.ca_pem, "authority");
  EXPECT_EQ(choose("other").namespace_name, "other");
}

TEST_F(InCluster, TokenIsReadForEveryCall) {
  const auto options = kubernetes::http_options(choose());
  EXPECT_EQ(options.credentials().token, "first");
  core::write_file(folder_ / "token", "second");
  EXPECT_EQ(options.credentials().token, "second");
  core::write_file(folder_ / "token", "a\nb");
  EXPECT_THROW(options.credentials(), core::InputError);
}

TEST_F(InCluster, AddressMayBeOfVersion6) {
  const Variable host("KUBERNETES_SERVICE_HOST", "fd00::1");
  EXPECT_EQ(choose().server, "https://[fd00::1]:443");
}

TEST_F(InCluster, KubeconfigComesFirst) {
  core::write_file(folder_ / "config",
                   "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n"
                   "clusters: [{name: c, cluster: {server: 'https://elsewhere'}}]\n");
  const std::string file = (folder_ / "config").string();
  const Variable config("KUBECONFIG", file.c_str());
  EXPECT_EQ(choose().server, "https://elsewhere");
  EXPECT_EQ(choose().namespace_name, "default");
}

TEST_F(InCluster, NoAccessOutsideOfAPod) {
  const Variable host("KUBERNETES_SERVICE_HOST", nullptr);
  EXPECT_THROW(choose(), core::UsageError);
}

TEST(ExecPlugin, ThatTakesTooLongIsEnded) {
  kubernetes::ExecPlugin plugin{.api_version = "client.authentication.k8s.io/v1",
                                .command = "sleep",
                                .arguments = {"600"},
                                .time_limit_s = 0.2};
  double expires_s = 0;
  try {
    kubernetes::run_exec_plugin(plugin, expires_s);
    FAIL() << "no error";
  } catch (const core::UnavailableError& error) {
    EXPECT_THAT(error.what(), HasSubstr("takes longer than 0.2 s"));
  }
}

TEST(Differences, LeaveOutWhatTheServerSets) {
  const json from = {{"kind", "ConfigMap"},
                     {"metadata", {{"name", "m"}, {"uid", "1"}, {"resourceVersion", "7"}}},
                     {"data", {{"a/b~c", "1"}, {"same", "x"}}},
                     {"status", {{"phase", "Bound"}}}};
  json to = from;
  to["metadata"]["resourceVersion"] = "8";
  to["status"]["phase"] = "Lost";
  EXPECT_TRUE(kubernetes::differences(from, to).empty());
  to["data"]["a/b~c"] = "2";
  to["data"].erase("same");
  const auto changes = kubernetes::differences(from, to);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].field, "data.a/b~c");
  EXPECT_EQ(changes[0].from, "\"1\"");
  EXPECT_EQ(changes[0].to, "\"2\"");
  EXPECT_EQ(changes[1].to, "");
}

TEST(Differences, HideTheValuesOfSecrets) {
  const json secret = {{"kind", "Secret"}, {"metadata", {{"name", "s"}}}, {"data", {{"ticket", "Z2VoZWlt"}}}};
  const auto changes = kubernetes::differences(json(), secret);
  const bool shows = std::any_of(changes.begin(), changes.end(), [](const auto& change) {
    return change.to.find("Z2Vo") != std::string::npos;
  });
  EXPECT_FALSE(shows);
  ASSERT_EQ(changes.front().field, "data.ticket");
  EXPECT_EQ(changes.front().to, "***");
}

}  // namespace
