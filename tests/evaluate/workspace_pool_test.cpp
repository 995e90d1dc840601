/// Which workspace a candidate gets, and what becomes of those that were broken.

#include "evaluate/workspace_pool.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include "base/files.hpp"
#include "source/source_tree.hpp"

using namespace aiopt;
namespace fs = std::filesystem;

namespace {

struct PoolFixture {
  TemporaryFolder folder;
  fs::path source = folder.path() / "source";
  fs::path workspaces = folder.path() / "workspaces";
  SourceTree baseline;
  ProtectedFiles protected_files;
  std::optional<WorkspacePool> pool;

  PoolFixture() {
    fs::create_directories(source);
    for (const char* name : {"a.c", "b.c", "c.c"}) std::ofstream(source / name) << "0\n";
    const Result<SourceTree> tree = load_source_tree(source, {"*.c"});
    REQUIRE(tree);
    baseline = *tree;
    const Result<ProtectedFiles> read = read_protected(source, baseline);
    REQUIRE(read);
    protected_files = *read;
    REQUIRE(WorkspacePool::make_folder(workspaces));
    pool.emplace(workspaces, source, baseline);
  }

  /// "012": what is in a.c, b.c and c.c.
  static SourceTree tree(const std::string& contents) {
    SourceTree made;
    for (std::size_t i = 0; i < 3; ++i) {
      made[std::string(1, static_cast<char>('a' + i)) + ".c"] = make_source_file(std::string(1, contents[i]) + "\n");
    }
    return made;
  }

  Slot take(const std::string& contents, BuildKind kind = BuildKind::plain) {
    Result<Slot> slot = pool->take(kind, tree(contents), protected_files);
    REQUIRE_MESSAGE(slot, (slot ? "" : slot.error().message));
    return std::move(*slot);
  }

  fs::path build(Slot& slot, const std::string& contents) const {
    REQUIRE(slot.workspace.check_out(tree(contents)));
    slot.tree = tree(contents);
    return slot.workspace.folder();
  }
};

}  // namespace

TEST_CASE_FIXTURE(PoolFixture, "a candidate gets the workspace in which the most of it is built already") {
  Slot one = take("000");
  Slot two = take("000");
  const fs::path far = build(one, "110");
  const fs::path near = build(two, "123");
  CHECK(far != near);
  pool->give_back(BuildKind::plain, std::move(one));
  pool->give_back(BuildKind::plain, std::move(two));
  const Slot lent = take("124");
  CHECK(lent.workspace.folder() == near);
  CHECK(take("124").workspace.folder() == far);  // The other is lent.
}

TEST_CASE_FIXTURE(PoolFixture, "a broken workspace is removed, and nobody gets it again") {
  Slot slot = take("000");
  const fs::path broken = build(slot, "111");
  std::ofstream(broken / "left") << "x\n";
  slot.is_broken = true;
  pool->give_back(BuildKind::plain, std::move(slot));
  CHECK_FALSE(fs::exists(broken));
  const Slot next = take("111");
  CHECK(next.workspace.folder() != broken);
  CHECK_FALSE(fs::exists(next.workspace.folder() / "left"));
}

TEST_CASE_FIXTURE(PoolFixture, "what the sanitizers built is no use to a plain build") {
  Slot sanitized = take("000", BuildKind::sanitized);
  const fs::path folder_of_sanitized = build(sanitized, "111");
  pool->give_back(BuildKind::sanitized, std::move(sanitized));
  CHECK(take("111").workspace.folder() != folder_of_sanitized);
  CHECK(take("111", BuildKind::sanitized).workspace.folder() == folder_of_sanitized);
}

TEST_CASE_FIXTURE(PoolFixture, "each has a tripwire of its own, beside it and not in it") {
  Slot one = take("000");
  Slot two = take("000");
  CHECK(one.tripwire.decoy() != two.tripwire.decoy());
  CHECK(one.tripwire.decoy().parent_path() == workspaces);
  std::ifstream(one.tripwire.decoy()).get();
  CHECK(one.tripwire.fired());
  CHECK_FALSE(two.tripwire.fired());
}

TEST_CASE_FIXTURE(PoolFixture,
                  "the folder goes with the pool; one that a killed run left is taken over, another is not") {
  pool.reset();
  CHECK_FALSE(fs::exists(workspaces));
  REQUIRE(WorkspacePool::make_folder(workspaces));
  std::ofstream(workspaces / "7") << "of a run that was killed\n";
  REQUIRE(WorkspacePool::make_folder(workspaces));
  CHECK_FALSE(fs::exists(workspaces / "7"));

  fs::create_directories(folder.path() / "mine");
  std::ofstream(folder.path() / "mine/thesis.txt") << "two years of work\n";
  const Result<void> refused = WorkspacePool::make_folder(folder.path() / "mine");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Error::Code::invalid_argument);
  CHECK(fs::exists(folder.path() / "mine/thesis.txt"));
}
