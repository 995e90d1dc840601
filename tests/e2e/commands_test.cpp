/// Each subcommand on a small run, and what its --json promises.

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "support/program.hpp"

using namespace aiopt;

namespace {

const char* const kDiff =
    "--- a/main.cc\n+++ b/main.cc\n@@ -1,4 +1,4 @@\n int main() {\n-  int value = 100;\n+  int value = 150;\n   return "
    "value;\n }\n";

nlohmann::json json_of(const ProgramResult& result) {
  INFO(result.all);
  REQUIRE(result.exit_code == 0);
  const nlohmann::json json = nlohmann::json::parse(result.out, nullptr, false);
  REQUIRE_FALSE(json.is_discarded());
  return json;
}

/// A finished run of the constants emitter in folder/run.
void make_run(const TemporaryFolder& folder) {
  make_tiny_task(folder.path());
  const ProgramResult run = run_aiopt({"evolve", "tiny", "--iterations=25", "--run=run", "--seed=3", "--window=1",
                                       "--claim-pairs=2", "--claim-candidates=1"},
                                      folder.path());
  INFO(run.all);
  REQUIRE(run.exit_code == 0);
  CHECK(run.all.find("no endpoint given") != std::string::npos);
}

/// The folder of a run that several tests read, and none writes.
const std::filesystem::path& folder_with_run() {
  static const TemporaryFolder folder;
  static const bool is_made = (make_run(folder), true);
  static_cast<void>(is_made);
  return folder.path();
}

}  // namespace

TEST_CASE("evaluate --json keeps the contract") {
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  const nlohmann::json json = json_of(run_aiopt({"evaluate", "tiny", "--patch", "-", "--json"}, folder.path(), kDiff));
  CHECK(json["status"] == "passed");
  CHECK(json["benchmark"]["throughput_ops_sec"] == 150.0);
  CHECK(json["benchmark"]["baseline_throughput_ops_sec"] == 100.0);
  CHECK(json["benchmark"]["speedup"] == 1.5);
  CHECK(json["benchmark"]["speedup_interval"] == nlohmann::json{1.5, 1.5});
  CHECK(json["benchmark"]["pairs"] == 2);
  CHECK(json["measures"]["function"] == "main");
  CHECK(json["tree"].get<std::string>().size() == 64);
  CHECK(json["stages"].size() == 4);
  CHECK(json["gates"].is_array());
  // 0.30 x 1.5 + 0.20 x 1 + 0.30 x 1 + 0.20 x 1
  CHECK(json["objective"] == 1.15);
}

TEST_CASE("evaluate says how far a candidate came") {
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  const auto status_of = [&](const std::string& line) {
    const std::string patch = "main.cc\n<<<<<<< SEARCH\n  return value;\n=======\n" + line + "\n>>>>>>> REPLACE\n";
    return json_of(run_aiopt({"evaluate", "tiny", "--patch", "-", "--json"}, folder.path(), patch))["status"]
        .get<std::string>();
  };
  CHECK(status_of("  // does not build") == "build_failed");
  CHECK(status_of("  // fails its tests") == "tests_failed");
  CHECK(status_of("  return value;") == "patch_rejected");
  CHECK(status_of("  return value + 0;") == "passed");
}

TEST_CASE("evaluate prints the speed-up with its interval, and what each gate saw") {
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  const ProgramResult result = run_aiopt({"evaluate", "tiny", "--patch", "-"}, folder.path(), kDiff);
  INFO(result.all);
  CHECK(result.exit_code == 0);
  CHECK(result.out.find("1.50x (95 % 1.50x to 1.50x, 2 pairs)\n") != std::string::npos);
  CHECK(result.out.find("gate left_files       ok     ") != std::string::npos);
  CHECK(result.out.find("objective  1.1500\n") != std::string::npos);
}

TEST_CASE("a gate that fires rejects a candidate, in text and in --json") {
  const TemporaryFolder folder;
  const auto task = make_tiny_task(folder.path()) / "task.yaml";
  std::string yaml = *read_file(task);
  // Its benchmark leaves a file beside those that were built.
  yaml.replace(yaml.find("\"sed -n"), 1, "\"! grep -q 150 main.cc || touch left; ");
  REQUIRE(write_file_atomic(task, yaml).has_value());
  const nlohmann::json json = json_of(run_aiopt({"evaluate", "tiny", "--patch", "-", "--json"}, folder.path(), kDiff));
  CHECK(json["status"] == "rejected_by_gate");
  CHECK(json["benchmark"]["speedup"] == 1.5);  // Measured it was, for whoever asks why.
  CHECK(json["objective"].is_null());
  const auto fired = std::find_if(json["gates"].begin(), json["gates"].end(),
                                  [](const nlohmann::json& gate) { return gate["fired"] == true; });
  REQUIRE(fired != json["gates"].end());
  CHECK((*fired)["name"] == "left_files");
  const ProgramResult text = run_aiopt({"evaluate", "tiny", "--patch", "-"}, folder.path(), kDiff);
  CHECK(text.exit_code == 0);
  CHECK(text.out.find("gate left_files       FIRED  it left left") != std::string::npos);
}

TEST_CASE("compare draws the pairs and gives a verdict, with one patch, two and none") {
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  std::ofstream(folder.path() / "150.patch") << kDiff;
  std::string diff = kDiff;
  std::ofstream(folder.path() / "120.patch") << diff.replace(diff.find("150"), 3, "120");

  const ProgramResult text = run_aiopt({"compare", "tiny", "--patch=150.patch", "--pairs=3"}, folder.path());
  INFO(text.all);
  CHECK(text.exit_code == 0);
  CHECK(text.out.starts_with("150.patch\n  in turn with the unmodified program\n"));
  CHECK(text.out.find("speed-up    1.50x (95 % 1.50x to 1.50x, 3 pairs)\n") != std::string::npos);
  CHECK(text.out.find("verdict     150.patch is faster than the unmodified program, by at least 50.0 %\n") !=
        std::string::npos);

  const nlohmann::json two = json_of(
      run_aiopt({"compare", "tiny", "--patch=120.patch", "--patch=150.patch", "--pairs=2", "--json"}, folder.path()));
  CHECK(two["a"] == "120.patch");
  CHECK(two["b"] == "150.patch");
  CHECK(two["verdict"] == "slower");
  CHECK(two["benchmark"]["speedup"].get<double>() == doctest::Approx(0.8));
  CHECK(two["benchmark"]["ratios"].size() == 2);
  CHECK(two["gates"].is_array());

  const nlohmann::json same = json_of(run_aiopt({"compare", "tiny", "--json"}, folder.path()));
  CHECK(same["verdict"] == "no difference");
  CHECK(same["benchmark"]["pairs"] == 2);  // As the task says, for it is decided.

  const nlohmann::json one =
      json_of(run_aiopt({"compare", "tiny", "--patch", "-", "--pairs=1", "--json"}, folder.path(), kDiff));
  CHECK(one["a"] == "the patch on stdin");
  CHECK(one["verdict"] == "unknown");
}

TEST_CASE("compare measures the held-out workload, and fails where a side does not pass its tests") {
  const TemporaryFolder folder;
  make_tiny_task(folder.path(), R"(holdout:
  command: "sed -n 's/.*value = \\([0-9]*\\).*/throughput: 1\\1/p' main.cc"
)");
  std::ofstream(folder.path() / "150.patch") << kDiff;
  const nlohmann::json json =
      json_of(run_aiopt({"compare", "tiny", "--patch=150.patch", "--pairs=2", "--holdout", "--json"}, folder.path()));
  CHECK(json["benchmark"]["throughput_ops_sec"] == 1150.0);
  CHECK(json["benchmark"]["baseline_throughput_ops_sec"] == 1100.0);

  const std::string broken =
      "main.cc\n<<<<<<< SEARCH\n  return value;\n=======\n  // fails its tests\n>>>>>>> REPLACE\n";
  const ProgramResult failed = run_aiopt({"compare", "tiny", "--patch", "-"}, folder.path(), broken);
  CHECK(failed.exit_code == 1);
  CHECK(failed.out.empty());
  CHECK(failed.all.find("candidate 1: the test ended with exit code 1") != std::string::npos);
}

TEST_CASE("--sandbox says whether candidates are contained, and lanes can be chosen") {
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  const auto patched = [&](std::vector<std::string> arguments, const char* path = nullptr) {
    const std::string before = std::getenv("PATH");
    if (path != nullptr) ::setenv("PATH", path, 1);
    arguments.insert(arguments.begin(), {"evaluate", "tiny", "--patch", "-"});
    const ProgramResult result = run_aiopt(arguments, folder.path(), kDiff);
    ::setenv("PATH", before.c_str(), 1);
    return result;
  };
  CHECK(patched({"--sandbox=off"}).exit_code == 0);
  CHECK(patched({"--sandbox=off", "--lanes=1", "--lane-cpus=0"}).exit_code == 0);

  std::filesystem::create_directories(folder.path() / "bin");
  for (const char* name : {"git", "sh", "sed", "grep"}) {
    const std::string where = std::string(name) == "git" ? "/usr/bin/git" : std::string("/bin/") + name;
    std::filesystem::create_symlink(where, folder.path() / "bin" / name);
  }
  const std::string without_bwrap = (folder.path() / "bin").string();
  const ProgramResult required = patched({"--sandbox=require"}, without_bwrap.c_str());
  CHECK(required.exit_code == 1);
  CHECK(required.all.find("apt-get install bubblewrap") != std::string::npos);
  const ProgramResult automatic = patched({}, without_bwrap.c_str());
  INFO(automatic.all);
  CHECK(automatic.exit_code == 0);
  CHECK(automatic.all.find("candidates run with all your rights") != std::string::npos);
  const ProgramResult off = patched({"--sandbox=off"}, without_bwrap.c_str());
  CHECK(off.all.find("rights") == std::string::npos);
}

TEST_CASE("show tells of the run and of one candidate") {
  const std::filesystem::path& folder = folder_with_run();
  const nlohmann::json json = json_of(run_aiopt({"show", "run", "--json"}, folder));
  CHECK(json["status"] == "finished");
  CHECK(json["iterations"] == 25);
  CHECK(json["best"]["speedup"].get<double>() > 1.0);
  CHECK(json["best"]["remeasured"] == true);
  CHECK(json["archive"]["coverage"].get<double>() > 0.0);
  CHECK(json["archive"]["cells"].size() == json["archive"]["elites"]);
  const std::string id = std::to_string(json["best"]["id"].get<int>());
  const ProgramResult shown = run_aiopt({"show", "run", id}, folder);
  CHECK(shown.exit_code == 0);
  CHECK(shown.out.find("+  int value = ") != std::string::npos);
  CHECK(run_aiopt({"show", "run"}, folder).out.find("speed-up") != std::string::npos);
}

TEST_CASE("best prints, writes and applies the patch") {
  const std::filesystem::path& folder = folder_with_run();
  const TemporaryFolder own;
  const std::string patch = own.path() / "out.patch";
  const ProgramResult printed = run_aiopt({"best", "run"}, folder);
  CHECK(printed.out.starts_with("diff --git a/main.cc b/main.cc"));
  CHECK(run_aiopt({"best", "run", "-o", patch}, folder).exit_code == 0);
  CHECK(*read_file(patch) == printed.out);
  const std::filesystem::path copy = own.path() / "copy";
  std::filesystem::copy(folder / "tiny", copy);
  CHECK(run_aiopt({"best", "run", "--apply", copy.string()}, folder).exit_code == 0);
  CHECK(*read_file(copy / "main.cc") != *read_file(folder / "tiny" / "main.cc"));
  // A second time it does not apply: nothing is half-written.
  const std::string applied = *read_file(copy / "main.cc");
  CHECK(run_aiopt({"best", "run", "--apply", copy.string()}, folder).exit_code == 1);
  CHECK(*read_file(copy / "main.cc") == applied);
}

TEST_CASE("best --apply changes a folder inside a git tree too, as one of a clone's examples is") {
  const std::filesystem::path& folder = folder_with_run();
  const TemporaryFolder clone;
  const std::filesystem::path tiny = clone.path() / "examples" / "tiny";
  std::filesystem::create_directories(tiny.parent_path());
  std::filesystem::copy(folder / "tiny", tiny);
  REQUIRE(std::system(("git -C '" + clone.path().string() + "' init -q").c_str()) == 0);
  CHECK(run_aiopt({"best", "run", "--apply", tiny.string()}, folder).exit_code == 0);
  CHECK(*read_file(tiny / "main.cc") != *read_file(folder / "tiny" / "main.cc"));
}

TEST_CASE("resume with a larger total goes on, remembers it, and refuses a source that is no longer the baseline") {
  const TemporaryFolder folder;
  make_run(folder);
  CHECK(run_aiopt({"resume", "run"}, folder.path()).exit_code == 0);
  CHECK(json_of(run_aiopt({"show", "run", "--json"}, folder.path()))["iterations"] == 25);
  const nlohmann::json json = json_of(run_aiopt({"resume", "run", "--iterations=32", "--json"}, folder.path()));
  CHECK(json["iterations"] == 32);
  CHECK(json["budget"] == 32);
  std::ofstream(folder.path() / "tiny" / "main.cc", std::ios::app) << "// changed\n";
  const ProgramResult resumed = run_aiopt({"resume", "run", "--iterations=40"}, folder.path());
  CHECK(resumed.exit_code == 1);
  CHECK(resumed.all.find("not those that the run started from") != std::string::npos);
}

TEST_CASE("init writes a task that doctor and evaluate can read") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "program");
  std::ofstream(folder.path() / "program" / "main.cc")
      << "#include <cstdio>\nint main() { std::puts(\"throughput: 5\"); }\n";
  CHECK(run_aiopt({"init", "program"}, folder.path()).exit_code == 0);
  CHECK(run_aiopt({"init", "program"}, folder.path()).exit_code == 1);
  const nlohmann::json json = json_of(run_aiopt({"doctor", "program", "--json"}, folder.path()));
  CHECK(json["ok"] == true);
}

TEST_CASE("doctor says of everything that measuring and containment need whether it works here, and what mends it") {
  const TemporaryFolder folder;
  const nlohmann::json findings = json_of(run_aiopt({"doctor", "--json"}, folder.path()))["findings"];
  const auto named = [&](const std::string& name) {
    std::vector<nlohmann::json> found;
    for (const nlohmann::json& finding : findings) {
      if (finding["name"] == name) found.push_back(finding);
    }
    return found;
  };
  for (const char* name : {"processors", "ccache", "bubblewrap", "user namespaces", "cgroup limits", "perf",
                           "perf events", "fsync count", "wait sampler", "wait stacks", "wake-ups", "kernel symbols",
                           "libc symbols", "coz", "bperf", "bcoz", "machine"}) {
    CAPTURE(name);
    REQUIRE(named(name).size() == 1);
    const nlohmann::json finding = named(name)[0];
    CHECK(finding["needed"] == false);
    CHECK(finding["what"] != "");
    CHECK(finding["works"].get<bool>() == (finding["remedy"] == ""));
  }
  CHECK(named("processors")[0]["what"].get<std::string>().find("lane on") != std::string::npos);
  CHECK(named("machine")[0]["what"].get<std::string>().find("Linux ") != std::string::npos);
  CHECK(named("quiet").size() >= 1);
}

TEST_CASE("doctor has a word on each finding, and what lets an ordinary user count fsync") {
  Command command;
  command.line = std::string(::geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : "") + "'" +
                 std::getenv("AIOPT_PROGRAM") + "' doctor --json";
  command.directory = "/";
  const Result<CommandResult> ran = run_command(command);
  REQUIRE(ran);
  const nlohmann::json json = nlohmann::json::parse(ran->out, nullptr, false);
  if (json.is_discarded()) {
    MESSAGE("not run: the program cannot be reached by an ordinary user here");
    return;
  }
  for (const nlohmann::json& finding : json["findings"]) {
    CAPTURE(finding.dump());
    CHECK_FALSE(finding["what"].get<std::string>().empty());
    const std::string remedy = finding["remedy"];
    CHECK_FALSE(remedy.ends_with("&& "));
    if (finding["name"] == "fsync count" && finding["works"] == false) {
      CHECK(remedy.find("/sys/kernel/tracing") != std::string::npos);  // Mounted there, or to be.
    }
  }
}

TEST_CASE("doctor says where a sandbox, ccache and perf come from, and works without") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "bin");
  for (const char* name : {"git", "sh"}) {
    const std::string where = name == std::string("git") ? "/usr/bin/git" : "/bin/sh";
    std::filesystem::create_symlink(where, folder.path() / "bin" / name);
  }
  const auto doctor = [&] {
    Command command;
    command.line = "PATH='" + (folder.path() / "bin").string() + "' \"$AIOPT_PROGRAM\" doctor";
    command.directory = folder.path();
    const Result<CommandResult> ran = run_command(command);
    REQUIRE(ran.has_value());
    CHECK(ran->exit_code() == 0);
    return ran->out;
  };
  const std::string without = doctor();
  INFO(without);
  CHECK(without.find("-   bubblewrap      a sandbox without network for candidates: not found\n"
                     "                    -> apt-get install bubblewrap\n") != std::string::npos);
  CHECK(without.find("-> apt-get install ccache\n") != std::string::npos);
  CHECK(without.find("-> apt-get install linux-perf\n") != std::string::npos);
  CHECK(without.find("-> apt-get install coz-profiler\n") != std::string::npos);

  // One that is there and is refused its namespaces.
  const auto bwrap = folder.path() / "bin" / "bwrap";
  std::ofstream(bwrap) << "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n";
  std::filesystem::permissions(bwrap, std::filesystem::perms::owner_all);
  const std::string refused = doctor();
  INFO(refused);
  CHECK(refused.find("it does not start: bwrap: No permissions to create new namespace\n") != std::string::npos);
  CHECK(refused.find("apt-get install bubblewrap") == std::string::npos);
}

TEST_CASE("doctor says what keeps coz from profiling a task's program, and how to build it") {
  const TemporaryFolder folder;
  const std::filesystem::path task = make_tiny_task(folder.path()) / "task.yaml";
  const std::string yaml = *read_file(task) + "profile: {command: ./bench --seconds=9}\n";
  REQUIRE(write_file_atomic(task, yaml).has_value());
  const auto doctor = [&] {
    const ProgramResult result = run_aiopt({"doctor", "tiny"}, folder.path());
    CHECK(result.exit_code == 0);
    return result.out;
  };
  const std::string before = doctor();
  INFO(before);
  CHECK(before.find("-   coz on task     ./bench is not built in ") != std::string::npos);
  CHECK(before.find("-> build it with CXXFLAGS='-O2 -g -gdwarf-4 ") != std::string::npos);

  std::filesystem::copy_file("/bin/true", folder.path() / "tiny" / "bench");
  const std::string stripped = doctor();
  INFO(stripped);
  CHECK(stripped.find("/bench has no progress point\n                    -> include coz.h") != std::string::npos);
  CHECK(stripped.find("\n                    -> build with -g -gdwarf-4 ") != std::string::npos);
}

TEST_CASE("list names what there is") {
  const TemporaryFolder folder;
  const nlohmann::json json = json_of(run_aiopt({"list", "--json"}, folder.path()));
  CHECK(json["emitters"] == nlohmann::json{"llm", "patch_pool", "constants"});
  CHECK(json["selections"].size() >= 2);
}

TEST_CASE("a run's default folder is in aiopt-runs, whatever the task's name") {
  const TemporaryFolder folder;
  const std::filesystem::path work = folder.path() / "a" / "b";
  std::filesystem::create_directories(work);
  const std::filesystem::path task = make_tiny_task(work) / "task.yaml";
  std::string yaml = *read_file(task);
  yaml.replace(yaml.find("name: tiny"), std::string("name: tiny").size(), "name: ../../up/we go");
  REQUIRE(write_file_atomic(task, yaml).has_value());
  for (const char* run : {"up-we go-1", "up-we go-2"}) {
    const ProgramResult result = run_aiopt({"evolve", "tiny", "--iterations=1"}, work);
    INFO(result.all);
    REQUIRE(result.exit_code == 0);
    CHECK(std::filesystem::exists(work / "aiopt-runs" / run / "run.db"));
  }
  CHECK(std::distance(std::filesystem::directory_iterator(work), {}) == 2);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}
