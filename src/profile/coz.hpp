/// How coz is run: its command, and a plan of runs that leaves enough experiments.

#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

#include "profile/causal_profile.hpp"

namespace aiopt {

/// With g++ at whichever -O: what Debian's coz 0.2.2 finds lines with. It ends the program over DWARF 5, g++'s default;
/// of plain -gdwarf-4 it skips whatever has location views. Frame pointers, because it looks for callers of what it
/// does not know the lines of.
inline constexpr std::string_view kCozFlagsOfGcc =
    "-g -gdwarf-4 -gno-variable-location-views -gstrict-dwarf -fno-omit-frame-pointer";
/// The same with clang, which has no location views.
inline constexpr std::string_view kCozFlagsOfClang = "-g -gdwarf-4 -fno-omit-frame-pointer";
/// coz.h calls dlsym(3): of use before glibc 2.34, no harm after.
inline constexpr std::string_view kCozLinkFlags = "-ldl";

/// A coz on this machine, or its fork bcoz, which has the same options and sees waits too.
struct CozInstallation {
  std::string name = "coz";       ///< Or "bcoz".
  std::filesystem::path program;  ///< "/usr/bin/coz", a Python script.
  std::filesystem::path library;  ///< "/usr/lib/coz-profiler/libcoz.so", as the script looks for it.
  bool reads_dwarf5 = false;      ///< 0.2.4 and later; Debian 12's 0.2.2 does not.
};

/// The first program of that name in that list of folders, as $PATH has it, or the first coz in $PATH itself. Debian's
/// package is coz-profiler.
/// Errors: not_found, of the program or its library; io.
Result<CozInstallation> find_coz(std::string_view path_variable, std::string_view name = "coz");
Result<CozInstallation> find_coz();
Result<CozInstallation> find_bcoz();

/// What `coz run` is told.
struct CozOptions {
  std::filesystem::path output;           ///< Runs are appended to it. Absolute, as the program may change its folder.
  std::vector<std::string> binary_scope;  ///< Patterns of paths, % is any text, MAIN the program; empty: MAIN.
  std::vector<std::string> source_scope;  ///< The same of source files; empty: %, system headers included.
  /// "FILE:LINE": experiments on this line alone. FILE is as in the debug information or the end of that: "wal.cc:47".
  /// coz ends the program if it does not know the line.
  std::string fixed_line;
};

/// {"coz", "run", "-o", ..., "---"}: put before the program and its arguments. The program itself: of a shell, env or
/// taskset in between coz profiles that, and not what it starts.
std::vector<std::string> coz_command(const std::filesystem::path& coz, const CozOptions& options);

/// What there is to plan with.
struct CozRequest {
  CozOptions options;                  ///< But fixed_line.
  std::vector<std::string> lines;      ///< To measure, as CozOptions::fixed_line. Empty: where samples fall.
  std::chrono::milliseconds duration;  ///< For all runs.
};

struct CozRun {
  std::string line;                     ///< Empty: any.
  std::vector<std::string> command;     ///< To be put before the program and its arguments.
  std::chrono::milliseconds length{0};  ///< How long the program is to run.
};

/// Runs in their order, all for one profile.
struct CozPlan {
  std::vector<CozRun> runs;
  /// Expected of each line, or where no line is fixed, of all lines together.
  double experiments_at_zero = 0.0;
  double experiments_per_point = 0.0;  ///< Of each of the curve's kCozPoints pools.
  std::vector<std::string> notes;      ///< "... leaves 4 experiments at each point ...: 57 s more would do".
};

/// Pools of neighbours into which analyse() puts coz's 20 virtual speedups above 0: 5 to 25 %, 30 to 50 %... Of the
/// last a busy line's are not used: see rules_for_coz().
inline constexpr int kCozPoints = 4;
/// A run whose experiments are all cut off teaches nothing.
inline constexpr std::chrono::milliseconds kShortestCozRun{1000};
/// What a point of a curve needs to be told from noise on a machine that others use, too.
inline constexpr int kWantedExperiments = 10;

/// Leaves the virtual speedup to coz: it draws 0 in 8 of 28 experiments and each of 5, 10 ... 100 % in one. A run for
/// each of 0, 25, 50 and 100 % (--fixed-speedup) has as many experiments a minute (30 at each of four points, against
/// 33 at 0 and 21 in each of four pools), but what changes from run to run then is an effect: one line of a program on
/// a machine with load showed -42 % [-73, -13] at 50 %, where the truth was +38 %. Alternating within a run cancels
/// that.
///
/// On a machine with load an effect comes out smaller, by the share of the time that the program had the CPU: the line
/// takes no samples in the rest. Of a loop worth 75 % coz showed 48 % while the program had it for 64 % of the time.
///
/// With lines given, each has runs of its own in turn, of equal length; without, coz chooses lines as samples fall.
///
/// Pure. A program that ends by itself is to be run again until the run's length is over.
/// @pre duration positive
CozPlan plan_coz(const std::filesystem::path& coz, const CozRequest& request);

/// coz has a thread make up for its delays after each 10 ms of its own CPU time. Of half a second at 90 %, of a line
/// that one thread runs all the time, 50 ms are left beside the delays: a thread that has nothing to do with the line
/// ran for twice that, and an effect of +45 % was seen where there is none; at 65 %, with 175 ms left, +8 %. So of each
/// line the virtual speedups that leave less than 120 ms on the average are not used: of such a line those above 75 %.
CausalRules rules_for_coz();

/// When a line's further runs would tell little: each effect is known to 5 points either way.
SettledRules settled_for_coz();

/// bcoz lets a thread make up for its delays after each millisecond (its batch is one sample), and its experiments
/// begin at 50 ms: a tenth of the time is enough.
CausalRules rules_for_bcoz();

/// How long plan_coz() needs for kWantedExperiments at 0 and in each pool, of each of so many lines.
std::chrono::milliseconds duration_for_coz(std::size_t lines);

}  // namespace aiopt
