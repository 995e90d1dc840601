/// Starts the program, looks at its threads, and waits for it.

#include "measured_program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>
#include <utility>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "base/subprocess.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double now_seconds() {
  return static_cast<double>(monotonic_ns()) / 1e9;
}

/// How long the threads of a process live.
class ThreadLives {
 public:
  explicit ThreadLives(pid_t pid) : folder_(fmt::format("/proc/{}/task", pid)), last_look_(now_seconds()) {}

  void look() {
    const double now = now_seconds();
    const double between = (last_look_ + now) / 2;
    std::map<std::string, double> there;
    std::error_code failed;
    for (fs::directory_iterator entry(folder_, failed), end; !failed && entry != end; entry.increment(failed)) {
      const std::string name = entry->path().filename().string();
      const auto known = born_.find(name);
      there.emplace(name, known != born_.end() ? known->second : is_first_ ? now : between);
    }
    for (const auto& [name, since] : born_) sum_ += there.contains(name) ? 0.0 : between - since;
    born_ = std::move(there);
    last_look_ = now;
    is_first_ = false;
  }

  /// @return Of all of them, those that live having lived until now.
  double end() {
    const double now = now_seconds();
    for (const auto& [name, since] : born_) sum_ += now - since;
    born_.clear();
    return sum_;
  }

 private:
  fs::path folder_;
  std::map<std::string, double> born_;
  double last_look_;
  double sum_ = 0.0;
  bool is_first_ = true;
};

/// The first number of /proc/PID/schedstat, which is of its first thread.
double cpu_seconds_so_far(pid_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/schedstat", pid));
  double ns = 0.0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), ns);
  return ns / 1e9;
}

[[noreturn]] void become(const MeasuredCommand& command, char* const* arguments, int gate, int out) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (command.cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(*command.cpu, &one);
    if (::sched_setaffinity(0, sizeof one, &one) != 0) ::_exit(127);
  }
  char go = 0;
  if (::read(gate, &go, 1) != 1 || ::chdir(command.folder.c_str()) != 0) ::_exit(127);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  ::execvp(arguments[0], arguments);
  ::_exit(127);
}

/// Until it ends. In a thread of its own, which as root goes before all others: the children do not inherit that.
/// @return The sum of its threads' lives.
double watch_lives(pid_t pid) {
  double sum = 0.0;
  std::jthread watch([&] {
    ::setpriority(PRIO_PROCESS, 0, -20);
    const FileDescriptor end(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd ended{end.get(), POLLIN, 0};
    ThreadLives lives(pid);
    do lives.look();
    while (::poll(&ended, 1, 1) == 0);
    sum = lives.end();
  });
  watch.join();
  return sum;
}

/// To the end, in a thread of its own: a program that prints must not wait for us.
class Drain {
 public:
  explicit Drain(int from)
      : thread_([this, from] {
          std::array<char, 4096> chunk;
          for (ssize_t got = 0; (got = ::read(from, chunk.data(), chunk.size())) > 0;) {
            text_.append(chunk.data(), static_cast<std::size_t>(got));
          }
        }) {}
  std::string text() {
    thread_.join();
    return std::move(text_);
  }

 private:
  std::string text_;
  std::jthread thread_;
};

Result<std::string> run_builder(const std::string& line, const fs::path& folder) {
  Command command;
  command.line = line;
  command.directory = folder;
  auto built = run_command(command);
  if (!built) return built.error();
  if (!built->succeeded()) {
    return Error{Error::Code::io, fmt::format("cannot build by {}: {}", line, built->output)};
  }
  return std::move(built->out);
}

fs::path source_root() {
  const char* root = std::getenv("AIOPT_SOURCE_ROOT");
  return root == nullptr ? fs::current_path() : fs::path(root);
}

/// A child that waits before its execve(2).
struct HeldChild {
  pid_t pid = -1;
  FileDescriptor gate;
  FileDescriptor running;  ///< At its end as soon as the child has become the program.
  FileDescriptor out;

  void let_go() const {
    char byte = 1;
    [[maybe_unused]] const ssize_t written = ::write(gate.get(), &byte, 1);
    [[maybe_unused]] const ssize_t got = ::read(running.get(), &byte, 1);
  }
};

Result<HeldChild> hold_child(const MeasuredCommand& command) {
  std::array<int, 2> gate{};
  std::array<int, 2> running{};
  std::array<int, 2> out{};
  if (::pipe2(gate.data(), O_CLOEXEC) != 0 || ::pipe2(running.data(), O_CLOEXEC) != 0 ||
      ::pipe2(out.data(), O_CLOEXEC) != 0) {
    return Error{Error::Code::unavailable, std::string("cannot make a pipe: ") + std::strerror(errno)};
  }
  const FileDescriptor gate_end(gate[0]);
  const FileDescriptor running_end(running[1]);
  const FileDescriptor out_end(out[1]);
  HeldChild child{-1, FileDescriptor(gate[1]), FileDescriptor(running[0]), FileDescriptor(out[0])};
  std::vector<std::string> texts = command.arguments;
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  child.pid = ::fork();
  if (child.pid == 0) {
    child.gate.close();
    become(command, arguments.data(), gate[0], out[1]);
  }
  return child;
}

}  // namespace

Result<MeasuredRun> run_measured(const MeasuredCommand& command) {
  const auto child = hold_child(command);
  if (!child) return child.error();
  std::optional<OffCpuSampler> sampler;
  if (command.sampler) {
    auto attached = OffCpuSampler::attach_before_exec(child->pid, *command.sampler);
    if (!attached) return attached.error();
    sampler = *std::move(attached);
  }
  Drain drain(child->out.get());
  child->let_go();
  const double began = now_seconds();
  const double cpu_before = cpu_seconds_so_far(child->pid);
  MeasuredRun run;
  if (command.looks_at_threads) run.thread_seconds = watch_lives(child->pid);
  int status = 0;
  rusage used{};
  while (::wait4(child->pid, &status, 0, &used) < 0 && errno == EINTR) {
  }
  run.wall_seconds = now_seconds() - began;
  if (sampler) run.recording = sampler->finish();
  run.out = drain.text();
  run.cpu_seconds = seconds_of(used.ru_utime) + seconds_of(used.ru_stime) - cpu_before;
  run.switches = static_cast<double>(used.ru_nvcsw + used.ru_nivcsw);
  if (status == 0) return run;
  constexpr std::size_t kTail = 400;
  return Error{Error::Code::io, fmt::format("{} failed with wait status {}: ...{}", command.arguments.front(), status,
                                            run.out.substr(run.out.size() - std::min(run.out.size(), kTail)))};
}

Result<fs::path> build_walkv(const fs::path& folder) {
  std::error_code failed;
  fs::copy(source_root() / "examples/walkv", folder / "walkv", fs::copy_options::recursive, failed);
  if (failed)
    return Error{Error::Code::io, fmt::format("cannot copy walkv to {}: {}", folder.string(), failed.message())};
  const auto built = run_builder("make -s build/walkv_bench", folder / "walkv");
  if (!built) return built.error();
  return folder / "walkv/build/walkv_bench";
}

Result<fs::path> build_waiting(const fs::path& folder) {
  const char* const compiler = std::getenv("CXX");
  const auto built =
      run_builder(fmt::format("{} -O2 -g -std=c++20 -pthread -o waiting '{}'", compiler != nullptr ? compiler : "c++",
                              (source_root() / "tests/profile/programs/waiting.cpp").string()),
                  folder);
  if (!built) return built.error();
  return folder / "waiting";
}

double operations_per_second(std::string_view out) {
  const std::size_t unit = out.rfind(" ops/sec");
  if (unit == std::string_view::npos) return 0.0;
  const std::size_t begin = out.rfind(' ', unit - 1) + 1;
  double rate = 0.0;
  std::from_chars(out.data() + begin, out.data() + unit, rate);
  return rate;
}

std::string machine_load() {
  double load = 0.0;
  ::getloadavg(&load, 1);
  return fmt::format("load {:.1f} of {} CPUs", load, std::thread::hardware_concurrency());
}

}  // namespace aiopt
