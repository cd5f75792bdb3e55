#include "kfp/client/context.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "core/error.h"
#include "core/staged_output.h"
#include "support/temp_folder.h"

namespace {

using namespace kfp::client;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ClientContext : public ::testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }
  static void clear() {
    for (const char* name : {"CALOPIPE_CONTEXT", "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_SA_TOKEN_PATH"})
      ::unsetenv(name);
  }
  void write(const std::string& text) const { core::write_file(file, text); }
  std::string error_of(const std::string& text) const {
    write(text);
    try {
      read_contexts(file);
    } catch (const core::InputError& error) {
      return error.what();
    }
    return "none";
  }

  test::TempFolder folder;
  std::filesystem::path file = folder / "contexts.yaml";
};

TEST_F(ClientContext, AreRead) {
  EXPECT_TRUE(read_contexts(file).empty());
  write(
      "cern:\n  server: https://ml.example.org/pipeline\n  namespace: jdoe\n  experiment: calo\n"
      "  login: {kind: cookies, cookie_file: ~/cookies.txt}\n  ca_file: site.pem\n"
      "local: {server: 'http://localhost:8888', login: {kind: token, token_file: /run/token}}\n"
      "open: {server: 'http://localhost:8889', login: {kind: none}}\n");
  const auto contexts = read_contexts(file);
  ASSERT_EQ(contexts.size(), 3U);
  const Context& cern = contexts.at("cern");
  EXPECT_EQ(cern.namespace_name, "jdoe");
  EXPECT_EQ(cern.experiment, "calo");
  EXPECT_EQ(cern.login.kind, Login::Kind::kCookies);
  EXPECT_EQ(cern.login.file, std::filesystem::path(std::getenv("HOME")) / "cookies.txt");
  EXPECT_EQ(cern.ca_file, folder / "site.pem");
  EXPECT_EQ(contexts.at("local").login.file, "/run/token");
  EXPECT_TRUE(contexts.at("open").says_login);
}

TEST_F(ClientContext, MistakesAreNamedWithTheirPlace) {
  EXPECT_THAT(error_of("a: {sever: x}"), AllOf(HasSubstr("contexts.yaml: a: has an unknown field \"sever\""),
                                               HasSubstr("did you mean server?")));
  EXPECT_THAT(error_of("a: {namespace: x}"), HasSubstr("a.server: is required"));
  EXPECT_THAT(error_of("a: {server: 3}"), HasSubstr("a.server: cannot be 3: expected a string"));
  EXPECT_THAT(error_of("a: {server: x, login: {kind: tokn}}"),
              AllOf(HasSubstr("a.login.kind"), HasSubstr("did you mean \"token\"?")));
  EXPECT_THAT(error_of("a: {server: x, login: {}}"), HasSubstr("a.login.kind: is required"));
  EXPECT_THAT(error_of("a: {server: x, login: {kind: token}}"), HasSubstr("a.login.token_file: is required"));
  EXPECT_THAT(error_of("a: {server: x, login: {kind: token, token_file: t, cookie_file: c}}"),
              HasSubstr("a.login.cookie_file"));
  EXPECT_THAT(error_of("a: {server: x, login: {kind: none, token_file: t}}"),
              HasSubstr("a.login.token_file"));
  EXPECT_THAT(error_of("a: {server: x, login: token}"),
              HasSubstr("a.login: cannot be \"token\": expected a mapping"));
  EXPECT_THAT(error_of("a: {server: x, token: secret}"), HasSubstr("a: has an unknown field \"token\""));
  EXPECT_THAT(error_of("- a"), HasSubstr("expected a mapping"));
  EXPECT_THAT(error_of("a:\n  server: x\n  server: y\n"), HasSubstr("line 3"));
}

TEST_F(ClientContext, AreChosen) {
  EXPECT_THROW(choose_context("", file), core::UsageError);
  write("one: {server: 'http://one'}\n");
  EXPECT_EQ(choose_context("", file).server, "http://one");
  write("one: {server: 'http://one'}\ntwo: {server: 'http://two'}\n");
  EXPECT_THROW(choose_context("", file), core::UsageError);
  use_context(file, "two");
  EXPECT_EQ(current_context(file), "two");
  EXPECT_EQ(choose_context("", file).server, "http://two");
  ::setenv("KF_PIPELINES_ENDPOINT", "http://three", 1);
  EXPECT_EQ(choose_context("", file).server, "http://three");
  ::setenv("CALOPIPE_CONTEXT", "one", 1);
  EXPECT_EQ(choose_context("", file).server, "http://one");
  EXPECT_EQ(choose_context("two", file).server, "http://two");
  try {
    choose_context("tow", file);
    FAIL();
  } catch (const core::UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean two?"));
  }
  EXPECT_THROW(use_context(file, "three"), core::UsageError);
  EXPECT_EQ(current_context(file), "two");
}

TEST_F(ClientContext, TheTokenOfThePodIsForContextsThatSayNothing) {
  write("one: {server: 'http://one'}\ntwo: {server: 'http://two', login: {kind: none}}\n");
  ::setenv("KF_PIPELINES_SA_TOKEN_PATH", "/run/sa", 1);
  EXPECT_EQ(choose_context("one", file).login.file, "/run/sa");
  EXPECT_EQ(choose_context("two", file).login.kind, Login::Kind::kNone);
}

TEST_F(ClientContext, AreSet) {
  set_context(file, {.name = "a",
                     .server = "https://a/pipeline",
                     .namespace_name = "n",
                     .login = {Login::Kind::kToken, "/t"}});
  set_context(
      file, {.name = "b", .server = "http://b", .experiment = "e", .says_login = true, .ca_file = "/c.pem"});
  const auto contexts = read_contexts(file);
  EXPECT_EQ(contexts.at("a").namespace_name, "n");
  EXPECT_EQ(contexts.at("a").login.file, "/t");
  EXPECT_EQ(contexts.at("b").experiment, "e");
  EXPECT_TRUE(contexts.at("b").says_login);
  EXPECT_EQ(contexts.at("b").ca_file, "/c.pem");
  EXPECT_THROW(set_context(file, {.name = "c", .server = "c"}), core::UsageError);
  EXPECT_EQ(read_contexts(file).size(), 2U);
}

}  // namespace
