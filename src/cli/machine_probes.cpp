/// The trials behind `aiopt doctor`, one function each.

#include "cli/machine_probes.hpp"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "base/text.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;

/// Empty if it may not be read.
std::string setting(const fs::path& file) {
  constexpr std::size_t kMaxBytes = 1 << 20;
  const Result<std::string> text = read_file(file, kMaxBytes);
  return text ? std::string(trim(*text)) : "";
}

struct Trial {
  bool works = false;
  bool started = false;  ///< The program is there.
  std::string output;    ///< One line.
};

Trial try_program(const std::vector<std::string>& arguments) {
  constexpr int kNotFound = 127;  // As the shell has it.
  Command command;
  command.directory = "/";
  command.timeout = std::chrono::seconds(10);
  const Result<CommandResult> ran = run_program(arguments, command);
  if (!ran) return {};
  return {ran->succeeded(), ran->exit_code() != kNotFound, one_line(ran->output, 120)};
}

/// Why an ordinary user gets no user namespace, and the command that changes it.
std::string user_namespace_remedy() {
  if (setting("/proc/sys/kernel/unprivileged_userns_clone") == "0")
    return "sysctl -w kernel.unprivileged_userns_clone=1";
  if (setting("/proc/sys/user/max_user_namespaces") == "0") return "sysctl -w user.max_user_namespaces=15000";
  if (setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1") {
    return "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  }
  return "in a container: start it with --security-opt seccomp=unconfined";
}

/// On this process, in user mode only: that is what an ordinary user may have.
FileDescriptor open_counter(perf_event_attr attributes) {
  attributes.size = sizeof attributes;
  attributes.exclude_hv = 1;
  return FileDescriptor(static_cast<int>(
      ::syscall(SYS_perf_event_open, &attributes, /*pid=*/0, /*cpu=*/-1, /*group=*/-1, PERF_FLAG_FD_CLOEXEC)));
}

bool can_count(std::uint32_t type, std::uint64_t event) {
  perf_event_attr attributes{};
  attributes.type = type;
  attributes.config = event;
  attributes.exclude_kernel = 1;
  return open_counter(attributes).is_open();
}

std::optional<std::uint64_t> number_in(const fs::path& file) {
  const std::string text = setting(file);
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc{}) return std::nullopt;
  return number;
}

/// Whether this counter sees one fsync of a file.
bool sees_fsync(const perf_event_attr& attributes) {
  const FileDescriptor counter = open_counter(attributes);
  if (!counter.is_open()) return false;
  const FileDescriptor file(::memfd_create("aiopt-doctor", MFD_CLOEXEC));
  std::uint64_t count = 0;
  return ::fsync(file.get()) == 0 && ::read(counter.get(), &count, sizeof count) == sizeof count && count == 1;
}

const char* const kTracing = "/sys/kernel/tracing";

bool sees_fsync_by_tracepoint() {
  // Each mounts tracefs, the second one as kernels before 4.1 had it.
  for (const fs::path folder : {kTracing, "/sys/kernel/debug/tracing"}) {
    const std::optional<std::uint64_t> id = number_in(folder / "events/syscalls/sys_enter_fsync/id");
    if (!id) continue;
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_TRACEPOINT;
    attributes.config = *id;
    // A system call comes from user mode, so this counts it and needs no right to look into the kernel.
    attributes.exclude_kernel = 1;
    return sees_fsync(attributes);
  }
  return false;
}

/// Needs no tracefs, but CAP_PERFMON.
bool sees_fsync_by_kprobe() {
  const std::optional<std::uint64_t> type = number_in("/sys/bus/event_source/devices/kprobe/type");
  if (!type) return false;
  perf_event_attr attributes{};
  attributes.type = static_cast<std::uint32_t>(*type);
  attributes.kprobe_func = reinterpret_cast<std::uint64_t>("vfs_fsync_range");
  return sees_fsync(attributes);
}

/// The folder of the cgroup that this process is in, for a controller: of version 1 if the controller is mounted so,
/// otherwise of version 2. Empty if there is none.
fs::path own_cgroup(std::string_view controller) {
  const std::string cgroups = setting("/proc/self/cgroup");  // "4:memory:/user.slice", "0::/user.slice"
  const std::string mounts = setting("/proc/self/mountinfo");
  const auto mount_of = [&](std::string_view type, std::string_view option) -> fs::path {
    for (const std::string_view line : split_lines(mounts)) {
      const std::size_t mark = line.find(fmt::format(" - {} ", type));
      if (mark == std::string_view::npos) continue;
      const std::string options = fmt::format(",{},", line.substr(line.rfind(' ') + 1));
      if (!option.empty() && options.find(fmt::format(",{},", option)) == std::string::npos) continue;
      std::string_view rest = line;
      for (int field = 0; field < 4; ++field) rest.remove_prefix(rest.find(' ') + 1);
      return rest.substr(0, rest.find(' '));
    }
    return {};
  };
  fs::path second_version;
  for (const std::string_view line : split_lines(cgroups)) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string names = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    const std::string path = "." + std::string(line.substr(second + 1));
    if (names.find(fmt::format(",{},", controller)) != std::string::npos) {
      const fs::path mount = mount_of("cgroup", controller);
      if (!mount.empty()) return (mount / path).lexically_normal();
    }
    if (names == ",,") {
      const fs::path mount = mount_of("cgroup2", "");
      if (!mount.empty()) second_version = (mount / path).lexically_normal();
    }
  }
  return second_version;
}

/// Whether a cgroup below that one can be made and one of these files in it be written.
bool can_limit(const fs::path& cgroup, const std::string& controller, const std::vector<std::string>& files) {
  if (cgroup.empty()) return false;
  const fs::path child = cgroup / fmt::format("aiopt-doctor-{}", ::getpid());
  std::error_code error;
  if (!fs::create_directory(child, error)) return false;
  bool found = false;
  for (const std::string& file : files) found = found || ::access((child / file).c_str(), W_OK) == 0;
  fs::remove(child, error);
  if (found) return true;
  // Version 2: a controller has to be handed down first, which may be done once no process is left in the cgroup
  // itself.
  const std::string controllers = fmt::format(" {} ", setting(cgroup / "cgroup.controllers"));
  return controllers.find(fmt::format(" {} ", controller)) != std::string::npos &&
         ::access((cgroup / "cgroup.subtree_control").c_str(), W_OK) == 0;
}

}  // namespace

Finding probe_bubblewrap() {
  const Trial trial = try_program({"bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"});
  Finding finding{"bubblewrap", trial.works, false, "a sandbox without network for candidates", ""};
  if (trial.works) return finding;
  finding.what += trial.started ? ": it does not start: " + trial.output : ": not found";
  finding.remedy = trial.started ? user_namespace_remedy() : "apt-get install bubblewrap";
  return finding;
}

Finding probe_user_namespaces() {
  const Trial trial = try_program({"unshare", "--user", "--map-root-user", "true"});
  Finding finding{"user namespaces", trial.works, false, "sandboxes need no root", ""};
  if (trial.works) return finding;
  finding.what += trial.started ? ": refused: " + trial.output : ": unshare not found";
  finding.remedy = trial.started ? user_namespace_remedy() : "apt-get install util-linux";
  return finding;
}

Finding probe_perf_events() {
  const std::string paranoid = setting("/proc/sys/kernel/perf_event_paranoid");
  if (paranoid.empty()) {
    return {"perf events", false, false, "the kernel has none", "a kernel with CONFIG_PERF_EVENTS (Debian's have it)"};
  }
  const bool works = can_count(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK);
  const bool has_cycles = can_count(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
  return {"perf events", works, false,
          fmt::format("perf_event_paranoid is {}: {}", paranoid,
                      !works       ? "this user may count and sample nothing"
                      : has_cycles ? "cycles and time can be counted and sampled"
                                   : "time can be counted and sampled; no cycles here, as in most virtual machines"),
          works ? "" : "sysctl -w kernel.perf_event_paranoid=1"};
}

Finding probe_fsync_count() {
  Finding finding{"fsync count", true, false, "", ""};
  if (sees_fsync_by_tracepoint()) {
    finding.what = "by its tracepoint";
  } else if (sees_fsync_by_kprobe()) {
    finding.what = "by a kprobe";
  } else {
    std::error_code error;
    const bool mounted = fs::is_directory(fs::path(kTracing), error) && !fs::is_empty(kTracing, error);
    finding.works = false;
    finding.what = "a candidate that no longer syncs is not seen: this user may not count fsync";
    // Its files are for its group to read, whatever the mode of the folder; is_empty() fails where that may not be
    // read.
    const std::string options = fmt::format("mode=750,gid={}", ::getegid());
    finding.remedy = mounted || error ? fmt::format("mount -o remount,{} {}", options, kTracing)
                                      : fmt::format("mount -t tracefs -o {} tracefs {}", options, kTracing);
    if (!can_count(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK)) {
      finding.remedy = "sysctl -w kernel.perf_event_paranoid=1 && " + finding.remedy;
    }
  }
  return finding;
}

Finding probe_cgroup_limits() {
  const fs::path memory = own_cgroup("memory");
  const bool memory_works = can_limit(memory, "memory", {"memory.max", "memory.limit_in_bytes"});
  const bool processes_work = can_limit(own_cgroup("pids"), "pids", {"pids.max"});
  Finding finding{"cgroup limits", memory_works && processes_work, false, "", ""};
  if (finding.works) {
    finding.what = "memory and number of processes of a candidate";
    return finding;
  }
  finding.what = fmt::format("a candidate's {} cannot be limited", memory_works     ? "number of processes"
                                                                   : processes_work ? "memory"
                                                                                    : "memory and number of processes");
  // Raspberry Pi OS starts its kernel without.
  const std::string controllers = setting("/proc/cgroups");
  const bool has_memory = controllers.empty() || controllers.find("memory\t") != std::string::npos;
  const std::string switched_off = "\nmemory\t0\t1\t0";
  finding.remedy = !has_memory || controllers.find(switched_off) != std::string::npos
                       ? "add cgroup_enable=memory to the kernel's command line"
                       : "systemd-run --user --scope -p Delegate=yes aiopt ...";
  return finding;
}

}  // namespace aiopt
