/// Lines to events, events to intervals of threads, intervals to samples; formats as builtin-script.c prints them.

#include "profile/perf_script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "profile/profile_numbers.hpp"
#include "profile/wait_rules.hpp"

namespace aiopt {
namespace {

constexpr std::uint64_t kSamplePeriodNs = 1'000'000;
constexpr std::uint64_t kNsOfOtherEvent = 250'000;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
/// 272 years: later times are made up (offcpu-time has such), and sums of intervals cannot overflow.
constexpr std::uint64_t kLatestSecond = 1ULL << 33;
constexpr std::uint64_t kLongestIntervalNs = 1'000'000 * kNsPerSecond;
constexpr std::size_t kMostFrames = 1024;        ///< /proc/sys/kernel/perf_event_max_stack is 127.
constexpr std::size_t kLongestLine = 64u << 10;  ///< Demangled names may be long; the rest of a longer line is cut off.
constexpr std::uint64_t kKernelAddresses = 0xffff'0000'0000'0000;
constexpr std::string_view kKernelName = "[kernel]";

// ---- lines ----------------------------------------------------------------------------------------------------------

/// A line like "kv 10183/10185 [001]  2078.585435:    1000000 task-clock:u:  rest".
struct ScriptEvent {
  std::string command;
  std::uint64_t process = 0;  ///< 0: not printed.
  std::uint64_t thread = 0;
  std::uint64_t time_ns = 0;  ///< 0: not to be believed.
  std::optional<std::uint64_t> period;
  std::string name;
  std::string rest;
  std::vector<StackFrame> frames;
};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = text.find_first_not_of(" \t"); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(" \t", end);
  }
  return words;
}

/// "2078.585435:" with six digits or nine.
std::optional<std::uint64_t> script_time(std::string_view word) {
  if (!word.ends_with(':')) return std::nullopt;
  word.remove_suffix(1);
  const std::size_t point = word.find_first_of(".,");
  if (point == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint64_t> seconds = parse_count(word.substr(0, point));
  std::string fraction(word.substr(point + 1));
  if (!seconds || fraction.empty() || fraction.size() > 9) return std::nullopt;
  fraction.resize(9, '0');
  const std::optional<std::uint64_t> ns = parse_count(fraction);
  if (!ns) return std::nullopt;
  return *seconds > kLatestSecond ? 0 : *seconds * kNsPerSecond + *ns;
}

/// "10183" or "10183/10185"; "-1" of a thread that is ending, which then counts as the idle task's 0.
bool read_thread(std::string_view word, ScriptEvent& event) {
  if (word == "-1" || word == "-1/-1") return true;
  const std::size_t slash = word.find('/');
  if (slash != std::string_view::npos) {
    const std::optional<std::uint64_t> process = parse_count(word.substr(0, slash));
    if (!process) return false;
    event.process = *process;
    word.remove_prefix(slash + 1);
  }
  const std::optional<std::uint64_t> thread = parse_count(word);
  if (thread) event.thread = *thread;
  return thread.has_value();
}

std::string_view from_word(std::string_view line, std::string_view word) {
  return line.substr(static_cast<std::size_t>(word.data() - line.data()));
}

/// Period, event and what follows. `words`: those after the time.
bool read_event_name(std::string_view line, std::span<const std::string_view> words, ScriptEvent& event) {
  if (words.size() > 1 && words[1].ends_with(':')) {
    event.period = parse_count(words[0]);
    if (event.period) words = words.subspan(1);
  }
  if (words.empty()) return false;
  std::string_view name = words[0];
  const bool is_record = name.starts_with("PERF_RECORD_");
  if (!is_record && (!name.ends_with(':') || name.size() < 2)) return false;
  if (name.ends_with(':')) name.remove_suffix(1);
  event.name = name;
  if (words.size() > 1) event.rest = trim(from_word(line, words[1]));
  return true;
}

std::optional<ScriptEvent> script_event(std::string_view line) {
  const std::vector<std::string_view> words = words_of(line);
  // The command may have blanks in it: the time is what everything is found by.
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::optional<std::uint64_t> time = script_time(words[i]);
    if (!time) continue;
    ScriptEvent event;
    event.time_ns = *time;
    // Between thread and time there may be the CPU, "[001]", and flags.
    std::size_t thread = i;
    while (thread > 0 && !read_thread(words[thread - 1], event)) --thread;
    if (thread == 0 || !read_event_name(line, std::span(words).subspan(i + 1), event)) return std::nullopt;
    event.command = trim(line.substr(0, static_cast<std::size_t>(words[thread - 1].data() - line.data())));
    return event;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> address_of(std::string_view word) {
  std::uint64_t address = 0;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), address, 16);
  return error == std::errc() && stop == word.data() + word.size() && !word.empty() ? std::optional(address)
                                                                                    : std::nullopt;
}

/// "kv::Wal::append(int) const" -> "kv::Wal::append"; "main::{lambda()#1}::operator()" stays.
std::string_view without_arguments(std::string_view name) {
  if (name.ends_with(" const")) name.remove_suffix(6);
  if (!name.ends_with(')')) return name;
  int depth = 0;
  for (std::size_t i = name.size(); i-- > 0;) {
    if (name[i] == ')') ++depth;
    if (name[i] == '(' && --depth == 0) {
      const std::string_view before = name.substr(0, i);
      return before.empty() || before.ends_with("operator") ? name : before;
    }
  }
  return name;
}

std::string_view without_offset(std::string_view symbol) {
  const std::size_t plus = symbol.rfind("+0x");
  return plus != std::string_view::npos && address_of(symbol.substr(plus + 3)) ? symbol.substr(0, plus) : symbol;
}

bool is_kernel_code(std::uint64_t address, std::string_view object) {
  if (address >= kKernelAddresses) return true;
  return object.starts_with("[kernel") || object.starts_with("[guest.kernel") || object.ends_with(".ko") ||
         object.ends_with("/vmlinux");
}

/// "ffffffff8225a6c1 do_syscall_64+0x71 ([kernel.kallsyms])"; symbol and object may be missing.
std::optional<StackFrame> script_frame(std::string_view text) {
  text = trim(text);
  const std::size_t blank = std::min(text.find(' '), text.size());
  const std::optional<std::uint64_t> address = address_of(text.substr(0, blank));
  if (!address) return std::nullopt;
  std::string_view symbol = trim(text.substr(blank));
  std::string_view object;
  constexpr std::string_view kDeleted = " (deleted))";
  const std::size_t end = symbol.ends_with(kDeleted) ? symbol.size() - kDeleted.size() : symbol.size() - 1;
  const std::size_t open = symbol.ends_with(')') ? symbol.rfind(" (", end - 1) : std::string_view::npos;
  if (open != std::string_view::npos) {
    object = symbol.substr(open + 2, end - open - 2);
    symbol = trim(symbol.substr(0, open));
  }
  StackFrame frame;
  frame.is_inlined = object == "inlined";
  if (object != "[unknown]" && !frame.is_inlined) frame.object = object;
  if (is_kernel_code(*address, object)) frame.object = kKernelName;
  frame.place.function = without_arguments(without_offset(symbol));
  if (symbol.empty() || symbol == "[unknown]") {
    const std::string_view file = std::string_view(frame.object).substr(frame.object.rfind('/') + 1);
    frame.place.function = file.empty() ? "" : fmt::format("{}+{:#x}", file, *address);
  }
  return frame;
}

/// "  wal.cc:47" under a frame, of -F +srcline.
void read_source_line(std::string_view text, StackFrame& frame) {
  text = trim(text);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return;
  const std::optional<std::uint64_t> line = parse_count(text.substr(colon + 1));
  if (!line || *line == 0 || *line > 100'000'000) return;
  frame.place.file = text.substr(0, colon);
  frame.place.line = static_cast<int>(*line);
}

// ---- fields of tracepoints ------------------------------------------------------------------------------------------

struct Switch {
  std::uint64_t previous = 0;
  std::string state;
  std::uint64_t next = 0;
  std::string next_command;
};

/// "pid=10185" among others; the key must begin a word.
std::optional<std::uint64_t> number_field(std::string_view text, std::string_view key) {
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    if (at > 0 && text[at - 1] != ' ') continue;
    const std::string_view value = text.substr(at + key.size());
    return parse_count(value.substr(0, std::min(value.find(' '), value.size())));
  }
  return std::nullopt;
}

/// "kv:10183 [120] S", as the plugins of libtraceevent print it. Gives the number, and what follows the bracket.
std::optional<std::pair<std::uint64_t, std::string_view>> plugin_thread(std::string_view text, std::string& command) {
  const std::size_t bracket = text.find(" [");
  const std::size_t colon = bracket == std::string_view::npos ? bracket : text.rfind(':', bracket);
  const std::size_t close = text.find(']', bracket == std::string_view::npos ? text.size() : bracket);
  if (colon == std::string_view::npos || close == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint64_t> number = parse_count(text.substr(colon + 1, bracket - colon - 1));
  if (!number) return std::nullopt;
  command = text.substr(0, colon);
  return std::pair(*number, trim(text.substr(close + 1)));
}

std::optional<Switch> switch_of(std::string_view rest) {
  constexpr std::string_view kArrow = " ==> ";
  const std::size_t arrow = rest.find(kArrow);
  if (arrow == std::string_view::npos) return std::nullopt;
  const std::string_view left = rest.substr(0, arrow);
  const std::string_view right = rest.substr(arrow + kArrow.size());
  Switch change;
  if (const std::optional<std::uint64_t> previous = number_field(left, "prev_pid=")) {
    const std::optional<std::uint64_t> next = number_field(right, "next_pid=");
    const std::size_t state = left.find(" prev_state=");
    if (!next || state == std::string_view::npos) return std::nullopt;
    change.previous = *previous;
    change.state = left.substr(state + 12);
    change.next = *next;
    const std::size_t name_end = right.find(" next_pid=");
    if (right.starts_with("next_comm=") && name_end > 10) change.next_command = right.substr(10, name_end - 10);
    return change;
  }
  std::string command;
  const auto previous = plugin_thread(left, command);
  const auto next = plugin_thread(right, change.next_command);
  if (!previous || !next) return std::nullopt;
  change.previous = previous->first;
  change.state = previous->second;
  change.next = next->first;
  return change;
}

/// Of sched_waking, sched_wakeup, sched_stat_*.
std::optional<std::uint64_t> subject_of(std::string_view rest) {
  if (const std::optional<std::uint64_t> thread = number_field(rest, "pid=")) return thread;
  std::string command;
  const auto thread = plugin_thread(rest, command);
  return thread ? std::optional(thread->first) : std::nullopt;
}

// ---- stacks ---------------------------------------------------------------------------------------------------------

using ScriptStackId = std::uint32_t;
constexpr ScriptStackId kNoScriptStack = 0;

/// Each different stack once: a program has few, however often it waits.
class ScriptStacks {
 public:
  ScriptStacks() { id_of({}); }

  ScriptStackId id_of(const std::vector<StackFrame>& frames) {
    std::vector<std::uint32_t> ids;
    ids.reserve(frames.size());
    for (const StackFrame& frame : frames) ids.push_back(frame_id(frame));
    const auto [found, is_new] = stack_ids_.try_emplace(std::move(ids), static_cast<ScriptStackId>(stacks_.size()));
    if (is_new) stacks_.push_back(&found->first);
    return found->second;
  }

  std::vector<StackFrame> frames(ScriptStackId id) const {
    std::vector<StackFrame> frames;
    for (const std::uint32_t frame : *stacks_[id]) frames.push_back(frames_[frame]);
    return frames;
  }

 private:
  using FrameKey = std::tuple<std::string, std::string, std::string, int, bool>;

  std::uint32_t frame_id(const StackFrame& frame) {
    const CodePlace& place = frame.place;
    FrameKey key{place.function, frame.object, place.file, place.line, frame.is_inlined};
    const auto [found, is_new] = frame_ids_.try_emplace(std::move(key), static_cast<std::uint32_t>(frames_.size()));
    if (is_new) frames_.push_back(frame);
    return found->second;
  }

  std::map<FrameKey, std::uint32_t> frame_ids_;
  std::vector<StackFrame> frames_;
  std::map<std::vector<std::uint32_t>, ScriptStackId> stack_ids_;
  std::vector<const std::vector<std::uint32_t>*> stacks_;  ///< Keys of the map, which stay where they are.
};

std::vector<std::string> kernel_functions(const std::vector<StackFrame>& frames) {
  std::vector<std::string> functions;
  for (const StackFrame& frame : frames) {
    if (frame.object == kKernelName) functions.push_back(frame.place.function);
  }
  return functions;
}

/// What the C library's function that waits makes likely, where there is no stack of the kernel.
WaitClass class_of_user_wait(const std::vector<StackFrame>& frames) {
  constexpr auto kLocks = std::to_array<std::string_view>(
      {"pthread_mutex", "pthread_cond", "pthread_rwlock", "pthread_join", "pthread_barrier", "pthread_clockjoin",
       "pthread_timedjoin", "lll_lock_wait", "futex", "sem_wait", "sem_timedwait", "sem_clockwait", "new_sem_wait"});
  constexpr auto kDevices = std::to_array<std::string_view>(
      {"fsync", "fdatasync", "msync", "syncfs", "sync_file_range", "pread", "pwrite", "io_getevents"});
  for (const StackFrame& frame : frames) {
    std::string_view name = frame.place.function;
    while (name.starts_with('_')) name.remove_prefix(1);
    if (name.starts_with("GI_")) name.remove_prefix(3);
    while (name.starts_with('_')) name.remove_prefix(1);
    if (name.starts_with("libc_")) name.remove_prefix(5);
    const auto begins = [&](std::string_view prefix) { return name.starts_with(prefix); };
    if (std::ranges::any_of(kLocks, begins)) return WaitClass::lock;
    if (std::ranges::any_of(kDevices, begins)) return WaitClass::io;
  }
  return WaitClass::other;
}

WaitClass class_of_stack(const std::vector<StackFrame>& frames, bool preempted) {
  const std::vector<std::string> functions = kernel_functions(frames);
  if (functions.empty() && !preempted) return class_of_user_wait(frames);
  return class_of_wait(functions, preempted);
}

// ---- threads --------------------------------------------------------------------------------------------------------

/// Where on-CPU samples came from: the best there is counts alone.
enum class OnCpu { clock, switches, other_events };

using WaitOrRun = std::optional<WaitClass>;
using ScriptSamples = std::map<std::pair<WaitOrRun, ScriptStackId>, std::uint64_t>;

struct ScriptThread {
  std::string name;
  std::uint64_t process = 0;
  bool is_kernel = false;

  std::optional<std::uint64_t> running_since;
  std::optional<std::uint64_t> left_at;  ///< Set: it is off its CPU.
  std::optional<std::uint64_t> woken_at;
  WaitClass kind = WaitClass::other;  ///< Of the wait since left_at.
  ScriptStackId stack = kNoScriptStack;
  /// Seen right before it leaves: sched_switch or context-switches beside PERF_RECORD_SWITCH.
  ScriptStackId stack_to_leave_with = kNoScriptStack;
  WaitClass kind_to_leave_with = WaitClass::other;

  std::uint64_t seen_returns = 0;    ///< Another thread's switch showed that this one came next.
  std::uint64_t unseen_returns = 0;  ///< It had an event, and nobody had seen it come back.

  std::uint64_t wait_phase_ns = 0;
  std::uint64_t runnable_phase_ns = 0;
  std::array<std::uint64_t, 3> run_phase_ns{};
  ScriptSamples waits;
  std::array<ScriptSamples, 3> runs;  ///< By OnCpu.
};

/// A rest below a period is carried on to the next interval, so that many short ones count as much as a long one.
void add_interval(std::uint64_t ns, std::uint64_t& phase_ns, ScriptSamples& samples, WaitOrRun wait,
                  ScriptStackId stack) {
  if (ns > kLongestIntervalNs) return;
  phase_ns += ns;
  const std::uint64_t whole = phase_ns / kSamplePeriodNs;
  phase_ns %= kSamplePeriodNs;
  if (whole > 0) samples[{wait, stack}] += whole;
}

void leave_cpu(ScriptThread& thread, std::uint64_t time, WaitClass kind, ScriptStackId stack) {
  if (thread.running_since && time > *thread.running_since) {
    const auto from = static_cast<std::size_t>(OnCpu::switches);
    add_interval(time - *thread.running_since, thread.run_phase_ns[from], thread.runs[from], std::nullopt,
                 kNoScriptStack);
  }
  thread.running_since.reset();
  thread.left_at = time;
  thread.woken_at.reset();
  thread.kind = kind;
  thread.stack = stack;
}

void come_back(ScriptThread& thread, std::uint64_t time) {
  if (!thread.running_since) thread.running_since = time;
  if (!thread.left_at) return;
  const std::uint64_t left = *std::exchange(thread.left_at, std::nullopt);
  if (time <= left) return;
  std::uint64_t woken = time;
  if (thread.kind != WaitClass::scheduling && thread.woken_at) woken = std::clamp(*thread.woken_at, left, time);
  add_interval(woken - left, thread.wait_phase_ns, thread.waits, thread.kind, thread.stack);
  add_interval(time - woken, thread.runnable_phase_ns, thread.waits, WaitClass::scheduling, thread.stack);
}

class ScriptReader {
 public:
  void read(std::string_view line) {
    line = line.substr(0, kLongestLine);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trim(line).empty()) return end_event();
    if (line.front() == '#') return;
    if (line.front() == '\t') return read_under_event(line);
    if (std::optional<ScriptEvent> event = script_event(line)) {
      end_event();
      event_ = std::move(event);
      ++events_;
    } else {
      read_under_event(line);
    }
  }

  std::size_t events() const { return events_; }

  SampledStacks take(std::string_view command) {
    end_event();
    const std::vector<ScriptThread*> threads = threads_wanted(command);
    const bool are_returns_seen = sees_returns(threads);
    SampledStacks script;
    script.source = has_weights_       ? "bperf"
                    : are_returns_seen ? "perf"
                                       : "perf (a wait ends at the thread's next event)";
    script.period_ns = kSamplePeriodNs;
    script.lost = lost_;
    std::map<std::tuple<std::string, WaitOrRun, ScriptStackId>, std::uint64_t> merged;
    for (ScriptThread* thread : threads) {
      // A thread that waits until the end of the text waited that long, if its coming back would have been seen.
      if (thread->left_at && are_returns_seen) come_back(*thread, last_time_);
      for (const auto& [key, samples] : thread->waits) merged[{thread->name, key.first, key.second}] += samples;
      for (const auto& [key, samples] : thread->runs[static_cast<std::size_t>(on_cpu())]) {
        merged[{thread->name, key.first, key.second}] += samples;
      }
    }
    for (const auto& [key, samples] : merged) {
      SampledStack stack;
      stack.thread = std::get<0>(key);
      stack.wait = std::get<1>(key);
      stack.frames = stacks_.frames(std::get<2>(key));
      stack.samples = samples;
      script.stacks.push_back(std::move(stack));
    }
    return script;
  }

 private:
  // ---- lines to events

  void read_under_event(std::string_view line) {
    if (!event_) return;
    std::vector<StackFrame>& frames = event_->frames;
    if (std::optional<StackFrame> frame = script_frame(line)) {
      if (frames.size() < kMostFrames) frames.push_back(*std::move(frame));
    } else if (!frames.empty()) {
      read_source_line(line, frames.back());
    }
  }

  void end_event() {
    if (!event_) return;
    ScriptEvent event = *std::exchange(event_, std::nullopt);
    if (event.frames.empty()) {
      // Without call chains the only frame stands behind the event.
      std::optional<StackFrame> frame =
          event.rest.find(' ') == std::string::npos ? std::nullopt : script_frame(event.rest);
      if (frame) event.frames.push_back(*std::move(frame));
    }
    // An inlined function's object is that of the function around it.
    for (std::size_t i = event.frames.size(); i-- > 1;) {
      if (event.frames[i - 1].is_inlined) event.frames[i - 1].object = event.frames[i].object;
    }
    handle(event);
  }

  // ---- events to intervals

  void handle(const ScriptEvent& event) {
    if (event.name.starts_with("offcpu-time")) return add_off_cpu_time(event);
    if (event.name.starts_with("PERF_RECORD_LOST")) return add_lost(event);
    if (event.time_ns == 0) return;
    last_time_ = std::max(last_time_, event.time_ns);
    if (event.name.starts_with("PERF_RECORD_SWITCH")) return switch_record(event);
    if (event.name.starts_with("PERF_RECORD_")) return;
    const bool is_injected = event.name == "sched:sched_switch" && event.period.value_or(0) > 1;
    if (is_injected) return add_off_cpu_time(event);
    ScriptThread& thread = thread_of(event);
    come_back_unless_recorded(thread, event.time_ns);
    if (event.name == "sched:sched_switch") return sched_switch(event);
    if (event.name == "sched:sched_waking" || event.name == "sched:sched_wakeup") return wake(event);
    if (event.name == "sched:sched_wakeup_new") return start(event);
    if (event.name.starts_with("sched:sched_stat_")) return add_statistics(event);
    if (event.name.find(':') != std::string::npos && event.name.starts_with("sched:")) return;
    if (event.name.starts_with("context-switches") || event.name.starts_with("cs:") || event.name == "cs") {
      return about_to_leave(event, thread);
    }
    add_run(event, thread);
  }

  ScriptThread& thread_of(const ScriptEvent& event) {
    ScriptThread& thread = threads_[event.thread];
    thread.name = event.command;
    if (event.process != 0) thread.process = event.process;
    if (!event.frames.empty() && event.frames.back().place.function.starts_with("ret_from_fork")) {
      thread.is_kernel = true;
    }
    return thread;
  }

  /// Whoever has an event is on a CPU. With records of switches it is known since when.
  void come_back_unless_recorded(ScriptThread& thread, std::uint64_t time) {
    if (has_switch_records_) return;
    if (thread.left_at) ++thread.unseen_returns;
    come_back(thread, time);
  }

  void switch_record(const ScriptEvent& event) {
    has_switch_records_ = true;
    ScriptThread& thread = thread_of(event);
    const std::vector<std::string_view> words = words_of(event.rest);
    if (words.empty()) return;
    if (words[0] == "IN") return come_back(thread, event.time_ns);
    if (words[0] != "OUT") return;
    const bool is_preempted = words.size() > 1 && words[1] == "preempt";
    const WaitClass kind = is_preempted ? WaitClass::scheduling : thread.kind_to_leave_with;
    leave_cpu(thread, event.time_ns, kind, std::exchange(thread.stack_to_leave_with, kNoScriptStack));
    thread.kind_to_leave_with = WaitClass::other;
  }

  void about_to_leave(const ScriptEvent& event, ScriptThread& thread) {
    thread.stack_to_leave_with = stacks_.id_of(event.frames);
    thread.kind_to_leave_with = class_of_stack(event.frames, false);
    if (has_switch_records_) return;
    leave_cpu(thread, event.time_ns, thread.kind_to_leave_with, thread.stack_to_leave_with);
  }

  void sched_switch(const ScriptEvent& event) {
    const std::optional<Switch> change = switch_of(event.rest);
    if (!change) return;
    ScriptThread& thread = threads_[event.thread == 0 ? change->previous : event.thread];
    if (change->state.starts_with('I')) thread.is_kernel = true;  // Only threads of the kernel idle like that.
    WaitClass kind = class_of_stack(event.frames, change->state.starts_with('R'));
    const bool is_blind = kind == WaitClass::other && kernel_functions(event.frames).empty();
    if (is_blind && change->state.starts_with('D')) kind = WaitClass::io;
    thread.stack_to_leave_with = stacks_.id_of(event.frames);
    thread.kind_to_leave_with = kind;
    if (has_switch_records_) return;
    has_sched_switch_ = true;
    leave_cpu(thread, event.time_ns, kind, thread.stack_to_leave_with);
    if (change->state.starts_with('X') || change->state.starts_with('Z')) thread.left_at.reset();
    ScriptThread& next = threads_[change->next];
    if (next.name.empty()) next.name = change->next_command;
    if (next.left_at) ++next.seen_returns;
    come_back(next, event.time_ns);
  }

  void wake(const ScriptEvent& event) {
    const std::optional<std::uint64_t> number = subject_of(event.rest);
    const auto found = number ? threads_.find(*number) : threads_.end();
    if (found == threads_.end()) return;
    ScriptThread& thread = found->second;
    if (thread.left_at && !thread.woken_at) thread.woken_at = event.time_ns;
  }

  /// A new thread is runnable from its birth.
  void start(const ScriptEvent& event) {
    const std::optional<std::uint64_t> number = subject_of(event.rest);
    if (!number) return;
    ScriptThread& thread = threads_[*number];
    if (thread.name.empty()) thread.name = event.command;
    leave_cpu(thread, event.time_ns, WaitClass::scheduling, kNoScriptStack);
  }

  void add_run(const ScriptEvent& event, ScriptThread& thread) {
    const bool is_clock = event.name.starts_with("task-clock") || event.name.starts_with("cpu-clock");
    const ScriptStackId stack = stacks_.id_of(event.frames);
    const std::optional<std::uint64_t> weight = is_clock ? parse_count(event.rest) : std::nullopt;
    if (weight) return add_weighted(event, thread, stack, *weight);
    const OnCpu from = is_clock ? OnCpu::clock : OnCpu::other_events;
    (is_clock ? has_clock_ : has_other_events_) = true;
    const std::uint64_t ns = is_clock ? event.period.value_or(kSamplePeriodNs) : kNsOfOtherEvent;
    const auto index = static_cast<std::size_t>(from);
    add_interval(ns, thread.run_phase_ns[index], thread.runs[index], std::nullopt, stack);
  }

  void add_weighted(const ScriptEvent& event, ScriptThread& thread, ScriptStackId stack, std::uint64_t weight) {
    has_weights_ = true;
    has_clock_ = true;
    const std::vector<std::string> functions = kernel_functions(event.frames);
    const bool is_kernel_on_top = !event.frames.empty() && event.frames.front().object == kKernelName;
    const WaitClass innermost =
        functions.empty() ? WaitClass::other : class_of_wait(std::span(functions).first(1), false);
    // An interval of one sample has weight 0, like a sample on a CPU; in a function that waits it is the former.
    const bool is_wait = weight > 0 || (is_kernel_on_top && innermost != WaitClass::other);
    // Weights count periods of 1 ms whatever the period; what would be 11 days is no weight.
    const std::uint64_t samples = weight > kLongestIntervalNs / kSamplePeriodNs ? 1 : weight + 1;
    if (is_wait) {
      thread.waits[{class_of_wait(functions, !is_kernel_on_top), stack}] += samples;
    } else {
      thread.runs[static_cast<std::size_t>(OnCpu::clock)][{std::nullopt, stack}] += samples;
    }
  }

  void add_off_cpu_time(const ScriptEvent& event) {
    ScriptThread& thread = thread_of(event);
    const std::optional<Switch> change = switch_of(event.rest);
    const bool preempted = change && change->state.starts_with('R');
    const WaitClass kind = class_of_stack(event.frames, preempted);
    add_interval(event.period.value_or(0), thread.wait_phase_ns, thread.waits, kind, stacks_.id_of(event.frames));
  }

  /// sched_stat_iowait and its kin tell how long a wait was when it ends. Beside switches they only tell what it was.
  void add_statistics(const ScriptEvent& event) {
    const std::optional<std::uint64_t> number = subject_of(event.rest);
    const std::optional<std::uint64_t> delay = number_field(event.rest, "delay=");
    if (!number || !delay) return;
    ScriptThread& thread = threads_[*number];
    const bool is_io = event.name == "sched:sched_stat_iowait";
    if (has_sched_switch_ || has_switch_records_) {
      if (is_io && thread.left_at && thread.kind == WaitClass::other) thread.kind = WaitClass::io;
      return;
    }
    const WaitClass kind = is_io                                   ? WaitClass::io
                           : event.name == "sched:sched_stat_wait" ? WaitClass::scheduling
                                                                   : WaitClass::other;
    const std::size_t name_end = event.rest.find(" pid=");
    if (thread.name.empty() && event.rest.starts_with("comm=") && name_end != std::string::npos) {
      thread.name = event.rest.substr(5, name_end - 5);
    }
    add_interval(*delay, thread.wait_phase_ns, thread.waits, kind, kNoScriptStack);
  }

  void add_lost(const ScriptEvent& event) {
    const std::vector<std::string_view> words = words_of(event.rest);
    const std::uint64_t lost = words.empty() ? 0 : parse_count(words.back()).value_or(0);
    lost_ += std::min(lost, kLongestIntervalNs);
  }

  // ---- the end

  /// With -a or records of switches. A few records may be lost all the same.
  bool sees_returns(const std::vector<ScriptThread*>& threads) const {
    std::uint64_t seen = 0, unseen = 0;
    for (const ScriptThread* thread : threads) {
      seen += thread->seen_returns;
      unseen += thread->unseen_returns;
    }
    return has_switch_records_ || unseen * 20 <= seen;
  }

  OnCpu on_cpu() const {
    if (has_clock_) return OnCpu::clock;
    return has_sched_switch_ || has_switch_records_ || !has_other_events_ ? OnCpu::switches : OnCpu::other_events;
  }

  std::vector<ScriptThread*> threads_wanted(std::string_view command) {
    std::set<std::uint64_t> processes;
    for (const auto& [number, thread] : threads_) {
      if (thread.name == command && thread.process != 0) processes.insert(thread.process);
    }
    std::vector<ScriptThread*> wanted;
    for (auto& [number, thread] : threads_) {
      if (number == 0 || thread.is_kernel) continue;
      const bool is_named = command.empty() || thread.name == command || processes.contains(thread.process);
      if (is_named) wanted.push_back(&thread);
    }
    return wanted;
  }

  std::optional<ScriptEvent> event_;  ///< Whose frames are being read.
  std::size_t events_ = 0;
  std::map<std::uint64_t, ScriptThread> threads_;
  ScriptStacks stacks_;
  std::uint64_t last_time_ = 0;
  std::uint64_t lost_ = 0;
  bool has_switch_records_ = false;
  bool has_sched_switch_ = false;
  bool has_clock_ = false;
  bool has_other_events_ = false;
  bool has_weights_ = false;
};

}  // namespace

Result<SampledStacks> parse_perf_script(std::string_view text, std::string_view command) {
  if (const std::string_view kind = binary_kind(text); !kind.empty()) {
    return Error{Error::Code::invalid_argument, fmt::format("read the text of perf script: the file is {}", kind)};
  }
  ScriptReader reader;
  for (const std::string_view line : split_lines(text)) reader.read(line);
  if (reader.events() == 0) {
    return Error{Error::Code::corruption,
                 "read the text of perf script: no line has a command, a thread, a time and an event"};
  }
  return reader.take(command);
}

}  // namespace aiopt
