/// Tries to get out of a sandbox, one way after another, and tells what came of it. Harmless where it succeeds.
///
/// Usage: escape_program NAME=VALUE...    one line for each attempt: "NAME blocked|ESCAPED detail"; exit code 0.
/// What it is to reach: port, host_pid, abstract_socket, home_socket, run_db, other_file, source, home_file, setuid (a
/// copy of this program with the setuid bit), processes, watched=1 (it runs in the sandbox: there is a shell to speak
/// for). What is not told is left out.

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace fs = std::filesystem;

namespace {

/// The environment variable that aiopt's own process has and nobody else may learn.
const std::string kSecret = "ESCAPE_TEST_SECRET=";
constexpr int kMostForks = 400;
constexpr int kMostFiles = 3000;
constexpr std::size_t kMuchMemory = std::size_t{6} << 30;
constexpr off_t kLargeFile = off_t{1} << 30;

struct Outcome {
  bool escaped = false;
  std::string detail;
};

Outcome from_errno(bool escaped) {
  return {escaped, escaped ? "" : std::strerror(errno)};
}

/// For calls that fail in any case: what else than a refusal means that the kernel went on to look at the arguments.
Outcome refused_or_not(long result) {
  const int number = errno;
  const bool refused = result < 0 && (number == EPERM || number == EACCES || number == ENOSYS);
  return {!refused, result < 0 ? std::strerror(number) : "done"};
}

std::string text_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

Outcome reads(const std::string& file, const std::string& telling) {
  errno = 0;
  const std::string text = text_of(file);
  const int number = errno;
  if (!telling.empty() ? text.find(telling) != std::string::npos : !text.empty()) return {true, "read " + file};
  return {false, number != 0 ? std::strerror(number) : "nothing in it"};
}

Outcome writes(const std::string& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return {false, std::strerror(errno)};
  ::close(fd);
  ::unlink(file.c_str());
  return {true, "made " + file};
}

/// Of a file that is there: nothing is written to it.
Outcome opens_for_writing(const std::string& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  const Outcome outcome = from_errno(fd >= 0);
  if (fd >= 0) ::close(fd);
  return outcome;
}

Outcome connects(int type, const char* address, std::uint16_t port) {
  const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return {false, std::strerror(errno)};
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  ::inet_pton(AF_INET, address, &to.sin_addr);
  const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  if (result == 0 && type == SOCK_DGRAM) return from_errno(::send(fd, "x", 1, 0) == 1);
  if (result == 0) return {true, "connected"};
  if (errno != EINPROGRESS) return {false, std::strerror(errno)};
  pollfd event{fd, POLLOUT, 0};
  if (::poll(&event, 1, 1000) <= 0) return {true, "on its way"};  // It found a route out.
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size);
  return {failure == 0, failure == 0 ? "connected" : std::strerror(failure)};
}

Outcome connects_unix(const std::string& name, bool is_abstract) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const std::size_t at = is_abstract ? 1 : 0;
  std::memcpy(to.sun_path + at, name.data(), std::min(name.size(), sizeof to.sun_path - 1 - at));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + at + name.size() + (is_abstract ? 0 : 1));
  return from_errno(::connect(fd, reinterpret_cast<const sockaddr*>(&to), size) == 0);
}

std::vector<pid_t> visible_processes() {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0) found.push_back(pid);
  }
  return found;
}

Outcome finds_secret() {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::string(*entry).starts_with(kSecret)) return {true, "in its own environment"};
  }
  for (const pid_t pid : visible_processes()) {
    const std::string file = "/proc/" + std::to_string(pid) + "/environ";
    if (text_of(file).find(kSecret) != std::string::npos) return {true, "in " + file};
  }
  return {false, "looked at " + std::to_string(visible_processes().size()) + " processes"};
}

Outcome traces(pid_t pid) {
  if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) return {false, std::strerror(errno)};
  ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
  ::waitpid(pid, nullptr, __WALL);
  ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
  return {true, "traced"};
}

Outcome mounts() {
  ::mkdir("mount_point", 0700);
  const Outcome outcome = from_errno(::mount("none", "mount_point", "tmpfs", 0, "size=4096") == 0);
  if (outcome.escaped) ::umount2("mount_point", MNT_DETACH);
  return outcome;
}

Outcome mounts_in_new_namespace() {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return {false, std::string("unshare: ") + std::strerror(errno)};
  return mounts();
}

Outcome clones_into_user_namespace() {
  const long pid = ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) ::_exit(0);
  return from_errno(pid > 0);
}

Outcome clone3s_into_user_namespace() {
  struct {
    std::uint64_t flags = CLONE_NEWUSER, pidfd = 0, child_tid = 0, parent_tid = 0, exit_signal = SIGCHLD, stack = 0,
                  stack_size = 0, tls = 0;
  } arguments;
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) ::_exit(0);
  return from_errno(pid > 0);
}

Outcome enters_namespace_of_init() {
  const int fd = ::open("/proc/1/ns/user", O_RDONLY | O_CLOEXEC);
  const int mount_namespace = ::open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (fd < 0 && mount_namespace < 0) return {false, std::strerror(errno)};
  return from_errno(::setns(fd, 0) == 0 || ::setns(mount_namespace, CLONE_NEWNS) == 0);
}

Outcome makes_block_device() {
  for (const unsigned major_number : {8U, 254U, 253U, 259U}) {
    if (::mknod("device", S_IFBLK | 0600, makedev(major_number, 0)) != 0) return {false, std::strerror(errno)};
    ::unlink("device");
  }
  return {true, "mknod"};
}

Outcome opens_device() {
  for (const char* device :
       {"/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/kvm", "/dev/fuse"}) {
    if (const int fd = ::open(device, O_RDONLY | O_CLOEXEC); fd >= 0) return {true, device};
  }
  return {false, std::strerror(errno)};
}

Outcome opens_by_handle() {
  alignas(file_handle) char storage[sizeof(file_handle) + MAX_HANDLE_SZ]{};
  auto* handle = reinterpret_cast<file_handle*>(storage);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  const int folder = ::open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (::name_to_handle_at(folder, "passwd", handle, &mount_id, 0) != 0) return {false, std::strerror(errno)};
  return from_errno(::open_by_handle_at(folder, handle, O_RDONLY) >= 0);
}

Outcome makes_bpf_map() {
  bpf_attr map{};
  map.map_type = BPF_MAP_TYPE_ARRAY;
  map.key_size = 4;
  map.value_size = 4;
  map.max_entries = 1;
  return from_errno(::syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map) >= 0);
}

Outcome sets_clock() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return from_errno(::clock_settime(CLOCK_REALTIME, &now) == 0);
}

Outcome injects_terminal_input() {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) return {false, std::string("no pseudo-terminal: ") + std::strerror(errno)};
  ::grantpt(terminal);
  ::unlockpt(terminal);
  const int own = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ::setsid();
  ::ioctl(own, TIOCSCTTY, 0);
  char letter = 'x';
  if (::ioctl(own, TIOCSTI, &letter) == 0) return {true, "TIOCSTI"};
  const int number = errno;
  // With a bit above the 32 that the kernel reads.
  if (::syscall(SYS_ioctl, own, TIOCSTI | (1UL << 32), &letter) == 0) return {true, "TIOCSTI with a high bit"};
  return {false, std::strerror(number)};
}

Outcome forks_without_end() {
  std::vector<pid_t> children;
  int number = 0;
  while (static_cast<int>(children.size()) < kMostForks) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::pause();
      ::_exit(0);
    }
    if (pid < 0) {
      number = errno;
      break;
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) ::kill(pid, SIGKILL);
  for (const pid_t pid : children) ::waitpid(pid, nullptr, 0);
  return {number == 0, std::to_string(children.size()) + " processes" +
                           (number != 0 ? std::string(", then ") + std::strerror(number) : "")};
}

Outcome takes_memory() {
  void* memory =
      ::mmap(nullptr, kMuchMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return from_errno(memory != MAP_FAILED);
}

Outcome takes_descriptors() {
  int opened = 0;
  while (opened < kMostFiles && ::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) ++opened;
  return {opened == kMostFiles, std::to_string(opened) + " files"};
}

Outcome fills_disk() {
  ::signal(SIGXFSZ, SIG_IGN);
  const int fd = ::open("large", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const Outcome outcome = from_errno(::pwrite(fd, "x", 1, kLargeFile) == 1);
  ::unlink("large");
  return outcome;
}

/// A folder of the workspace turns into a link out of it and back, while files are made in it.
Outcome wins_symlink_race(const std::string& outside) {
  const std::string goal = outside + "/made_by_race";
  ::mkdir("inside", 0700);
  if (::symlink(outside.c_str(), "link") != 0 && errno != EEXIST) return {false, std::strerror(errno)};
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    while (!stop) ::syscall(SYS_renameat2, AT_FDCWD, "inside", AT_FDCWD, "link", 2 /* RENAME_EXCHANGE */);
  });
  bool made = false;
  int tries = 0;
  for (const std::time_t end = std::time(nullptr) + 2; !made && std::time(nullptr) < end; ++tries) {
    const int fd = ::open("inside/made_by_race", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) ::close(fd);
    made = ::access(goal.c_str(), F_OK) == 0;
  }
  stop = true;
  swapper.join();
  ::unlink(goal.c_str());
  return {made, made ? "made " + goal : std::to_string(tries) + " tries"};
}

/// The copy tells its effective user and capabilities.
Outcome gains_by_setuid(const std::string& program) {
  const std::string command = program + " print_rights 2>/dev/null";
  FILE* pipe = ::popen(command.c_str(), "r");
  unsigned user = 0;
  unsigned long long capabilities = 0;
  const int read = pipe != nullptr ? std::fscanf(pipe, "%u %llx", &user, &capabilities) : 0;
  if (pipe != nullptr) ::pclose(pipe);
  if (read != 2) return {false, "did not run"};
  const bool became_root = user == 0 && ::getuid() != 0;
  return {became_root || capabilities != 0,
          "user " + std::to_string(user) + ", capabilities " + std::to_string(capabilities)};
}

int print_rights() {
  const std::string status = text_of("/proc/self/status");
  const std::size_t at = status.find("CapEff:");
  unsigned long long capabilities = at == std::string::npos ? 0 : std::strtoull(status.c_str() + at + 7, nullptr, 16);
  std::printf("%u %llx\n", ::geteuid(), capabilities);
  return 0;
}

#if defined(__x86_64__)
Outcome calls_as_i386() {
  long result = 20;  // getpid
  asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  return {result == ::getpid(), std::to_string(result)};
}

Outcome calls_as_x32() {
  const long result = ::syscall(0x4000'0000 + SYS_getpid);
  return from_errno(result == ::getpid());
}
#endif

pid_t parent_of(pid_t pid) {
  const std::string status = text_of("/proc/" + std::to_string(pid) + "/status");
  const std::size_t at = status.find("PPid:");
  return at == std::string::npos ? 0 : std::atoi(status.c_str() + at + 5);
}

/// The other child of the shell that runs this: that shell is the first process that bwrap starts. 0: there is none.
pid_t find_watcher() {
  constexpr pid_t kShell = 2;
  pid_t own = ::getpid();
  while (own > 1 && parent_of(own) != kShell) own = parent_of(own);
  for (const pid_t pid : visible_processes()) {
    if (pid != own && parent_of(pid) == kShell) return pid;
  }
  return 0;
}

/// Into the report of the shell that watches inside, which is a file in memory that nobody else may have open either.
Outcome speaks_for_watcher() {
  const pid_t watcher = find_watcher();
  if (watcher == 0) return {true, "nobody watches"};
  for (const pid_t pid : visible_processes()) {
    for (int fd = 0; fd < 300; ++fd) {
      const std::string file = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd);
      char name[64] = {};
      const bool is_report =
          ::readlink(file.c_str(), name, sizeof name - 1) > 0 && std::strstr(name, "memfd:") != nullptr;
      if (!is_report && pid != watcher) continue;
      if (::open(file.c_str(), O_WRONLY | O_CLOEXEC) >= 0) return {true, file};
    }
  }
  const std::string folder = "/proc/" + std::to_string(watcher);
  if (::open((folder + "/mem").c_str(), O_RDWR | O_CLOEXEC) >= 0) return {true, "its memory"};
  if (::ptrace(PTRACE_SEIZE, watcher, nullptr, nullptr) == 0) return {true, "ptrace"};
  const int number = errno;
  char byte = 0;
  iovec own{&byte, 1};
  iovec its{reinterpret_cast<void*>(0x10000), 1};
  if (::process_vm_readv(watcher, &own, 1, &its, 1, 0) >= 0 || errno == EFAULT) return {true, "process_vm_readv"};
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, watcher, 0));
  if (::syscall(SYS_pidfd_getfd, pidfd, 9, 0) >= 0) return {true, "pidfd_getfd"};
  return {false, std::strerror(number)};
}

/// In a process of its own, for 20 s at most: some attempts end in a signal.
Outcome in_child(const std::function<Outcome()>& attempt) {
  int ends[2] = {-1, -1};
  if (::pipe(ends) != 0) return {false, "no pipe"};
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(20);
    const Outcome outcome = attempt();
    const std::string text = (outcome.escaped ? "E" : "b") + outcome.detail;
    [[maybe_unused]] const ssize_t written = ::write(ends[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  char text[512];
  const ssize_t got = pid > 0 ? ::read(ends[0], text, sizeof text) : 0;
  ::close(ends[0]);
  int status = 0;
  if (pid > 0) ::waitpid(pid, &status, 0);
  if (got > 0) return {text[0] == 'E', std::string(text + 1, static_cast<std::size_t>(got - 1))};
  if (pid < 0) return {false, "no process"};
  return {false, WIFSIGNALED(status) ? std::string("killed by ") + ::strsignal(WTERMSIG(status)) : "told nothing"};
}

void report(const std::string& name, const std::function<Outcome()>& attempt) {
  const Outcome outcome = in_child(attempt);
  std::printf("%s %s %s\n", name.c_str(), outcome.escaped ? "ESCAPED" : "blocked", outcome.detail.c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  std::map<std::string, std::string> goals;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "print_rights") return print_rights();
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos) {
      std::fprintf(stderr, "escape_program: no NAME=VALUE: %s\n", arguments[i]);
      return 2;
    }
    goals[argument.substr(0, equals)] = argument.substr(equals + 1);
  }
  const auto with = [&](const char* goal, const std::string& name,
                        const std::function<Outcome(const std::string&)>& attempt) {
    if (goals.contains(goal)) report(name, [&] { return attempt(goals.at(goal)); });
  };

  // The network.
  with("port", "tcp_to_host", [](const std::string& port) {
    return connects(SOCK_STREAM, "127.0.0.1", static_cast<std::uint16_t>(std::stoi(port)));
  });
  report("tcp_to_internet", [] { return connects(SOCK_STREAM, "8.8.8.8", 53); });
  report("udp_to_internet", [] { return connects(SOCK_DGRAM, "8.8.8.8", 53); });
  with("abstract_socket", "abstract_unix_socket", [](const std::string& name) { return connects_unix(name, true); });
  with("home_socket", "unix_socket_in_home", [](const std::string& name) { return connects_unix(name, false); });
  report("docker_and_dbus", [] {
    for (const char* path : {"/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/private"}) {
      if (connects_unix(path, false).escaped) return Outcome{true, path};
    }
    return connects_unix("/var/run/docker.sock", false);
  });
  report("vsock", [] { return from_errno(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0); });
  report("packet_socket", [] { return from_errno(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0); });

  // Files.
  with("run_db", "read_run_db", [](const std::string& file) { return reads(file, "the truth"); });
  with("other_file", "read_other_candidate", [](const std::string& file) { return reads(file, ""); });
  with("other_file", "write_other_candidate",
       [](const std::string& file) { return writes(fs::path(file).parent_path() / "escaped"); });
  with("home_file", "read_home", [](const std::string& file) { return reads(file, ""); });
  with("home_file", "write_home",
       [](const std::string& file) { return writes(fs::path(file).parent_path() / "escaped"); });
  with("source", "write_source", [](const std::string& folder) { return writes(folder + "/escaped"); });
  with("source", "symlink_race", wins_symlink_race);
  report("read_shadow", [] { return reads("/etc/shadow", ""); });
  report("read_gshadow", [] { return reads("/etc/gshadow", ""); });
  report("read_sudoers", [] { return reads("/etc/sudoers", ""); });
  report("read_kernel_memory", [] { return from_errno(::open("/proc/kcore", O_RDONLY | O_CLOEXEC) >= 0); });
  report("write_etc", [] { return writes("/etc/aiopt_escape_test"); });
  report("write_usr", [] { return writes("/usr/aiopt_escape_test"); });
  report("write_dev", [] { return writes("/dev/aiopt_escape_test"); });
  report("write_run", [] { return writes("/run/aiopt_escape_test"); });
  report("write_sysctl", [] { return opens_for_writing("/proc/sys/kernel/core_pattern"); });
  report("write_sysrq", [] { return opens_for_writing("/proc/sysrq-trigger"); });
  report("write_sysfs", [] { return opens_for_writing("/sys/kernel/mm/transparent_hugepage/enabled"); });
  report("write_cgroup", [] {
    for (const char* file : {"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/pids/cgroup.procs"}) {
      if (opens_for_writing(file).escaped) return Outcome{true, file};
    }
    return opens_for_writing("/sys/fs/cgroup/unified/cgroup.procs");
  });
  report("open_device", opens_device);
  report("make_block_device", makes_block_device);
  report("open_by_handle", opens_by_handle);

  // Other processes.
  with("host_pid", "signal_host_process",
       [](const std::string& pid) { return from_errno(::kill(std::stoi(pid), 0) == 0); });
  with("host_pid", "trace_host_process", [](const std::string& pid) { return traces(std::stoi(pid)); });
  with("host_pid", "environment_of_host_process",
       [](const std::string& pid) { return reads("/proc/" + pid + "/environ", kSecret); });
  report("secret", finds_secret);
  with("watched", "speak_for_watcher", [](const std::string&) { return speaks_for_watcher(); });

  // The kernel.
  report("mount", mounts);
  report("unshare_and_mount", mounts_in_new_namespace);
  report("clone_newuser", clones_into_user_namespace);
  report("clone3_newuser", clone3s_into_user_namespace);
  report("setns", enters_namespace_of_init);
  report("chroot", [] { return from_errno(::chroot(".") == 0); });
  report("bpf", makes_bpf_map);
  report("keyctl", [] { return from_errno(::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 1) >= 0); });
  report("io_uring", [] {
    char parameters[256] = {};
    return from_errno(::syscall(SYS_io_uring_setup, 2, parameters) >= 0);
  });
  report("userfaultfd", [] { return from_errno(::syscall(SYS_userfaultfd, 1) >= 0); });
  // Inside alone: outside root would set it, if only to what it is.
  with("watched", "set_clock", [](const std::string&) { return sets_clock(); });
  report("load_module", [] { return refused_or_not(::syscall(SYS_init_module, nullptr, 0, "")); });
  report("swapon", [] { return refused_or_not(::swapon("/nowhere", 0)); });
  report("reboot", [] { return refused_or_not(::syscall(SYS_reboot, 0, 0, 0, nullptr)); });
  report("kernel_log", [] { return from_errno(::syscall(SYS_syslog, 10, nullptr, 0) >= 0); });
  report("personality", [] { return from_errno(::personality(READ_IMPLIES_EXEC) >= 0); });
  report("sethostname", [] { return from_errno(::unshare(CLONE_NEWUTS) == 0 && ::sethostname("escaped", 7) == 0); });
  report("terminal_input", injects_terminal_input);
#if defined(__x86_64__)
  report("i386_call", calls_as_i386);
  report("x32_call", calls_as_x32);
#endif
  with("setuid", "setuid_program", gains_by_setuid);

  // Limits.
  with("processes", "fork_bomb", [](const std::string&) { return forks_without_end(); });
  report("memory", takes_memory);
  report("descriptors", takes_descriptors);
  report("disk", fills_disk);
}
