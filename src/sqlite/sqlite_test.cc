// Proves what the data folder, the snapshot and the look through -wal promise, on real files.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "sqlite/data_folder.h"
#include "sqlite/database.h"
#include "sqlite/snapshot.h"
#include "sqlite/wal_scan.h"

namespace firstcome::sqlite {
namespace {

class SqliteFiles : public testing::Test {
 protected:
  SqliteFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "firstcome-test-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~SqliteFiles() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  /// A table with one row per commit; the connection stays, as of a server that is killed while it lives.
  Database write_commits(int commits) {
    auto database = Database::open(path("a.db"), {.exclusive = true});
    EXPECT_TRUE(database) << database.error().what;
    EXPECT_TRUE(database->execute("CREATE TABLE IF NOT EXISTS t(a)"));
    for (int i = 0; i < commits; ++i) EXPECT_TRUE(database->execute("INSERT INTO t VALUES(1)"));
    return std::move(*database);
  }

  static int other_process_holds(const std::string& path) {
    const auto child = ::fork();
    if (child == 0) {
      SystemClock clock;
      ::_exit(DataFolder::hold(path, clock) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  }

  /// What a user is told who owns nothing here.
  std::string refused_to_nobody(const std::string& data) {
    const auto told = std::filesystem::temp_directory_path() / ("firstcome-told-" + std::to_string(::getpid()));
    const auto child = ::fork();
    if (child == 0) {
      constexpr uid_t nobody = 65534;
      if (::geteuid() == 0 && ::seteuid(nobody) != 0) ::_exit(2);
      SystemClock clock;
      const auto held = DataFolder::hold(data, clock);
      write(told, held ? "held" : held.error().what);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    const auto text = read(told);
    std::filesystem::remove(told);
    return text;
  }

  std::string folder_;
  SystemClock clock_;
};

TEST_F(SqliteFiles, ADataFolderIsMadeAndHeldByOne) {
  const auto data = path("data");
  {
    auto held = DataFolder::hold(data, clock_);
    ASSERT_TRUE(held) << held.error().what;
    EXPECT_TRUE(std::filesystem::is_directory(data));
    const auto second = DataFolder::hold(data, clock_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, FaultKind::misconfigured);
    EXPECT_NE(second.error().what.find("pid " + std::to_string(::getpid())), std::string::npos) << second.error().what;
    EXPECT_NE(second.error().what.find("since 20"), std::string::npos) << second.error().what;
    EXPECT_EQ(other_process_holds(data), 1);
  }
  EXPECT_EQ(other_process_holds(data), 0);
}

TEST_F(SqliteFiles, ADataFolderThatCannotBeIsRefusedWithWhatToDo) {
  const auto no_parent = DataFolder::hold(path("none/data"), clock_);
  ASSERT_FALSE(no_parent);
  EXPECT_EQ(no_parent.error().kind, FaultKind::misconfigured);
  EXPECT_NE(no_parent.error().what.find("mkdir -p"), std::string::npos) << no_parent.error().what;

  write(path("file"), "x");
  const auto file = DataFolder::hold(path("file"), clock_);
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().what.find("is a file, not a folder"), std::string::npos) << file.error().what;

  std::filesystem::create_directory(path("closed"));
  ::chmod(path("closed").c_str(), 0555);
  ::chmod(folder_.c_str(), 0555);
  EXPECT_NE(refused_to_nobody(path("closed")).find("cannot be written"), std::string::npos);
  EXPECT_NE(refused_to_nobody(path("new")).find("cannot be made"), std::string::npos);
  ::chmod(folder_.c_str(), 0700);
}

TEST_F(SqliteFiles, ASnapshotChangesNoByteAndHasAllThatWasCommitted) {
  auto server = write_commits(20);
  const auto database = read(path("a.db"));
  const auto wal = read(path("a.db-wal"));
  ASSERT_FALSE(wal.empty());
  {
    auto snapshot = Snapshot::take(path("a.db"));
    ASSERT_TRUE(snapshot) << snapshot.error().what;
    auto copy = Database::open(snapshot->path(), {.exclusive = true});
    ASSERT_TRUE(copy) << copy.error().what;
    EXPECT_EQ(copy->number("SELECT count(*) FROM t"), 20);
    copy->close_whole();
    EXPECT_TRUE(std::filesystem::exists(snapshot->path()));
  }
  EXPECT_EQ(read(path("a.db")), database);
  EXPECT_EQ(read(path("a.db-wal")), wal);
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder_)) files += file.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 2U) << "no -shm, nothing left behind";
}

TEST_F(SqliteFiles, ASnapshotOfADatabaseWithoutAWalIsTheDatabase) {
  write_commits(5).close_whole();
  ASSERT_FALSE(std::filesystem::exists(path("a.db-wal")));
  auto snapshot = Snapshot::take(path("a.db"));
  ASSERT_TRUE(snapshot) << snapshot.error().what;
  EXPECT_EQ(read(snapshot->path()), read(path("a.db")));
}

TEST_F(SqliteFiles, ASnapshotCleansUpAndSaysWhatIsWrong) {
  write_commits(5).close_whole();
  const auto temporary = path("temporary");
  std::filesystem::create_directory(temporary);
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before != nullptr ? before : "";
  ::setenv("TMPDIR", temporary.c_str(), 1);
  {
    auto snapshot = Snapshot::take(path("a.db"));
    ASSERT_TRUE(snapshot);
    EXPECT_FALSE(std::filesystem::is_empty(temporary));
  }
  EXPECT_TRUE(std::filesystem::is_empty(temporary));
  ::setenv("TMPDIR", path("nowhere").c_str(), 1);
  const auto nowhere = Snapshot::take(path("a.db"));
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().what.find("TMPDIR"), std::string::npos) << nowhere.error().what;
  if (kept.empty()) {
    ::unsetenv("TMPDIR");
  } else {
    ::setenv("TMPDIR", kept.c_str(), 1);
  }
  const auto missing = Snapshot::take(path("b.db"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, FaultKind::misconfigured);
}

constexpr std::size_t header_bytes = 32;
constexpr std::size_t frame_bytes = 24 + page_bytes;

TEST_F(SqliteFiles, ATornLastCommitIsNoDamage) {
  auto server = write_commits(6);
  auto wal = read(path("a.db-wal"));
  EXPECT_EQ(scan_wal(path("a.db"), {}).value(), std::nullopt);
  wal.resize(wal.size() - 100);
  write(path("a.db-wal"), wal);
  EXPECT_EQ(scan_wal(path("a.db"), {}).value(), std::nullopt);
  wal[wal.size() - 200] ^= 1;
  write(path("a.db-wal"), wal);
  EXPECT_EQ(scan_wal(path("a.db"), {}).value(), std::nullopt);
}

TEST_F(SqliteFiles, ABadFrameBeforeTwoCommitsIsDamageWithItsPlace) {
  auto server = write_commits(6);
  const auto whole = read(path("a.db-wal"));
  const auto frames = (whole.size() - header_bytes) / frame_bytes;
  for (std::size_t frame = 1; frame + 2 <= frames; ++frame) {
    const auto start = header_bytes + (frame - 1) * frame_bytes;
    // Its page number, its salt, its sum, its page.
    for (const auto offset : {start + 3, start + 9, start + 17, start + 24 + 2000}) {
      auto wal = whole;
      wal[offset] ^= 4;
      write(path("a.db-wal"), wal);
      const auto damage = scan_wal(path("a.db"), {}).value();
      ASSERT_TRUE(damage) << "frame " << frame << ", byte " << offset - start;
      EXPECT_EQ(damage->frame, frame);
      EXPECT_EQ(damage->offset, start);
    }
  }
  auto wal = whole;
  wal[20] ^= 1;
  write(path("a.db-wal"), wal);
  EXPECT_TRUE(scan_wal(path("a.db"), {}).value()) << "a bad header";
}

/// What a crash leaves behind the end after another crash: torn commits with the present salts, of which only the start
/// was overwritten.
TEST_F(SqliteFiles, OldTornCommitsBehindTheEndAreNoDamage) {
  std::string first;
  std::string second;
  {
    auto server = write_commits(3);
    first = read(path("a.db-wal"));
    ASSERT_TRUE(server.execute("CREATE TABLE big(a); INSERT INTO big VALUES(zeroblob(60000))"));
    second = read(path("a.db-wal"));
  }
  // Of the big commits the first frame was lost, so SQLite will write over it; then the same again, less far.
  auto torn = second;
  for (std::size_t i = 0; i < frame_bytes; ++i) torn[first.size() + i] = 0;
  write(path("a.db-wal"), torn);
  auto server = write_commits(1);
  auto now = read(path("a.db-wal"));
  ASSERT_EQ(now.size(), torn.size());
  EXPECT_EQ(scan_wal(path("a.db"), {}).value(), std::nullopt);
  EXPECT_EQ(server.number("SELECT count(*) FROM t"), 4);
}

TEST_F(SqliteFiles, CommitsWithoutADatabaseAreDamage) {
  auto server = write_commits(3);
  std::filesystem::resize_file(path("a.db"), 0);
  EXPECT_TRUE(scan_wal(path("a.db"), {}).value());
  std::filesystem::remove(path("a.db"));
  EXPECT_TRUE(scan_wal(path("a.db"), {}).value());
}

}  // namespace
}  // namespace firstcome::sqlite
