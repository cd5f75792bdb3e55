#include "storage/aws.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/error.h"
#include "core/hash.h"
#include "core/staged_output.h"
#include "support/temp_folder.h"

namespace {

// The examples that AWS publishes for Signature Version 4 with S3 ("Signature Calculations for the
// Authorization Header: Transferring Payload in a Single Chunk").
storage::AwsSettings published() {
  return {.access_key = "AKIAIOSFODNN7EXAMPLE",
          .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
          .region = "us-east-1",
          .endpoint = "https://examplebucket.s3.amazonaws.com"};
}

std::string signature(const storage::AwsRequest& request) {
  const auto lines = storage::signed_headers(request, published(), "20130524T000000Z");
  return lines.at(0).substr(lines.at(0).rfind('=') + 1);
}

TEST(AwsSignature, IsThePublishedOneOfAGetWithARange) {
  EXPECT_EQ(signature({.method = "GET",
                       .host = "examplebucket.s3.amazonaws.com",
                       .path = "/test.txt",
                       .payload_sha256 = core::sha256(""),
                       .headers = {{"range", "bytes=0-9"}}}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(AwsSignature, IsThePublishedOneOfAPut) {
  EXPECT_EQ(signature({.method = "PUT",
                       .host = "examplebucket.s3.amazonaws.com",
                       .path = "/test%24file.text",
                       .payload_sha256 = core::sha256("Welcome to Amazon S3."),
                       .headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                   {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}}),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(AwsSignature, IsThePublishedOneOfAList) {
  EXPECT_EQ(signature({.method = "GET",
                       .host = "examplebucket.s3.amazonaws.com",
                       .path = "/",
                       .query = {{"max-keys", "2"}, {"prefix", "J"}},
                       .payload_sha256 = core::sha256("")}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(AwsSignature, ContainsTheTokenOfASession) {
  storage::AwsSettings settings = published();
  settings.session_token = "token";
  const auto lines =
      storage::signed_headers({.method = "GET", .host = "h", .path = "/"}, settings, "20130524T000000Z");
  EXPECT_NE(lines.at(0).find("x-amz-security-token"), std::string::npos);
  EXPECT_THAT(lines, testing::Contains("x-amz-security-token: token"));
}

TEST(AwsSignature, IsLeftOutWithoutALogin) {
  const auto lines =
      storage::signed_headers({.method = "GET", .host = "h", .path = "/"}, {}, "20130524T000000Z");
  for (const std::string& line : lines) EXPECT_FALSE(line.starts_with("Authorization")) << line;
}

TEST(AwsSettings, ComeFromTheProfileUnlessTheEnvironmentHasThem) {
  const test::TempFolder folder;
  core::write_file(
      folder / "config",
      "[default]\nregion = eu-1\n[profile cern]\nregion=cern\nendpoint_url = https://s3.example.org/\n"
      "s3 =\n  max_concurrent_requests = 20\n");
  core::write_file(folder / "credentials",
                   "# logins\n[cern]\naws_access_key_id = key\naws_secret_access_key = se=cret\n");
  ::setenv("AWS_CONFIG_FILE", (folder / "config").c_str(), 1);
  ::setenv("AWS_SHARED_CREDENTIALS_FILE", (folder / "credentials").c_str(), 1);
  ::setenv("AWS_PROFILE", "cern", 1);
  for (const char* name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
                           "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"})
    ::unsetenv(name);
  storage::AwsSettings settings = storage::AwsSettings::read();
  EXPECT_EQ(settings.access_key, "key");
  EXPECT_EQ(settings.secret_key, "se=cret");
  EXPECT_EQ(settings.region, "cern");
  EXPECT_EQ(settings.endpoint, "https://s3.example.org");
  ::setenv("AWS_ACCESS_KEY_ID", "mine", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
  ::setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000", 1);
  settings = storage::AwsSettings::read();
  EXPECT_EQ(settings.access_key, "mine");
  EXPECT_EQ(settings.endpoint, "http://127.0.0.1:9000");
  EXPECT_EQ(storage::AwsSettings::read("https://other.example.org/").endpoint, "https://other.example.org");
  EXPECT_THROW(storage::AwsSettings::read("other.example.org"), core::UsageError);
  ::setenv("AWS_PROFILE", "nobody", 1);
  EXPECT_THROW(storage::AwsSettings::read(), core::UsageError);
}

}  // namespace
