/// Tests of the sandbox, with real processes in it: what cannot get out, what must work, what is seen of attempts.

#include "evaluate/sandbox.hpp"

#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "evaluate/tripwire.hpp"

using namespace aiopt;
namespace fs = std::filesystem;

namespace {

/// An ordinary user, where the tests run as root: nobody.
constexpr uid_t kOrdinaryUser = 65534;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

/// Null, with a word in the test's output, where this machine cannot have one.
const Sandbox* sandbox_here() {
  static const Result<Sandbox> sandbox = Sandbox::probe(SandboxMode::automatic);
  REQUIRE(sandbox);
  if (sandbox->is_active()) return &*sandbox;
  MESSAGE("left out: " << sandbox->warning());
  return nullptr;
}

SandboxPolicy policy_in(const fs::path& workspace) {
  SandboxPolicy policy;
  policy.workspace = workspace;
  return policy;
}

struct Ran {
  CommandResult result;
  std::optional<SandboxObservations> seen;
};

Ran run_inside(const Sandbox& sandbox, const SandboxPolicy& policy, const std::string& line, Command command = {}) {
  auto sandboxed = sandbox.enclose(policy);
  REQUIRE_MESSAGE(sandboxed, (sandboxed ? "" : sandboxed.error().message));
  command.directory = policy.workspace;
  if (command.timeout == Command().timeout) command.timeout = std::chrono::seconds(60);
  apply(*sandboxed, command);
  auto ran = run_program(sandboxed_arguments(*sandboxed, line), command);
  REQUIRE_MESSAGE(ran, (ran ? "" : ran.error().message));
  return {std::move(*ran), sandboxed->observations()};
}

/// A user's home with a source in it, and a run in the source: the paths a sandbox has to tell apart.
///
///     home/private.txt  home/tool/bin  home/source/{main.c, task.yaml}
///     home/source/run/{run.db, decoy}  home/source/run/workspaces/{1, 2/other.txt}
class Scene {
 public:
  Scene() {
    home_before_ = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
    ::setenv("HOME", home().c_str(), 1);
    fs::permissions(folder_.path(), fs::perms::others_read | fs::perms::others_exec, fs::perm_options::add);
    write(home() / "private.txt", "a diary");
    write(home() / "tool/bin/tool", "#!/bin/sh\necho tool\n");
    fs::permissions(home() / "tool/bin/tool", fs::perms(0755));
    write(source() / "main.c", "int main(void) { return 0; }\n");
    write(run() / "run.db", "the truth");
    write(run() / "decoy", "a lie");
    write(run() / "workspaces/2/other.txt", "another candidate");
    fs::create_directories(workspace());
  }
  ~Scene() { ::setenv("HOME", home_before_.c_str(), 1); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  fs::path home() const { return folder_.path() / "home"; }
  fs::path source() const { return home() / "source"; }
  fs::path run() const { return source() / "run"; }
  fs::path workspace() const { return run() / "workspaces/1"; }

  SandboxPolicy policy() const {
    SandboxPolicy policy;
    policy.workspace = workspace();
    policy.readable = {source(), home() / "tool"};
    policy.hidden = {run()};
    policy.decoy = run() / "decoy";
    policy.decoy_place = run() / "run.db";
    return policy;
  }

  void give_to(uid_t user) const {
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      CHECK(::lchown(entry.path().c_str(), user, user) == 0);
    }
    CHECK(::chown(folder_.path().c_str(), user, user) == 0);
  }

 private:
  TemporaryFolder folder_{"aiopt-sandbox-"};
  std::string home_before_;
};

/// Runs it in a child that is that user. @return What it returned.
std::string as_user(uid_t user, const std::function<std::string()>& work) {
  std::array<int, 2> ends{-1, -1};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    const bool became = ::setgroups(0, nullptr) == 0 && ::setresgid(user, user, user) == 0 &&
                        ::setresuid(user, user, user) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
    std::string text = "could not become the user";
    try {
      if (became) text = work();
    } catch (...) {  // doctest's, of a REQUIRE: its place is the parent.
      text = "an assertion failed";
    }
    [[maybe_unused]] const ssize_t written = ::write(ends[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  std::array<char, 4096> chunk;
  for (ssize_t got = 0; (got = ::read(ends[0], chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  ::waitpid(pid, nullptr, 0);
  return text;
}

/// What is there to be reached on the host: listening sockets, and a process with a secret in its environment.
class Host {
 public:
  explicit Host(const Scene& scene) {
    sockaddr_in loopback{};
    loopback.sin_family = AF_INET;
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    tcp_ = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    socklen_t size = sizeof loopback;
    REQUIRE(::bind(tcp_.get(), reinterpret_cast<const sockaddr*>(&loopback), size) == 0);
    REQUIRE(::listen(tcp_.get(), 5) == 0);
    REQUIRE(::getsockname(tcp_.get(), reinterpret_cast<sockaddr*>(&loopback), &size) == 0);
    port_ = ntohs(loopback.sin_port);

    abstract_name_ = fmt::format("aiopt-test-{}", ::getpid());
    abstract_ = listen_on(std::string(1, '\0') + abstract_name_);
    home_socket_ = scene.home() / "socket";
    in_home_ = listen_on(home_socket_.string());

    process_ = ::fork();
    if (process_ == 0) {
      ::setenv("ESCAPE_TEST_SECRET", "sesame", 1);
      ::execl("/bin/sleep", "sleep", "120", nullptr);
      ::_exit(127);
    }
  }
  ~Host() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  std::string goals(const Scene& scene) const {
    return fmt::format(
        "port={} abstract_socket={} home_socket={} host_pid={} run_db={} other_file={} source={} home_file={} "
        "setuid=./setuid processes=1",
        port_, abstract_name_, home_socket_.string(), process_, (scene.run() / "run.db").string(),
        (scene.run() / "workspaces/2/other.txt").string(), scene.source().string(),
        (scene.home() / "private.txt").string());
  }

 private:
  static FileDescriptor listen_on(const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(name.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, name.data(), name.size());
    FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(socket.get(), 5) == 0);
    return socket;
  }

  FileDescriptor tcp_;
  FileDescriptor abstract_;
  FileDescriptor in_home_;
  int port_ = 0;
  std::string abstract_name_;
  fs::path home_socket_;
  pid_t process_ = -1;
};

/// The program into the workspace, and a copy with the setuid bit.
void bring_escape_program(const Scene& scene) {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path() / "evaluate/escape_program";
  REQUIRE_MESSAGE(fs::exists(program), program.string() << " was not built");
  for (const char* name : {"escape_program", "setuid"}) fs::copy_file(program, scene.workspace() / name);
}

void set_setuid_bit(const Scene& scene) {
  REQUIRE(::chown((scene.workspace() / "setuid").c_str(), 0, 0) == 0);
  REQUIRE(::chmod((scene.workspace() / "setuid").c_str(), 04755) == 0);
}

/// The limits that need no cgroup; a fork bomb's is the policy's.
std::string escape_line(const std::string& goals) {
  return "ulimit -v 4000000; ulimit -n 256; ulimit -f 65536; ./escape_program watched=1 " + goals;
}

std::string escape_inside(const Scene& scene) {
  const Result<Sandbox> sandbox = Sandbox::probe(SandboxMode::require);
  if (!sandbox) return sandbox.error().message;
  const Host host(scene);
  SandboxPolicy policy = scene.policy();
  policy.processes = 200;
  const Ran ran = run_inside(*sandbox, policy, escape_line(host.goals(scene)));
  return ran.result.output +
         (ran.seen ? fmt::format("seen {} {}\n", ran.seen->processes_left, ran.seen->network_attempts) : "not seen\n");
}

std::size_t count_lines(const std::string& text, std::string_view word) {
  const auto lines = split_lines(text);
  return static_cast<std::size_t>(std::count_if(
      lines.begin(), lines.end(), [&](std::string_view line) { return line.find(word) != std::string_view::npos; }));
}

/// The lines that tell of an escape.
std::string escapes(const std::string& output) {
  std::string found;
  for (const std::string_view line : split_lines(output)) {
    if (line.find(" ESCAPED") != std::string_view::npos) found.append(line).append("\n");
  }
  return found;
}

constexpr std::size_t kFewestAttempts = 55;

}  // namespace

TEST_CASE("nothing gets out of the sandbox") {
  if (sandbox_here() == nullptr) return;
  const Scene scene;
  bring_escape_program(scene);
  if (::geteuid() == 0) set_setuid_bit(scene);
  const std::string output = escape_inside(scene);
  CAPTURE(output);
  CHECK(count_lines(output, " blocked") >= kFewestAttempts);
  CHECK(count_lines(output, "seen 0 2") == 1);  // UDP and TCP to the internet; the host's loopback is not there.
  std::string escaped = escapes(output);
  // RLIMIT_NPROC does not bind root; see SandboxPolicy::processes.
  if (::geteuid() == 0 && escaped.starts_with("fork_bomb") && count_lines(escaped, " ") == 1) escaped.clear();
  CHECK(escaped == "");
}

TEST_CASE("nothing gets out of an ordinary user's sandbox") {
  if (sandbox_here() == nullptr || ::geteuid() != 0) return;
  const Scene scene;
  bring_escape_program(scene);
  scene.give_to(kOrdinaryUser);
  set_setuid_bit(scene);
  const std::string output = as_user(kOrdinaryUser, [&] { return escape_inside(scene); });
  CAPTURE(output);
  CHECK(count_lines(output, " blocked") >= kFewestAttempts);
  CHECK(count_lines(output, "seen 0 2") == 1);
  CHECK(escapes(output) == "");
}

TEST_CASE("without a sandbox the same program gets out") {
  const Scene scene;
  bring_escape_program(scene);
  const Host host(scene);
  Command command;
  command.directory = scene.workspace();
  command.line = "./escape_program " + host.goals(scene);
  command.variables["ESCAPE_TEST_SECRET"] = "sesame";
  const auto ran = run_command(command);
  REQUIRE(ran);
  CAPTURE(ran->output);
  for (const char* attempt : {"tcp_to_host", "abstract_unix_socket", "unix_socket_in_home", "read_run_db",
                              "read_other_candidate", "read_home", "write_source", "signal_host_process",
                              "environment_of_host_process", "secret", "fork_bomb", "memory", "disk"}) {
    CHECK(count_lines(ran->output, std::string(attempt) + " ESCAPED") == 1);
  }
}

TEST_CASE("of two paths the deeper one rules, wherever they lie") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  const Scene scene;
  fs::create_symlink(scene.source() / "main.c", scene.workspace() / "main.c");
  fs::create_symlink(scene.home() / "tool", scene.home() / "current_tool");
  SandboxPolicy policy = scene.policy();
  policy.readable.push_back(scene.home() / "current_tool");
  const auto says = [&](const std::string& line) { return run_inside(*sandbox, policy, line).result.output; };

  CHECK(says("cat main.c") == "int main(void) { return 0; }\n");
  CHECK(says("pwd; echo $HOME") == scene.workspace().string() + "\n" + scene.workspace().string() + "\n");
  CHECK(says("ls " + scene.home().string()) == "current_tool\nsource\ntool\n");
  CHECK(says((scene.home() / "tool/bin/tool").string()) == "tool\n");
  CHECK(says((scene.home() / "current_tool/bin/tool").string()) == "tool\n");
  CHECK(says("ls " + scene.run().string()) == "run.db\nworkspaces\n");
  CHECK(says("ls " + (scene.run() / "workspaces").string()) == "1\n");
  CHECK(says("cat " + (scene.run() / "run.db").string()) == "a lie");
  CHECK(says("echo x >>" + (scene.run() / "run.db").string()).find("Read-only") != std::string::npos);
  CHECK(says("echo x >" + (scene.run() / "new").string()).find("Read-only") != std::string::npos);
  CHECK(says("echo made >made; cat made") == "made\n");
  CHECK(read_file(scene.workspace() / "made").has_value());

  // So the tests of a candidate can be kept from it.
  write(scene.workspace() / "tests/test.sh", "true\n");
  policy.readable.push_back(scene.workspace() / "tests");
  CHECK(says("echo x >tests/test.sh").find("Read-only") != std::string::npos);
  CHECK(says("mv tests mine").find("busy") != std::string::npos);

  policy.writable_workspace = false;
  CHECK(says("echo x >made_again").find("Read-only") != std::string::npos);
}

TEST_CASE("/tmp, /var/tmp and /dev/shm are empty, and end where they were told to") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  const Scene scene;
  SandboxPolicy policy = scene.policy();
  policy.temporary_bytes = 1 << 20;
  // The scene itself lies in the host's /tmp.
  const Ran ran = run_inside(*sandbox, policy,
                             "ls -A /var/tmp /dev/shm; for folder in /tmp /var/tmp /dev/shm; do"
                             " head -c 900000 /dev/zero >$folder/fits && echo fits;"
                             " head -c 2000000 /dev/zero 2>/dev/null >$folder/does_not || echo full; done");
  CHECK(ran.result.out == "/dev/shm:\n\n/var/tmp:\nfits\nfull\nfits\nfull\nfits\nfull\n");
}

TEST_CASE("compilers, make, perf and the leak sanitizer work inside") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  const Scene scene;
  write(scene.workspace() / "hot.cc",
        "#include <thread>\n#include <vector>\nint main() { volatile long sum = 0;\n"
        "std::thread other([&] { for (long i = 0; i < 200000000; ++i) sum = sum + i; }); other.join(); }\n");
  write(scene.workspace() / "leak.cc", "int main() { int* volatile lost = new int[100]; lost = nullptr; }\n");
  write(scene.workspace() / "Makefile",
        "all: hot leak\nhot: hot.cc\n\tg++ -g -pthread -o $@ $<\nleak: leak.cc\n\tg++ -fsanitize=address -o $@ $<\n");
  const Ran made = run_inside(*sandbox, scene.policy(), "make -s -j2 && ./hot");
  CHECK_MESSAGE(made.result.succeeded(), made.result.output);
  REQUIRE(made.seen);
  CHECK(made.seen->processes_left == 0);
  CHECK(made.seen->network_attempts == 0);

  // LeakSanitizer traces its own process: ptrace has to be allowed.
  const Ran leak = run_inside(*sandbox, scene.policy(), "./leak");
  CHECK_MESSAGE(leak.result.output.find("400 byte(s) leaked") != std::string::npos, leak.result.output);

  if (std::system("perf --version >/dev/null 2>&1") != 0) return;
  const Ran stat = run_inside(*sandbox, scene.policy(), "perf stat -e task-clock:u ./hot");
  CHECK_MESSAGE(stat.result.succeeded(), stat.result.output);
  CHECK_MESSAGE(stat.result.output.find("CPUs utilized") != std::string::npos, stat.result.output);
  const Ran record = run_inside(*sandbox, scene.policy(),
                                "perf record -q -o perf.data ./hot && perf report -i perf.data --stdio 2>/dev/null"
                                " | grep -c 'hot.*main'");
  CHECK_MESSAGE(record.result.succeeded(), record.result.output);
}

TEST_CASE("a command ends inside as it would outside") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  const Scene scene;
  Command command;
  command.input = "to be read";
  const Ran ran = run_inside(*sandbox, scene.policy(), "cat; echo complaint >&2; exit 7", command);
  CHECK(ran.result.exit_code() == 7);
  CHECK(ran.result.out == "to be read");
  CHECK(ran.result.output.find("complaint") != std::string::npos);
  // What aiopt has open is not the command's; 3 is ls's own.
  CHECK(run_inside(*sandbox, scene.policy(), "ls /proc/self/fd").result.out == "0\n1\n2\n3\n");
  CHECK(run_inside(*sandbox, scene.policy(), "kill -SEGV $$").result.exit_code() == 128 + SIGSEGV);
  CHECK(run_inside(*sandbox, scene.policy(), "no_such_program").result.exit_code() == 127);
}

TEST_CASE("a command that does not end is ended with all that it started inside") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  const Scene scene;
  auto sandboxed = sandbox->enclose(scene.policy());
  REQUIRE(sandboxed);
  Command command;
  command.timeout = std::chrono::seconds(3);
  command.directory = scene.workspace();
  apply(*sandboxed, command);
  // The daemon holds a lock as long as it lives.
  const auto ran = run_program(
      sandboxed_arguments(*sandboxed,
                          "trap '' TERM INT HUP; (setsid flock lock sh -c 'echo locked; sleep 60' &); sleep 60"),
      command);
  REQUIRE(ran);
  CHECK(std::holds_alternative<TimedOut>(ran->end));
  CHECK(ran->out == "locked\n");
  CHECK_FALSE(sandboxed->observations());
  const FileDescriptor lock(::open((scene.workspace() / "lock").c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(::flock(lock.get(), LOCK_EX | LOCK_NB) == 0);
}

TEST_CASE("what a command leaves behind is counted, and what just ends is not") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  const Scene scene;
  const auto left_by = [&](const std::string& line) {
    const Ran ran = run_inside(*sandbox, scene.policy(), line);
    REQUIRE_MESSAGE(ran.seen, ran.result.output);
    CHECK(ran.result.wall_time < std::chrono::seconds(20));
    return ran.seen->processes_left;
  };
  CHECK(left_by("true") == 0);
  CHECK(left_by("sleep 30 & sleep 30 & setsid sleep 30 >/dev/null 2>&1 &") == 3);
  CHECK(left_by("sleep 0.02 &") == 0);
}

TEST_CASE("attempts to reach the network are counted, the loopback is not") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  const Scene scene;
  const auto attempts_of = [&](const std::string& line) {
    const Ran ran = run_inside(*sandbox, scene.policy(), line);
    REQUIRE_MESSAGE(ran.seen, ran.result.output);
    return ran.seen->network_attempts;
  };
  CHECK(attempts_of("true") == 0);
  CHECK(attempts_of("bash -c 'echo >/dev/tcp/127.0.0.1/9; echo >/dev/udp/127.0.0.1/9; hostname -f' 2>&1") == 0);
  CHECK(attempts_of("bash -c 'echo >/dev/tcp/192.0.2.1/9' 2>&1") == 1);
  CHECK(attempts_of("bash -c 'for i in 1 2 3; do echo >/dev/udp/192.0.2.1/9; done' 2>&1") == 3);
  CHECK(attempts_of("bash -c 'echo >/dev/tcp/2001:db8::1/9' 2>&1") == 1);
}

TEST_CASE("who kills or starves the watch, or the shell that runs the command, is not believed") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  const Scene scene;
  // The command's parent is the shell, and the watch is that shell's other child.
  const std::string find_watch =
      "watch=$(awk -v shell=$PPID -v own=$$ '/^Pid:/ { pid = $2 } /^PPid:/ && $2 == shell && pid != own { print pid }'"
      " /proc/[0-9]*/status); [ -n \"$watch\" ] || exit 99; ";
  const auto is_believed = [&](const std::string& line) {
    const Ran ran = run_inside(*sandbox, scene.policy(), find_watch + line);
    CAPTURE(line);
    CAPTURE(ran.result.output);
    CHECK(ran.result.exit_code() != 99);
    CHECK(ran.result.wall_time < std::chrono::seconds(20));
    return ran.result.succeeded() && ran.seen && ran.seen->processes_left == 0;
  };
  CHECK(is_believed("true"));
  CHECK_FALSE(is_believed("kill -KILL $watch"));
  CHECK_FALSE(is_believed("kill -KILL $watch; sleep 30 & true"));
  CHECK_FALSE(is_believed("kill -KILL $PPID; sleep 30"));
  CHECK_FALSE(is_believed("kill -KILL $PPID $watch; sleep 30"));
  CHECK_FALSE(is_believed("prlimit --nofile=0:0 --pid=$watch; sleep 30 & true"));
  CHECK_FALSE(is_believed("prlimit --fsize=0:0 --pid=$watch; sleep 30 & true"));
  CHECK_FALSE(is_believed("prlimit --nofile=0:0 --pid=$PPID; sleep 30 & true"));
  CHECK_FALSE(is_believed("prlimit --fsize=0:0 --pid=$PPID; sleep 30 & true"));
  // Woken early, it sees who did that still running.
  CHECK_FALSE(is_believed(
      "for fd in 3 4 5 6 7 8 9 10 11 12; do echo end >/proc/$PPID/fd/$fd; done 2>/dev/null; sleep 1; true"));
  // Its report cannot be written for it.
  CHECK_FALSE(
      is_believed("for process in $PPID $watch; do for fd in 5 6 7 8 9 10 11 12; do"
                  " printf 'processes 0\\nend\\n' >/proc/$process/fd/$fd; done; done 2>/dev/null; sleep 30 & true"));

  Command command;
  command.timeout = std::chrono::seconds(2);
  const Ran stopped = run_inside(*sandbox, scene.policy(), find_watch + "kill -STOP $watch", command);
  CHECK(std::holds_alternative<TimedOut>(stopped.result.end));
}

TEST_CASE("an interrupt ends a command inside, as it would outside") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  const Scene scene;
  CHECK(run_inside(*sandbox, scene.policy(), "kill -INT $$; echo survived").result.exit_code() == 128 + SIGINT);
}

TEST_CASE("of the environment only what is on the list gets in") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  const Scene scene;
  const std::map<std::string, std::string> variables = {{"GITHUB_TOKEN", "secret"}, {"BASH_FUNC_echo%%", "() { :; }"},
                                                        {"CXXFLAGS", "-O2"},        {"AIOPT_SEED", "1"},
                                                        {"CCACHE_DIR", "/home/x"},  {"TMPDIR", "/nowhere"}};
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
  Command command;
  command.variables["GIVEN"] = "yes";
  // The first process's environment too: bwrap's own.
  const Ran ran = run_inside(*sandbox, scene.policy(), "env; tr '\\0' '\\n' </proc/1/environ", command);
  for (const auto& [name, value] : variables) ::unsetenv(name.c_str());
  CAPTURE(ran.result.out);
  for (const char* absent : {"GITHUB_TOKEN", "BASH_FUNC", "CCACHE_DIR", "TMPDIR"}) {
    CHECK(count_lines(ran.result.out, absent) == 0);
  }
  for (const char* present : {"CXXFLAGS=-O2", "AIOPT_SEED=1", "GIVEN=yes", "CCACHE_DISABLE=1", "PATH="}) {
    CHECK(count_lines(ran.result.out, present) >= 2);
  }
}

TEST_CASE("opening the decoy trips the wire, and a command that leaves it alone does not") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  const Scene scene;
  auto tripwire = Tripwire::arm(scene.run() / "decoy");
  REQUIRE_MESSAGE(tripwire, (tripwire ? "" : tripwire.error().message));
  CHECK_FALSE(tripwire->fired());
  run_inside(*sandbox, scene.policy(), "ls -l " + scene.run().string());
  CHECK_FALSE(tripwire->fired());
  run_inside(*sandbox, scene.policy(), "cat " + (scene.run() / "run.db").string());
  CHECK(tripwire->fired());
  CHECK_FALSE(tripwire->fired());
}

TEST_CASE("a fork bomb ends at the policy's limit") {
  if (sandbox_here() == nullptr) return;
  const Scene scene;
  const auto bomb = [&]() -> std::string {
    const Result<Sandbox> sandbox = Sandbox::probe(SandboxMode::require);
    if (!sandbox) return sandbox.error().message;
    SandboxPolicy policy = scene.policy();
    policy.processes = 60;
    const Ran ran = run_inside(*sandbox, policy, "bomb() { bomb | bomb & }; bomb; sleep 0.5");
    return fmt::format("{} s, seen {}", ran.result.wall_time < std::chrono::seconds(20) ? "few" : "many",
                       ran.seen && ran.seen->processes_left <= 60);
  };
  if (::geteuid() != 0) {
    CHECK(bomb() == "few s, seen true");
  } else {
    scene.give_to(kOrdinaryUser);
    CHECK(as_user(kOrdinaryUser, bomb) == "few s, seen true");
  }
}

TEST_CASE("without bwrap: an error where it is required, else a warning and no wrapper") {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  const Result<Sandbox> required = Sandbox::probe(SandboxMode::require);
  const Result<Sandbox> automatic = Sandbox::probe(SandboxMode::automatic);
  ::setenv("PATH", path.c_str(), 1);
  REQUIRE_FALSE(required);
  CHECK(required.error().code == Error::Code::unavailable);
  CHECK(required.error().message.find("apt-get install bubblewrap") != std::string::npos);
  REQUIRE(automatic);
  CHECK_FALSE(automatic->is_active());
  CHECK(automatic->warning().find("bwrap is not there") != std::string::npos);
  const auto sandboxed = automatic->enclose(policy_in("/usr"));
  REQUIRE(sandboxed);
  CHECK(sandboxed->wrapper.empty());
  CHECK(sandboxed->hidden_variables.empty());
  CHECK(sandboxed_arguments(*sandboxed, "true") == std::vector<std::string>{"/bin/sh", "-c", "true"});

  const Result<Sandbox> off = Sandbox::probe(SandboxMode::off);
  REQUIRE(off);
  CHECK_FALSE(off->is_active());
  CHECK(off->warning().empty());
}

TEST_CASE("a bwrap that fails is told as it said it") {
  const TemporaryFolder folder;
  write(folder.path() / "bwrap", "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2; exit 1\n");
  fs::permissions(folder.path() / "bwrap", fs::perms(0755));
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", (folder.path().string() + ":" + path).c_str(), 1);
  const Result<Sandbox> sandbox = Sandbox::probe(SandboxMode::require);
  ::setenv("PATH", path.c_str(), 1);
  REQUIRE_FALSE(sandbox);
  CHECK(sandbox.error().message.find("uid map: Permission denied") != std::string::npos);
}

TEST_CASE("libraries are looked for in no folder that a candidate can write") {
  const Result<Sandbox> sandbox = Sandbox::probe(SandboxMode::automatic);
  REQUIRE(sandbox);
  if (!sandbox->is_active()) return;
  const TemporaryFolder folder;
  const char* before = std::getenv("LD_LIBRARY_PATH");
  const std::string kept_before = before != nullptr ? before : "";
  for (const auto& [set, kept] : std::map<std::string, std::string>{
           {":/opt/a/lib:lib:./x::/opt/b", "/opt/a/lib:/opt/b"}, {"", ""}, {".", ""}, {"/opt/a;b", "/opt/a"}}) {
    ::setenv("LD_LIBRARY_PATH", set.c_str(), 1);
    const auto sandboxed = sandbox->enclose(policy_in(folder.path()));
    ::unsetenv("LD_LIBRARY_PATH");
    REQUIRE(sandboxed);
    CHECK(sandboxed->variables.at("LD_LIBRARY_PATH") == kept);
  }
  const auto sandboxed = sandbox->enclose(policy_in(folder.path()));
  REQUIRE(sandboxed);
  CHECK_FALSE(sandboxed->variables.contains("LD_LIBRARY_PATH"));
  if (before != nullptr) ::setenv("LD_LIBRARY_PATH", kept_before.c_str(), 1);
}

TEST_CASE("a workspace that is relative, missing or the whole disk is refused") {
  const Sandbox* sandbox = sandbox_here();
  if (sandbox == nullptr) return;
  for (const char* workspace : {"", "relative", "/", "/nowhere/at/all"}) {
    const auto sandboxed = sandbox->enclose(policy_in(workspace));
    REQUIRE_FALSE(sandboxed);
    CHECK(sandboxed.error().code == Error::Code::invalid_argument);
  }
}
