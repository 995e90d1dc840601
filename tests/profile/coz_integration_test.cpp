/// coz on real programs: what it can't profile is known beforehand, and what it finds is what removing the work shows.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <aiopt/rng.hpp>

#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "profile/causal_profile.hpp"
#include "profile/coz.hpp"
#include "profile/coz_profile.hpp"
#include "profile/coz_target.hpp"
#include "profile_programs.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

/// What is of coz.h for the eye of problems_for_coz(), where coz is not installed.
constexpr const char* kProgressPoint = R"(
#include <dlfcn.h>
using GetCounter = void* (*)(int, const char*);
int main() {
  auto get_counter = reinterpret_cast<GetCounter>(dlsym(RTLD_DEFAULT, "_coz_get_counter"));
  return get_counter != nullptr && get_counter(1, "op") == nullptr;
}
)";

/// Line 6 does three quarters of an operation's work, times argv[2]; line 9 one.
constexpr int kHotLine = 6;
constexpr int kColdLine = 9;
constexpr const char* kTwoLoops = R"(#include <coz.h>
#include <cstdio>
#include <cstdlib>
volatile long sink;
void hot(long times) {
  for (long i = 0; i < times; ++i) sink = sink + i;
}
void cold(long times) {
  for (long i = 0; i < times; ++i) sink = sink + i;
}
#include <ctime>
double seconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}
int main(int, char** arguments) {
  const double end = seconds(CLOCK_MONOTONIC) + atof(arguments[1]);
  const double start = seconds(CLOCK_MONOTONIC);
  const double cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID);
  long operations = 0;
  while (seconds(CLOCK_MONOTONIC) < end) {
    hot(static_cast<long>(900000 * atof(arguments[2])));
    cold(300000);
    COZ_PROGRESS_NAMED("op");
    ++operations;
  }
  std::printf("%.9f %.9f\n", (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) / static_cast<double>(operations),
              (seconds(CLOCK_MONOTONIC) - start) / static_cast<double>(operations));
}
)";

/// A folder with a source file, and what is built from it.
class Program {
 public:
  explicit Program(const std::string& text) { REQUIRE(write_file_atomic(source(), text)); }

  fs::path folder() const { return folder_.path(); }
  fs::path source() const { return folder() / "program.cpp"; }
  fs::path binary() const { return folder() / "program"; }

  bool build(const std::string& compiler, std::string_view flags) const {
    Command command;
    command.line = fmt::format("{} {} program.cpp -o program {}", compiler, flags, kCozLinkFlags);
    command.directory = folder();
    const Result<CommandResult> built = run_command(command);
    REQUIRE(built);
    if (!built->succeeded()) MESSAGE(built->output);
    return built->succeeded();
  }

  std::string run(std::vector<std::string> prefix, const std::vector<std::string>& arguments) const {
    prefix.push_back(binary().string());
    prefix.insert(prefix.end(), arguments.begin(), arguments.end());
    Command command;
    command.directory = folder();
    const Result<CommandResult> ran = run_program(prefix, command);
    REQUIRE(ran);
    if (!ran->succeeded()) MESSAGE(ran->output);
    return ran->out;
  }

 private:
  TemporaryFolder folder_;
};

/// Empty, with a message, where this machine has no coz.
std::optional<CozInstallation> installed_coz() {
  Result<CozInstallation> coz = find_coz();
  if (coz) return *coz;
  MESSAGE("skipped: " << coz.error().message);
  return std::nullopt;
}

std::string problems_of(const Program& program, const CozInstallation& coz = {}) {
  const Result<std::vector<std::string>> problems = problems_for_coz(coz, program.binary());
  REQUIRE(problems);
  std::string all;
  for (const std::string& problem : *problems) all += problem + "\n";
  return all;
}

/// Seconds an operation takes.
struct Times {
  double cpu = 0.0;
  double wall = 0.0;
};

Times times_of(const std::string& out) {
  Times times;
  std::istringstream(out) >> times.cpu >> times.wall;
  REQUIRE(times.cpu > 0.0);
  REQUIRE(times.wall > 0.0);
  return times;
}

}  // namespace

TEST_CASE("why coz can't profile a program is read from its file, for each way to build it") {
  const Program program(kProgressPoint);
  struct Build {
    std::string flags;
    std::string problem;  ///< Empty: none.
  };
  const std::string good(kCozFlagsOfGcc);
  const std::vector<Build> builds = {
      {good, ""},
      {"-O2 " + good, ""},
      {"-O2 -no-pie " + good, ""},
      {"-O2 -flto " + good, ""},
      {"-O2 -g3 " + good, ""},
      {"-g", "DWARF 5"},
      {"-O2 -g -gdwarf-4", "attribute 0x2137"},
      {"-g3 -gdwarf-4 -gno-variable-location-views", "attribute 0x2119"},
      {"-gsplit-dwarf " + good, "attribute 0x2133"},
      {"-gz " + good, "compressed"},
      {"-s " + good, "stripped"},
      {"-O2", "stripped"},
      {"-static " + good, "statically"},
  };
  for (const Build& build : builds) {
    CAPTURE(build.flags);
    REQUIRE(program.build("g++", build.flags));
    const std::string problems = problems_of(program);
    CAPTURE(problems);
    if (build.problem.empty()) {
      CHECK(problems.empty());
    } else {
      CHECK(problems.find(build.problem) != std::string::npos);
      CHECK(std::count(problems.begin(), problems.end(), '\n') == 1);
    }
  }

  CozInstallation newer;
  newer.reads_dwarf5 = true;
  REQUIRE(program.build("g++", "-g"));
  CHECK(problems_of(program, newer).empty());

  if (!is_installed("clang++")) return;
  REQUIRE(program.build("clang++", fmt::format("-O2 {}", kCozFlagsOfClang)));
  CHECK(problems_of(program).empty());
}

TEST_CASE("a progress point is seen in a stripped program, in a library, and missed where there is none") {
  const Program with(kProgressPoint);
  REQUIRE(with.build("g++", fmt::format("-shared -fPIC {}", kCozFlagsOfGcc)));
  const Program without("int main() {}");
  REQUIRE(without.build("g++", kCozFlagsOfGcc));
  CHECK(problems_of(without).find("COZ_PROGRESS_NAMED") != std::string::npos);

  const Result<std::vector<std::string>> both = problems_for_coz({}, without.binary(), {with.binary()});
  REQUIRE(both);
  CHECK(both->empty());

  // The program's own lines are not needed where the library has some.
  REQUIRE(without.build("g++", "-O2"));
  const Result<std::vector<std::string>> stripped = problems_for_coz({}, without.binary(), {with.binary()});
  REQUIRE(stripped);
  CHECK(stripped->empty());
}

TEST_CASE("debug information in a file of its own is found where coz looks for it") {
  const Program program(kProgressPoint);
  REQUIRE(program.build("g++", kCozFlagsOfGcc));
  Command split;
  split.directory = program.folder();
  split.line =
      "objcopy --only-keep-debug program program.debug && objcopy --strip-debug "
      "--add-gnu-debuglink=program.debug program";
  const Result<CommandResult> done = run_command(split);
  REQUIRE(done);
  REQUIRE_MESSAGE(done->succeeded(), done->output);
  CHECK(problems_of(program).empty());
  fs::remove(program.folder() / "program.debug");
  CHECK(problems_of(program).find("no debug information") != std::string::npos);
}

TEST_CASE("what is no program is an error") {
  const Program program("#!/bin/sh\n");
  const Result<std::vector<std::string>> script = problems_for_coz({}, program.source());
  REQUIRE_FALSE(script);
  CHECK(script.error().message.find("scripts") != std::string::npos);
  const Result<std::vector<std::string>> nothing = problems_for_coz({}, program.binary());
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().code == Error::Code::not_found);
}

TEST_CASE("with the flags that we name coz finds lines, at every level of optimisation") {
  const std::optional<CozInstallation> coz = installed_coz();
  if (!coz) return;
  const Program program(kTwoLoops);
  struct Build {
    std::string compiler;
    std::string_view flags;
  };
  for (const Build& build :
       {Build{"g++ -O0", kCozFlagsOfGcc}, Build{"g++ -O2", kCozFlagsOfGcc}, Build{"clang++ -O2", kCozFlagsOfClang}}) {
    CAPTURE(build.compiler);
    if (build.compiler.starts_with("clang") && !is_installed("clang++")) continue;
    REQUIRE(program.build(build.compiler, build.flags));
    CHECK(problems_of(program, *coz).empty());
    CozOptions options;
    options.output = program.folder() / "profile.coz";
    fs::remove(options.output);
    program.run(coz_command(coz->program, options), {"1.5", "1"});
    const Result<std::string> profile = read_file(options.output);
    REQUIRE(profile);
    CHECK(profile->find(program.source().string() + ":") != std::string::npos);
  }
}

// Half a minute and more of coz, and next to nothing of ours that a sanitizer would look at.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#elif defined(__has_feature)
constexpr bool kIsSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kIsSanitized = false;
#endif

TEST_CASE("coz names the line, and the effect, that removing the work shows" * doctest::skip(kIsSanitized)) {
  const std::optional<CozInstallation> coz = installed_coz();
  if (!coz) return;
  const Program program(kTwoLoops);
  REQUIRE(program.build("g++ -O1", kCozFlagsOfGcc));
  const double gain = 1.0 - times_of(program.run({}, {"2", "0"})).cpu / times_of(program.run({}, {"2", "1"})).cpu;
  REQUIRE(gain == doctest::Approx(0.75).epsilon(0.15));

  CozRequest request;
  request.options.output = program.folder() / "profile.coz";
  request.lines = {fmt::format("program.cpp:{}", kHotLine), fmt::format("program.cpp:{}", kColdLine)};
  request.duration = 20s;
  const CozPlan plan = plan_coz(coz->program, request);
  // A machine that others use, too, may need more than one round.
  CausalProfile profile;
  Times under_coz;
  for (int round = 0; round < 4 && (profile.max_speedup == 0.0 || profile.targets.size() < 2); ++round) {
    for (const CozRun& run : plan.runs) {
      const std::string seconds = fmt::format("{:.1f}", std::chrono::duration<double>(run.length).count());
      const Times times = times_of(program.run(run.command, {seconds, "1"}));
      under_coz.cpu += times.cpu;
      under_coz.wall += times.wall;
    }
    const Result<std::string> text = read_file(request.options.output);
    REQUIRE(text);
    const Result<CausalExperiments> experiments = parse_coz(*text);
    REQUIRE(experiments);
    Rng rng(1);
    profile = analyse(*experiments, rules_for_coz(), rng);
  }
  REQUIRE(profile.targets.size() == 2);
  CHECK(profile.max_speedup_location == fmt::format("{}:{}", program.source().string(), kHotLine));
  CHECK(profile.targets[0].slope > profile.targets[1].slope);
  // While the machine runs something else the line takes no samples, so that less of the time is seen to go away.
  const double expected = gain * under_coz.cpu / under_coz.wall;
  MESSAGE("slope of the hot line " << profile.targets[0].slope << ", of the cold one " << profile.targets[1].slope
                                   << "; removing the work: " << gain << ", of which " << under_coz.cpu / under_coz.wall
                                   << " had the CPU");
  CHECK(std::abs(profile.targets[0].slope - expected) < 0.25);
}
