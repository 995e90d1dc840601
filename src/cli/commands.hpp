/// The subcommands: what each is given, and how it is run. One file each, of its name.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <aiopt/evolution.hpp>

namespace aiopt {

struct EvolveArguments {
  std::string task;
  std::string run_folder;
  std::string selection;
  std::string api_base;
  std::vector<std::string> models;
  std::vector<std::string> emitters;
  std::string budget_time;
  EvolutionOptions options;
  std::string record;
  std::string replay;
  double budget_usd = 0.0;
  int verbosity = 0;  ///< How often -v was given.
  bool json = false;
};

struct ResumeArguments {
  std::string folder;
  std::uint64_t iterations = 0;
  int workers = 0;
  LaneOptions lanes;
  SandboxMode sandbox = SandboxMode::automatic;
  int verbosity = 0;
  bool json = false;
};

struct EvaluateArguments {
  std::string task;
  std::string patch;
  Mode mode = Mode::fast;
  LaneOptions lanes;
  SandboxMode sandbox = SandboxMode::automatic;
  int verbosity = 0;
  bool json = false;
};

struct CompareArguments {
  std::string task;
  std::vector<std::string> patches;  ///< A, and perhaps B; without A the unmodified program is compared with itself.
  int pairs = 0;                     ///< 0: until it is decided.
  std::uint64_t seed = 1;
  bool holdout = false;
  LaneOptions lanes;
  SandboxMode sandbox = SandboxMode::automatic;
  int verbosity = 0;
  bool json = false;
};

struct ProfileArguments {
  std::vector<std::string> command;
  int pid = 0;           ///< To attach to instead of a command; 0: none.
  bool off_cpu = false;  ///< Neither of the two: off-CPU.
  bool causal = false;
  std::string output;      ///< File for the table or the JSON; here and below, "-" is stdout, empty none.
  std::string folded;      ///< File for folded stacks.
  std::string speedscope;  ///< File for speedscope's JSON.
  std::string coz;         ///< File for coz's text.
  std::string duration;    ///< See parse_duration(); empty: until the command ends.
  std::vector<std::string> idle;
  std::vector<std::string> source_scope;
  std::vector<std::string> binary_scope;
  bool json = false;
};

struct ShowArguments {
  std::string folder;
  std::optional<std::uint64_t> candidate;
  bool json = false;
};

struct BestArguments {
  std::string folder;
  std::string output;
  std::string apply;
  std::optional<std::uint64_t> candidate;
  bool json = false;
};

struct ExportArguments {
  std::string folder;
  bool timings = false;
};

// Each returns the program's exit status, see ExitCode.
int evolve_command(const EvolveArguments& arguments);
int resume_command(const ResumeArguments& arguments);
int evaluate_command(const EvaluateArguments& arguments);
int compare_command(const CompareArguments& arguments);
int profile_command(const ProfileArguments& arguments);
int show_command(const ShowArguments& arguments);
int best_command(const BestArguments& arguments);
int export_command(const ExportArguments& arguments);
int init_command(const std::string& folder, bool json);
int doctor_command(const std::string& task, bool json);
int list_command(bool json);

}  // namespace aiopt
