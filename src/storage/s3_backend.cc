#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <pugixml.hpp>

#include "core/base64.h"
#include "core/error.h"
#include "core/hash.h"
#include "storage/aws.h"
#include "storage/detail/backends.h"
#include "storage/fault.h"
#include "storage/http.h"

namespace storage {
namespace {

namespace fs = std::filesystem;
using Query = std::map<std::string, std::string>;

// S3 accepts at most 10 000 parts, each but the last of at least 5 MiB.
constexpr std::uint64_t kLeastPart = std::uint64_t{16} << 20;
constexpr std::uint64_t kMostParts = 10'000;

struct Place {
  std::string bucket, key;

  explicit Place(const std::string& url) {
    const std::string rest = url.substr(url.find("://") + 3);
    bucket = rest.substr(0, rest.find('/'));
    if (rest.size() > bucket.size()) key = rest.substr(bucket.size() + 1);
    while (key.ends_with('/')) key.pop_back();
    if (bucket.empty())
      throw core::UsageError({.message = "names no bucket", .file = url, .hint = "give s3://BUCKET/KEY"});
  }
};

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

std::string md5(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr);
  return {reinterpret_cast<const char*>(digest), size};
}

pugi::xml_document parsed(const HttpAnswer& answer) {
  pugi::xml_document document;
  if (!document.load_buffer(answer.body.data(), answer.body.size()))
    throw Fault(Fault::Kind::kUnreachable, "the server's answer is not XML, or cut off");
  return document;
}

// Signed requests to one endpoint.
class Client {
 public:
  explicit Client(const Settings& settings)
      : http_(settings), aws_(AwsSettings::read(settings.s3_endpoint)) {}

  HttpRequest request(const std::string& method, const Place& place, const Query& query = {},
                      std::string_view body = {}, std::map<std::string, std::string> headers = {}) const {
    AwsRequest wanted{.method = method,
                      .host = aws_.endpoint.substr(aws_.endpoint.find("://") + 3),
                      .path = "/" + percent_encoded(place.bucket) +
                              (place.key.empty() ? "" : "/" + percent_encoded(place.key, "/")),
                      .query = query,
                      .payload_sha256 = core::sha256(body),
                      .headers = std::move(headers)};
    wanted.host = wanted.host.substr(0, wanted.host.find('/'));
    HttpRequest request{.method = method,
                        .url = aws_.endpoint + wanted.path,
                        .headers = signed_headers(wanted, aws_, utc_now()),
                        .body = std::as_bytes(std::span(body))};
    if (!query.empty()) request.url += "?" + query_text(query);
    return request;
  }

  HttpAnswer call(const HttpRequest& request) { return http_.perform(request); }

  HttpAnswer checked(const HttpRequest& request) {
    HttpAnswer answer = call(request);
    if (answer.status < 200 || answer.status > 299) fail(answer);
    // Some failures have a status of success.
    if (answer.body.find("<Error>") != std::string::npos && answer.body.size() < 10'000) fail(answer);
    return answer;
  }

  [[noreturn]] static void fail(const HttpAnswer& answer) {
    pugi::xml_document document;
    document.load_buffer(answer.body.data(), answer.body.size());
    const pugi::xml_node error = document.child("Error");
    const std::string code = error.child("Code").text().as_string();
    const std::string reason = error.child("Message").text().as_string();
    if (code == "NoSuchBucket") throw Fault(Fault::Kind::kMissing, reason);
    if (code == "ExpiredToken" || code == "RequestTimeTooSkewed" || code == "InvalidAccessKeyId" ||
        code == "SignatureDoesNotMatch")
      throw Fault(Fault::Kind::kLogin, fmt::format("{}: {}", code, reason));
    if (code == "InternalError" || code == "SlowDown" || code == "BadDigest")
      throw Fault(Fault::Kind::kUnreachable, fmt::format("{}: {}", code, reason));
    if (code == "QuotaExceeded" || code == "XMinioStorageFull")
      throw Fault(Fault::Kind::kFull, fmt::format("{}: {}", code, reason));
    refuse(answer, code.empty() ? "" : fmt::format("{}: {}", code, reason));
  }

  Http& http() { return http_; }

  // Files below a folder, and the token for the next page; empty at the end.
  std::pair<std::vector<core::RemoteEntry>, std::string> list(const Place& place, const std::string& most,
                                                              const std::string& token) {
    const std::string prefix = place.key.empty() ? "" : place.key + "/";
    Query query = {{"list-type", "2"}, {"prefix", prefix}, {"max-keys", most}, {"encoding-type", "url"}};
    if (!token.empty()) query["continuation-token"] = token;
    Place bucket = place;
    bucket.key.clear();
    const pugi::xml_document document = parsed(checked(request("GET", bucket, query)));
    const pugi::xml_node result = document.child("ListBucketResult");
    std::vector<core::RemoteEntry> entries;
    for (const pugi::xml_node item : result.children("Contents")) {
      std::string key = item.child("Key").text().as_string();
      std::replace(key.begin(), key.end(), '+', ' ');
      key = percent_decoded(key);
      if (key.size() <= prefix.size() || key.ends_with('/')) continue;  // the mark of a folder
      entries.push_back({.name = key.substr(prefix.size()),
                         .status = {.size_bytes = item.child("Size").text().as_ullong(),
                                    .version = item.child("ETag").text().as_string()}});
    }
    return {std::move(entries), result.child("NextContinuationToken").text().as_string()};
  }

  std::vector<core::RemoteEntry> files_in(const Place& place) {
    std::vector<core::RemoteEntry> all;
    std::string next;
    do {
      auto [entries, more] = list(place, "1000", next);
      all.insert(all.end(), std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end()));
      next = std::move(more);
    } while (!next.empty());
    return all;
  }

 private:
  Http http_;
  AwsSettings aws_;
};

class S3Source final : public Source {
 public:
  S3Source(Client& client, Place place, core::RemoteStatus status)
      : client_(client), place_(std::move(place)), status_(std::move(status)) {}

  std::uint64_t size_bytes() const override { return status_.size_bytes; }
  std::string version() const override { return status_.version; }
  void read(std::span<const core::RemotePiece> pieces) override {
    read_ranges(
        client_.http(),
        [&] {
          // Never a part of an older file and a part of a newer one.
          HttpRequest request = client_.request("GET", place_);
          request.headers.push_back("If-Match: " + status_.version);
          return request;
        },
        status_.size_bytes, pieces);
  }

 private:
  Client& client_;
  Place place_;
  core::RemoteStatus status_;
};

// Every file is an upload in parts, which appears when it is completed: all of a folder are completed at the
// end.
class S3Sender final : public Sender {
 public:
  S3Sender(Client& client, Place place, bool is_folder)
      : client_(client), place_(std::move(place)), is_folder_(is_folder) {
    if (!is_folder_) begin(place_);
  }
  S3Sender(const S3Sender&) = delete;
  S3Sender& operator=(const S3Sender&) = delete;
  ~S3Sender() override {
    for (const auto& [key, file] : files_) {
      if (file.is_complete) continue;
      try {
        client_.call(client_.request("DELETE", file.place, {{"uploadId", file.upload}}));
      } catch (const std::exception&) {
        // The bucket's rules delete what was not completed.
      }
    }
  }

  void send(const fs::path& local, const std::string& name, const OnBytes& on_bytes) override {
    Place place = place_;
    if (is_folder_) place.key += "/" + name;
    if (!files_.contains(place.key)) begin(place);
    File& file = files_.at(place.key);
    const std::uint64_t size = fs::file_size(local);
    const std::uint64_t part = std::max(kLeastPart, size / kMostParts + 1);
    std::ifstream in(local, std::ios::binary);
    std::string bytes;
    // At least one part. Parts that were sent by an earlier attempt stay.
    in.seekg(static_cast<std::streamoff>(file.tags.size() * part));
    for (std::uint64_t at = file.tags.size() * part; at < size || file.tags.empty(); at += part) {
      bytes.resize(std::min(part, size - at));
      if (!bytes.empty() && !in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
        throw core::UnavailableError({.message = "cannot be read again", .file = local});
      file.tags.push_back(send_part(file, file.tags.size() + 1, bytes));
      on_bytes(std::min(size, at + part));
    }
    file.size_bytes = size;
  }

  void commit() override {
    for (auto& [key, file] : files_) {
      if (file.is_complete) continue;
      std::string list = "<CompleteMultipartUpload>";
      for (std::size_t i = 0; i < file.tags.size(); ++i)
        list += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, file.tags[i]);
      list += "</CompleteMultipartUpload>";
      client_.checked(client_.request("POST", file.place, {{"uploadId", file.upload}}, list));
      file.is_complete = true;
      const HttpAnswer answer = client_.call(client_.request("HEAD", file.place));
      if (answer.header("content-length") != std::to_string(file.size_bytes))
        throw Fault(Fault::Kind::kRefused, fmt::format("{} of {} bytes are there",
                                                       answer.header("content-length"), file.size_bytes));
    }
    if (is_folder_) delete_others();
  }

 private:
  struct File {
    Place place;
    std::string upload;
    std::vector<std::string> tags = {};  // of the parts
    std::uint64_t size_bytes = 0;
    bool is_complete = false;
  };

  // What an older output of the same name left.
  void delete_others() {
    for (const core::RemoteEntry& entry : client_.files_in(place_)) {
      Place old = place_;
      old.key += "/" + entry.name;
      if (!files_.contains(old.key)) client_.checked(client_.request("DELETE", old));
    }
  }

  void begin(const Place& place) {
    const HttpAnswer answer = client_.checked(client_.request("POST", place, {{"uploads", ""}}));
    const std::string upload =
        parsed(answer).child("InitiateMultipartUploadResult").child("UploadId").text().as_string();
    if (upload.empty()) throw Fault(Fault::Kind::kRefused, "the server does not begin an upload in parts");
    files_.insert_or_assign(place.key, File{.place = place, .upload = upload});
  }

  std::string send_part(const File& file, std::size_t number, const std::string& bytes) {
    const std::string digest = md5(bytes);
    const HttpAnswer answer = client_.checked(client_.request(
        "PUT", file.place, {{"partNumber", std::to_string(number)}, {"uploadId", file.upload}}, bytes,
        {{"content-md5", core::to_base64(digest)}}));
    std::string tag = answer.header("etag");
    // Of parts that the server encrypts, the tag is something else.
    std::string expected = "\"";
    for (const char c : digest) expected += fmt::format("{:02x}", static_cast<unsigned char>(c));
    expected += '"';
    const bool is_encrypted = !answer.header("x-amz-server-side-encryption").empty();
    if (tag.empty() || (!is_encrypted && tag.size() == expected.size() && tag != expected))
      throw Fault(Fault::Kind::kUnreachable, "the server received other bytes than were sent");
    return tag;
  }

  Client& client_;
  Place place_;
  bool is_folder_;
  std::map<std::string, File> files_;  // by key
};

class S3Backend final : public Backend {
 public:
  explicit S3Backend(const Settings& settings) : client_(settings) {}

  std::optional<core::RemoteStatus> status(const std::string& url) override {
    const Place place(url);
    if (!place.key.empty()) {
      const HttpAnswer answer = client_.call(client_.request("HEAD", place));
      if (answer.status == 200) return status_of(answer);
      if (answer.status != 404) failed_head(place, answer);
    }
    // A folder is where keys begin with its name.
    if (client_.list(place, "2", "").first.empty()) return std::nullopt;
    return core::RemoteStatus{.is_folder = true};
  }

  std::vector<core::RemoteEntry> files_in(const std::string& url) override {
    return client_.files_in(Place(url));
  }

  // The tag identifies the content, and is the version.
  std::optional<std::string> checksum(const std::string&) override { return std::nullopt; }

  std::unique_ptr<Source> open(const std::string& url) override {
    const auto there = status(url);
    if (!there) throw Fault(Fault::Kind::kMissing, "nothing is there");
    if (there->is_folder) throw Fault(Fault::Kind::kWrongKind, "it is a folder");
    return std::make_unique<S3Source>(client_, Place(url), *there);
  }

  std::unique_ptr<Sender> upload(const std::string& url, bool is_folder) override {
    const Place place(url);
    if (place.key.empty())
      throw core::UsageError(
          {.message = "names a whole bucket", .file = url, .hint = "give s3://BUCKET/KEY"});
    if (is_folder) client_.list(place, "1", "");  // login and bucket
    return std::make_unique<S3Sender>(client_, place, is_folder);
  }

  std::string login_hint() const override {
    return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; AWS_ENDPOINT_URL and AWS_REGION "
           "name "
           "the server";
  }

 private:
  static core::RemoteStatus status_of(const HttpAnswer& answer) {
    const std::string size = answer.header("content-length");
    if (size.empty() || size.find_first_not_of("0123456789") != std::string::npos)
      throw Fault(Fault::Kind::kRefused, "the server does not tell the size of the file");
    return {.size_bytes = std::stoull(size), .version = answer.header("etag")};
  }

  // An answer to HEAD has no body that gives the reason.
  [[noreturn]] void failed_head(const Place& place, const HttpAnswer& head) {
    HttpRequest request = client_.request("GET", place);
    request.headers.emplace_back("Range: bytes=0-0");
    const HttpAnswer answer = client_.call(request);
    Client::fail(answer.status >= 400 ? answer : head);
  }

  Client client_;
};

}  // namespace

std::unique_ptr<Backend> s3_backend(const Settings& settings) {
  return std::make_unique<S3Backend>(settings);
}

}  // namespace storage
