/// A stage's command in the sandbox, as StageRunner runs it: what is counted, and whether a silent watch is seen.

#include "evaluate/stages.hpp"

#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "base/files.hpp"

using namespace aiopt;

namespace {

struct StageFixture {
  TemporaryFolder folder;
  Result<Sandbox> sandbox = Sandbox::probe(SandboxMode::automatic);

  /// False, with a word in the test's output, where this machine cannot have a sandbox.
  bool has_sandbox() const {
    if (!sandbox->is_active()) MESSAGE("left out: " << sandbox->warning());
    return sandbox->is_active();
  }

  StageRun run(Stage stage, const std::string& line) {
    std::filesystem::create_directories(folder.path() / "workspace");
    const StageRunner runner(*sandbox, {folder.path(), folder.path(), default_limits(*sandbox, folder.path())});
    StageSetting setting;
    setting.workspace = folder.path() / "workspace";
    Result<StageRun> ran = runner.run(stage, {line, std::chrono::seconds(60)}, setting, {});
    REQUIRE_MESSAGE(ran, (ran ? "" : ran.error().message));
    return std::move(*ran);
  }
};

/// The sandbox's watch is the other child of the command's parent.
const std::string kFindWatch =
    "watch=$(awk -v shell=$PPID -v own=$$ '/^Pid:/ { pid = $2 } /^PPid:/ && $2 == shell && pid != own { print pid }'"
    " /proc/[0-9]*/status); ";

}  // namespace

TEST_CASE_FIXTURE(StageFixture, "a benchmark's syncs are counted in the sandbox, those of its children too") {
  if (!has_sandbox()) return;
  Command outside;
  outside.line = "true";
  outside.count_syncs = true;
  const Result<CommandResult> ran = run_command(outside);
  REQUIRE(ran);
  if (!ran->syncs) {
    MESSAGE("left out: the kernel lets this user count no syncs");
    return;
  }
  CHECK(run(Stage::benchmark, "echo x >file").command.syncs == 0);
  // sync(1) of a file calls fsync(2) once.
  CHECK(run(Stage::benchmark, "for i in 1 2 3; do echo $i >file; sync file; done").command.syncs == 3);
  CHECK(run(Stage::benchmark, "echo 1 >file; (sh -c 'sync file; sync -d file; true')").command.syncs == 2);
  CHECK_FALSE(run(Stage::test, "sync /dev/null; true").command.syncs);
}

TEST_CASE_FIXTURE(StageFixture, "a command that passed and ended its watch was unwatched") {
  if (!has_sandbox()) return;
  const StageRun honest = run(Stage::test, "true");
  CHECK(honest.report.status == StageStatus::passed);
  CHECK_FALSE(honest.was_unwatched);
  CHECK(run(Stage::test, kFindWatch + "prlimit --nofile=0:0 --pid=$watch").was_unwatched);
  const StageRun killed = run(Stage::test, kFindWatch + "kill -KILL $watch");
  const bool went_unseen = killed.report.status == StageStatus::passed && !killed.was_unwatched;
  CHECK_FALSE(went_unseen);
  // One that failed is judged by that.
  CHECK_FALSE(run(Stage::test, kFindWatch + "kill -KILL $watch; exit 3").was_unwatched);
}

TEST_CASE_FIXTURE(StageFixture, "what a command leaves running is counted, and ends with the sandbox") {
  if (!has_sandbox()) return;
  CHECK(run(Stage::test, "true").command.processes_left == 0);
  CHECK(run(Stage::test, "setsid sleep 60 >/dev/null 2>&1 &").command.processes_left >= 1);
}
