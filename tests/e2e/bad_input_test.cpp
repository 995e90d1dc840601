/// Broken command lines, tasks, patches and run folders: exit 1 or 2, one clear line, nothing left behind.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/text.hpp"
#include "support/program.hpp"

using namespace aiopt;

namespace {

struct BadInput {
  std::vector<std::string> arguments;
  int exit_code;
  std::string says;  ///< Must be in the error.
};

void write(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

/// The error is the last line, "aiopt: ...", before it what the run said until then; usage errors have a second one
/// that points to --help.
void check_error(const ProgramResult& result, const BadInput& bad) {
  std::string command;
  for (const std::string& argument : bad.arguments) command += argument + " ";
  CAPTURE(command);
  CAPTURE(result.all);
  CHECK(result.exit_code == bad.exit_code);
  CHECK(result.out.empty());
  const std::vector<std::string_view> lines = split_lines(result.all);
  const auto errors =
      std::count_if(lines.begin(), lines.end(), [](std::string_view line) { return line.starts_with("aiopt: "); });
  CHECK(errors == 1);
  REQUIRE_FALSE(lines.empty());
  const bool has_advice = lines.back().starts_with("Try 'aiopt ");
  REQUIRE(lines.size() >= (has_advice ? 2U : 1U));
  CHECK(lines[lines.size() - (has_advice ? 2 : 1)].starts_with("aiopt: "));
  CHECK(std::all_of(result.all.begin(), result.all.end(),
                    [](unsigned char byte) { return byte == '\n' || (byte >= 0x20 && byte != 0x7f); }));
  CHECK(result.all.find(bad.says) != std::string::npos);
  CHECK(result.all.find("Sanitizer") == std::string::npos);
}

/// The task of make_tiny_task() with one line replaced.
void make_broken_task(const std::filesystem::path& parent, const std::string& name, const std::string& from,
                      const std::string& to) {
  std::string yaml = *read_file(parent / "tiny" / "task.yaml");
  const std::size_t at = yaml.find(from);
  REQUIRE(at != std::string::npos);
  yaml.replace(at, from.size(), to);
  write(parent / name / "task.yaml", yaml);
  write(parent / name / "main.cc", "int main() {\n  int value = 100;\n}\n");
}

std::vector<std::filesystem::path> entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("a broken command line is a usage error that names the nearest thing there is") {
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  const std::vector<BadInput> table = {
      {{}, 2, "subcommand"},
      {{"evlove", "tiny"}, 2, "did you mean 'evolve'"},
      {{"evolve"}, 2, "TASK"},
      {{"evolve", "tiny", "--iteration=3"}, 2, "did you mean '--iterations'"},
      {{"evolve", "tiny", "--iterations=0"}, 2, "--iterations"},
      {{"evolve", "tiny", "--iterations=-4"}, 2, "--iterations"},
      {{"evolve", "tiny", "--iterations=many"}, 2, "--iterations"},
      {{"evolve", "tiny", "--mode=slow"}, 2, "--mode"},
      {{"evolve", "tiny", "--workers=-1"}, 2, "--workers"},
      {{"evolve", "tiny", "--replay=nowhere.jsonl"}, 2, "nowhere.jsonl"},
      {{"evolve", "tiny", "--record=a", "--replay=tiny/main.cc"}, 2, "excludes"},
      {{"evolve", "tiny", "--budget-time=soon"}, 2, "--budget-time"},
      {{"evolve", "tiny", "--iterations=-18446744073709551615"}, 2, "--iterations"},
      {{"evolve", "tiny", "--seed=-1"}, 2, "'-1' is no whole number"},
      {{"evolve", "tiny", "--seed", "-1"}, 2, "'-1' is no whole number"},
      {{"evolve", "tiny", "--seed=99999999999999999999"}, 2, "--seed"},
      {{"evolve", "tiny", "--budget-usd=-1"}, 2, "--budget-usd"},
      {{"evolve", "tiny", "--budget-usd=nan"}, 2, "'nan' is no amount above 0"},
      {{"evolve", "tiny", "--budget-usd=inf"}, 2, "'inf' is no amount above 0"},
      {{"evolve", "tiny", "--model=a:0"}, 2, "--model"},
      {{"evolve", "tiny", "--model=a:1e300"}, 2, "--model"},
      {{"evolve", "tiny", "--model=a:1", "--model=b", "--model=a:2"}, 2, "--model a is given twice"},
      {{"evolve", "tiny", "--emitter=constants:-1"}, 2, "--emitter"},
      {{"evolve", "tiny", "--emitter=constants", "--emitter=constants"}, 2, "--emitter constants is given twice"},
      {{"evolve", "tiny", "--emitter=constnats"}, 2, "did you mean 'constants'"},
      {{"evolve", "tiny", "--emitter=gradient"}, 2, "--emitter gradient"},
      {{"evolve", "tiny", "--selection=best"}, 2, "tournament"},
      {{"evolve", "tiny", "--api-base=127.0.0.1:1", "--model=m"}, 2, "--api-base must be a URL like http"},
      {{"evolve", "tiny", "extra"}, 2, "extra"},
      {{"evaluate", "tiny", "--pacth=x"}, 2, "did you mean '--patch'"},
      {{"evaluate", "tiny", "--sandbox=maybe"}, 2, "--sandbox"},
      {{"evolve", "tiny", "--lanes=-1"}, 2, "--lanes"},
      {{"evolve", "tiny", "--lanes=5000"}, 2, "--lanes"},
      {{"evolve", "tiny", "--lane-cpus=0-"}, 2, "--lane-cpus"},
      {{"compare", "tiny", "--lane-cpus=two"}, 2, "--lane-cpus"},
      {{"compare", "tiny", "--pairs=-1"}, 2, "--pairs"},
      {{"compare"}, 2, "TASK"},
      {{"compare", "tiny", "--hold-out"}, 2, "did you mean '--holdout'"},
      {{"compare", "tiny", "--patch=a", "--patch=b", "--patch=c"}, 2, "--patch"},
      {{"compare", "tiny", "--holdout"}, 1, "has no held-out workload"},
      {{"compare", "tiny", "--patch=nowhere.patch"}, 1, "nowhere.patch"},
      {{"compare", "nowhere"}, 1, "nowhere"},
      {{"evaluate", "tiny", "--lane-cpus=900"}, 1, "900"},
      {{"evaluate", "tiny", "--lanes=999"}, 1, "999"},
      {{"evolve", "tiny", "--claim-candidates=0"}, 2, "--claim-candidates"},
      {{"show", "run", "minus"}, 2, "CANDIDATE"},
      {{"show", "run", "-1"}, 2, "'-1' is no whole number"},
      {{"best", "run", "-1"}, 2, "'-1' is no whole number"},
      {{"resume", "run", "--iterations=-1"}, 2, "--iterations"},
      {{"best", "run", "--apply", "nowhere"}, 2, "nowhere"},
      {{"init", "nowhere"}, 2, "nowhere"},
      {{"evolve", "tiny", "--mode=hybrid"}, 2, "--mode"},
      {{"evolve", "nowhere"}, 1, "nowhere"},
      {{"evolve", "tiny", "--emitter=llm"}, 1, "--api-base"},
      {{"evolve", "tiny", "--emitter=patch_pool"}, 1, "patches"},
      {{"evolve", "tiny", "--api-base=http://127.0.0.1:1/v1"}, 1, "--model"},
      {{"evolve", "tiny", "--api-base=http://127.0.0.1:1/v1", "--replay=tiny/main.cc", "--model=m"}, 1, "main.cc"},
  };
  const auto before = entries(folder.path());
  for (const BadInput& bad : table) check_error(run_aiopt(bad.arguments, folder.path()), bad);
  CHECK(entries(folder.path()) == before);
}

TEST_CASE("an endpoint's URL with a secret in it is refused, and the secret is not printed") {
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  const auto before = entries(folder.path());
  for (const char* url :
       {"http://bob:hunter2secret@127.0.0.1:9/v1?key=sk-querysecret", "http://bob:hunter2secret@127.0.0.1:9/v1",
        "http://127.0.0.1:9/v1?key=sk-querysecret", "bob:hunter2secret@127.0.0.1"}) {
    const BadInput bad{{"evolve", "tiny", "--model=m", "--api-base", url}, 2, "--api-base must"};
    const ProgramResult result = run_aiopt(bad.arguments, folder.path());
    check_error(result, bad);
    CHECK(result.all.find("secret") == std::string::npos);
  }
  CHECK(entries(folder.path()) == before);
}

TEST_CASE("a broken task is refused with its place in the file, and leaves nothing behind") {
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  struct Broken {
    std::string from, to, says;
  };
  const std::vector<Broken> table = {
      {"editable", "editabel", "did you mean 'editable'"},
      {"[\"*.cc\"]", "[\"*.rs\"]", "*.rs"},
      {"[\"*.cc\"]", "[\"/etc/*\"]", "/etc/*"},
      {"[\"*.cc\"]", "[\"../*.cc\"]", ".."},
      {"[\"*.cc\"]", "[\"*.cc\"", "task.yaml:"},
      {"parser: lines", "parser: json5", "json5"},
      {"throughput: throughput", "latency: throughput", "throughput"},
      {"min_pairs: 2", "min_pairs: 0", "min_pairs"},
      {"min_pairs: 2", "min_pairs: several", "min_pairs"},
      {"function: auto", "function: -3", "function"},
      {"name: tiny", "name: tiny\nname: again", "name"},
      {"build: \"! grep -n 'does not build' main.cc\"", "build: \"false\"", "build"},
      {"test: \"! grep -n 'fails its tests' main.cc\"", "test: \"kill -SEGV $$\"", "does not pass: crashed"},
      {"throughput: throughput", "throughput: ops", "ops"},
      {"build:", "\tbuild:", "task.yaml:"},
  };
  int number = 0;
  for (const Broken& broken : table) {
    const std::string name = "broken" + std::to_string(++number);
    make_broken_task(folder.path(), name, broken.from, broken.to);
    check_error(run_aiopt({"evolve", name, "--iterations=2", "--run=run-of-" + name}, folder.path()),
                {{name, broken.to}, 1, broken.says});
  }
}

TEST_CASE("a profiler that a task asks for and that does not work here is refused before anything is built") {
  const TemporaryFolder folder;
  for (const char* tool : {"bperf", "bcoz"}) {
    const std::string name = tool;
    if (!find_program(name).empty()) {
      MESSAGE("left out: this machine has " << name);
      continue;
    }
    make_tiny_task(folder.path(),
                   fmt::format("profile: {{{}: {{provider: {}}}}}\n", name == "bperf" ? "offcpu" : "causal", name));
    const auto before = entries(folder.path());
    const std::string says =
        fmt::format("cannot profile by {}, which the task asks for: not found in PATH; it takes its own kernel", name);
    check_error(run_aiopt({"evolve", "tiny", "--mode=full", "--run=run"}, folder.path()), {{"evolve"}, 1, says});
    check_error(run_aiopt({"evaluate", "tiny", "--mode=full"}, folder.path()), {{"evaluate"}, 1, says});
    CHECK(entries(folder.path()) == before);
    // Without profiles nothing of them is tried.
    CHECK(run_aiopt({"evaluate", "tiny"}, folder.path()).exit_code == 0);
  }
}

TEST_CASE("a patch that cannot be used is an outcome with a reason, not a failure of aiopt") {
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  write(folder.path() / "big.patch", std::string(17 << 20, 'x'));
  check_error(run_aiopt({"evaluate", "tiny", "--patch", "nowhere.patch"}, folder.path()),
              {{"nowhere.patch"}, 1, "nowhere.patch"});
  check_error(run_aiopt({"evaluate", "tiny", "--patch", "big.patch"}, folder.path()), {{"big.patch"}, 1, "big.patch"});
  check_error(run_aiopt({"evaluate", "tiny", "--patch", "tiny"}, folder.path()), {{"tiny"}, 1, "tiny"});
  const std::vector<std::string> patches = {
      "",
      "no patch at all",
      std::string("\0\1\2\3", 4),
      "main.cc\n<<<<<<< SEARCH\n  int value",
      "main.cc\n<<<<<<< SEARCH\nnot there\n=======\nx\n>>>>>>> REPLACE\n",
      "../main.cc\n<<<<<<< SEARCH\n  int value = 100;\n=======\nx\n>>>>>>> REPLACE\n",
      "/etc/passwd\n<<<<<<< SEARCH\nroot\n=======\nx\n>>>>>>> REPLACE\n",
      "--- a/task.yaml\n+++ b/task.yaml\n@@ -1 +1 @@\n-name: tiny\n+name: mine\n",
      "--- a/main.cc\n+++ b/main.cc\n@@ -1 +1 @@\n-nothing like this\n+x\n",
  };
  for (const std::string& patch : patches) {
    CAPTURE(patch);
    const ProgramResult result = run_aiopt({"evaluate", "tiny", "--patch", "-"}, folder.path(), patch);
    CAPTURE(result.all);
    CHECK(result.exit_code == 0);
    CHECK(result.out.find("patch_rejected") != std::string::npos);
  }
}

TEST_CASE("a run folder that is none, or is damaged, is refused and not touched") {
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  REQUIRE(run_aiopt({"evolve", "tiny", "--iterations=3", "--run=run"}, folder.path()).exit_code == 0);
  const std::string database = *read_file(folder.path() / "run" / "run.db");

  write(folder.path() / "empty" / "run.db", "");
  write(folder.path() / "text" / "run.db", "this is no database\n");
  write(folder.path() / "half" / "run.db", database.substr(0, database.size() / 2));
  std::string garbled = database;
  for (std::size_t at = 4096; at < garbled.size(); at += 97) garbled[at] = static_cast<char>(at);
  write(folder.path() / "garbled" / "run.db", garbled);
  std::filesystem::create_directories(folder.path() / "directory" / "run.db");
  write(folder.path() / "file", "x");
  for (const char* name : {"nowhere", "tiny", "empty", "text", "half", "garbled", "directory", "file"}) {
    for (const char* command : {"resume", "show", "best", "export"}) {
      const std::filesystem::path file = folder.path() / name / "run.db";
      std::error_code ignored;
      const bool is_file = std::filesystem::is_regular_file(file, ignored);
      const std::string before = is_file ? *read_file(file) : "";
      check_error(run_aiopt({command, name}, folder.path()), {{command, name}, 1, name});
      if (is_file) CHECK(*read_file(file) == before);
    }
  }
  check_error(run_aiopt({"show", "run", "99"}, folder.path()), {{"show", "99"}, 1, "99"});
  check_error(run_aiopt({"evolve", "tiny", "--iterations=3", "--run=run"}, folder.path()),
              {{"evolve", "run"}, 1, "holds a run already"});
}
