/// The two command lines, the private folder between them, and whose threads are none of the command's.

#include "evaluate/stack_recorder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

#include "base/files.hpp"
#include "base/text.hpp"
#include "core/reason.hpp"
#include "evaluate/command_words.hpp"
#include "profile/bperf_report.hpp"
#include "profile/code_object.hpp"
#include "profile/kernel_symbols.hpp"
#include "profile/perf_script.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;

/// perf stops there, and ends the command: some 200,000 stacks.
constexpr std::uint64_t kMostRecordedMib = 64;
constexpr std::size_t kMostTextBytes = 256 << 20;
constexpr std::size_t kMostKernelSymbols = 64 << 20;
constexpr std::uint64_t kMostObjectBytes = 1 << 30;
/// From the signal on: perf writes what it has, and the sandbox ends.
constexpr std::chrono::seconds kGrace{20};
constexpr std::chrono::seconds kReadingLimit{120};
constexpr int kEndedByTimeout = 124;  ///< timeout(1).

std::string_view name_of(const StackRecorder& recorder) {
  return recorder.kind == StackRecorder::Kind::perf ? "perf" : "bperf";
}

/// What timeout(1) does to a recorder alone: SIGINT has it write its recording to the end, and end the command.
std::vector<std::string> cut_off_after(std::chrono::milliseconds limit) {
  return {"timeout", "--foreground", "--signal=INT", fmt::format("--kill-after={}", kGrace.count()),
          fmt::format("{:.3f}", std::chrono::duration<double>(limit).count())};
}

Result<std::unique_ptr<TemporaryFolder>> private_folder() {
  try {
    return std::make_unique<TemporaryFolder>("aiopt-recording-");
  } catch (const fs::filesystem_error& error) {
    return Error{Error::Code::io, error.what()};
  }
}

/// @return its copy; empty where the kernel tells this user nothing, so that perf in the sandbox would not know more.
fs::path copy_kernel_symbols(const fs::path& folder) {
  if (!KernelSymbols::load()) return {};
  const Result<std::string> symbols = read_file("/proc/kallsyms", kMostKernelSymbols);
  fs::path copy = folder / "kallsyms";
  return symbols && write_file_atomic(copy, *symbols) ? copy : fs::path();
}

Result<SampledStacks> read_recording(const StackRecorder& recorder, const StageRunner& runner, const fs::path& folder,
                                     const fs::path& recording, const StageSetting& of_command,
                                     const std::stop_token& stop) {
  const fs::path text_file = folder / "text";
  StageSetting setting;
  setting.workspace = folder;
  setting.readable = {of_command.workspace, recorder.program};
  setting.cpus = of_command.cpus;
  setting.variables = {{"PERF_CONFIG", "/dev/null"}};
  // A shell tells of the last in a pipeline alone how it ended.
  const std::string line = fmt::format("{{ {} || echo \"error: exit code $?\" >&2; }} | head -c {} >{}",
                                       join_quoted(reading_command(recorder, recording, copy_kernel_symbols(folder))),
                                       kMostTextBytes, join_quoted({text_file.string()}));
  const Result<StageRun> run = runner.run(Stage::off_cpu, {line, kReadingLimit}, setting, stop);
  if (!run) return run.error();
  const Result<std::string> text = read_file_of_stranger(text_file, kMostTextBytes);
  const bool has_text = text && !trim(*text).empty();
  if (run->report.status != StageStatus::passed || !has_text) {
    return Error{Error::Code::unavailable,
                 fmt::format("{} could not read its recording: {}", name_of(recorder),
                             telling_line(has_text ? run->command.how_it_ended() : fate_of_failure(*run).reason))};
  }
  if (recorder.kind == StackRecorder::Kind::bperf) return parse_bperf_report(*text);
  return parse_perf_script(with_source_lines(*text, of_command.workspace));
}

bool is_of_kernel(const StackFrame& frame) {
  return frame.object.starts_with("[kernel");
}

/// Whatever it calls itself, a thread that is seen in the workspace's files is the command's.
void leave_out_starters(SampledStacks& stacks, std::string_view command, const fs::path& workspace) {
  constexpr auto kStarters = std::to_array<std::string_view>({"bwrap", "sh", "mkfifo", "rm"});
  const std::string program = fs::path(split_assignments(command).program).filename().string();
  const std::string inside = workspace.string() + "/";
  std::erase_if(stacks.stacks, [&](const SampledStack& stack) {
    const bool is_named_so =
        stack.thread != program && std::find(kStarters.begin(), kStarters.end(), stack.thread) != kStarters.end();
    return is_named_so && std::none_of(stack.frames.begin(), stack.frames.end(),
                                       [&](const StackFrame& frame) { return frame.object.starts_with(inside); });
  });
}

}  // namespace

std::vector<std::string> recording_command(const StackRecorder& recorder, const fs::path& recording) {
  if (recorder.kind == StackRecorder::Kind::bperf) {
    // Without build-ids: else it would read each file that was mapped, and copy it below HOME.
    return {recorder.program.string(),
            "record",
            "--no-buildid",
            "--no-buildid-cache",
            "-g",
            "-e",
            "task-clock",
            "-c",
            "1000000",
            "--weight",
            "-o",
            recording.string(),
            "--"};
  }
  // By number and with a period each, which software events take as those of the PMU "software" alone.
  //
  // Build-ids by the kernel: else perf would read each file that was mapped. And where anybody on the machine has the
  // kernel tell them, Linux 6.18 says of everybody's records that they hold some, and `perf script` dies of what it
  // then takes for one.
  //
  // By frame pointers: with dumps of stacks (--call-graph dwarf) perf 6.1 unwinds libc by where the image before
  // execve(2) had it, whenever that lies lower, so that one run names other functions than the next.
  return {recorder.program.string(),
          "record",
          "-q",
          "--buildid-mmap",
          "--no-buildid-cache",
          "-g",
          "--switch-events",
          "-e",
          "software/config=1,period=1000000,name=task-clock/",
          "-e",
          "software/config=3,period=1,name=context-switches/",
          fmt::format("--max-size={}M", kMostRecordedMib),
          "-o",
          recording.string(),
          "--"};
}

std::vector<std::string> reading_command(const StackRecorder& recorder, const fs::path& recording,
                                         const fs::path& kernel_symbols) {
  std::vector<std::string> command = {recorder.program.string()};
  if (recorder.kind == StackRecorder::Kind::bperf) {
    command.insert(command.end(), {"report", "--stdio"});
  } else {
    command.insert(command.end(), {"script", "-F", "comm,pid,tid,time,period,event,ip,sym,dso", "--ns", "--no-inline",
                                   "--show-switch-events", "--show-lost-events"});
  }
  command.insert(command.end(), {"-i", recording.string()});
  if (!kernel_symbols.empty()) command.insert(command.end(), {"--kallsyms", kernel_symbols.string()});
  return command;
}

Result<RecordedRun> record_stacks(const StackRecorder& recorder, const StageRunner& runner, const StageCommand& command,
                                  const StageSetting& setting, std::stop_token stop) {
  const Result<std::unique_ptr<TemporaryFolder>> folder = private_folder();
  if (!folder) return folder.error();
  const fs::path recording = (*folder)->path() / "recording";
  StageSetting around = setting;
  around.around = cut_off_after(command.timeout);
  const std::vector<std::string> record = recording_command(recorder, recording);
  around.around.insert(around.around.end(), record.begin(), record.end());
  // HOME is the workspace, in which a build may have left a ~/.perfconfig.
  around.variables["PERF_CONFIG"] = "/dev/null";
  Result<StageRun> run = runner.run(Stage::off_cpu, {command.command, command.timeout + 2 * kGrace}, around, stop);
  if (!run) return run.error();
  RecordedRun recorded{std::move(*run), std::nullopt, ""};
  if (recorded.run.report.status == StageStatus::timed_out) {
    recorded.why = fmt::format("{} did not end", name_of(recorder));
    return recorded;
  }
  std::error_code failure;
  const bool is_full = fs::file_size(recording, failure) >= kMostRecordedMib * (1 << 20) && !failure;
  if (is_full || recorded.run.report.exit_code == kEndedByTimeout) {
    recorded.run.report.status = StageStatus::timed_out;
  } else if (recorded.run.report.status != StageStatus::passed) {
    return recorded;
  }
  Result<SampledStacks> stacks = read_recording(recorder, runner, (*folder)->path(), recording, setting, stop);
  if (!stacks && stacks.error().code == Error::Code::cancelled) return stacks.error();
  if (!stacks) {
    recorded.why = stacks.error().message;
    return recorded;
  }
  leave_out_starters(*stacks, command.command, setting.workspace);
  stacks->tells_kernel = std::any_of(stacks->stacks.begin(), stacks->stacks.end(), [](const SampledStack& stack) {
    return std::any_of(stack.frames.begin(), stack.frames.end(), is_of_kernel);
  });
  if (!stacks->tells_kernel) stacks->source += " (no kernel events)";
  recorded.stacks = std::move(*stacks);
  return recorded;
}

// ---- lines ----------------------------------------------------------------------------------------------------------

namespace {

/// A frame of a user's object as perf prints it: "\t            1274 compute (/runs/1/bench)".
struct PrintedFrame {
  std::uint64_t file_offset = 0;
  std::string_view object;
};

std::optional<PrintedFrame> frame_in(std::string_view line, std::string_view folder) {
  const std::size_t open = line.rfind(" (");
  if (!line.starts_with('\t') || !line.ends_with(')') || open == std::string_view::npos) return std::nullopt;
  PrintedFrame frame;
  frame.object = line.substr(open + 2, line.size() - open - 3);
  if (!frame.object.starts_with(folder) || !frame.object.substr(folder.size()).starts_with('/')) return std::nullopt;
  const std::string_view text = trim(line.substr(0, open));
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), frame.file_offset, 16);
  if (failed != std::errc() || end == text.data() + text.size() || *end != ' ') return std::nullopt;
  return frame;
}

/// Objects below the folder, each opened once, and what was found for their addresses.
class LinesOfObjects {
 public:
  explicit LinesOfObjects(const fs::path& folder) : folder_(folder) {}

  /// Lines as `perf script -F +srcline --inline` has them, each with its end; empty where nothing is known.
  const std::string& of(const PrintedFrame& frame, bool is_caller) {
    const auto [known, is_new] = known_.try_emplace({std::string(frame.object), frame.file_offset, is_caller});
    if (is_new) known->second = find(frame, is_caller);
    return known->second;
  }

 private:
  std::string find(const PrintedFrame& frame, bool is_caller) {
    CodeObject* object = opened(std::string(frame.object));
    if (object == nullptr) return "";
    const std::optional<std::uint64_t> address = object->file().address_of(frame.file_offset);
    if (!address) return "";
    const std::vector<StackFrame> frames = object->frames_at(is_caller ? *address - 1 : *address);
    std::string lines;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const CodePlace& place = frames[i].place;
      lines += fmt::format("\t{:16x} {} ({})\n", frame.file_offset, one_line(place.function, 1000),
                           i + 1 < frames.size() ? "inlined" : frame.object);
      if (place.line > 0) lines += fmt::format("  {}:{}\n", one_line(place.file, 1000), place.line);
    }
    return lines;
  }

  /// A link could lead out of the workspace, to what the sandbox hides.
  CodeObject* opened(const std::string& path) {
    const auto [found, is_new] = objects_.try_emplace(path);
    if (!is_new) return found->second.get();
    std::error_code failed;
    const fs::path real = fs::canonical(path, failed);
    if (failed || !real.string().starts_with(folder_.string() + "/")) return nullptr;
    if (auto file = ObjectFile::open(real, kMostObjectBytes)) {
      found->second = std::make_unique<CodeObject>(std::move(*file), CodeObjectOptions());
    }
    return found->second.get();
  }

  const fs::path folder_;
  std::map<std::string, std::unique_ptr<CodeObject>> objects_;
  std::map<std::tuple<std::string, std::uint64_t, bool>, std::string> known_;
};

}  // namespace

std::string with_source_lines(std::string_view script, const fs::path& folder) {
  std::error_code failed;
  const fs::path real = fs::canonical(folder, failed);
  LinesOfObjects objects(failed ? folder : real);
  std::string text;
  text.reserve(script.size());
  bool is_caller = false;  // Of the user's frames all but the innermost are return addresses.
  for (std::size_t begin = 0; begin < script.size();) {
    const std::size_t end = std::min(script.find('\n', begin), script.size());
    const std::string_view line = script.substr(begin, end - begin);
    begin = end + 1;
    const bool is_frame = line.starts_with('\t');
    const std::optional<PrintedFrame> frame = is_frame ? frame_in(line, folder.native()) : std::nullopt;
    const std::string& better = frame ? objects.of(*frame, is_caller) : std::string();
    const bool has_room = text.size() + better.size() < kMostTextBytes;  // Inlined frames make many of one.
    text += better.empty() || !has_room ? std::string(line) + "\n" : better;
    is_caller = is_frame && (is_caller || line.find("([kernel") == std::string_view::npos);
  }
  return text;
}

}  // namespace aiopt
