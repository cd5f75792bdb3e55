#include <array>
#include <fstream>

#include "core/clock.h"
#include "core/sqlite/sqlite.h"
#include "tune/detail/sql_study.h"
#include "tune/detail/studies.h"

namespace tune {
namespace {

namespace fs = std::filesystem;

constexpr int kApplicationId = 0x63747564;

// What SqlStudy needs, from SQLite.
class SqliteBase : public core::SqliteDatabase {
 public:
  using Rows = core::SqliteRows;
  using Transaction = core::SqliteTransaction;

  explicit SqliteBase(const fs::path& file)
      : SqliteDatabase(file,
                       {.name = "study",
                        .records = "trial",
                        .application_id = kApplicationId,
                        .version = kStudyVersion,
                        .schema = schema().c_str()},
                       core::sqlite_journal_for(fs::absolute(file).parent_path())) {}

  std::string shown() const { return file().string(); }
  std::string name() const { return file().filename().string(); }
  double now_s() { return core::now_s(); }
  double available_since_s() { return 0; }
  template <class Body>
  auto persist(const Body& body) {
    return body(false);
  }

 private:
  static const std::string& schema() {
    static const std::string text = fmt::format("{}PRAGMA application_id = {};\nPRAGMA user_version = {};\n",
                                                kStudyTables, kApplicationId, kStudyVersion);
    return text;
  }
};

bool is_study(const fs::path& file) {
  // The file's header: its kind at the beginning, application_id (big-endian) at byte 68.
  std::array<char, 72> bytes{};
  std::ifstream stream(file, std::ios::binary);
  constexpr std::string_view kBegin("SQLite format 3\0", 16);
  return stream.read(bytes.data(), bytes.size()) && std::string_view(bytes.data(), kBegin.size()) == kBegin &&
         std::string_view(&bytes[68], 4) == "ctud";
}

[[noreturn]] void throw_exists(const fs::path& file) {
  throw core::UsageError(
      {.message = "the study exists already", .file = file, .hint = "--resume continues it"});
}

}  // namespace

std::unique_ptr<Study> create_sqlite_study(const fs::path& file, const nlohmann::json& definition) {
  std::error_code error;
  if (fs::exists(file, error)) throw_exists(file);
  auto study = std::make_unique<SqlStudy<SqliteBase>>(file);
  SqliteBase& database = study->database();
  core::SqliteTransaction transaction(database);
  {
    core::SqliteRows rows = database.query("SELECT 1 FROM study");
    if (rows.next()) throw_exists(file);
  }
  database.execute("INSERT INTO study VALUES (?)", definition.dump());
  transaction.commit();
  return study;
}

std::unique_ptr<Study> open_sqlite_study(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error))
    throw core::InputError({.message = "there is no such study",
                            .file = file,
                            .hint = "calopipe tune --space FILE --study FILE makes one"});
  return std::make_unique<SqlStudy<SqliteBase>>(file);
}

std::vector<std::string> list_sqlite_studies(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw core::InputError({.message = "is not a folder", .file = folder, .hint = "or give postgresql://…"});
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && is_study(entry.path())) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace tune
