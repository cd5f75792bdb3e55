#include "kfp/compile/argo/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace {

using kfp::argo::ArgoOptions;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

ArgoOptions read(const json& value) {
  return kfp::argo::options_from_json(value, "site.yaml", "argo");
}

TEST(ArgoOptions, AreReadFromJson) {
  const ArgoOptions options = read({{"namespace", "n"},
                                    {"service_account", "runner"},
                                    {"parameters", {{"epochs", 3}}},
                                    {"s3", {{"bucket", "b"}, {"endpoint", "s3:9000"}, {"insecure", true}}},
                                    {"image_pull_secrets", {"a", "b"}},
                                    {"host_volumes", {{{"host_path", "/var/eos"}, {"mount_path", "/eos"}}}},
                                    {"kerberos", {{"uid", 2000}}},
                                    {"pod_labels", {{"mount-eos", "true"}}}});
  EXPECT_EQ(options.name_space, "n");
  EXPECT_EQ(options.service_account, "runner");
  EXPECT_EQ(options.parameters.at("epochs"), 3);
  EXPECT_TRUE(options.s3->insecure);
  EXPECT_FALSE(options.volume);
  EXPECT_THAT(options.image_pull_secrets, ElementsAre("a", "b"));
  EXPECT_EQ(options.host_volumes.at(0).mount_path, "/eos");
  EXPECT_EQ(options.kerberos->uid, 2000);
  EXPECT_EQ(options.kerberos->secret, "krb-secret");
  EXPECT_EQ(options.pod_labels.at("mount-eos"), "true");
}

TEST(ArgoOptions, NonsenseIsAnErrorWithItsPlace) {
  const json host = {{"host_path", "/a"}, {"mount_path", "/eos"}};
  const std::pair<json, const char*> wrong[] = {
      {{{"volumes", 1}}, "site.yaml: argo: has an unknown field \"volumes\" (did you mean volume?)"},
      {{{"volume", {{"claim", "c"}, {"path", "/x"}}}}, "argo.volume: has an unknown field \"path\""},
      {{{"volume", {{"claim", 5}}}}, "argo.volume.claim: cannot be 5: expected a string (put it in quotes)"},
      {{{"volume", json::object()}}, "argo.volume: needs claim or host_path"},
      {{{"volume", {{"claim", "c"}, {"host_path", "/x"}}}}, "argo.volume: needs claim or host_path"},
      {{{"volume", {{"claim", "c"}, {"mount_path", "data"}}}}, "argo.volume.mount_path: is no absolute path"},
      {{{"volume", {{"host_path", "/a/../b"}}}}, "argo.volume.host_path: is no absolute path"},
      {{{"volume", {{"claim", "{{x}}"}}}}, "argo.volume.claim: holds \"{{\""},
      {{{"volume", {{"claim", "c"}}}, {"s3", {{"bucket", "b"}, {"endpoint", "e"}}}},
       "artifacts pass one way only"},
      {{{"s3", {{"endpoint", "e"}}}}, "argo.s3.bucket: is missing"},
      {{{"s3", {{"bucket", "b"}, {"endpoint", "https://e"}}}}, "without a scheme"},
      {{{"s3", {{"bucket", "b"}, {"endpoint", "e"}, {"access_key", {{"name", "n"}}}}}},
       "argo.s3.access_key: needs"},
      {{{"host_volumes", host}}, "expected a list"},
      {{{"host_volumes", {host, host}}}, "/eos has two volumes"},
      {{{"secret_volumes", {{{"mount_path", "/s"}}}}}, "argo.secret_volumes.secret: is missing"},
      {{{"kerberos", {{"uid", -1}}}},
       "argo.kerberos.uid: cannot be -1: expected an integer (allowed: at least 0)"},
      {{{"kerberos", {{"key", "../x"}}}}, "argo.kerberos.key: is no key"},
      {{{"pod_labels", {{"a", 1}}}}, "argo.pod_labels.a: cannot be 1: expected a string"},
      {{{"name", "a"}, {"generate_name", "b"}}, "argo.name: stands beside generate_name"},
      {json::array(), "argo: cannot be []: expected a mapping"},
  };
  for (const auto& [value, message] : wrong)
    EXPECT_THAT([&] { read(value); }, ThrowsMessage<core::InputError>(HasSubstr(message))) << value;
}

}  // namespace
