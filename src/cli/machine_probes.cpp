/// The trials behind `aiopt doctor`, one function each.

#include "cli/machine_probes.hpp"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
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

const char* const kTracing = "/sys/kernel/tracing";

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

std::string tracefs_command() {
  std::error_code error;
  const bool mounted = fs::is_directory(fs::path(kTracing), error) && !fs::is_empty(kTracing, error);
  // Its files are for its group to read, whatever the mode of the folder; is_empty() fails where that may not be read.
  const std::string options = fmt::format("mode=750,gid={}", ::getegid());
  return mounted || error ? fmt::format("mount -o remount,{} {}", options, kTracing)
                          : fmt::format("mount -t tracefs -o {} tracefs {}", options, kTracing);
}

Finding probe_fsync_count(const ContainmentLayers& layers) {
  Finding finding{"fsync count", layers.counts_syncs, false, "", ""};
  if (layers.counts_sync_writes) {
    finding.what = "by tracepoints, of system calls and of the file system";
  } else if (layers.counts_syncs) {
    finding.what = "by tracepoints of system calls";
  } else {
    finding.what = "a candidate that no longer syncs is not seen: this user may not count fsync";
    finding.remedy = tracefs_command();
    if (!can_count(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK)) {
      finding.remedy = "sysctl -w kernel.perf_event_paranoid=1 && " + finding.remedy;
    }
  }
  return finding;
}

Finding probe_cgroup_limits(const ContainmentLayers& layers) {
  Finding finding{"cgroup limits", layers.tree_memory && layers.tree_processes, false, "", ""};
  if (finding.works) {
    finding.what = "memory and number of processes of a candidate";
    return finding;
  }
  finding.what =
      fmt::format("a candidate's {} cannot be limited", layers.tree_memory      ? "number of processes"
                                                        : layers.tree_processes ? "memory"
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
