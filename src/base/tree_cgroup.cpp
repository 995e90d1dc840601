/// TreeCgroup: the control groups of one command, which limit, measure and end its whole tree.

#include "base/tree_cgroup.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace aiopt {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::string_view kPrefix = "aiopt-";
constexpr std::size_t kLongestFile = 1 << 20;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (bool more = true; more;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    more = end != std::string_view::npos;
    if (more) text.remove_prefix(end + 1);
  }
  return parts;
}

bool lists(std::string_view list, char separator, std::string_view word) {
  for (const std::string_view part : split(list, separator)) {
    if (trim(part) == word) return true;
  }
  return false;
}

/// In one write(2), as these files want it. @return Whether the kernel took it.
bool write_once(const fs::path& file, std::string_view text) {
  const FileDescriptor fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  return fd.is_open() && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string text_of(const fs::path& file) {
  const auto text = read_file(file, kLongestFile);
  return text ? *text : std::string();
}

std::uint64_t number_in(std::string_view text) {
  std::uint64_t number = 0;
  text = trim(text);
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// The number in the line "key number", 0 if there is none.
std::uint64_t number_of(std::string_view text, std::string_view key) {
  for (const std::string_view line : split_lines(text)) {
    if (line.starts_with(key) && line.substr(key.size()).starts_with(' ')) return number_in(line.substr(key.size()));
  }
  return 0;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code unreadable;
    if (entry->is_directory(unreadable)) found.push_back(entry->path());
  }
  return found;
}

/// The folder and those in it: a command with the right may have made groups of its own. @return Whether it is gone.
bool remove_groups(const fs::path& folder) {
  for (const fs::path& inner : folders_in(folder)) remove_groups(inner);
  return ::rmdir(folder.c_str()) == 0 || errno == ENOENT;
}

void kill_members(const fs::path& folder) {
  for (const fs::path& inner : folders_in(folder)) kill_members(inner);
  const std::string members = text_of(folder / "cgroup.procs");
  for (const std::string_view line : split_lines(members)) {
    // 0 is a process of another PID namespace.
    if (const auto pid = static_cast<pid_t>(number_in(line)); pid > 1) ::kill(pid, SIGKILL);
  }
}

/// The pid in "aiopt-<pid>-<n>", 0 if it is no such name.
pid_t maker_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return 0;
  pid_t pid = 0;
  const char* const last = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data() + kPrefix.size(), last, pid);
  return error == std::errc{} && end != last && *end == '-' ? pid : 0;
}

void remove_leftovers(const fs::path& base) {
  for (const fs::path& folder : folders_in(base)) {
    const pid_t maker = maker_of(folder.filename().string());
    if (maker <= 0 || ::kill(maker, 0) == 0 || errno != ESRCH) continue;
    for (int i = 0; i < 20; ++i) {
      kill_members(folder);
      if (remove_groups(folder)) break;
      std::this_thread::sleep_for(10ms);
    }
  }
}

struct Bases {
  std::optional<fs::path> memory;
  std::optional<fs::path> pids;
  std::optional<fs::path> v2;
};

const Bases& bases() {
  static const Bases found = [] {
    const std::string cgroup = text_of("/proc/self/cgroup");
    const std::string mounts = text_of("/proc/self/mountinfo");
    Bases own{cgroup_folder("memory", cgroup, mounts), cgroup_folder("pids", cgroup, mounts),
              cgroup_folder("", cgroup, mounts)};
    for (const auto& base : {own.memory, own.pids, own.v2}) {
      if (base) remove_leftovers(*base);
    }
    return own;
  }();
  return found;
}

}  // namespace

std::optional<fs::path> cgroup_folder(std::string_view controller, std::string_view cgroup,
                                      std::string_view mountinfo) {
  const bool is_v2 = controller.empty();
  std::optional<std::string_view> path;
  for (const std::string_view line : split_lines(cgroup)) {  // "4:memory:/group", in version 2 "0::/group".
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (is_v2 ? line.starts_with("0::") : lists(controllers, ',', controller)) path = line.substr(second + 1);
  }
  if (!path) return std::nullopt;
  for (const std::string_view line : split_lines(mountinfo)) {
    // "35 31 0:32 /root /mount/point rw - cgroup cgroup rw,memory"
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto before = split(line.substr(0, dash), ' ');
    const auto after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    if (is_v2 ? after[0] != "cgroup2" : after[0] != "cgroup" || !lists(after[2], ',', controller)) continue;
    // In a container the mount may show a part of the hierarchy only.
    const std::string_view root = before[3];
    std::string_view below = *path;
    if (root != "/") {
      if (!below.starts_with(root)) continue;
      below.remove_prefix(root.size());
    }
    while (below.starts_with('/')) below.remove_prefix(1);
    const fs::path mount_point(before[4]);
    return below.empty() ? mount_point : mount_point / below;
  }
  return std::nullopt;
}

TreeCgroup::TreeCgroup(const Limits& limits) {
  static std::atomic<unsigned> count = 0;
  const std::string name = fmt::format("{}{}-{}", kPrefix, ::getpid(), count++);
  const Bases& own = bases();
  if (own.memory && limits.memory_bytes != 0) add_v1_memory(*own.memory / name, limits.memory_bytes);
  if (own.pids && limits.processes != 0) add_v1_pids(*own.pids / name, limits.processes);
  if (own.v2) add_v2(*own.v2 / name, limits);
}

TreeCgroup::~TreeCgroup() {
  procs_.clear();
  stop_forks_.close();
  kill_.close();
  for (const fs::path& folder : folders_) {
    for (int i = 0; !remove_groups(folder) && i < 100; ++i) std::this_thread::sleep_for(10ms);
  }
}

std::vector<int> TreeCgroup::join_descriptors() const {
  std::vector<int> descriptors;
  for (const FileDescriptor& procs : procs_) descriptors.push_back(procs.get());
  return descriptors;
}

std::uint64_t TreeCgroup::peak_bytes() const {
  if (memory_.empty()) return 0;
  return number_in(text_of(memory_ / (memory_is_v2_ ? "memory.peak" : "memory.max_usage_in_bytes")));
}

bool TreeCgroup::hit_memory_limit() const {
  if (memory_.empty()) return false;
  return number_of(text_of(memory_ / (memory_is_v2_ ? "memory.events" : "memory.oom_control")), "oom_kill") > 0;
}

void TreeCgroup::add_v1_memory(const fs::path& folder, std::uint64_t bytes) {
  if (!join(folder)) return;
  if (!write_once(folder / "memory.limit_in_bytes", fmt::format("{}", bytes))) return;
  // With swap, which a tree could fill instead; the file is there only if swap is accounted for.
  write_once(folder / "memory.memsw.limit_in_bytes", fmt::format("{}", bytes));
  memory_ = folder;
}

void TreeCgroup::add_v1_pids(const fs::path& folder, std::uint64_t count) {
  if (!join(folder)) return;
  if (!write_once(folder / "pids.max", fmt::format("{}", count))) return;
  stop_forks_ = FileDescriptor(::open((folder / "pids.max").c_str(), O_WRONLY | O_CLOEXEC));
  pids_ = folder;
}

void TreeCgroup::add_v2(const fs::path& wanted, const Limits& limits) {
  const bool needs_memory = limits.memory_bytes != 0 && memory_.empty();
  const bool needs_pids = limits.processes != 0 && pids_.empty();
  // Controllers reach a group only if its parent, which then has no processes of its own, hands them down: so where
  // aiopt's group does not, a sibling's parent may (a user's slice under systemd).
  fs::path folder = wanted;
  const auto hands_down = [](const fs::path& group, std::string_view controller) {
    return lists(text_of(group.parent_path() / "cgroup.subtree_control"), ' ', controller);
  };
  if ((needs_memory && !hands_down(folder, "memory")) || (needs_pids && !hands_down(folder, "pids"))) {
    const fs::path sibling = wanted.parent_path().parent_path() / wanted.filename();
    if (hands_down(sibling, "memory") || hands_down(sibling, "pids")) folder = sibling;
  }
  if (!join(folder) && (folder == wanted || !join(folder = wanted))) return;
  if (needs_memory && write_once(folder / "memory.max", fmt::format("{}", limits.memory_bytes))) {
    write_once(folder / "memory.swap.max", "0");
    memory_ = folder;
    memory_is_v2_ = true;
  }
  if (needs_pids && write_once(folder / "pids.max", fmt::format("{}", limits.processes))) {
    stop_forks_ = FileDescriptor(::open((folder / "pids.max").c_str(), O_WRONLY | O_CLOEXEC));
    pids_ = folder;
  }
  kill_ = FileDescriptor(::open((folder / "cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC));
}

/// Makes the group and keeps it if processes may be moved there.
bool TreeCgroup::join(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0) return false;
  FileDescriptor procs(::open((folder / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!procs.is_open()) {
    ::rmdir(folder.c_str());
    return false;
  }
  folders_.push_back(folder);
  procs_.push_back(std::move(procs));
  return true;
}

}  // namespace aiopt
