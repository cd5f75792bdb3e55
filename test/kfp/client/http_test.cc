#include "kfp/client/http.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "core/interrupt.h"
#include "kfp/client/test_server.h"

namespace {

using namespace kfp::client;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kHealth = "/apis/v2beta1/healthz";

class ClientHttp : public ::testing::Test {
 protected:
  void SetUp() override {
    if (test::python() == nullptr) GTEST_SKIP() << "CALOPIPE_PYTHON is not set";
  }
  // Waits are noted, and not waited for.
  HttpOptions options(const test::KubeflowServer& server) {
    return {
        .server = server.address(), .call_timeout_s = 5, .sleep = [this](double s) { waits.push_back(s); }};
  }
  std::string error_of(Http& http, const Request& request) {
    try {
      http.call(request);
    } catch (const core::Error& error) {
      code = error.exit_code();
      return error.what();
    }
    code = core::ExitCode::kDone;
    return "none";
  }
  static std::size_t count(const test::KubeflowServer& server, const std::string& request) {
    const json requests = server.seen().at("requests");
    std::size_t n = 0;
    for (const json& seen : requests) n += seen == request ? 1 : 0;
    return n;
  }

  std::vector<double> waits;
  core::ExitCode code = core::ExitCode::kDone;
};

TEST_F(ClientHttp, TriesReadingAgainUntilTheServerIsWell) {
  const test::KubeflowServer server;
  Http http(options(server));
  for (const json& fault :
       {json{{"fault", "status"}, {"status", 500}}, json{{"fault", "status"}, {"status", 502}},
        json{{"fault", "drop"}}, json{{"fault", "half"}},
        json{{"fault", "text"}, {"text", "{\"multi_user\": tr"}}}) {
    waits.clear();
    json twice = fault;
    twice["times"] = 2;
    server.faults(json::array({twice}));
    EXPECT_EQ(error_of(http, {.path = kHealth}), "none") << fault;
    // libcurl itself repeats a GET once on a connection that was open and is lost.
    EXPECT_GE(waits.size(), fault.at("fault") == "drop" ? 1U : 2U) << fault;
    EXPECT_LE(waits.size(), 2U) << fault;
  }
}

TEST_F(ClientHttp, WaitsLongerEachTimeAndGivesUp) {
  const test::KubeflowServer server;
  Http http(options(server));
  server.faults({{{"fault", "status"}, {"status", 503}, {"times", 100}, {"message", "etcd is away"}}});
  EXPECT_THROW(http.call({.path = kHealth}), core::UnavailableError);
  EXPECT_EQ(count(server, "GET " + kHealth), 4U);
  ASSERT_EQ(waits.size(), 3U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_GE(waits[static_cast<std::size_t>(i)], 0.25 * (1 << i));
    EXPECT_LE(waits[static_cast<std::size_t>(i)], 0.5 * (1 << i));
  }
  EXPECT_THAT(error_of(http, {.path = kHealth}), AllOf(HasSubstr("503"), HasSubstr("etcd is away")));
}

TEST_F(ClientHttp, TheJitterIsOne) {
  const Retries retries;
  std::vector<double> drawn;
  for (int i = 0; i < 50; ++i) drawn.push_back(wait_before(retries, 3));
  EXPECT_LT(*std::min_element(drawn.begin(), drawn.end()), 1.3);
  EXPECT_GT(*std::max_element(drawn.begin(), drawn.end()), 1.7);
  EXPECT_LE(wait_before(retries, 1000), retries.longest_wait_s);
}

TEST_F(ClientHttp, ComesBackWhenTheServerSays) {
  const test::KubeflowServer server;
  Http http(options(server));
  for (const int status : {429, 503}) {
    waits.clear();
    server.faults({{{"fault", "status"}, {"status", status}, {"headers", {{"Retry-After", "7"}}}}});
    // Nothing was done: also what changes something may be sent again.
    EXPECT_TRUE(http.call({.method = "POST",
                           .path = "/apis/v2beta1/experiments",
                           .body = {{"display_name", std::to_string(status)}}})
                    .contains("experiment_id"));
    EXPECT_EQ(waits, std::vector<double>{7});
  }
  waits.clear();
  server.faults({{{"fault", "status"}, {"status", 429}, {"headers", {{"Retry-After", "86400"}}}}});
  EXPECT_THAT(error_of(http, {.path = kHealth}), HasSubstr("86400"));
  EXPECT_TRUE(waits.empty());
}

TEST_F(ClientHttp, DoesNotRepeatWhatMayHaveBeenDone) {
  const test::KubeflowServer server;
  Http http(options(server));
  const Request create{
      .method = "POST", .path = "/apis/v2beta1/experiments", .body = {{"display_name", "once"}}};
  // A connection that is open already is what makes libcurl itself send again.
  http.call({.path = kHealth});
  server.faults({{{"fault", "lost"}, {"method", "POST"}}});
  EXPECT_THAT(error_of(http, create), HasSubstr("closed the connection early"));
  EXPECT_EQ(count(server, "POST /apis/v2beta1/experiments"), 1U);
  server.faults({{{"fault", "status"}, {"status", 500}, {"method", "POST"}}});
  error_of(http, create);
  EXPECT_EQ(count(server, "POST /apis/v2beta1/experiments"), 2U);
  EXPECT_TRUE(waits.empty());
}

TEST_F(ClientHttp, HasATimeLimit) {
  const test::KubeflowServer server;
  HttpOptions hasty = options(server);
  hasty.call_timeout_s = 0.3;
  hasty.retries.attempts = 1;
  Http http(hasty);
  server.faults({{{"fault", "hang"}, {"seconds", 3}}});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(error_of(http, {.path = kHealth}), HasSubstr("does not answer in time"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  EXPECT_EQ(code, core::ExitCode::kUnavailable);
}

TEST_F(ClientHttp, IsInterruptedWhileTheServerThinks) {
  const test::KubeflowServer server;
  Http http(options(server));
  server.faults({{{"fault", "hang"}, {"seconds", 4}}});
  std::thread signal([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    core::set_interrupt(true);
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THROW(http.call({.path = kHealth}), core::Interrupted);
  signal.join();
  core::set_interrupt(false);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
}

TEST_F(ClientHttp, SaysWhatToDo) {
  const test::KubeflowServer server;
  Http http(options(server));
  struct Case {
    int status;
    core::ExitCode code;
    const char* what;
  };
  for (const Case& c :
       {Case{401, core::ExitCode::kUnavailable, "login"},
        Case{403, core::ExitCode::kUnavailable, "namespace"},
        Case{404, core::ExitCode::kUsage, "no such object"},
        Case{409, core::ExitCode::kUsage, "another name"}, Case{400, core::ExitCode::kInput, "validate"},
        Case{418, core::ExitCode::kInput, "418"}, Case{500, core::ExitCode::kUnavailable, "500"}}) {
    server.faults(
        {{{"fault", "status"}, {"status", c.status}, {"times", 4}, {"message", "because\nof \x1b[31mthis"}}});
    EXPECT_THAT(error_of(http, {.path = kHealth}), AllOf(HasSubstr(c.what), HasSubstr("because of [31mthis")))
        << c.status;
    EXPECT_EQ(code, c.code) << c.status;
    server.faults(json::array());
  }
  // Pages of proxies and of logins.
  server.faults({{{"fault", "status"}, {"status", 502}, {"times", 4}, {"text", "<html>nginx</html>"}}});
  EXPECT_THAT(error_of(http, {.path = kHealth}), AllOf(HasSubstr("bad gateway"), Not(HasSubstr("html"))));
  server.faults({{{"fault", "text"}, {"text", "<html>log in</html>"}, {"type", "text/html"}}});
  EXPECT_THAT(error_of(http, {.path = kHealth}), HasSubstr("with a page"));
  for (const json& page :
       {json{{"fault", "status"}, {"status", 403}, {"text", "<form action='/oauth2/start'>"}},
        json{{"fault", "text"}, {"text", "<input type=\"password\">"}}}) {
    json as_html = page;
    as_html["type"] = "text/html; charset=utf-8";
    server.faults({as_html, as_html});
    EXPECT_THAT(error_of(http, {.path = kHealth}), HasSubstr("requires a login")) << page;
    EXPECT_EQ(code, core::ExitCode::kUnavailable);
    EXPECT_THROW(http.text({.path = kHealth}), Refused);  // a page is no log
  }
  server.faults(
      {{{"fault", "status"}, {"status", 302}, {"headers", {{"Location", "/dex/auth?state=geheim"}}}}});
  EXPECT_THAT(error_of(http, {.path = kHealth}), AllOf(HasSubstr("/dex/auth"), Not(HasSubstr("geheim"))));
  EXPECT_EQ(code, core::ExitCode::kUnavailable);
}

TEST_F(ClientHttp, AServerThatIsNotThere) {
  std::string address;
  {
    const test::KubeflowServer server;
    address = server.address();
  }
  Http http({.server = address, .sleep = [this](double s) { waits.push_back(s); }});
  EXPECT_THAT(error_of(http, {.method = "POST", .path = kHealth}), HasSubstr("cannot be reached"));
  EXPECT_EQ(code, core::ExitCode::kUnavailable);
  EXPECT_EQ(waits.size(), 3U);  // nothing was sent
  for (const char* wrong : {"", "kubeflow", "ftp://kubeflow", "https://", "https://me:geheim@kubeflow",
                            "https://k/?a=b", "https://k k"})
    try {
      Http no({.server = wrong});
      ADD_FAILURE() << wrong;
    } catch (const core::UsageError& error) {
      EXPECT_THAT(error.what(), Not(HasSubstr("geheim")));
    }
}

TEST_F(ClientHttp, TokensAreReadAgainAndNeverShown) {
  const test::KubeflowServer server({"--token", "geheimer-token-1"});
  const test::TempFolder folder;
  HttpOptions with_token = options(server);
  with_token.login = {Login::Kind::kToken, folder / "token"};
  Http http(with_token);
  EXPECT_THAT(error_of(http, {.path = kHealth}), HasSubstr("token"));  // there is no file
  EXPECT_EQ(code, core::ExitCode::kInput);
  core::write_file(folder / "token", "geheimer-token-1\n");
  EXPECT_EQ(error_of(http, {.path = kHealth}), "none");
  // It expires, and is renewed.
  server.control("/_login", {{"token", "geheimer-token-2"}});
  EXPECT_THAT(error_of(http, {.path = kHealth}),
              AllOf(HasSubstr("expired"), HasSubstr("log in again"), Not(HasSubstr("geheim"))));
  EXPECT_EQ(code, core::ExitCode::kUnavailable);
  core::write_file(folder / "token", "geheimer-token-2");
  EXPECT_EQ(error_of(http, {.path = kHealth}), "none");
  server.faults({{{"fault", "echo"}}});
  EXPECT_THAT(error_of(http, {.path = kHealth}), AllOf(HasSubstr("Bearer ***"), Not(HasSubstr("geheim"))));
  for (const char* wrong : {"", "two words", "split\r\nX-Admin: yes"}) {
    core::write_file(folder / "token", wrong);
    EXPECT_THAT(error_of(http, {.path = kHealth}), Not(HasSubstr("none"))) << wrong;
    EXPECT_EQ(code, core::ExitCode::kInput);
  }
}

TEST_F(ClientHttp, CookiesAsTextAndAsJar) {
  const test::KubeflowServer server({"--cookie", "authservice_session=geheim123"});
  const test::TempFolder folder;
  HttpOptions with_cookies = options(server);
  with_cookies.login = {Login::Kind::kCookies, folder / "cookies"};
  Http http(with_cookies);
  core::write_file(folder / "cookies", "a=b; authservice_session=geheim123\n");
  EXPECT_EQ(error_of(http, {.path = kHealth}), "none");
  core::write_file(folder / "cookies", "authservice_session=other-geheim\n");
  EXPECT_THAT(error_of(http, {.path = kHealth}), AllOf(HasSubstr("expired"), Not(HasSubstr("geheim"))));
  core::write_file(
      folder / "cookies",
      "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tauthservice_session\tgeheim123\n");
  EXPECT_EQ(error_of(http, {.path = kHealth}), "none");
  server.faults({{{"fault", "echo"}}});
  EXPECT_THAT(error_of(http, {.path = kHealth}), AllOf(HasSubstr("bad headers"), Not(HasSubstr("geheim"))));
  // Of another machine: not sent.
  core::write_file(
      folder / "cookies",
      "# Netscape HTTP Cookie File\nexample.org\tFALSE\t/\tFALSE\t0\tauthservice_session\tgeheim123\n");
  EXPECT_THAT(error_of(http, {.path = kHealth}), HasSubstr("expired"));
}

TEST_F(ClientHttp, TrustsTheGivenAuthorityOnly) {
  const test::TempFolder folder;
  const std::string key = (folder / "key.pem").string(), certificate = (folder / "certificate.pem").string();
  ASSERT_EQ(std::system(("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext "
                         "subjectAltName=IP:127.0.0.1 -keyout '" +
                         key + "' -out '" + certificate + "' 2>/dev/null")
                            .c_str()),
            0);
  const test::KubeflowServer server({"--tls", certificate, key}, "https");
  Http stranger(options(server));
  EXPECT_THAT(error_of(stranger, {.path = kHealth}), AllOf(HasSubstr("not trusted"), HasSubstr("ca_file")));
  EXPECT_EQ(code, core::ExitCode::kUnavailable);
  EXPECT_TRUE(waits.empty());  // it does not get better
  HttpOptions with_authority = options(server);
  with_authority.ca_file = certificate;
  Http http(with_authority);
  EXPECT_EQ(error_of(http, {.path = kHealth}), "none");
  with_authority.ca_file = folder / "missing.pem";
  Http missing(with_authority);
  EXPECT_THAT(error_of(missing, {.path = kHealth}), HasSubstr("missing.pem"));
}

// What the other tests rely on.
TEST_F(ClientHttp, TheTestsServerTakesWhatIsPublishedOnly) {
  const test::KubeflowServer server;
  Http http(options(server));
  const std::string runs = "/apis/v2beta1/runs";
  EXPECT_THAT(error_of(http, {.method = "POST", .path = runs, .body = {{"name", "old"}}}),
              HasSubstr("unknown field"));
  EXPECT_THAT(error_of(http, {.method = "POST", .path = runs, .body = {{"display_name", 3}}}),
              HasSubstr("is no str"));
  EXPECT_THAT(error_of(http, {.path = runs, .query = {{"resource_reference_key.id", "x"}}}),
              HasSubstr("unknown query"));
  EXPECT_THAT(error_of(http, {.path = "/apis/v1beta1/runs"}), HasSubstr("no call is"));
  EXPECT_EQ(server.seen().at("violations").size(), 3U);
}

}  // namespace
