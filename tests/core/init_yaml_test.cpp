/// The task.yaml that `aiopt init` writes: it parses, and guesses what can be guessed.

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/glob.hpp"
#include "base/text.hpp"
#include "core/init_yaml.hpp"
#include "core/task_yaml.hpp"
#include "profile/coz.hpp"

using namespace aiopt;

namespace {

/// A source tree of the given files.
class Tree {
 public:
  void add(const std::string& path, std::string_view text = "") const {
    REQUIRE(write_file_atomic(folder_.path() / path, text));
  }

  std::string yaml() const {
    const Result<std::string> yaml = initial_task_yaml(folder_.path());
    REQUIRE_MESSAGE(yaml.has_value(), (yaml ? "" : yaml.error().message));
    return *yaml;
  }

  Task task() const { return task_of(yaml()); }

  Task task_of(std::string_view yaml) const {
    Result<Task> task = parse_task(yaml, folder_.path() / "task.yaml");
    REQUIRE_MESSAGE(task.has_value(), (task ? "" : task.error().message));
    return *std::move(task);
  }

  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

bool may_edit(const Task& task, std::string_view path) {
  for (const std::string& glob : task.editable) {
    if (glob_matches(glob, path)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a Meson tree gets Meson's commands, and the benchmark's program") {
  const Tree tree;
  tree.add("meson.build");
  tree.add("src/wal.cc");
  tree.add("bench/walkv_bench.cc", "printf(\"%s : %11.3f micros/op\")");
  const Task task = tree.task();
  CHECK(task.build.command == "test -f build/build.ninja || meson setup build --buildtype=release && ninja -C build");
  CHECK(task.test.command == "meson test -C build --no-rebuild --print-errorlogs");
  CHECK(task.benchmark.run.command == "./build/walkv_bench --benchmarks=fillrandom --num=100000 --histogram=1");
  CHECK(task.benchmark.parser == "db_bench");
  CHECK(task.benchmark.throughput == "fillrandom");
  CHECK(task.benchmark.latency == "fillrandom.P99");
}

TEST_CASE("a CMake tree gets CMake's commands, and a benchmark of unknown output is read by lines") {
  const Tree tree;
  tree.add("CMakeLists.txt");
  tree.add("lib/a.cpp");
  tree.add("benchmarks/bench_map.cpp");
  const Task task = tree.task();
  CHECK(task.build.command.starts_with("cmake -S . -B build"));
  CHECK(task.test.command == "ctest --test-dir build --output-on-failure");
  CHECK(task.benchmark.run.command == "./build/bench_map");
  CHECK(task.benchmark.parser == "lines");
  CHECK(task.benchmark.latency.empty());
}

TEST_CASE("a Makefile's own targets are used where it has them") {
  const Tree tree;
  tree.add("Makefile", "check := no target\nall: a\ntest : a\n\t./a --test\nbench:\n\t./a\n");
  tree.add("a.c");
  const Task task = tree.task();
  CHECK(task.build.command == "make -j2");
  CHECK(task.test.command == "make test");
  CHECK(task.benchmark.run.command == "make -s bench");
}

TEST_CASE("where a makefile puts its programs is found in it, and what they print in any file of theirs") {
  const Tree tree;
  tree.add("Makefile", "# makes ./build/kv_bench\nall: build/kv_test");
  tree.add("src/kv.cc");
  tree.add("bench/kv_bench.cc");
  tree.add("bench/stats.cc", "\"%-12s : %11.3f micros/op\"");
  tree.add("test/kv_test.cc");
  const Task task = tree.task();
  CHECK(task.test.command == "./build/kv_test");
  CHECK(task.benchmark.run.command == "./build/kv_bench --benchmarks=fillrandom --num=100000 --histogram=1");
}

TEST_CASE("plain sources are compiled into one program, tests left out") {
  const Tree tree;
  tree.add("main.cc");
  tree.add("sort.cc");
  tree.add("sort.h");
  tree.add("sort_test.cc");
  const Task task = tree.task();
  CHECK(task.build.command == "c++ -std=c++20 -O2 -pthread -o program main.cc sort.cc");
  CHECK(task.test.command == "./sort_test");
  CHECK(task.benchmark.run.command == "./program");
}

TEST_CASE("C sources are compiled as C") {
  const Tree tree;
  tree.add("main.c");
  CHECK(tree.task().build.command == "cc -O2 -pthread -o program main.c");
}

TEST_CASE("what judges is never editable, wherever it lies") {
  const Tree tree;
  tree.add("CMakeLists.txt");
  for (const char* path :
       {"main.cc", "latest.cc", "src/a.cc", "src/deep/b.h", "src/deep/er/c.cc", "db/log.cc", "db/log_reader.h"}) {
    tree.add(path);
  }
  for (const char* path : {"db/log_test.cc", "db/sub/bench.cc", "tests/t.cc", "lib/test/u.cc", "benchmarks/x.cc",
                           "third_party/z.cc", "build/gen.cc", ".git/h.cc"}) {
    tree.add(path);
  }
  tree.add("db/sub/ok.cc");
  const Task task = tree.task();
  for (const char* path : {"main.cc", "latest.cc", "src/a.cc", "src/deep/b.h", "src/deep/er/c.cc", "db/log.cc",
                           "db/log_reader.h", "db/sub/ok.cc"}) {
    CAPTURE(path);
    CHECK(may_edit(task, path));
  }
  for (const char* path : {"db/log_test.cc", "db/sub/bench.cc", "tests/t.cc", "lib/test/u.cc", "benchmarks/x.cc",
                           "third_party/z.cc", "build/gen.cc", ".git/h.cc", "CMakeLists.txt"}) {
    CAPTURE(path);
    CHECK_FALSE(may_edit(task, path));
  }
}

TEST_CASE("folders without tests are one glob for each ending") {
  const Tree tree;
  tree.add("src/a.cc");
  tree.add("src/b.cc");
  tree.add("src/deep/c.h");
  tree.add("lib/x.cc");
  CHECK(tree.task().editable == std::vector<std::string>{"lib/*.cc", "src/**/*.cc", "src/**/*.h"});
}

TEST_CASE("every guess is marked, and the rest of the keys parse when their comment signs are taken away") {
  const Tree tree;
  tree.add("Makefile");
  tree.add("a.cc");
  std::filesystem::create_directory(tree.path() / "patches");
  const std::string yaml = tree.yaml();
  std::string uncommented;
  for (const std::string_view line : split_lines(yaml)) {
    const bool is_prose = line.starts_with("# ") && !line.starts_with("#  ");
    const bool is_key = line.starts_with("#") && !is_prose;
    uncommented += std::string(is_key ? line.substr(1) : line) + "\n";
    const std::string_view trimmed = trim(line);
    for (const std::string_view key : {"editable:", "command:", "parser:", "throughput:", "description:"}) {
      if (trimmed.starts_with(key)) CHECK(line.find("# check:") != std::string_view::npos);
    }
  }
  const Task task = tree.task_of(uncommented);
  CHECK(task.patches.filename() == "patches");
  CHECK(task.llm.api_base == "http://127.0.0.1:8080/v1");
  CHECK(task.emitters.size() == 2);
  // What the comments show are the defaults.
  const Task defaults = tree.task_of(yaml);
  CHECK(task.max_patch_bytes == defaults.max_patch_bytes);
  CHECK(task.selection == defaults.selection);
  CHECK(task.axes.size() == defaults.axes.size());
  CHECK(task.archive_depth == defaults.archive_depth);
  CHECK(task.llm.timeout == defaults.llm.timeout);
}

TEST_CASE("a new task has the capped fitness, with its usual weights and caps") {
  const Tree tree;
  tree.add("a.cc");
  const FitnessTask fitness = tree.task().fitness;
  const FitnessTask usual;
  CHECK(fitness.name == "causal_capped");
  CHECK(fitness.throughput_weight == usual.throughput_weight);
  CHECK(fitness.latency_weight == usual.latency_weight);
  CHECK(fitness.causal_weight == usual.causal_weight);
  CHECK(fitness.offcpu_weight == usual.offcpu_weight);
  CHECK(fitness.throughput_cap == usual.throughput_cap);
  CHECK(fitness.latency_cap == usual.latency_cap);
  CHECK(fitness.causal_cap == usual.causal_cap);
  CHECK(fitness.offcpu_cap == usual.offcpu_cap);
}

TEST_CASE("names that would break out of YAML or the shell are left out") {
  const Tree tree;
  tree.add("ok.cc");
  tree.add("a\nb.cc");
  tree.add("$(touch x).cc");
  tree.add("it's.cc");
  tree.add("quote\".cc");
  tree.add("a $(touch x) test.cc");
  const Task task = tree.task();
  CHECK(task.build.command == "c++ -std=c++20 -O2 -pthread -o program ok.cc");
  CHECK(task.editable == std::vector<std::string>{"ok.cc"});
}

TEST_CASE("symlinks are not followed out of the tree, nor round in it") {
  const Tree tree;
  tree.add("src/a.cc");
  std::filesystem::create_directory_symlink("/usr/include", tree.path() / "linked");
  std::filesystem::create_directory_symlink(tree.path(), tree.path() / "src" / "round");
  CHECK(tree.task().editable == std::vector<std::string>{"src/*.cc"});
}

TEST_CASE("a folder without sources to change gets no task") {
  const Tree tree;
  tree.add("README.md");
  tree.add("tests/a.cc");
  const Result<std::string> yaml = initial_task_yaml(tree.path());
  REQUIRE_FALSE(yaml);
  CHECK(yaml.error().code == Error::Code::invalid_argument);
  CHECK(yaml.error().message.find("no C or C++ sources") != std::string::npos);
  CHECK(initial_task_yaml(tree.path() / "none").error().code == Error::Code::not_found);
}

TEST_CASE("the first task is ready for full mode: archive by profiles, and the flags that coz needs") {
  const Tree tree;
  tree.add("main.cc");
  const Task task = tree.task();
  REQUIRE(task.axes.size() == 2);
  CHECK(task.axes[0].measure == "offcpu_ratio");
  CHECK(task.axes[1].measure == "causal_hotspot");
  CHECK(task.profile.command.empty());
  CHECK(task.profile.offcpu_duration == std::chrono::seconds(30));
  CHECK(task.profile.causal_duration == std::chrono::seconds(60));
  CHECK(task.profile.when == ProfileTask::When::promising);
  // core may not include profile: the text is there twice.
  CHECK(tree.yaml().find("CXXFLAGS='-O2 " + std::string(kCozFlagsOfGcc) + "'") != std::string::npos);
  CHECK(tree.yaml().find("LDFLAGS='" + std::string(kCozLinkFlags) + "'") != std::string::npos);
}
