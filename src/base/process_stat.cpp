/// What /proc tells of one process, read without allocation: the supervisor may not allocate.

#include "base/process_stat.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <string_view>

namespace aiopt {
namespace {

/// "/proc/<pid>/<file>"; snprintf(3) may allocate.
std::array<char, 32> path_of(pid_t pid, std::string_view file) {
  std::array<char, 32> path{};
  std::array<char, 12> digits{};
  std::size_t count = 0;
  for (pid_t rest = pid; rest > 0; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
  std::size_t at = 0;
  for (const char c : {'/', 'p', 'r', 'o', 'c', '/'}) path[at++] = c;
  while (count > 0) path[at++] = digits[--count];
  path[at++] = '/';
  for (const char c : file) path[at++] = c;
  return path;
}

}  // namespace

bool read_process_stat(pid_t pid, ProcessStat& stat) {
  const int fd = ::open(path_of(pid, "stat").data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 1024> text;
  const ssize_t got = ::read(fd, text.data(), text.size());
  ::close(fd);
  // The second field is a name in brackets, in which anything may stand: the last bracket ends it.
  ssize_t at = got - 1;
  while (at >= 0 && text[static_cast<std::size_t>(at)] != ')') --at;
  if (at < 0 || at + 2 >= got) return false;
  stat = ProcessStat{};
  stat.state = text[static_cast<std::size_t>(at) + 2];
  std::uint64_t number = 0;
  int field = 3;
  for (at += 3; at < got; ++at) {
    const char c = text[static_cast<std::size_t>(at)];
    if (c >= '0' && c <= '9') {
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
      continue;
    }
    if (c != ' ' && c != '\n') continue;
    if (field == 4) stat.parent = static_cast<pid_t>(number);
    if (field == 6) stat.session = static_cast<pid_t>(number);
    if (field == 16 || field == 17) stat.children_cpu_ticks += number;
    if (field == 22) {
      stat.start_ticks = number;
      return true;
    }
    number = 0;
    ++field;
  }
  return false;
}

bool is_first_of_namespace(pid_t pid) {
  const int fd = ::open(path_of(pid, "status").data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 4096> text;
  const ssize_t got = ::read(fd, text.data(), text.size());
  ::close(fd);
  // "NSpid:\t4711\t1": its number here, and in each namespace below. A newline in a process's name is quoted.
  const std::string_view status(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  const std::size_t begin = status.find("\nNSpid:\t");
  if (begin == std::string_view::npos) return false;
  return status.substr(0, status.find('\n', begin + 1)).ends_with("\t1");
}

void for_each_process(void (*visit)(void* context, pid_t pid), void* context) {
  struct Entry {  // struct linux_dirent64, see getdents64(2); readdir(3) would allocate.
    std::uint64_t inode;
    std::int64_t offset;
    std::uint16_t size;
    std::uint8_t type;
    char name[256];
  };
  const int proc = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0) return;
  alignas(Entry) std::array<char, 8192> entries;
  long got = 0;
  while ((got = ::syscall(SYS_getdents64, proc, entries.data(), entries.size())) > 0) {
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const Entry*>(entries.data() + at);
      at += entry->size;
      if (entry->name[0] >= '1' && entry->name[0] <= '9') visit(context, static_cast<pid_t>(std::atoi(entry->name)));
    }
  }
  ::close(proc);
}

}  // namespace aiopt
