/// aiopt profile: the profilers alone, on any command or process.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "base/duration.hpp"
#include "base/files.hpp"
#include "cli/causal_run.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/target_run.hpp"
#include "core/profile_json.hpp"
#include "profile/coz.hpp"
#include "profile/coz_profile.hpp"
#include "profile/offcpu_sampler.hpp"
#include "profile/offcpu_stacks.hpp"
#include "profile/stack_output.hpp"
#include "view/profile_view.hpp"

namespace aiopt {

namespace {

/// A file's name that stands for stdout, as with tar and perf script.
constexpr std::string_view kStdout = "-";

bool wants_off_cpu(const ProfileArguments& arguments) {
  return arguments.off_cpu || !arguments.causal;
}

/// What the arguments ask for that can't be; empty where all can.
std::string contradiction_in(const ProfileArguments& arguments) {
  if (arguments.pid == 0 && arguments.command.empty()) return "no command: aiopt profile [OPTIONS] -- CMD...";
  if (arguments.pid != 0 && !arguments.command.empty()) return "--pid and a command: one of them";
  if (arguments.pid != 0 && arguments.causal)
    return "--causal starts its command under coz: it can't attach to a --pid";
  const bool wants_stacks = !arguments.folded.empty() || !arguments.speedscope.empty();
  if (wants_stacks && !wants_off_cpu(arguments)) return "--folded and --speedscope are of --off-cpu: give that too";
  if (!arguments.coz.empty() && !arguments.causal) return "--coz is of --causal: give that too";
  const std::array<std::string_view, 4> files = {arguments.output, arguments.folded, arguments.speedscope,
                                                 arguments.coz};
  if (std::count(files.begin(), files.end(), kStdout) > 1) return "only one of the files can be stdout";
  return "";
}

/// The table or the JSON goes to stdout, unless a file was given for it or another result goes there.
bool prints_profile(const ProfileArguments& arguments) {
  const bool is_taken = arguments.folded == kStdout || arguments.speedscope == kStdout || arguments.coz == kStdout;
  return (arguments.output.empty() && !is_taken) || arguments.output == kStdout;
}

bool uses_stdout(const ProfileArguments& arguments) {
  return prints_profile(arguments) || arguments.folded == kStdout || arguments.speedscope == kStdout ||
         arguments.coz == kStdout;
}

/// @return kDone, or kFailed when that was said.
int write_result(const std::string& file, const std::string& text) {
  if (file == kStdout) return print_result(text);
  const auto written = write_file_atomic(file, text);
  return written ? kDone : fail(written.error());
}

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

/// What a profile was made from, as far as anything else is written of it.
struct Findings {
  Profile profile;
  std::optional<SampledStacks> stacks;
  std::optional<CausalExperiments> experiments;
  bool command_failed = false;
};

void say_what_is_missing(const OffCpuRecording& recording, const NamedRecording& named) {
  if (recording.source != "sampler") {
    say(fmt::format("{}: `aiopt doctor` says what that leaves out, and what to do about it", recording.source));
  }
  const std::uint64_t folded = recording.folded;
  if (recording.lost > 0) say(fmt::format("the kernel had no room for {} records: they are missing", recording.lost));
  if (recording.gaps > 0) say(fmt::format("{} times a record was missing between two", recording.gaps));
  if (folded > 0) say(fmt::format("{} stacks and threads beyond the first ones are not told apart", folded));
  if (named.unnamed_samples > 0) say(fmt::format("{} samples of waits have no stack", named.unnamed_samples));
  for (const std::string& note : named.notes) say(note);
}

/// Of a failed command the profile is shown all the same.
void say_how_it_ended(const std::string& failure, Findings& findings) {
  if (failure.empty()) return;
  findings.command_failed = true;
  say("the command ended with " + failure);
}

Result<SampledRun> sample(const ProfileArguments& arguments, std::chrono::milliseconds limit,
                          const std::stop_token& stop) {
  const TargetStreams streams(uses_stdout(arguments));
  SamplerOptions options;
  options.time_limit = limit;
  if (arguments.pid != 0) return sample_off_cpu(options, static_cast<pid_t>(arguments.pid), stop);
  return sample_off_cpu(options, SampledCommand{arguments.command, {}}, stop);
}

Result<void> find_waits(const ProfileArguments& arguments, std::chrono::milliseconds limit, const std::stop_token& stop,
                        Findings& findings) {
  const Result<SampledRun> run = sample(arguments, limit, stop);
  if (!run) return run.error();
  const Result<KernelSymbols> kernel = KernelSymbols::load();
  if (!kernel) say(kernel.error().message);
  IdleRules rules;
  rules.idle_functions = arguments.idle;
  NamedRecording named = name_stacks(run->recording, kernel ? *kernel : KernelSymbols(), rules);
  if (!run->was_cut) say_how_it_ended(failure_of(run->status), findings);
  say_what_is_missing(run->recording, named);
  OffCpuProfile profile = summarize(named.stacks);
  if (profile.samples == 0) return Error{Error::Code::unavailable, "it ended before it gave a sample: no profile"};
  findings.profile.off_cpu = std::move(profile);
  findings.stacks = std::move(named.stacks);
  return {};
}

Result<void> find_effects(const ProfileArguments& arguments, std::chrono::milliseconds limit,
                          const std::stop_token& stop, Findings& findings) {
  Result<CausalOutcome> outcome = [&] {
    const TargetStreams streams(uses_stdout(arguments));
    return profile_causal({arguments.command, arguments.source_scope, arguments.binary_scope, limit}, stop);
  }();
  if (!outcome) return outcome.error();
  if (!outcome->end.was_cut) say_how_it_ended(failure_of(outcome->end.status), findings);
  for (const std::string& note : outcome->profile.notes) say(note);
  if (outcome->profile.targets.empty()) {
    const auto wanted = std::chrono::ceil<std::chrono::seconds>(duration_for_coz(1));
    say(fmt::format("no line has enough experiments: --duration {}s or more runs the command again until there are",
                    wanted.count()));
  }
  findings.profile.causal = std::move(outcome->profile);
  findings.experiments = std::move(outcome->experiments);
  return {};
}

std::string title_of(const ProfileArguments& arguments) {
  return arguments.pid != 0 ? fmt::format("process {}", arguments.pid) : joined(arguments.command);
}

std::string text_of(const ProfileArguments& arguments, const Profile& profile) {
  if (arguments.json) return profile_to_json(profile) + "\n";
  std::error_code error;
  return describe(profile, std::filesystem::current_path(error));
}

/// Each that was asked for, in turn; the first that fails is told of. @return kDone or kFailed.
int write_results(const ProfileArguments& arguments, const Findings& findings) {
  int status = kDone;
  const auto write = [&](const std::string& file, const auto& text) {
    if (!file.empty() && status == kDone) status = write_result(file, text());
  };
  write(arguments.folded, [&] { return to_folded(*findings.stacks); });
  write(arguments.speedscope, [&] { return to_speedscope(*findings.stacks, title_of(arguments)) + "\n"; });
  write(arguments.coz, [&] { return to_coz_text(*findings.experiments); });
  const std::string file = prints_profile(arguments) ? std::string(kStdout) : arguments.output;
  write(file, [&] { return text_of(arguments, findings.profile); });
  return status;
}

}  // namespace

int profile_command(const ProfileArguments& arguments) {
  if (const std::string why = contradiction_in(arguments); !why.empty()) {
    say(why + "\nTry 'aiopt profile --help'.");
    return kUsage;
  }
  const std::chrono::milliseconds limit =
      parse_duration(arguments.duration).value_or(std::chrono::milliseconds(0));  // Checked with the arguments.
  const StopTokens stop = catch_interrupts();
  Findings findings;
  if (wants_off_cpu(arguments)) {
    if (auto found = find_waits(arguments, limit, stop.finish, findings); !found) return fail(found.error());
  }
  if (arguments.causal && !stop.finish.stop_requested()) {
    if (auto found = find_effects(arguments, limit, stop.finish, findings); !found) return fail(found.error());
  }
  if (!arguments.coz.empty() && !findings.experiments) return kInterrupted;
  const int written = write_results(arguments, findings);
  if (written != kDone) return written;
  // A process that was attached to has no other end.
  if (stop.finish.stop_requested() && arguments.pid == 0) return kInterrupted;
  return findings.command_failed ? kFailed : kDone;
}

}  // namespace aiopt
