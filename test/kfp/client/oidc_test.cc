#include "kfp/client/oidc.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <thread>

#include "core/interrupt.h"
#include "kfp/client/context.h"
#include "kfp/client/detail/loopback.h"
#include "kfp/client/test_server.h"

namespace {

using namespace kfp::client;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class ClientOidc : public ::testing::Test {
 protected:
  void SetUp() override {
    if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
    provider_ = std::make_unique<test::OidcServer>();
    login_ = {
        .issuer = provider_->address(), .client_id = "calopipe", .tokens_file = folder_ / "logins/test.json"};
  }

  // Opens the page as a browser would, which follows the way back to this program.
  OidcIdentity log_in(bool device = false) {
    std::thread browser;
    const auto show = [&](const std::string& address, const std::string& code) {
      shown_ = address + " " + code;
      if (!device)
        browser = std::thread([address] {
          const std::string command =
              std::string(test::python()) +
              " -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' '" + address +
              "' 2>/dev/null";
          EXPECT_EQ(std::system(command.c_str()), 0);
        });
    };
    struct Join {
      std::thread& thread;
      ~Join() {
        if (thread.joinable()) thread.join();
      }
    } const join{browser};
    return oidc_log_in(login_, options(), {.device = device, .show = show, .patience_s = 20});
  }
  HttpOptions options() {
    return {.server = "http://127.0.0.1:1", .call_timeout_s = 10, .sleep = [this](double s) {
              waits_.push_back(s);
            }};
  }
  std::string error_of(const std::function<void()>& work) {
    try {
      work();
    } catch (const core::Error& error) {
      code_ = error.exit_code();
      return error.what();
    }
    code_ = core::ExitCode::kDone;
    return "none";
  }

  test::TempFolder folder_;
  std::unique_ptr<test::OidcServer> provider_;
  OidcLogin login_;
  std::string shown_;
  std::vector<double> waits_;
  core::ExitCode code_ = core::ExitCode::kDone;
};

TEST_F(ClientOidc, LogsInWithTheBrowserAndKeepsTheTokensToItself) {
  const OidcIdentity identity = log_in();
  EXPECT_EQ(identity.who, "jdoe@example.org");
  EXPECT_TRUE(identity.renewable);
  EXPECT_THAT(shown_, AllOf(HasSubstr("code_challenge_method=S256"),
                            HasSubstr("scope=openid%20email%20offline_access")));
  struct stat status {};
  ASSERT_EQ(::stat(login_.tokens_file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const std::string token = oidc_token(login_, options());
  EXPECT_EQ(std::count(token.begin(), token.end(), '.'), 2);
  EXPECT_EQ(oidc_identity(login_).who, "jdoe@example.org");
  EXPECT_TRUE(oidc_log_out(login_));
  EXPECT_FALSE(oidc_log_out(login_));
  EXPECT_EQ(oidc_identity(login_).who, "");
  EXPECT_THAT(error_of([&] { oidc_token(login_, options()); }),
              AllOf(HasSubstr("nobody is logged in"), HasSubstr("calopipe kubeflow login")));
  EXPECT_EQ(code_, core::ExitCode::kUnavailable);
}

TEST_F(ClientOidc, LogsInWithACodeOnAnotherDevice) {
  provider_->order({{"pending", 3}, {"slow_down", true}});
  EXPECT_EQ(log_in(true).who, "jdoe@example.org");
  EXPECT_THAT(shown_, HasSubstr("/activate?user_code="));
  EXPECT_EQ(waits_, (std::vector<double>{1, 6, 6, 6}));  // slow_down: five seconds more
  provider_->order({{"deny", true}});
  EXPECT_THAT(error_of([&] { log_in(true); }), HasSubstr("access_denied"));
  EXPECT_EQ(code_, core::ExitCode::kUnavailable);
  provider_->order({{"device", false}});
  EXPECT_THAT(error_of([&] { log_in(true); }), HasSubstr("leave out --device"));
}

TEST_F(ClientOidc, RenewsTokensThatExpireAndEachRefreshTokenServesOnce) {
  provider_->order({{"lifetime_s", 10}});  // less than what a call may take
  log_in();
  const std::string first = oidc_token(login_, options());
  provider_->order({{"lifetime_s", 3600}});
  const std::string second = oidc_token(login_, options());
  EXPECT_NE(first, second);
  EXPECT_EQ(oidc_token(login_, options()), second);
  const auto seen = provider_->order({{"lifetime_s", 3600}});
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "POST /token refresh_token"), 2);
  // Processes that do it at the same time wait for one another.
  provider_->order({{"lifetime_s", 10}});
  log_in();
  provider_->order({{"lifetime_s", 3600}});
  std::vector<std::string> tokens(6);
  std::vector<std::thread> threads;
  for (std::string& token : tokens)
    threads.emplace_back([&] { token = oidc_token(login_, {.server = "http://127.0.0.1:1"}); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(tokens, ::testing::Each(tokens[0]));
  const auto seen_then = provider_->order(json::object());
  EXPECT_EQ(std::count(seen_then.begin(), seen_then.end(), "POST /token refresh_token"), 3);
}

TEST_F(ClientOidc, SaysWhenALoginCannotBeRenewedAndShowsNoToken) {
  provider_->order({{"lifetime_s", 10}});
  log_in();
  const json stored = json::parse(core::read_file(login_.tokens_file));
  provider_->order({{"revoke", true}});
  const std::string error = error_of([&] { oidc_token(login_, options()); });
  EXPECT_EQ(code_, core::ExitCode::kUnavailable);
  EXPECT_THAT(error, AllOf(HasSubstr("does not renew the login"), HasSubstr("calopipe kubeflow login")));
  for (const char* name : {"id_token", "access_token", "refresh_token"})
    EXPECT_THAT(error, Not(HasSubstr(stored.at(name).get<std::string>())));
  core::write_file(login_.tokens_file, "{\"id_tok");
  EXPECT_THAT(error_of([&] { oidc_token(login_, options()); }),
              AllOf(HasSubstr("test.json"), HasSubstr("damaged")));
  // Tokens of another provider are none.
  core::write_file(login_.tokens_file, stored.dump());
  login_.issuer += "/other";
  EXPECT_EQ(oidc_identity(login_).who, "");
}

TEST_F(ClientOidc, RefusesWhatIsNotItsLogin) {
  provider_->order({{"deny", true}});
  EXPECT_THAT(error_of([&] { log_in(); }), HasSubstr("did not log in"));
  EXPECT_EQ(code_, core::ExitCode::kUnavailable);
  provider_->order({{"nonce", "another"}});
  EXPECT_THAT(error_of([&] { log_in(); }), HasSubstr("belongs to another login"));
  EXPECT_EQ(code_, core::ExitCode::kInput);
  provider_->order({{"audience", "somebody"}});
  EXPECT_THAT(error_of([&] { log_in(); }), HasSubstr("is for somebody, and not for the client calopipe"));
  provider_->order({{"issuer", "https://evil.example.org"}});
  EXPECT_THAT(error_of([&] { log_in(); }), HasSubstr("calls itself https://evil.example.org"));
  provider_->order(json::object());
  login_.issuer += "/nowhere";
  EXPECT_THAT(error_of([&] { log_in(); }),
              AllOf(HasSubstr("no provider of OIDC logins"), HasSubstr(".well-known")));
  login_.issuer = "http://127.0.0.1:1";
  EXPECT_THAT(error_of([&] { log_in(); }), HasSubstr("cannot be reached"));
  EXPECT_EQ(code_, core::ExitCode::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(login_.tokens_file));
}

TEST_F(ClientOidc, OnlyTheProvidersWayBackCounts) {
  std::thread browser;
  const auto show = [&](const std::string& address, const std::string&) {
    browser = std::thread([address] {
      const std::string script = R"(
import sys, urllib.error, urllib.parse, urllib.request
address = sys.argv[1]
back = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["redirect_uri"][0]
for wrong in (back, back + "?code=stolen&state=guessed", back.replace("callback", "favicon.ico")):
    try:
        urllib.request.urlopen(wrong)
        sys.exit(1)
    except urllib.error.HTTPError as error:
        assert error.code == 404
urllib.request.urlopen(address)
)";
      const std::string command = std::string(test::python()) + " -c '" + script + "' '" + address + "'";
      EXPECT_EQ(std::system(command.c_str()), 0);
    });
  };
  EXPECT_EQ(oidc_log_in(login_, options(), {.show = show, .patience_s = 20}).who, "jdoe@example.org");
  browser.join();
  EXPECT_THAT(
      error_of([&] { oidc_log_in(login_, options(), {.show = [](auto&, auto&) {}, .patience_s = 0.2}); }),
      AllOf(HasSubstr("nobody logged in"), HasSubstr("--device")));
}

TEST_F(ClientOidc, ClientsWithASecretSendItAsTheProviderWants) {
  core::write_file(folder_ / "secret", "a/b+c d\n");
  for (const json& methods : {json(), json({"client_secret_post"}), json({"client_secret_basic"}),
                              json({"client_secret_post", "client_secret_basic"})}) {
    json orders = {{"secret", "a/b+c d"}};
    if (!methods.is_null()) orders["methods"] = methods;
    provider_->order(orders);
    login_.client_secret_file.clear();
    EXPECT_THAT(error_of([&] { log_in(); }), HasSubstr("invalid_client"));
    login_.client_secret_file = folder_ / "secret";
    EXPECT_EQ(log_in().who, "jdoe@example.org");
  }
  core::write_file(folder_ / "secret", "\n");
  EXPECT_THAT(error_of([&] { log_in(); }), HasSubstr("client_secret_file"));
}

// A call of the API sends the token, and the context says all that is needed.
TEST_F(ClientOidc, ACallOfTheApiSendsTheToken) {
  log_in();
  const std::string token = oidc_token(login_, options());
  const test::KubeflowServer api({"--token", token});
  const auto contexts = folder_ / "contexts.yaml";
  set_context(contexts, {.name = "site/a",
                         .server = api.address(),
                         .login = {.kind = Login::Kind::kOidc, .oidc = login_},
                         .says_login = true});
  const Context read = read_contexts(contexts).at("site/a");
  EXPECT_EQ(read.login.oidc.issuer, login_.issuer);
  EXPECT_EQ(read.login.oidc.tokens_file, tokens_file(contexts, "site/a"));
  std::filesystem::create_directories(read.login.oidc.tokens_file.parent_path());
  std::filesystem::copy(login_.tokens_file, read.login.oidc.tokens_file);
  Http http(http_options(read));
  EXPECT_TRUE(http.call({.path = "/apis/v2beta1/healthz"}).is_object());
  oidc_log_out(read.login.oidc);
  EXPECT_THAT(error_of([&] { http.call({.path = "/apis/v2beta1/healthz"}); }),
              HasSubstr("calopipe kubeflow login"));
  core::write_file(contexts, "a: {server: 'http://x', login: {kind: oidc, client_id: a}}");
  EXPECT_THAT(error_of([&] { read_contexts(contexts); }), HasSubstr("a.login.issuer"));
}

TEST(ClientLoopback, OnlyAddressesOfThisMachineAreTaken) {
  for (const char* address : {"https://127.0.0.1/x", "http://example.org/x", "http://127.0.0.1:99999/x",
                              "http://127.0.0.1:1x/", "http://localhost/x?y=1"})
    EXPECT_THROW(Loopback{address}, core::InputError) << address;
  const Loopback first("http://localhost/back");
  EXPECT_THAT(first.address(), ::testing::MatchesRegex("http://localhost:[0-9]+/back"));
  EXPECT_THROW(Loopback{first.address()}, core::UnavailableError);  // the port is taken
}

}  // namespace
