/// aiopt's side of a command: prepares it, starts its supervisor, and listens until all is over.

#include "base/subprocess.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/bounded_text.hpp"
#include "base/file_descriptor.hpp"
#include "base/orphans.hpp"
#include "base/slow_syncs.hpp"
#include "base/supervisor.hpp"
#include "base/sync_counter.hpp"
#include "base/text.hpp"
#include "base/thread_sampler.hpp"
#include "base/tree_cgroup.hpp"

namespace aiopt {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

/// How long the supervisor may need to end the tree. Longer only if the command keeps it from it, or a process hangs
/// in the kernel (a dead NFS server) or belongs to another user. Then aiopt kills the supervisor and tries itself.
constexpr std::chrono::seconds kEndPatience{10};
constexpr std::chrono::seconds kOwnPatience{5};
/// So often it is looked whether the command stopped its supervisor.
constexpr std::chrono::milliseconds kLookInterval{500};
/// By so much may the command have grown between its fork and its execve.
constexpr std::int64_t kFloorSlackBytes = 8 << 20;
/// Keeps a deadline's arithmetic from overflowing.
constexpr std::chrono::hours kLongestTimeout{24 * 365};
/// The sampler sleeps this many times as long as it worked, however many threads there are.
constexpr int kSamplerRest = 50;

Error system_error(std::string_view tried, int number) {
  const bool not_found = number == ENOENT || number == ENOTDIR;
  return {not_found ? Error::Code::not_found : Error::Code::io,
          fmt::format("{}: {}", tried, std::generic_category().message(number))};
}

/// A descriptor of 3 or more, so that the supervisor can put the standard streams below.
FileDescriptor above_standard_streams(FileDescriptor fd) {
  if (!fd.is_open() || fd.get() > STDERR_FILENO) return fd;
  return FileDescriptor(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("cannot make a pipe", errno);
  Pipe pipe{above_standard_streams(FileDescriptor(ends[0])), above_standard_streams(FileDescriptor(ends[1]))};
  if (!pipe.read.is_open() || !pipe.write.is_open()) return system_error("cannot make a pipe", errno);
  return pipe;
}

/// The input as a file in memory: unlike a pipe it never fills, breaks or waits.
Result<FileDescriptor> make_input(const std::string& input) {
  if (input.empty()) {
    FileDescriptor null = above_standard_streams(FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
    if (!null.is_open()) return system_error("cannot open /dev/null", errno);
    return null;
  }
  FileDescriptor file = above_standard_streams(FileDescriptor(::memfd_create("aiopt-input", MFD_CLOEXEC)));
  if (!file.is_open()) return system_error("cannot make a file in memory for a command's input", errno);
  std::string_view rest = input;
  while (!rest.empty()) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("cannot write a command's input to a file in memory", errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return system_error("cannot rewind a command's input", errno);
  return file;
}

/// Strings as execve(2) takes them.
class CStrings {
 public:
  explicit CStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {
    for (std::string& string : strings_) pointers_.push_back(string.data());
    pointers_.push_back(nullptr);
  }
  CStrings(const CStrings&) = delete;
  CStrings& operator=(const CStrings&) = delete;

  char* const* get() const { return pointers_.data(); }

 private:
  std::vector<std::string> strings_;
  std::vector<char*> pointers_;
};

std::vector<LimitToSet> limits_of(const ResourceLimits& wanted) {
  std::vector<LimitToSet> limits;
  const auto add = [&](int resource, std::uint64_t value, std::uint64_t grace = 0) {
    if (value != 0) limits.push_back({resource, {value, value + grace}});
  };
  add(RLIMIT_AS, wanted.address_space_bytes);
  add(RLIMIT_FSIZE, wanted.file_bytes);
  add(RLIMIT_NOFILE, wanted.open_files);
  add(RLIMIT_NPROC, wanted.processes);
  add(RLIMIT_CPU, wanted.cpu_seconds, 1);  // At the lower one SIGXCPU, which names the cause; at the higher SIGKILL.
  return limits;
}

/// CPU numbers as sched_setaffinity(2) takes them.
class CpuMask {
 public:
  explicit CpuMask(const std::vector<int>& cpus) {
    if (cpus.empty()) return;
    const auto count = static_cast<std::size_t>(*std::max_element(cpus.begin(), cpus.end())) + 1;
    sets_.resize((count + CPU_SETSIZE - 1) / CPU_SETSIZE);
    for (cpu_set_t& set : sets_) CPU_ZERO(&set);
    for (const int cpu : cpus) CPU_SET_S(static_cast<std::size_t>(cpu), bytes(), sets_.data());
  }

  const cpu_set_t* get() const { return sets_.empty() ? nullptr : sets_.data(); }
  std::size_t bytes() const { return sets_.size() * sizeof(cpu_set_t); }

 private:
  std::vector<cpu_set_t> sets_;
};

/// Names that no child sees.
struct SecretNames {
  std::mutex mutex;
  std::set<std::string> names = {"OPENAI_API_KEY"};
};

SecretNames& secret_names() {
  static SecretNames secrets;
  return secrets;
}

std::vector<std::string> environment_of(const Command& command) {
  SecretNames& secrets = secret_names();
  const std::lock_guard lock(secrets.mutex);
  std::vector<std::string> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string name(text.substr(0, text.find('=')));
    const auto& hidden = command.hidden_variables;
    if (secrets.names.contains(name) || std::find(hidden.begin(), hidden.end(), name) != hidden.end()) continue;
    if (!command.variables.contains(name)) environment.emplace_back(text);
  }
  for (const auto& [name, value] : command.variables) environment.push_back(fmt::format("{}={}", name, value));
  return environment;
}

/// The paths to try for a program, from the environment that it will have.
std::vector<std::string> paths_of(const std::string& program, const std::vector<std::string>& environment) {
  if (program.find('/') != std::string::npos) return {program};
  constexpr std::string_view kName = "PATH=";
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string_view entry : environment) {
    if (entry.starts_with(kName)) path = entry.substr(kName.size());
  }
  std::vector<std::string> paths;
  for (bool more = true; more;) {
    const std::size_t end = path.find(':');
    const std::string_view folder = path.substr(0, end);
    paths.push_back(fmt::format("{}/{}", folder.empty() ? "." : folder, program));
    more = end != std::string_view::npos;
    if (more) path.remove_prefix(end + 1);
  }
  return paths;
}

bool holds_null(const Command& command, const std::vector<std::string>& arguments) {
  const auto null_in = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  return std::any_of(arguments.begin(), arguments.end(), null_in) || null_in(command.directory.native()) ||
         std::any_of(command.variables.begin(), command.variables.end(),
                     [&](const auto& variable) { return null_in(variable.first) || null_in(variable.second); });
}

/// What is wrong with a command before anything is tried; "" if nothing is.
std::string_view mistake_in(const Command& command, const std::vector<std::string>& arguments) {
  if (holds_null(command, arguments)) return "it holds a null character";
  if (arguments.front().empty()) return "its wrapper has no name";
  const auto& passed = command.passed_descriptors;
  if (passed.size() > Launch::kMostPassed) return "too many descriptors are passed to it";
  if (std::any_of(passed.begin(), passed.end(), [](const auto& one) { return one.descriptor < 0 || one.target < 3; })) {
    return "a descriptor that is passed to it is not open, or would be one of 0 to 2";
  }
  constexpr int kMostCpus = 1 << 16;
  const auto& cpus = command.cpus;
  if (std::any_of(cpus.begin(), cpus.end(), [](int cpu) { return cpu < 0 || cpu >= kMostCpus; })) {
    return "it is given a CPU that there can't be";
  }
  return {};
}

/// Signals are blocked while it lives, so that none of aiopt's handlers runs in a child that was just forked.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

/// A command from its start to its end, in the thread that called.
class RunningCommand {
 public:
  RunningCommand(const Command& command, std::string name)
      : command_(command),
        name_(std::move(name)),
        output_(command.output_limit_bytes),
        out_(command.output_limit_bytes) {}

  Result<CommandResult> run(const std::vector<std::string>& arguments, std::stop_token stop) {
    if (auto started = start(arguments); !started) return started.error();
    const std::stop_callback wake(std::move(stop), [this] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = ::write(wish_.get(), &one, sizeof one);
    });
    listen();
    end_what_is_left();
    if (slow_syncs_) delayed_syncs_ = slow_syncs_->end();
    drain();
    if (start_error_) return *start_error_;
    return result();
  }

 private:
  Result<void> start(const std::vector<std::string>& arguments) {
    auto input = make_input(command_.input);
    if (!input) return input.error();
    std::array<Pipe, 4> pipes;
    for (Pipe& pipe : pipes) {
      auto made = make_pipe();
      if (!made) return made.error();
      pipe = std::move(*made);
    }
    auto& [out, errors, control, report] = pipes;
    wish_ = FileDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wish_.is_open()) return system_error("cannot make an eventfd", errno);
    for (const Pipe* pipe : {&out, &errors, &report}) ::fcntl(pipe->read.get(), F_SETFL, O_NONBLOCK);

    const std::vector<std::string> environment = environment_of(command_);
    const CStrings programs(paths_of(arguments.front(), environment));
    const CStrings argument_list(arguments);
    const CStrings variables(environment);
    const std::vector<LimitToSet> limits = limits_of(command_.limits);
    const CpuMask cpus(command_.cpus);
    std::vector<DescriptorMove> passed;
    for (const PassedDescriptor& one : command_.passed_descriptors) passed.push_back({one.descriptor, one.target});
    if (command_.limits.tree_memory_bytes != 0 || command_.limits.tree_processes != 0) {
      cgroup_.emplace(TreeCgroup::Limits{command_.limits.tree_memory_bytes, command_.limits.tree_processes});
    }
    const std::vector<int> groups = cgroup_ ? cgroup_->join_descriptors() : std::vector<int>();
    Launch launch;
    launch.programs = programs.get();
    launch.arguments = argument_list.get();
    launch.environment = variables.get();
    launch.directory = command_.directory.empty() ? nullptr : command_.directory.c_str();
    launch.input = input->get();
    launch.output = out.write.get();
    launch.errors = errors.write.get();
    launch.control = control.read.get();
    launch.report = report.write.get();
    launch.passed = passed;
    launch.limits = limits;
    launch.groups = groups;
    if (cgroup_) {
      launch.stop_forks = cgroup_->stop_forks_descriptor();
      launch.kill_group = cgroup_->kill_descriptor();
    }
    launch.cpus = cpus.get();
    launch.cpus_bytes = cpus.bytes();
    launch.no_new_privileges = command_.no_new_privileges;
    if (command_.count_syncs) launch.sync_events = sync_events();
    if (command_.sync_delay.count() > 0) {
      auto slow = SlowSyncs::make(command_.sync_delay);
      if (!slow) return slow.error();
      launch.slow_syncs = slow_syncs_.emplace(std::move(*slow)).command_end();
    }
    Pipe go;
    if (command_.before_start) {
      auto made = make_pipe();
      if (!made) return made.error();
      go = std::move(*made);
      launch.go = go.read.get();
    }
    if (auto forked = start_supervisor(launch); !forked) return forked;
    if (command_.before_start) command_.before_start(supervisor_);
    go.write.close();

    out_pipe_ = std::move(out.read);
    errors_pipe_ = std::move(errors.read);
    control_ = std::move(control.write);
    report_pipe_ = std::move(report.read);
    return {};
  }

  Result<void> start_supervisor(const Launch& launch) {
    const BlockedSignals blocked;
    started_ = std::chrono::steady_clock::now();
    deadline_ = started_ + std::min<std::chrono::milliseconds>(command_.timeout, kLongestTimeout);
    supervisor_ = fork_supervisor();
    if (supervisor_ == 0) supervise(launch);
    if (supervisor_ < 0) return system_error(fmt::format("cannot start {}: fork", name_), errno);
    if (slow_syncs_) slow_syncs_->start();
    if (command_.count_threads) sampler_.emplace(supervisor_);
    next_sample_ = started_;
    next_look_ = started_ + kLookInterval;
    return {};
  }

  /// Until the supervisor has reported the end of the tree, or is gone, or has run out of patience.
  void listen() {
    while (!is_over_ && report_pipe_.is_open()) {
      const SteadyTime now = std::chrono::steady_clock::now();
      if (now >= deadline_ && is_ending_) return;
      if (now >= deadline_) end_tree(TimedOut{});
      if (sampler_ && now >= next_sample_) sample(now);
      if (now >= next_look_) look_after_supervisor(now);

      std::array<pollfd, 4> events{{{out_pipe_.get(), POLLIN, 0},
                                    {errors_pipe_.get(), POLLIN, 0},
                                    {report_pipe_.get(), POLLIN, 0},
                                    {is_ending_ ? -1 : wish_.get(), POLLIN, 0}}};
      if (::poll(events.data(), events.size(), milliseconds_to_wait()) < 0) continue;
      if (events[0].revents != 0) read_output(out_pipe_, true);
      if (events[1].revents != 0) read_output(errors_pipe_, false);
      if (events[2].revents != 0) read_report();
      if (events[3].revents != 0 && !is_ending_) end_tree(Cancelled{});
    }
  }

  /// Rounded up: a time-out of 0 again and again would spin until the deadline.
  int milliseconds_to_wait() const {
    SteadyTime until = std::min(deadline_, next_look_);
    if (sampler_ && !is_ending_) until = std::min(until, next_sample_);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(wait, 0, 60'000));
  }

  void sample(SteadyTime now) {
    if (is_ending_) return;
    sampler_->sample(now);
    const SteadyTime after = std::chrono::steady_clock::now();
    next_sample_ = now + std::max<SteadyTime::duration>(ThreadSampler::kInterval, kSamplerRest * (after - now));
  }

  /// Nobody stops a supervisor but its command.
  void look_after_supervisor(SteadyTime now) {
    next_look_ = now + kLookInterval;
    siginfo_t stopped{};
    if (::waitid(P_PID, static_cast<id_t>(supervisor_), &stopped, WSTOPPED | WNOHANG) != 0) return;
    if (stopped.si_pid == supervisor_) ::kill(supervisor_, SIGCONT);
  }

  void end_tree(std::variant<Exited, Signalled, TimedOut, Cancelled> why) {
    wished_end_ = why;
    is_ending_ = true;
    control_.close();
    deadline_ = std::chrono::steady_clock::now() + kEndPatience;
    next_look_ = std::chrono::steady_clock::now();
  }

  /// @return Whether there may be more at once.
  bool read_output(FileDescriptor& pipe, bool is_out) {
    std::array<char, 65536> chunk;
    const ssize_t got = ::read(pipe.get(), chunk.data(), chunk.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return errno == EINTR;
    if (got <= 0) {
      pipe.close();
      return false;
    }
    const std::string_view bytes(chunk.data(), static_cast<std::size_t>(got));
    output_.append(bytes);
    if (is_out) out_.append(bytes);
    return true;
  }

  void read_report() {
    SupervisorReport report;
    const ssize_t got = ::read(report_pipe_.get(), &report, sizeof report);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got != sizeof report) {
      report_pipe_.close();
      return;
    }
    switch (report.kind) {
      case SupervisorReport::Kind::no_directory:
        start_error_ =
            system_error(fmt::format("cannot start {} in {}", name_, command_.directory.string()), report.value);
        break;
      case SupervisorReport::Kind::no_program:
        start_error_ = system_error(fmt::format("cannot start {}", name_), report.value);
        break;
      case SupervisorReport::Kind::command_ended:
        is_ending_ = true;
        deadline_ = std::chrono::steady_clock::now() + kEndPatience;
        break;
      case SupervisorReport::Kind::tree_ended:
        is_over_ = true;
        break;
    }
    if (report.kind >= SupervisorReport::Kind::command_ended) report_ = report;
  }

  /// What the pipes still hold. All who could write are dead; should another user's process have got hold of a
  /// pipe, it is not waited for, and what it goes on writing has an end too.
  void drain() {
    const SteadyTime until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    for (FileDescriptor* pipe : {&out_pipe_, &errors_pipe_}) {
      while (pipe->is_open() && std::chrono::steady_clock::now() < until && read_output(*pipe, pipe == &out_pipe_)) {
      }
    }
  }

  /// The supervisor, and if it did not end the tree, all that it left to aiopt.
  void end_what_is_left() {
    if (!is_over_ && report_pipe_.is_open()) ::kill(supervisor_, SIGKILL);
    if (!wait_for_supervisor(supervisor_, kEndPatience)) {
      ::kill(supervisor_, SIGKILL);
      if (!wait_for_supervisor(supervisor_, kOwnPatience)) return;
    }
    if (!is_over_ && !start_error_) {
      if (cgroup_) {
        [[maybe_unused]] ssize_t written = ::write(cgroup_->stop_forks_descriptor(), "0", 1);
        written = ::write(cgroup_->kill_descriptor(), "1", 1);
      }
      end_orphans(started_, kOwnPatience);
    }
    forget_supervisor(supervisor_);
  }

  CommandResult result() const {
    CommandResult result;
    result.end = end();
    result.output = output_.text();
    result.out = out_.text();
    result.wall_time = std::chrono::duration_cast<std::chrono::microseconds>(
        report_ ? std::chrono::nanoseconds(report_->wall_ns) : std::chrono::steady_clock::now() - started_);
    if (is_over_) {
      result.cpu_time = std::chrono::microseconds(report_->cpu_us);
      result.peak_rss_bytes = peak_rss_bytes();
      result.bytes_written = static_cast<std::uint64_t>(report_->bytes_written);
      result.processes_left = report_->processes_left;
      result.cpu_after_end = std::chrono::microseconds(report_->cpu_after_end_us);
      if (report_->syncs >= 0) result.syncs = static_cast<std::uint64_t>(report_->syncs);
    }
    result.delayed_syncs = delayed_syncs_;
    if (cgroup_) {
      result.tree_peak_bytes = cgroup_->peak_bytes();
      result.hit_memory_limit = cgroup_->hit_memory_limit();
    }
    // Whatever used the CPU ran, even if it came and went between two samples.
    if (sampler_) result.thread_time = std::max(sampler_->thread_time(), result.cpu_time);
    return result;
  }

  std::uint64_t peak_rss_bytes() const {
    const bool is_of_the_command = report_->peak_rss_bytes > report_->rss_floor_bytes + kFloorSlackBytes;
    if (is_of_the_command || !sampler_) return static_cast<std::uint64_t>(report_->peak_rss_bytes);
    return sampler_->peak_rss_bytes();
  }

  std::variant<Exited, Signalled, TimedOut, Cancelled> end() const {
    const bool ended_by_itself = report_ && !report_->was_asked;
    if (wished_end_ && !ended_by_itself) return *wished_end_;
    // The command killed the supervisor, before or after it ended, which only a hostile one does.
    if (!is_over_) return Signalled{SIGKILL};
    if (WIFSIGNALED(report_->value)) return Signalled{WTERMSIG(report_->value)};
    return Exited{WEXITSTATUS(report_->value)};
  }

  const Command& command_;
  const std::string name_;
  BoundedText output_;
  BoundedText out_;

  pid_t supervisor_ = -1;
  FileDescriptor out_pipe_;
  FileDescriptor errors_pipe_;
  FileDescriptor report_pipe_;
  FileDescriptor control_;
  FileDescriptor wish_;  ///< An eventfd: the stop token was used.

  SteadyTime started_;
  SteadyTime deadline_;  ///< Of the command; once it is ending, of the supervisor's patience.
  SteadyTime next_sample_;
  SteadyTime next_look_;  ///< At the supervisor.
  std::optional<ThreadSampler> sampler_;
  std::optional<TreeCgroup> cgroup_;
  std::optional<SlowSyncs> slow_syncs_;
  std::optional<std::uint64_t> delayed_syncs_;

  bool is_ending_ = false;
  bool is_over_ = false;
  std::optional<std::variant<Exited, Signalled, TimedOut, Cancelled>> wished_end_;
  std::optional<SupervisorReport> report_;  ///< The last one that told of an end.
  std::optional<Error> start_error_;
};

/// The command in an error message: its first line, not all of a script.
std::string quoted(const std::string& line) {
  const auto lines = split_lines(trim(line));
  return fmt::format("'{}'", shorten_middle(lines.empty() ? "" : lines.front(), 80));
}

Result<CommandResult> run(const std::vector<std::string>& program, const Command& command, std::string name,
                          std::stop_token stop) {
  std::vector<std::string> arguments = command.wrapper;
  arguments.insert(arguments.end(), program.begin(), program.end());
  if (const std::string_view mistake = mistake_in(command, arguments); !mistake.empty()) {
    return Error{Error::Code::invalid_argument, fmt::format("cannot start {}: {}", name, mistake)};
  }
  if (stop.stop_requested()) {
    CommandResult result;
    result.end = Cancelled{};
    return result;
  }
  // What can't be started is the wrapper; of the program within only that knows.
  if (!command.wrapper.empty()) name = fmt::format("{} around {}", quoted(command.wrapper.front()), name);
  return RunningCommand(command, std::move(name)).run(arguments, std::move(stop));
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

}  // namespace

bool CommandResult::succeeded() const {
  const Exited* exited = std::get_if<Exited>(&end);
  return exited != nullptr && exited->code == 0;
}

int CommandResult::exit_code() const {
  if (const Exited* exited = std::get_if<Exited>(&end)) return exited->code;
  if (const Signalled* signalled = std::get_if<Signalled>(&end)) return 128 + signalled->signal;
  return std::holds_alternative<TimedOut>(end) ? 124 : 128 + SIGINT;
}

std::string CommandResult::how_it_ended() const {
  if (const Exited* exited = std::get_if<Exited>(&end)) {
    const int signal = exited->code - 128;  // As a shell has it.
    const bool is_signal = signal > 0 && signal < NSIG && ::sigabbrev_np(signal) != nullptr;
    return fmt::format("exit code {}{}", exited->code, is_signal ? fmt::format(" ({})", signal_name(signal)) : "");
  }
  if (const Signalled* signalled = std::get_if<Signalled>(&end)) {
    return fmt::format("killed by {}", signal_name(signalled->signal));
  }
  if (std::holds_alternative<Cancelled>(end)) return "stopped";
  const double seconds = std::chrono::duration<double>(wall_time).count();
  return fmt::format("timed out after {} s", std::round(seconds * 10) / 10);
}

void hide_from_children(const std::string& variable) {
  SecretNames& secrets = secret_names();
  const std::lock_guard lock(secrets.mutex);
  secrets.names.insert(variable);
}

Result<CommandResult> run_command(const Command& command, std::stop_token stop) {
  return run({"/bin/sh", "-c", command.line}, command, quoted(command.line), std::move(stop));
}

Result<CommandResult> run_program(const std::vector<std::string>& arguments, const Command& command,
                                  std::stop_token stop) {
  if (arguments.empty() || arguments.front().empty()) {
    return Error{Error::Code::invalid_argument, "cannot start a program: it has no name"};
  }
  return run(arguments, command, quoted(arguments.front()), std::move(stop));
}

}  // namespace aiopt
