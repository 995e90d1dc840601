/// `aiopt profile` on real programs: what it prints, writes, and ends with.

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "base/text.hpp"
#include "profile/coz.hpp"
#include "support/program.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

/// Waits in wait_here(), on line 4. What is of coz.h for the eye of aiopt, where coz is not installed, is in it too.
constexpr const char* kWaits = R"(#include <dlfcn.h>
#include <unistd.h>
volatile long sink;
__attribute__((noinline)) void wait_here() { usleep(3000); sink = sink + 1; }
int main(int, char** arguments) {
  const char text[] = "from the target\n";
  if (write(1, text, sizeof text - 1) < 0) return 1;
  using GetCounter = void* (*)(int, const char*);
  auto get_counter = reinterpret_cast<GetCounter>(dlsym(RTLD_DEFAULT, "_coz_get_counter"));
  if (get_counter != nullptr) get_counter(1, "op");
  for (int i = 0; i < 150; ++i) wait_here();
  return arguments[1] != nullptr ? 3 : 0;
}
)";

/// The program ./waits in a folder of its own.
class Waits {
 public:
  Waits() {
    REQUIRE(write_file_atomic(folder() / "waits.cpp", kWaits).has_value());
    const char* compiler = std::getenv("CXX");
    Command command;
    command.line = std::string(compiler != nullptr ? compiler : "c++") + " -O1 " + std::string(kCozFlagsOfGcc) +
                   " -o waits waits.cpp " + std::string(kCozLinkFlags);
    command.directory = folder();
    const auto built = run_command(command);
    REQUIRE(built.has_value());
    REQUIRE_MESSAGE(built->succeeded(), built->output);
  }

  const fs::path& folder() const { return folder_.path(); }
  ProgramResult profile(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "profile");
    return run_aiopt(arguments, folder());
  }

 private:
  TemporaryFolder folder_;
};

const Waits& waits() {
  static const Waits program;
  return program;
}

nlohmann::json json_in(const std::string& text) {
  INFO(text);
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  REQUIRE_FALSE(json.is_discarded());
  return json;
}

/// Whether this user sees where threads are switched out.
bool has_stacks(const nlohmann::json& off_cpu) {
  return off_cpu["source"] == "sampler" || off_cpu["source"] == "sampler (no wake-ups)";
}

/// First in PATH, it keeps its arguments and writes what coz would have found of waits.cpp: of an operation of 1 ms,
/// half goes away if line 4 is 50 % faster. Then it runs the command.
constexpr const char* kFakeCoz = R"(#!/bin/sh
echo "$@" >> arguments.txt
out=$3
while [ "$1" != --- ]; do shift; done
shift
printf 'startup\ttime=1\n' >> "$out"
for i in 1 2 3 4 5 6 7 8 9 10; do
  for run in "0.00 1000" "0.50 2000"; do
    printf "experiment\tselected=$PWD/waits.cpp:4\tspeedup=${run%% *}\tduration=1000000000\tselected-samples=9\n" >> "$out"
    printf "throughput-point\tname=op\tdelta=${run##* }\n" >> "$out"
  done
done
printf 'runtime\ttime=20000000000\n' >> "$out"
exec "$@"
)";

class FakeCoz {
 public:
  FakeCoz() : path_(std::getenv("PATH")) {
    const fs::path program = folder_.path() / "bin" / "coz";
    REQUIRE(write_file_atomic(program, kFakeCoz).has_value());
    fs::permissions(program, fs::perms::owner_all);
    REQUIRE(write_file_atomic(folder_.path() / "lib" / "libcoz.so", "COZ_OUTPUT_FORMAT").has_value());
    ::setenv("PATH", (program.parent_path().string() + ":" + path_).c_str(), 1);
  }
  ~FakeCoz() { ::setenv("PATH", path_.c_str(), 1); }
  FakeCoz(const FakeCoz&) = delete;
  FakeCoz& operator=(const FakeCoz&) = delete;

 private:
  std::string path_;
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("profile --json keeps the contract, and a target's stdout stays out of it") {
  const ProgramResult result = waits().profile({"--json", "--", "./waits"});
  INFO(result.all);
  CHECK(result.exit_code == 0);
  CHECK(result.all.find("from the target\n") != std::string::npos);
  const nlohmann::json json = json_in(result.out);
  CHECK_FALSE(json.contains("causal"));
  const nlohmann::json& off_cpu = json["off_cpu"];
  CHECK(off_cpu["ratio"].get<double>() > 0.5);
  CHECK(off_cpu["ratio_with_idle"].get<double>() <= 1.0);
  CHECK(off_cpu["samples"].get<int>() > 300);
  CHECK(off_cpu["classes"].size() == 4);
  if (!has_stacks(off_cpu)) return;
  const auto& blockers = off_cpu["top_blockers"];
  const auto found = std::find_if(blockers.begin(), blockers.end(), [](const nlohmann::json& blocker) {
    return blocker["function"] == "wait_here" && blocker["class"] == "other";
  });
  REQUIRE(found != blockers.end());
  CHECK((*found)["line"] == 4);
  CHECK((*found)["file"] == (waits().folder() / "waits.cpp").string());
}

TEST_CASE("profile prints a table, with files relative to where it stands") {
  const ProgramResult result = waits().profile({"--", "./waits"});
  INFO(result.all);
  CHECK(result.exit_code == 0);
  CHECK(result.out.starts_with("off-CPU  "));
  CHECK(result.out.find("\n  other      ") != std::string::npos);
  if (result.out.find("sampler\n") != std::string::npos) {
    CHECK(result.out.find("  wait_here  ") != std::string::npos);
    CHECK(result.out.find("  waits.cpp:4  ") != std::string::npos);
  }
}

TEST_CASE("with -o, a target's stdout is where it would be without aiopt") {
  const ProgramResult result = waits().profile({"-o", "table.txt", "--", "./waits"});
  CHECK(result.exit_code == 0);
  CHECK(result.out == "from the target\n");
  CHECK(read_file(waits().folder() / "table.txt")->starts_with("off-CPU  "));
}

TEST_CASE("profile writes folded stacks and a speedscope profile, to files or to stdout") {
  const ProgramResult result = waits().profile({"--folded", "-", "--speedscope", "speed.json", "--", "./waits", "x"});
  INFO(result.all);
  CHECK(result.exit_code == 1);  // As the program itself failed.
  CHECK(result.all.find("aiopt: the command ended with exit code 3\n") != std::string::npos);
  const auto lines = split_lines(result.out);
  REQUIRE_FALSE(lines.empty());
  for (const std::string_view line : lines) {
    const std::size_t space = line.rfind(' ');
    REQUIRE(space != std::string_view::npos);
    CHECK(std::atol(std::string(line.substr(space)).c_str()) > 0);
  }
  const auto speedscope = read_file(waits().folder() / "speed.json");
  REQUIRE(speedscope.has_value());
  CHECK(json_in(*speedscope)["name"] == "./waits x");
}

TEST_CASE("words of the command are its own, whatever they look like") {
  const ProgramResult result =
      waits().profile({"-o", "x", "--", "sh", "-c", "for word; do echo \"$word.\"; done; sleep 0.05", "sh", "--json",
                       "[1,2]", "", "--", "list"});
  CHECK(result.exit_code == 0);
  CHECK(result.out == "--json.\n[1,2].\n.\n--.\nlist.\n");
}

TEST_CASE("what can't be profiled is an error that says why") {
  const auto fails = [](const std::vector<std::string>& arguments, int exit_code, const std::string& why) {
    const ProgramResult result = waits().profile(arguments);
    INFO(result.all);
    CHECK(result.exit_code == exit_code);
    CHECK(result.out.empty());
    CHECK(result.all.find(why) != std::string::npos);
  };
  fails({"--", "./nonesuch"}, 1, "aiopt: cannot start ./nonesuch: No such file or directory\n");
  fails({"--pid", "4194304"}, 1, "aiopt: cannot attach to process 4194304");
  fails({}, 2, "no command");
  fails({"--pid", "1", "--", "true"}, 2, "one of them");
  fails({"--pid", "1", "--causal"}, 2, "it can't attach");
  fails({"--causal", "--folded", "x", "--", "true"}, 2, "--folded and --speedscope are of --off-cpu");
  fails({"--coz", "x", "--", "true"}, 2, "--coz is of --causal");
  fails({"--folded", "-", "--speedscope", "-", "--", "true"}, 2, "only one of the files");
  fails({"--duration", "soon", "--", "true"}, 2, "'soon' is no duration");
  fails({"--fold", "x", "--", "true"}, 2, "did you mean '--folded'?");
  fails({"--folded", "waits.cpp/x", "--", "./waits"}, 1, "aiopt: cannot make waits.cpp: ");
}

TEST_CASE("a command is ended when its time is over, and that is no failure") {
  const auto started = std::chrono::steady_clock::now();
  const ProgramResult result = waits().profile({"--duration", "500ms", "--json", "--", "sleep", "60"});
  CHECK(result.exit_code == 0);
  CHECK(json_in(result.out)["off_cpu"]["samples"].get<int>() > 200);
  CHECK(std::chrono::steady_clock::now() - started < 30s);
}

TEST_CASE("a process that runs can be attached to, and goes on") {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execlp("sleep", "sleep", "60", nullptr);
    ::_exit(127);
  }
  const ProgramResult result = waits().profile({"--pid", std::to_string(pid), "--duration", "500ms", "--json"});
  INFO(result.all);
  CHECK(result.exit_code == 0);
  CHECK(json_in(result.out)["off_cpu"]["ratio_with_idle"].get<double>() > 0.9);
  CHECK(::waitpid(pid, nullptr, WNOHANG) == 0);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST_CASE("a Ctrl-C ends the command, and what was seen until then is printed") {
  Command command;
  command.line = "timeout --preserve-status -s INT 2 \"$AIOPT_PROGRAM\" profile --json -- sleep 60";
  command.directory = waits().folder();
  const auto ran = run_command(command);
  REQUIRE(ran.has_value());
  INFO(ran->output);
  CHECK(ran->exit_code() == 130);
  CHECK(json_in(ran->out)["off_cpu"]["samples"].get<int>() > 0);
}

TEST_CASE("profile --causal runs the command under coz, and names the function of a line") {
  const FakeCoz coz;
  const ProgramResult result = waits().profile(
      {"--causal", "--source-scope", "/src/%", "--binary-scope", "MAIN", "--coz", "out.coz", "--", "./waits"});
  INFO(result.all);
  CHECK(result.exit_code == 0);
  CHECK(result.out.find("causal   coz, 20 experiments, 0 not used\n") != std::string::npos);
  CHECK(result.out.find("  waits.cpp:4  wait_here  op        50 %          +50.0 % (+50.0 to +50.0)  2.00x") !=
        std::string::npos);
  CHECK(result.out.find("off-CPU") == std::string::npos);
  CHECK(result.all.find("from the target\n") != std::string::npos);
  CHECK(read_file(waits().folder() / "out.coz")->find("throughput-point\tname=op\tdelta=2000\n") != std::string::npos);
  const auto arguments = read_file(waits().folder() / "arguments.txt");
  REQUIRE(arguments.has_value());
  CHECK(arguments->find(" --binary-scope MAIN --source-scope /src/% --- ./waits\n") != std::string::npos);
}

TEST_CASE("with --duration coz runs the command again until the time is over, after the off-CPU profile") {
  const FakeCoz coz;
  fs::remove(waits().folder() / "arguments.txt");
  const ProgramResult result =
      waits().profile({"--off-cpu", "--causal", "--duration", "4s", "--json", "--", "./waits"});
  INFO(result.all);
  CHECK(result.exit_code == 0);
  const nlohmann::json json = json_in(result.out);
  CHECK(json["off_cpu"]["samples"].get<int>() > 300);
  CHECK(json["causal"]["max_speedup"].get<double>() == doctest::Approx(50.0));
  const auto runs = split_lines(*read_file(waits().folder() / "arguments.txt")).size();
  CHECK(runs >= 2);
  CHECK(json["causal"]["experiments"].get<std::size_t>() == 20 * runs);
}

TEST_CASE("what coz can't profile is said before the command is run") {
  const FakeCoz coz;
  const ProgramResult result = waits().profile({"--causal", "--", "sh", "-c", "echo ran"});
  INFO(result.all);
  CHECK(result.exit_code == 1);
  CHECK(result.all.find("has no progress point: include coz.h") != std::string::npos);
  CHECK(result.all.find("coz would find nothing in ") != std::string::npos);
  CHECK(result.all.find("ran\n") == std::string::npos);
}

TEST_CASE("without coz, --causal says where it comes from") {
  const std::string before = std::getenv("PATH");
  ::setenv("PATH", "/nonexistent", 1);
  const ProgramResult result = waits().profile({"--causal", "--", "./waits"});
  ::setenv("PATH", before.c_str(), 1);
  CHECK(result.exit_code == 1);
  CHECK(result.all == "aiopt: looking for coz in PATH: there is none (Debian: package coz-profiler)\n");
}
