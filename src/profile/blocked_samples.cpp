/// Intervals, ticks, and whose they are.

#include "profile/blocked_samples.hpp"

#include <linux/perf_event.h>

#include <algorithm>
#include <array>
#include <span>

namespace aiopt {
namespace {

/// A thread that was there when the recording began may be recorded twice, by an event of its own and by its parent's.
constexpr std::uint64_t kSameSwitchNs = 20'000;
/// From a wake-up that finds a thread on its way to sleep to its last instruction. Only a kernel that is itself kept
/// from running takes longer.
constexpr std::uint64_t kGoingToSleepNs = 1'000'000;
/// CPU time from a thread's wake-up of whoever joins it to its end.
constexpr std::uint64_t kEndingNs = 500'000;
constexpr std::size_t kStackBits = 24;  ///< Of the key of a row; StackLimits stay below.
constexpr std::size_t kThreadBits = 32;

}  // namespace

double OffCpuRecording::ratio() const {
  std::array<std::uint64_t, 2> samples{};  // On, off.
  for (const RecordedWait& wait : waits) samples.at(wait.activity == ThreadActivity::running ? 0 : 1) += wait.samples;
  const std::uint64_t all = samples[0] + samples[1];
  return all == 0 ? 0.0 : static_cast<double>(samples[1]) / static_cast<double>(all);
}

BlockedSamples::BlockedSamples(const BlockedSamplesOptions& options) : options_(options), stacks_(options.stacks) {
  recording_.period_ns = options.period_ns;
  recording_.threads.emplace_back();
}

void BlockedSamples::add(const PerfRecord& record) {
  std::visit([&](const auto& event) { on(record, event); }, record.event);
}

BlockedSamples::Thread BlockedSamples::make_thread(std::uint32_t pid, std::uint32_t tid) const {
  Thread thread;
  thread.pid = pid;
  thread.tid = tid;
  const std::array<std::uint64_t, 2> seeds{tid, tid + (std::uint64_t{1} << 32U)};
  thread.on_phase_ns = digest_of_chain({seeds.data(), 1}) % options_.period_ns;
  thread.off_phase_ns = digest_of_chain({seeds.data() + 1, 1}) % options_.period_ns;
  return thread;
}

BlockedSamples::Thread& BlockedSamples::thread_of(const PerfRecord& record) {
  const auto known = live_.find(record.tid);
  if (known != live_.end()) return known->second;
  return live_.emplace(record.tid, make_thread(record.pid, record.tid)).first->second;
}

std::uint64_t BlockedSamples::tick(std::uint64_t& phase_ns, std::uint64_t ns) const {
  phase_ns += ns;
  const std::uint64_t ticks = phase_ns / options_.period_ns;
  phase_ns %= options_.period_ns;
  return ticks;
}

void BlockedSamples::remember_name(const Thread& thread) {
  if (thread.serial != 0) recording_.threads[thread.serial].name = thread.name;
}

/// Few lists: each is kept once, and not the mappings of the process.
std::uint32_t BlockedSamples::list_of_programs(std::uint32_t pid) {
  const std::vector<std::string>& programs = spaces_.programs_of(pid);
  if (programs.empty()) return RecordedThread::kNoPrograms;
  const auto next = static_cast<std::uint32_t>(recording_.program_lists.size());
  const auto [at, is_new] = list_ids_.try_emplace(programs, next);
  if (is_new) recording_.program_lists.push_back(programs);
  return at->second;
}

std::size_t BlockedSamples::row_of(Thread& thread, StackId stack, ThreadActivity activity) {
  const auto key_of = [&](std::uint64_t serial) {
    return ((serial << kStackBits) | stack) * 3 + static_cast<std::uint64_t>(activity);
  };
  static_assert(kStackBits + kThreadBits + 2 <= 64);
  if (thread.serial != 0) {
    if (const auto known = row_ids_.find(key_of(thread.serial)); known != row_ids_.end()) return known->second;
  }
  std::uint32_t serial = 0;
  if (recording_.waits.size() < options_.most_waits) {
    if (thread.serial == 0) {
      thread.serial = static_cast<std::uint32_t>(recording_.threads.size());
      recording_.threads.push_back({thread.pid, thread.tid, thread.name, list_of_programs(thread.pid)});
    }
    serial = thread.serial;
  } else {
    ++recording_.folded;
  }
  const auto [at, is_new] = row_ids_.try_emplace(key_of(serial), recording_.waits.size());
  if (is_new) {
    RecordedWait& row = recording_.waits.emplace_back();
    row.thread = serial;
    row.stack = stack;
    row.activity = activity;
  }
  return at->second;
}

StackId BlockedSamples::stack_of(const Thread& thread) {
  if (!thread.chain.empty()) {
    return stacks_.intern(thread.pid, {thread.chain, thread.registers, thread.dump, {}}, spaces_);
  }
  const std::array<std::uint64_t, 2> seen{static_cast<std::uint64_t>(PERF_CONTEXT_USER), thread.seen_pc};
  const std::span<const std::uint64_t> chain(seen.data(), thread.seen_pc != 0 ? seen.size() : 0);
  return stacks_.intern(thread.pid, {chain, {}, {}, thread.kernel_function}, spaces_);
}

// ---- on the CPU -----------------------------------------------------------------------------------------------------

void BlockedSamples::advance_on(Thread& thread, std::uint64_t now_ns) {
  if (now_ns <= thread.since_ns) return;
  const std::uint64_t ns = now_ns - thread.since_ns;
  thread.since_ns = now_ns;
  thread.last.cpu_ns += ns;
  thread.cpu_ns += ns;
  recording_.running_ns += ns;
  const std::uint64_t ticks = tick(thread.on_phase_ns, ns);
  if (ticks != 0) recording_.waits[row_of(thread, thread.run_stack, ThreadActivity::running)].samples += ticks;
}

void BlockedSamples::on(const PerfRecord& record, const RunSample& sample) {
  Thread& thread = thread_of(record);
  chain_.assign(sample.chain.begin(), sample.chain.end());
  spaces_.keep_executable_callers(thread.pid, chain_);
  thread.run_stack = stacks_.intern(thread.pid, {chain_, {}, {}, {}}, spaces_);
  if (thread.state == State::off) ++recording_.gaps;
  if (thread.state != State::on) {
    thread.state = State::on;
    thread.since_ns = record.time_ns;
  }
  advance_on(thread, record.time_ns);
}

// ---- off the CPU ----------------------------------------------------------------------------------------------------

void BlockedSamples::on(const PerfRecord& record, const SwitchSample& sample) {
  sees_stacks_ = true;
  Thread& thread = thread_of(record);
  thread.chain.assign(sample.chain.begin(), sample.chain.end());
  spaces_.keep_executable_callers(thread.pid, thread.chain);
  thread.registers.assign(sample.registers.begin(), sample.registers.end());
  thread.dump.assign(sample.stack.begin(), sample.stack.end());
}

void BlockedSamples::on(const PerfRecord& record, const SwitchedOut& out) {
  Thread& thread = thread_of(record);
  if (thread.state == State::off && record.time_ns < thread.since_ns + kSameSwitchNs) return;
  ++recording_.switches;
  if (thread.state == State::on) {
    advance_on(thread, record.time_ns);
    if (sees_stacks_ && thread.chain.empty() && !out.is_runnable) thread.last = {};  // Is it the same? It is not known.
    const bool is_same = digest_of_chain(thread.chain) == thread.last.digest;
    if (!out.is_runnable) end_last_wait(thread, is_same ? AfterWait::same_wait : AfterWait::other_wait);
  } else {
    recording_.gaps += thread.state == State::off ? 1 : 0;
    thread.last = {};
  }
  thread.state = State::off;
  thread.since_ns = record.time_ns;
  thread.is_runnable = out.is_runnable;
  thread.woken_ns = 0;
  thread.waker = Waker::none;
}

void BlockedSamples::on(const PerfRecord& record, const SwitchedIn& /*in*/) {
  Thread& thread = thread_of(record);
  if (thread.state == State::on) return;
  if (thread.state == State::off) close_wait(thread, record.time_ns);
  thread.state = State::on;
  thread.since_ns = record.time_ns;
  thread.early_wake_ns = 0;
  thread.chain.clear();
  thread.registers.clear();
  thread.dump.clear();
}

void BlockedSamples::on(const PerfRecord& record, const Woken& woken) {
  const auto found = live_.find(record.tid);
  if (found == live_.end()) return;  // Wake-ups come from the whole machine.
  Thread& thread = found->second;
  const Waker kind = woken.is_by_interrupt ? Waker::interrupt : Waker::thread;
  if (thread.state != State::off) thread.early_wake_ns = record.time_ns;
  const bool is_first = thread.state == State::off && !thread.is_runnable && thread.woken_ns == 0;
  if (is_first) thread.woken_ns = record.time_ns;
  if (is_first || thread.state != State::off) {
    thread.waker = kind;
    thread.waker_tid = woken.waker;
  }
  const auto waker = kind == Waker::thread ? live_.find(woken.waker) : live_.end();
  if (waker == live_.end()) return;
  Thread& by = waker->second;
  by.last_woken_tid = record.tid;
  const bool is_clock_old = by.state == State::on && record.time_ns > by.since_ns;
  by.cpu_at_last_woken_ns = by.cpu_ns + (is_clock_old ? record.time_ns - by.since_ns : 0);
}

void BlockedSamples::close_wait(Thread& thread, std::uint64_t now_ns) {
  if (now_ns <= thread.since_ns) return;
  std::uint64_t blocked_until = now_ns;
  if (thread.is_runnable) {
    blocked_until = thread.since_ns;
  } else if (thread.woken_ns > thread.since_ns && thread.woken_ns < now_ns) {
    blocked_until = thread.woken_ns;
  } else if (thread.early_wake_ns != 0 && thread.early_wake_ns + kGoingToSleepNs > thread.since_ns) {
    // Nobody woke it while it was off: the wake-up came when it had left the run queue, but not yet its CPU.
    blocked_until = thread.since_ns;
  }
  const std::uint64_t blocked_ns = blocked_until - thread.since_ns;
  const std::uint64_t scheduling_ns = now_ns - blocked_until;
  recording_.blocked_ns += blocked_ns;
  recording_.scheduling_ns += scheduling_ns;
  if (const std::uint64_t ticks = tick(thread.off_phase_ns, blocked_ns); ticks != 0) {
    add_blocked(thread, blocked_ns, ticks);
  }
  if (const std::uint64_t ticks = tick(thread.off_phase_ns, scheduling_ns); ticks != 0) {
    recording_.waits[row_of(thread, stack_of(thread), ThreadActivity::scheduling)].samples += ticks;
  }
}

std::uint64_t& BlockedSamples::count_of(RecordedWait& row, Waker waker) const {
  switch (waker) {
    case Waker::thread:
      return row.wakes.by_thread;
    case Waker::interrupt:
      return row.wakes.by_interrupt;
    case Waker::ending_thread:
      return row.wakes.by_ending_thread;
    case Waker::none:
      return row.wakes.never;
    case Waker::unknown:
      break;
  }
  return row.wakes.unknown;
}

void BlockedSamples::add_blocked(Thread& thread, std::uint64_t ns, std::uint64_t samples) {
  LastWait& last = thread.last;
  last = {};
  last.row = row_of(thread, stack_of(thread), ThreadActivity::blocked);
  last.samples = samples;
  last.digest = digest_of_chain(thread.chain);
  last.waker = thread.woken_ns != 0 ? thread.waker : Waker::unknown;
  last.waker_tid = thread.waker_tid;
  RecordedWait& row = recording_.waits[last.row];
  row.samples += samples;
  ++row.waits;
  row.wait_ns += ns;
  count_of(row, last.waker) += samples;
}

void BlockedSamples::end_last_wait(Thread& thread, AfterWait after) {
  if (thread.last.samples != 0) {
    RecordedWait& row = recording_.waits[thread.last.row];
    ++row.followed;
    row.cpu_after_ns += thread.last.cpu_ns;
    if (after != AfterWait::other_wait) ++row.came_back;
    if (after == AfterWait::end) ++row.ended_after;
  }
  thread.last = {};
}

// ---- threads come and go --------------------------------------------------------------------------------------------

void BlockedSamples::on(const PerfRecord& record, const Started& started) {
  if (started.parent_pid != record.pid) spaces_.fork(started.parent_pid, record.pid);
  if (const auto stale = live_.find(record.tid); stale != live_.end()) {
    // Its records may be ahead of this one: the parent's CPU writes it.
    if (stale->second.state != State::unknown && stale->second.since_ns + kGoingToSleepNs > record.time_ns) return;
    live_.erase(stale);
  }
  const auto parent = live_.find(started.parent_tid);
  std::string name = parent == live_.end() ? std::string() : parent->second.name;
  Thread& thread = thread_of(record);
  thread.name = std::move(name);
  thread.state = State::off;
  thread.since_ns = record.time_ns;
  thread.is_runnable = true;
}

void BlockedSamples::note_end_of_waker(const Thread& ended) {
  if (ended.last_woken_tid == 0 || ended.cpu_ns > ended.cpu_at_last_woken_ns + kEndingNs) return;
  const auto found = live_.find(ended.last_woken_tid);
  if (found == live_.end()) return;
  Thread& woken = found->second;
  if (woken.state == State::off && woken.waker == Waker::thread && woken.waker_tid == ended.tid) {
    woken.waker = Waker::ending_thread;
  }
  LastWait& last = woken.last;
  if (last.samples == 0 || last.waker != Waker::thread || last.waker_tid != ended.tid) return;
  RecordedWait& row = recording_.waits[last.row];
  row.wakes.by_thread -= last.samples;
  row.wakes.by_ending_thread += last.samples;
  last.waker = Waker::ending_thread;
}

void BlockedSamples::on(const PerfRecord& record, const Ended& /*ended*/) {
  const auto found = live_.find(record.tid);
  if (found != live_.end()) {
    Thread& thread = found->second;
    if (thread.state == State::on) advance_on(thread, record.time_ns);
    if (thread.state == State::off) close_wait(thread, record.time_ns);
    end_last_wait(thread, AfterWait::end);
    note_end_of_waker(thread);
    live_.erase(found);
  }
  // The first thread of a process may end before the others: their stacks need its mappings no less.
  const bool is_last =
      std::none_of(live_.begin(), live_.end(), [&](const auto& one) { return one.second.pid == record.pid; });
  if (is_last) spaces_.end(record.pid);
}

void BlockedSamples::on(const PerfRecord& record, const Named& named) {
  Thread& thread = thread_of(record);
  thread.name = named.name;
  if (named.is_exec) {
    if (thread.state == State::on) advance_on(thread, record.time_ns);
    const std::uint64_t on_phase_ns = thread.on_phase_ns;
    const std::uint64_t off_phase_ns = thread.off_phase_ns;
    thread = make_thread(record.pid, record.tid);  // Its samples so far are of another program.
    thread.name = named.name;
    thread.on_phase_ns = on_phase_ns;
    thread.off_phase_ns = off_phase_ns;
    thread.state = State::on;
    thread.since_ns = record.time_ns;
    spaces_.exec(record.pid);
  }
  remember_name(thread);
}

void BlockedSamples::on(const PerfRecord& record, const Mapped& mapped) {
  spaces_.map(record.pid, mapped.mapping);
  // After an execve(2) the first mapping tells the program, and the thread may have had a tick before.
  const auto first = live_.find(record.pid);
  if (first == live_.end() || first->second.serial == 0) return;
  std::uint32_t& programs = recording_.threads[first->second.serial].programs;
  if (programs == RecordedThread::kNoPrograms) programs = list_of_programs(record.pid);
}

void BlockedSamples::on(const PerfRecord& record, const Found& found) {
  Thread& thread = thread_of(record);
  if (thread.state != State::unknown) return;
  if (!found.is_asleep) return;
  thread.state = State::off;
  thread.since_ns = record.time_ns;
}

void BlockedSamples::on(const PerfRecord& record, const WaitSeen& seen) {
  const auto found = live_.find(record.tid);
  if (found == live_.end()) return;
  Thread& thread = found->second;
  const bool is_asleep = thread.state == State::off && !thread.is_runnable && thread.since_ns <= record.time_ns;
  if (!is_asleep) return;
  thread.kernel_function = seen.kernel_function;
  thread.seen_pc = seen.program_counter;
}

// ---- waits whose stack was not taken
// ----------------------------------------------------------------------------------

namespace {

/// Makes `counts` sum up to `sum`, in the proportions that they have. Their sum must not be 0.
void scale_to(std::span<std::uint64_t*> counts, std::uint64_t sum) {
  std::uint64_t all = 0;
  for (const std::uint64_t* count : counts) all += *count;
  std::uint64_t before = 0;
  std::uint64_t given = 0;
  for (std::uint64_t* count : counts) {
    before += *count;
    // As far as the sum of all so far should be: no remainder is left at the end.
    const auto target = static_cast<std::uint64_t>(
        static_cast<double>(sum) * static_cast<double>(before) / static_cast<double>(all) + 0.5);
    *count = target - given;
    given = target;
  }
}

}  // namespace

void BlockedSamples::spread_unseen() {
  struct Kind {
    std::uint64_t unseen = 0;
    std::uint64_t seen = 0;
    std::vector<RecordedWait*> rows;
  };
  std::unordered_map<std::uint64_t, Kind> kinds;
  for (RecordedWait& row : recording_.waits) {
    if (row.activity == ThreadActivity::running || row.samples == 0) continue;
    Kind& kind = kinds[std::uint64_t{row.thread} * 3 + static_cast<std::uint64_t>(row.activity)];
    (row.stack == kNoStack ? kind.unseen : kind.seen) += row.samples;
    if (row.stack != kNoStack) kind.rows.push_back(&row);
  }
  for (auto& [key, kind] : kinds) {
    if (kind.unseen == 0 || kind.seen == 0) continue;
    std::vector<std::uint64_t*> samples;
    for (RecordedWait* row : kind.rows) samples.push_back(&row->samples);
    scale_to(samples, kind.seen + kind.unseen);
    for (RecordedWait* row : kind.rows) {
      WakeCounts& wakes = row->wakes;
      std::array<std::uint64_t*, 5> counts{&wakes.by_thread, &wakes.by_interrupt, &wakes.by_ending_thread, &wakes.never,
                                           &wakes.unknown};
      if (row->activity == ThreadActivity::blocked) scale_to(counts, row->samples);
    }
  }
  std::erase_if(recording_.waits, [&](const RecordedWait& row) {
    if (row.stack != kNoStack || row.activity == ThreadActivity::running) return false;
    const auto kind = kinds.find(std::uint64_t{row.thread} * 3 + static_cast<std::uint64_t>(row.activity));
    return kind != kinds.end() && kind->second.seen != 0;
  });
}

// ---- what is told ---------------------------------------------------------------------------------------------------

std::vector<std::pair<std::uint32_t, std::uint32_t>> BlockedSamples::sleeping() const {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> threads;
  for (const auto& [tid, thread] : live_) {
    if (thread.state == State::off && !thread.is_runnable) threads.emplace_back(thread.pid, tid);
  }
  return threads;
}

OffCpuRecording BlockedSamples::finish(std::uint64_t now_ns, const std::function<bool(std::uint32_t tid)>& is_alive) {
  for (auto& [tid, thread] : live_) {
    if (thread.state == State::unknown || !is_alive(tid)) continue;
    if (thread.state == State::on) advance_on(thread, now_ns);
    if (thread.state != State::off) continue;
    thread.last = {};
    const bool slept_on = !thread.is_runnable && thread.woken_ns == 0;
    close_wait(thread, now_ns);
    if (!slept_on || thread.last.samples == 0) continue;
    RecordedWait& row = recording_.waits[thread.last.row];
    count_of(row, thread.last.waker) -= thread.last.samples;
    row.wakes.never += thread.last.samples;
  }
  live_.clear();
  if (sees_stacks_) spread_unseen();
  recording_.folded += stacks_.folded();
  recording_.stacks = stacks_.take();
  recording_.address_spaces = spaces_.kept();
  return std::move(recording_);
}

}  // namespace aiopt
