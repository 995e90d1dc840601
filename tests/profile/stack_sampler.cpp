/// A small perf record: one event, one ring, read when the program has ended.

#include "stack_sampler.hpp"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/file_descriptor.hpp"
#include "profile/unwinder.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kRing = 1024 * kPage;

/// Reads numbers off the front of a record.
class Record {
 public:
  explicit Record(const std::string& bytes) : bytes_(bytes) {}

  template <typename Number>
  Number take() {
    Number number{};
    std::memcpy(&number, bytes_.data() + at_, sizeof number);
    at_ += sizeof number;
    return number;
  }
  std::vector<std::uint64_t> take_many(std::size_t count) {
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = 0; i < count; ++i) numbers.push_back(take<std::uint64_t>());
    return numbers;
  }
  std::vector<std::byte> take_bytes(std::size_t count) {
    std::vector<std::byte> taken(count);
    if (count > 0) std::memcpy(taken.data(), bytes_.data() + at_, count);
    at_ += count;
    return taken;
  }

 private:
  const std::string& bytes_;
  std::size_t at_ = sizeof(perf_event_header);
};

std::vector<std::uint64_t> user_part(const std::vector<std::uint64_t>& chain) {
  std::vector<std::uint64_t> part;
  bool is_user = false;
  for (const std::uint64_t address : chain) {
    const bool is_mark = address >= static_cast<std::uint64_t>(PERF_CONTEXT_MAX);
    if (is_mark) is_user = address == static_cast<std::uint64_t>(PERF_CONTEXT_USER);
    if (!is_mark && is_user) part.push_back(address);
  }
  return part;
}

SampledSwitch parse_sample(const std::string& bytes, std::size_t registers) {
  Record record(bytes);
  SampledSwitch sample;
  sample.chain = user_part(record.take_many(record.take<std::uint64_t>()));
  if (record.take<std::uint64_t>() != PERF_SAMPLE_REGS_ABI_NONE) sample.registers = record.take_many(registers);
  const auto room = record.take<std::uint64_t>();
  sample.stack = record.take_bytes(room);
  if (room > 0) sample.stack.resize(record.take<std::uint64_t>());
#if defined(__x86_64__)
  if (!sample.registers.empty()) sample.sp = sample.registers[7];
#elif defined(__aarch64__)
  if (!sample.registers.empty()) sample.sp = sample.registers[31];
#endif
  return sample;
}

std::vector<SampledSwitch> read_ring(const char* base) {
  perf_event_mmap_page page;
  std::memcpy(&page, base, sizeof page);
  std::vector<SampledSwitch> switches;
  const std::size_t registers = static_cast<std::size_t>(__builtin_popcountll(Unwinder::kRegisters));
  for (std::uint64_t at = 0; at + sizeof(perf_event_header) <= page.data_head;) {
    const auto byte_at = [&](std::uint64_t i) { return base[kPage + (at + i) % kRing]; };
    std::string bytes;
    for (std::uint64_t i = 0; i < sizeof(perf_event_header); ++i) bytes += byte_at(i);
    perf_event_header header;
    std::memcpy(&header, bytes.data(), sizeof header);
    for (std::uint64_t i = bytes.size(); i < header.size; ++i) bytes += byte_at(i);
    if (header.type == PERF_RECORD_SAMPLE) switches.push_back(parse_sample(bytes, registers));
    at += header.size;
  }
  return switches;
}

int open_event(pid_t pid, std::uint32_t stack_bytes) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_CONTEXT_SWITCHES;
  attributes.sample_period = 1;
  attributes.sample_type = PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
  attributes.sample_regs_user = Unwinder::kRegisters;
  attributes.sample_stack_user = stack_bytes;
  attributes.disabled = 1;
  attributes.enable_on_exec = 1;
  return static_cast<int>(syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

[[noreturn]] void run_when_told(const std::vector<std::string>& arguments, int told, int out) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  char go = 0;
  dup2(out, STDOUT_FILENO);
  if (read(told, &go, 1) == 1) execv(pointers[0], pointers.data());
  _exit(127);
}

std::string read_to_end(int descriptor) {
  std::string text;
  std::array<char, 4096> chunk;
  for (ssize_t got = 0; (got = read(descriptor, chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

std::optional<SwitchedRun> sample_switches(const std::vector<std::string>& arguments, std::uint32_t stack_bytes) {
  std::array<int, 2> go{};
  std::array<int, 2> out{};
  if (pipe(go.data()) != 0 || pipe(out.data()) != 0) return std::nullopt;
  const pid_t pid = fork();
  if (pid == 0) run_when_told(arguments, go[0], out[1]);
  FileDescriptor go_read(go[0]), go_write(go[1]), out_read(out[0]), out_write(out[1]);
  const FileDescriptor event(open_event(pid, stack_bytes));
  void* const ring =
      event.is_open() ? mmap(nullptr, kPage + kRing, PROT_READ | PROT_WRITE, MAP_SHARED, event.get(), 0) : MAP_FAILED;
  if (ring != MAP_FAILED && write(go_write.get(), "x", 1) != 1) return std::nullopt;
  go_write.close();
  out_write.close();
  SwitchedRun run;
  run.out = read_to_end(out_read.get());
  int status = 0;
  waitpid(pid, &status, 0);
  if (ring == MAP_FAILED) return std::nullopt;
  run.switches = read_ring(static_cast<const char*>(ring));
  munmap(ring, kPage + kRing);
  return run;
}

}  // namespace aiopt
