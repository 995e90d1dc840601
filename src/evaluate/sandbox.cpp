/// The sandbox: finding out whether it works, and bwrap's arguments.

#include "evaluate/sandbox.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "evaluate/seccomp_filter.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;

// Descriptors as the wrapper expects them. One digit: a shell's redirection knows no more.
constexpr int kFilterNumber = 7;
constexpr int kShellNumber = 8;
constexpr int kReportNumber = 9;

constexpr const char* kOwnFolder = "/run/aiopt/";
constexpr const char* kShellInside = "/run/aiopt/sh";
/// The system's shell once more, by which its processes can be told from the command's.
constexpr const char* kStartShell = "/run/aiopt/start/sh";
constexpr std::size_t kReportBytes = 64 << 10;

constexpr std::array kAlwaysHidden = {"/home", "/root", "/run"};
constexpr std::array kTemporary = {"/tmp", "/var/tmp", "/dev/shm"};
constexpr std::array kSystemFolders =
    std::to_array<std::string_view>({"usr", "bin", "sbin", "lib", "lib64", "etc", "dev", "proc", "sys"});
/// File systems that show root more than others, whatever its capabilities.
constexpr std::array kKernelFolders = {"/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security",
                                       "/sys/fs/bpf", "/sys/firmware"};

/// What root may write in /proc without a capability: it owns it. bwrap leaves these open where it finds their folder
/// not writable, and /proc/sys/kernel/core_pattern runs programs on the host.
constexpr std::array kProcFolders = {"/proc/sys",  "/proc/sysrq-trigger", "/proc/irq",  "/proc/bus",
                                     "/proc/fs",   "/proc/acpi",          "/proc/scsi", "/proc/asound",
                                     "/proc/mtrr", "/proc/dynamic_debug"};

constexpr std::array kVariables = std::to_array<std::string_view>({
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "CC",
    "CXX",
    "CPP",
    "LD",
    "AR",
    "AS",
    "NM",
    "RANLIB",
    "STRIP",
    "OBJCOPY",
    "CC_LD",
    "CXX_LD",
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "LDLIBS",
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "LIBRARY_PATH",
    "LD_LIBRARY_PATH",
    "COMPILER_PATH",
    "GCC_EXEC_PREFIX",
    "MAKE",
    "MAKEFLAGS",
    "NINJA_STATUS",
    "PKG_CONFIG",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG_LIBDIR",
    "SOURCE_DATE_EPOCH",
    "CTEST_OUTPUT_ON_FAILURE",
    "ASAN_OPTIONS",
    "LSAN_OPTIONS",
    "TSAN_OPTIONS",
    "UBSAN_OPTIONS",
    "GLIBC_TUNABLES",
});
constexpr std::array kVariablePrefixes =
    std::to_array<std::string_view>({"AIOPT_", "LC_", "CMAKE_", "OMP_", "MALLOC_"});

bool is_let_in(std::string_view name) {
  return std::find(kVariables.begin(), kVariables.end(), name) != kVariables.end() ||
         std::any_of(kVariablePrefixes.begin(), kVariablePrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

/// Waits for the command's end, then tells what is left of it and what the network's counters say. Builtins alone:
/// nothing of it can fail for want of a process or be replaced. What it says first must stand before it looks again,
/// which may fail. $1: the shell that runs the command, see kStart.
constexpr std::string_view kWatch = R"sh(
main=$1
echo go >&5
exec 5>&-
read -r end <&6
count() {
  left=0 self=
  for process in /proc/[0-9]*; do
    case ${process#/proc/} in
      1 | $main) continue ;;
      $$) self=seen; continue ;;
    esac
    state=
    while read -r key value rest; do
      case $key in State:) state=$value; break ;; esac
    done 2>/dev/null <"$process/status"
    case $state in
      [ZX]*) ;;
      '') if [ -d "$process" ]; then left=$((left + 1)); fi ;;
      *) left=$((left + 1)) ;;
    esac
  done
  if [ -z "$self" ]; then exit 1; fi
}
count
while read -r line; do
  case $line in Ip:*) echo "$line" ;; *) break ;; esac
done 2>/dev/null </proc/net/snmp >&9
if [ -e /proc/net/snmp6 ]; then
  while read -r line; do
    case $line in Ip6OutNoRoutes*) echo "$line"; break ;; esac
  done 2>/dev/null </proc/net/snmp6 >&9
fi
echo "processes $left" >&9
echo end >&9
for again in 1 2 3 4 5; do
  if [ $left -eq 0 ]; then break; fi
  /bin/sleep 0.02
  count
  echo "processes $left" >&9
done
)sh";

/// Starts the watch, waits until nobody can look into it any more, gives its report's descriptor up and runs the
/// command. The command is no child of the watch: a process that is run from an unreadable file loses the perf events
/// that it inherited (begin_new_exec() in fs/exec.c), and with them all its children would, the count of syncs too.
/// Whoever wakes the watch early is seen running by it; whoever ends this shell or the watch leaves no report.
constexpr std::string_view kStart = R"sh(
watch=$1
shift
a=/tmp/.aiopt-a b=/tmp/.aiopt-b
/usr/bin/mkfifo $a $b || exit 126
(exec 6<$b 5>$a; exec /run/aiopt/sh -c "$watch" sh $$) &
exec 9>&- 6>$b
read -r go <$a
/bin/rm $a $b
"$@" 6>&-
status=$?
echo end >&6
exec 6>&-
wait $!
exit $status
)sh";

Error system_error(std::string_view tried) {
  return {Error::Code::io, fmt::format("{}: {}", tried, std::generic_category().message(errno))};
}

/// With an offset of its own: who reads the one does not move the other.
FileDescriptor reopened(const FileDescriptor& file, int flags) {
  return FileDescriptor(::open(fmt::format("/proc/self/fd/{}", file.get()).c_str(), flags | O_CLOEXEC));
}

fs::path found_in_path(std::string_view program) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const fs::path candidate = fs::path(rest.substr(0, end)) / program;
    if (candidate.is_absolute() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

/// The user's home, by the environment and by the password file.
std::vector<fs::path> homes() {
  std::vector<fs::path> found;
  if (const char* home = std::getenv("HOME")) found.emplace_back(home);
  passwd entry{};
  passwd* user = nullptr;
  std::array<char, 16384> buffer;
  if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &user) == 0 && user != nullptr) {
    found.emplace_back(user->pw_dir);
  }
  // Some have / for a home, or a folder of the system's: /usr/sbin, /var/lib/postgresql's parent.
  std::erase_if(found, [](const fs::path& home) {
    const fs::path place = home.lexically_normal();
    if (!place.is_absolute() || place == "/" || place == "/var" || place == "/var/lib") return true;
    const std::string top = std::next(place.begin())->string();
    return std::find(kSystemFolders.begin(), kSystemFolders.end(), top) != kSystemFolders.end();
  });
  return found;
}

/// Sockets and named pipes below `folder` and down to `depth` folders: a read-only mount keeps nobody from using them.
/// To root also what others may not read there: without capabilities it still owns it. Nothing that is empty (locks):
/// each mount costs some 0.2 ms.
void add_private(const fs::path& folder, int depth, std::vector<fs::path>& found) {
  const bool is_root = ::geteuid() == 0;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    struct stat status {};
    if (::lstat(entry.path().c_str(), &status) != 0 || entry.path() == "/var/tmp") continue;
    const bool is_folder = S_ISDIR(status.st_mode);
    const bool is_private = (status.st_mode & S_IROTH) == 0 || (is_folder && (status.st_mode & S_IXOTH) == 0);
    std::error_code ignored;
    if (S_ISSOCK(status.st_mode) || S_ISFIFO(status.st_mode)) {
      found.push_back(entry.path());
    } else if (is_root && is_private && (is_folder || S_ISREG(status.st_mode))) {
      if (!fs::is_empty(entry.path(), ignored)) found.push_back(entry.path());
    } else if (is_folder && depth > 1) {
      add_private(entry.path(), depth - 1, found);
    }
  }
}

enum class Place { hidden, temporary, readable, writable };

/// What is mounted where, from the outside in: a folder sorts before what is in it.
class Mounts {
 public:
  void add(const fs::path& at, Place place) {
    std::error_code failure;
    const fs::path real = fs::canonical(at, failure);
    if (failure || real == "/") return;
    mounts_[real] = {place, real};
    // A link in a hidden place that leads here is hidden too: it is seen there as what it leads to.
    const fs::path link = at.lexically_normal();
    if (link != real && place != Place::hidden && place != Place::temporary && is_covered(link)) {
      mounts_[link] = {place, real};
    }
  }

  /// Where nothing need be: in a hidden place.
  void add_decoy(const fs::path& at, const fs::path& from) {
    std::error_code failure;
    const fs::path folder = fs::canonical(at.parent_path(), failure);
    if (!failure) mounts_[folder / at.filename()] = {Place::readable, from};
  }

  /// In the order in which bwrap has to do them.
  std::vector<std::string> arguments(std::uint64_t temporary_bytes) const {
    std::vector<std::string> arguments;
    // Hidden places take what is mounted in them first.
    std::vector<std::string> sealed;
    const auto add = [&](std::vector<std::string> more) {
      arguments.insert(arguments.end(), more.begin(), more.end());
    };
    for (const auto& [at, mount] : mounts_) {
      const std::optional<Place> around = place_around(at);
      switch (mount.place) {
        case Place::hidden:
          if (around == Place::hidden) break;
          if (fs::is_directory(at)) {
            add({"--size", "1048576", "--tmpfs", at});
            sealed.insert(sealed.end(), {"--remount-ro", at});
          } else {
            add({"--ro-bind", "/dev/null", at});  // As bind mounts are nodev, opening it is refused.
          }
          break;
        case Place::temporary:
          add({"--perms", "1777", "--size", std::to_string(temporary_bytes), "--tmpfs", at});
          break;
        case Place::readable:
          if (mount.from == at && (!around || around == Place::readable)) break;
          add({"--ro-bind", mount.from, at});
          break;
        case Place::writable:
          add({"--bind", mount.from, at});
          break;
      }
    }
    // Executable and no more: see class Sandbox.
    add({"--perms", "0111", "--ro-bind-data", std::to_string(kShellNumber), kShellInside});
    add({"--ro-bind", "/bin/sh", kStartShell});
    add(std::move(sealed));
    return arguments;
  }

 private:
  struct Mount {
    Place place;
    fs::path from;
  };

  std::optional<Place> place_around(const fs::path& at) const {
    for (fs::path folder = at.parent_path(); folder != folder.root_path(); folder = folder.parent_path()) {
      if (const auto found = mounts_.find(folder); found != mounts_.end()) return found->second.place;
    }
    return std::nullopt;
  }

  bool is_covered(const fs::path& at) const {
    const std::optional<Place> around = place_around(at);
    return around == Place::hidden || around == Place::temporary;
  }

  std::map<fs::path, Mount> mounts_;
};

std::optional<int> number_in(std::string_view text) {
  text = trim(text);
  int number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

/// The value below a name, in a file like /proc/net/snmp: "Ip: Forwarding DefaultTTL ...", then "Ip: 2 64 ...".
std::optional<int> value_below(std::string_view names, std::string_view values, std::string_view name) {
  const auto next = [](std::string_view& text) {
    text = trim(text);
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    return word;
  };
  while (!names.empty() && !values.empty()) {
    const std::string_view value = next(values);
    if (next(names) == name) return number_in(value);
  }
  return std::nullopt;
}

std::optional<SandboxObservations> parse_report(std::string_view report) {
  std::string_view ip_names;
  std::optional<int> processes;
  std::optional<int> attempts;
  int attempts_v6 = 0;
  bool is_whole = false;
  for (const std::string_view line : split_lines(report)) {
    constexpr std::string_view kProcesses = "processes ";
    constexpr std::string_view kIpv6 = "Ip6OutNoRoutes";
    if (line.starts_with("Ip:")) {
      if (!ip_names.empty()) attempts = value_below(ip_names, line, "OutNoRoutes");
      ip_names = line;
    } else if (line.starts_with(kIpv6)) {
      attempts_v6 = number_in(line.substr(kIpv6.size())).value_or(0);
    } else if (line.starts_with(kProcesses)) {
      processes = number_in(line.substr(kProcesses.size()));
    } else if (line == "end") {
      is_whole = true;
    }
  }
  if (!is_whole || !processes || !attempts) return std::nullopt;
  return SandboxObservations{*processes, *attempts + attempts_v6};
}

Error refused(std::string_view why) {
  return {Error::Code::unavailable,
          fmt::format("no sandbox: {}; apt-get install bubblewrap, and let users make namespaces (sysctl "
                      "kernel.unprivileged_userns_clone=1, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0)",
                      why)};
}

}  // namespace

std::optional<SandboxObservations> SandboxedCommand::observations() const {
  for (const Passed& passed : descriptors) {
    if (passed.number != kReportNumber) continue;
    std::string report(kReportBytes, '\0');
    const ssize_t got = ::pread(passed.file.get(), report.data(), report.size(), 0);
    return got < 0 ? std::nullopt : parse_report(std::string_view(report.data(), static_cast<std::size_t>(got)));
  }
  return std::nullopt;
}

Result<Sandbox> Sandbox::probe(SandboxMode mode) {
  Sandbox sandbox;
  if (mode == SandboxMode::off) return sandbox;
  if (auto works = sandbox.set_up(); !works) {
    if (mode == SandboxMode::require) return works.error();
    sandbox.bwrap_.clear();
    sandbox.warning_ = works.error().message + "; candidates run with all your rights";
  }
  return sandbox;
}

Result<void> Sandbox::set_up() {
  bwrap_ = found_in_path("bwrap");
  std::error_code failure;
  // As the kernel names it to a profiler.
  if (const fs::path real = fs::canonical(bwrap_, failure); !failure) bwrap_ = real;
  if (bwrap_.empty()) return refused("bwrap is not there");
  auto filter = make_seccomp_filter();
  if (!filter) return filter.error();
  filter_ = std::move(*filter);
  shell_ = FileDescriptor(::open("/bin/sh", O_RDONLY | O_CLOEXEC));
  if (!shell_.is_open()) return system_error("cannot read /bin/sh");

  always_hidden_.assign(kAlwaysHidden.begin(), kAlwaysHidden.end());
  for (fs::path& home : homes()) always_hidden_.push_back(std::move(home));
  std::error_code ignored;
  for (const char* folder : kKernelFolders) {
    if (!fs::is_empty(folder, ignored)) always_hidden_.emplace_back(folder);
  }
  add_private("/etc", 8, always_hidden_);
  for (const char* folder : {"/var", "/opt", "/srv"}) add_private(folder, 3, always_hidden_);
  return try_out();
}

Result<void> Sandbox::try_out() {
  std::error_code failure;
  const fs::path folder = fs::is_directory("/usr", failure) ? "/usr" : "/etc";
  SandboxPolicy policy;
  policy.workspace = folder;
  policy.writable_workspace = false;
  auto sandboxed = enclose(policy);
  if (!sandboxed) return sandboxed.error();
  Command command;
  command.directory = folder;
  command.timeout = std::chrono::seconds(10);
  apply(*sandboxed, command);
  const auto ran = run_program(
      sandboxed_arguments(*sandboxed, "if (ulimit -u 64) 2>/dev/null; then echo u; else echo p; fi"), command);
  if (!ran) return refused(ran.error().message);
  if (!ran->succeeded()) {
    return refused(fmt::format("bwrap does not work here: {}",
                               one_line(ran->output.empty() ? ran->how_it_ended() : ran->output, 300)));
  }
  if (!sandboxed->observations()) return refused("a command could not be watched in bwrap");
  process_limit_option_ = trim(ran->out);
  return {};
}

namespace {

constexpr const char* kLibraryPath = "LD_LIBRARY_PATH";

/// An empty or relative one is the workspace, where a candidate may have put a libc for whatever starts there.
std::string absolute_folders(std::string_view path_list) {
  std::string kept;
  while (!path_list.empty()) {
    const std::size_t end = std::min(path_list.find_first_of(":;"), path_list.size());
    const std::string_view folder = path_list.substr(0, end);
    if (folder.starts_with('/')) kept += (kept.empty() ? "" : ":") + std::string(folder);
    path_list.remove_prefix(std::min(end + 1, path_list.size()));
  }
  return kept;
}

}  // namespace

Result<SandboxedCommand> Sandbox::enclose(const SandboxPolicy& policy) const {
  SandboxedCommand sandboxed;
  if (!is_active()) return sandboxed;
  std::error_code failure;
  const fs::path workspace = fs::canonical(policy.workspace, failure);
  if (failure || !policy.workspace.is_absolute() || workspace == "/") {
    return Error{Error::Code::invalid_argument,
                 fmt::format("cannot run a command in a sandbox in '{}'", policy.workspace.string())};
  }

  FileDescriptor report(::memfd_create("aiopt-sandbox", MFD_CLOEXEC));
  if (!report.is_open()) return system_error("cannot make a file in memory for a sandbox");
  sandboxed.descriptors.push_back({reopened(filter_, O_RDONLY), kFilterNumber});
  sandboxed.descriptors.push_back({reopened(shell_, O_RDONLY), kShellNumber});
  sandboxed.descriptors.push_back({std::move(report), kReportNumber});
  for (const auto& passed : sandboxed.descriptors) {
    if (!passed.file.is_open()) return system_error("cannot open a sandbox's files again");
  }

  Mounts mounts;
  for (const fs::path& path : always_hidden_) mounts.add(path, Place::hidden);
  for (const char* path : kTemporary) mounts.add(path, Place::temporary);
  for (const fs::path& path : policy.hidden) mounts.add(path, Place::hidden);
  for (const fs::path& path : policy.readable) mounts.add(path, Place::readable);
  mounts.add(policy.workspace, policy.writable_workspace ? Place::writable : Place::readable);
  if (!policy.decoy.empty()) mounts.add_decoy(policy.decoy_place, policy.decoy);

  std::vector<std::string>& wrapper = sandboxed.wrapper;
  const auto add = [&](const std::vector<std::string>& more) {
    wrapper.insert(wrapper.end(), more.begin(), more.end());
  };
  add({bwrap_, "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
       "--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "localhost"});
  add({"--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"});
  if (::geteuid() == 0) {
    for (const char* folder : kProcFolders) add({"--ro-bind-try", folder, folder});
  }
  add(mounts.arguments(policy.temporary_bytes));
  add({"--remount-ro", "/dev", "--chdir", workspace, "--seccomp", std::to_string(kFilterNumber), "--", kStartShell,
       "-c"});
  const bool is_limited = policy.processes != 0 && !process_limit_option_.empty();
  wrapper.push_back(
      (is_limited ? fmt::format("ulimit -{} {} 2>/dev/null", process_limit_option_, policy.processes) : "") +
      std::string(kStart));
  wrapper.emplace_back("sh");
  wrapper.emplace_back(kWatch);

  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (!is_let_in(name)) sandboxed.hidden_variables.emplace_back(name);
  }
  sandboxed.variables = {{"HOME", workspace}, {"CCACHE_DISABLE", "1"}};
  const char* libraries = std::getenv(kLibraryPath);
  if (libraries != nullptr) sandboxed.variables[kLibraryPath] = absolute_folders(libraries);
  return sandboxed;
}

bool Sandbox::is_own_program(std::string_view path) const {
  return is_active() && (path == bwrap_.native() || path.starts_with(kOwnFolder));
}

std::vector<std::string> sandboxed_arguments(const SandboxedCommand& sandboxed, std::string_view line) {
  std::vector<std::string> arguments;
  if (!sandboxed.descriptors.empty()) {
    std::string opening = "exec";
    for (const auto& passed : sandboxed.descriptors) {
      opening += fmt::format(" {}{}/proc/{}/fd/{}", passed.number, passed.number == kReportNumber ? ">" : "<",
                             ::getpid(), passed.file.get());
    }
    arguments = {"/bin/sh", "-c", opening + "; exec \"$@\"", "sh"};
  }
  arguments.insert(arguments.end(), sandboxed.wrapper.begin(), sandboxed.wrapper.end());
  arguments.insert(arguments.end(), {"/bin/sh", "-c", std::string(line)});
  return arguments;
}

void apply(const SandboxedCommand& sandboxed, Command& command) {
  command.hidden_variables.insert(command.hidden_variables.end(), sandboxed.hidden_variables.begin(),
                                  sandboxed.hidden_variables.end());
  command.variables.insert(sandboxed.variables.begin(), sandboxed.variables.end());
}

}  // namespace aiopt
