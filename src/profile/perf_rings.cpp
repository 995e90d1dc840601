/// perf_event_open(2), and the merge of what comes.

#include "profile/perf_rings.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <set>
#include <string_view>
#include <utility>

#include "base/cpu_set.hpp"
#include "base/files.hpp"
#include "base/text.hpp"

namespace aiopt {
namespace {

constexpr std::size_t kAllRingsBytes = std::size_t{128} << 20U;
constexpr std::size_t kLargestRingBytes = std::size_t{8} << 20U;
constexpr std::size_t kSmallestRingBytes = std::size_t{64} << 10U;

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::vector<int> online_cpus() {
  const auto text = read_file("/sys/devices/system/cpu/online");
  auto cpus = text ? parse_cpu_list(trim(*text)) : Result<std::vector<int>>(std::vector<int>{});
  if (cpus && !cpus->empty()) return *std::move(cpus);
  std::vector<int> all;
  for (int cpu = 0; cpu < ::sysconf(_SC_NPROCESSORS_ONLN); ++cpu) all.push_back(cpu);
  return all;
}

Error event_error(std::string_view what, int number) {
  return {Error::Code::unavailable,
          fmt::format(
              "cannot open perf event {}: {}{}", what, std::strerror(number),
              number == EACCES || number == EPERM ? "; kernel.perf_event_paranoid allows more the lower it is" : "")};
}

std::string_view name_of(PerfEventKind kind) {
  switch (kind) {
    case PerfEventKind::side_band:
      return "dummy";
    case PerfEventKind::task_clock:
      return "task-clock";
    case PerfEventKind::context_switch:
      return "context-switches";
    case PerfEventKind::waking:
      return "sched:sched_waking";
  }
  return "";
}

perf_event_attr common_attributes(bool on_exec) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.sample_type = kSampleHead;
  attributes.sample_id_all = 1;
  attributes.use_clockid = 1;
  attributes.clockid = CLOCK_MONOTONIC;
  attributes.watermark = 1;
  attributes.exclude_hv = 1;
  attributes.disabled = on_exec ? 1 : 0;
  attributes.enable_on_exec = on_exec ? 1 : 0;
  return attributes;
}

/// Threads, mappings and switches: records that need no counting.
perf_event_attr side_band_attributes(bool on_exec) {
  perf_event_attr attributes = common_attributes(on_exec);
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.inherit = 1;
  attributes.context_switch = 1;
  attributes.mmap = 1;
  attributes.mmap2 = 1;
  attributes.comm = 1;
  attributes.comm_exec = 1;
  attributes.task = 1;
  return attributes;
}

perf_event_attr task_clock_attributes(bool on_exec, const PerfRingsOptions& options) {
  perf_event_attr attributes = common_attributes(on_exec);
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  attributes.sample_period = options.clock_period_ns;
  attributes.sample_type |= PERF_SAMPLE_CALLCHAIN;
  attributes.inherit = 1;
  return attributes;
}

perf_event_attr context_switch_attributes(bool on_exec, const PerfRingsOptions& options) {
  perf_event_attr attributes = common_attributes(on_exec);
  attributes.config = PERF_COUNT_SW_CONTEXT_SWITCHES;
  attributes.sample_period = 1;
  attributes.sample_type |= PERF_SAMPLE_CALLCHAIN;
  attributes.inherit = 1;
  if (options.dump_bytes != 0 && kUserRegisters != 0) {
    attributes.sample_type |= PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
    attributes.sample_regs_user = kUserRegisters;
    attributes.sample_stack_user = static_cast<std::uint32_t>(options.dump_bytes);
  }
  return attributes;
}

/// The tracepoint's record has the machine's own number of the thread, perf's others those of our PID namespace.
bool is_in_first_pid_namespace() {
  constexpr ino_t kFirst = 0xEFFFFFFC;  // PROC_PID_INIT_INO
  struct stat of {};
  return ::stat("/proc/self/ns/pid", &of) == 0 && of.st_ino == kFirst;
}

/// "field:pid_t pid;\toffset:24;\tsize:4;..."
std::size_t offset_in_format(std::string_view format, std::string_view field, std::size_t otherwise) {
  for (const std::string_view line : split_lines(format)) {
    const std::size_t end = line.find(';');
    if (end == std::string_view::npos || !line.substr(0, end).ends_with(field)) continue;
    constexpr std::string_view kOffset = "offset:";
    const std::size_t at = line.find(kOffset, end);
    if (at == std::string_view::npos) continue;
    const std::string_view number = line.substr(at + kOffset.size());
    std::size_t offset = otherwise;
    std::from_chars(number.data(), number.data() + number.size(), offset);
    return offset;
  }
  return otherwise;
}

struct WakingTracepoint {
  std::uint64_t id = 0;  ///< 0: it may not be read.
  WakingFormat format;
};

WakingTracepoint find_waking() {
  WakingTracepoint found;
  for (const char* folder : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    const std::filesystem::path event = std::filesystem::path(folder) / "events/sched/sched_waking";
    const auto id = read_file(event / "id");
    const auto format = read_file(event / "format");
    if (!id || !format) continue;
    std::from_chars(id->data(), id->data() + id->size(), found.id);
    found.format.flags = offset_in_format(*format, " common_flags", found.format.flags);
    found.format.pid = offset_in_format(*format, " pid", found.format.pid);
    return found;
  }
  return found;
}

Result<std::vector<pid_t>> threads_of(pid_t pid) {
  std::vector<pid_t> threads;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), failed)) {
    const std::string name = entry.path().filename().string();
    pid_t thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    if (thread > 0) threads.push_back(thread);
  }
  if (threads.empty())
    return Error{Error::Code::not_found, fmt::format("cannot attach to process {}: there is none", pid)};
  return threads;
}

/// The process of a thread: /proc has a folder of any thread's number. Itself if it has ended.
pid_t process_of(pid_t thread) {
  const auto status = read_file(fmt::format("/proc/{}/status", thread));
  if (!status) return thread;
  for (const std::string_view line : split_lines(*status)) {
    constexpr std::string_view kProcess = "Tgid:\t";
    if (!line.starts_with(kProcess)) continue;
    pid_t process = thread;
    std::from_chars(line.data() + kProcess.size(), line.data() + line.size(), process);
    return process;
  }
  return thread;
}

/// One event for each thread and CPU, three times.
void allow_many_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

perf_event_mmap_page& page_of(std::byte* memory) {
  return *reinterpret_cast<perf_event_mmap_page*>(memory);
}

}  // namespace

std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

void PerfRings::Unmap::operator()(std::byte* memory) const {
  ::munmap(memory, bytes);
}

// ---- opening --------------------------------------------------------------------------------------------------------

Result<FileDescriptor> PerfRings::open_event(perf_event_attr attributes, pid_t thread, int cpu, PerfEventKind kind) {
  const auto try_open = [&] {
    attributes.build_id = attributes.mmap2 != 0 && tells_lost_ ? 1 : 0;  // Older than the other.
    attributes.read_format = tells_lost_ ? std::uint64_t{PERF_FORMAT_LOST} : 0;
    attributes.wakeup_watermark = static_cast<std::uint32_t>(ring_bytes_ / 4);
    return FileDescriptor(static_cast<int>(::syscall(SYS_perf_event_open, &attributes, thread, cpu, -1,
                                                     static_cast<unsigned long>(PERF_FLAG_FD_CLOEXEC))));
  };
  FileDescriptor event = try_open();
  if (!event.is_open() && errno == EINVAL && tells_lost_) {
    tells_lost_ = false;
    event = try_open();
  }
  if (!event.is_open()) return event_error(name_of(kind), errno);
  std::uint64_t id = 0;
  if (::ioctl(event.get(), PERF_EVENT_IOC_ID, &id) != 0) return event_error(name_of(kind), errno);
  parser_.kinds[id] = kind;
  return event;
}

PerfRings::Ring* PerfRings::ring_of(int cpu) {
  const auto found = std::find_if(rings_.begin(), rings_.end(), [&](const Ring& ring) { return ring.cpu == cpu; });
  return found == rings_.end() ? nullptr : &*found;
}

Result<void> PerfRings::add_ring(FileDescriptor event, int cpu, std::size_t bytes) {
  const std::size_t all = page_bytes() + bytes;
  void* memory = ::mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_SHARED, event.get(), 0);
  if (memory == MAP_FAILED) return event_error(fmt::format("a ring of {} KiB", bytes >> 10U), errno);
  Ring& ring = rings_.emplace_back();
  ring.event = std::move(event);
  ring.memory = std::unique_ptr<std::byte, Unmap>(static_cast<std::byte*>(memory), Unmap{all});
  ring.cpu = cpu;
  return {};
}

/// Into the CPU's ring, which it makes if there is none.
Result<void> PerfRings::add_event(const perf_event_attr& attributes, pid_t thread, int cpu, PerfEventKind kind,
                                  std::vector<FileDescriptor>& events) {
  auto event = open_event(attributes, thread, cpu, kind);
  if (!event) return event.error();
  Ring* ring = ring_of(cpu);
  if (ring == nullptr) return add_ring(*std::move(event), cpu, ring_bytes_);
  if (::ioctl(event->get(), PERF_EVENT_IOC_SET_OUTPUT, ring->event.get()) != 0) return event_error("output", errno);
  events.push_back(*std::move(event));
  return {};
}

/// What a thread's own events would tell at the price of being taken off and put on its CPU with it.
Result<void> PerfRings::open_machine(const PerfRingsOptions& options) {
  perf_event_attr side_band = side_band_attributes(false);
  perf_event_attr clock = task_clock_attributes(false, options);
  clock.config = PERF_COUNT_SW_CPU_CLOCK;
  clock.exclude_idle = 1;
  for (const int cpu : online_cpus()) {
    if (auto added = add_event(side_band, -1, cpu, PerfEventKind::side_band, others_); !added) return added;
    if (auto added = add_event(clock, -1, cpu, PerfEventKind::task_clock, others_); !added) return added;
  }
  return {};
}

Result<void> PerfRings::open_thread(pid_t thread, bool on_exec, const PerfRingsOptions& options) {
  perf_event_attr side_band = side_band_attributes(on_exec);
  perf_event_attr clock = task_clock_attributes(on_exec, options);
  if (level_ == SamplerLevel::user) {
    side_band.exclude_kernel = 1;
    clock.exclude_kernel = 1;
    clock.exclude_callchain_kernel = 1;
  }
  const perf_event_attr switches = context_switch_attributes(on_exec, options);
  parser_.has_dumps = (switches.sample_type & PERF_SAMPLE_STACK_USER) != 0;
  for (const int cpu : online_cpus()) {
    const auto add = [&](const perf_event_attr& attributes, PerfEventKind kind, std::vector<FileDescriptor>& events) {
      return add_event(attributes, thread, cpu, kind, events);
    };
    if (level_ != SamplerLevel::full) {
      if (auto added = add(side_band, PerfEventKind::side_band, others_); !added) return added;
      if (auto added = add(clock, PerfEventKind::task_clock, stacks_); !added) return added;
    }
    if (level_ == SamplerLevel::user) continue;
    if (auto added = add(switches, PerfEventKind::context_switch, stacks_); !added) return added;
  }
  return {};
}

/// Of the whole machine: an event of the woken thread's own is never told of it, for it is the waker that runs.
Result<void> PerfRings::open_wakings() {
  const WakingTracepoint tracepoint = is_in_first_pid_namespace() ? find_waking() : WakingTracepoint{};
  if (tracepoint.id == 0) return event_error(name_of(PerfEventKind::waking), EACCES);
  parser_.waking = tracepoint.format;
  perf_event_attr attributes = common_attributes(false);
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = tracepoint.id;
  attributes.sample_period = 1;
  attributes.sample_type |= PERF_SAMPLE_RAW;
  for (const int cpu : online_cpus()) {
    auto event = open_event(attributes, -1, cpu, PerfEventKind::waking);
    if (!event) return event.error();
    const std::size_t bytes = std::max(ring_bytes_ / 4, kSmallestRingBytes);  // A tenth of the bytes, for each.
    if (auto added = add_ring(*std::move(event), -1, bytes); !added) return added;
  }
  return {};
}

Result<void> PerfRings::open_at(SamplerLevel level, pid_t pid, const std::vector<pid_t>& threads, bool on_exec,
                                const PerfRingsOptions& options) {
  level_ = level;
  stacks_.clear();
  others_.clear();
  rings_.clear();
  parser_.kinds.clear();
  tree_.reset();
  // First: it tells most quickly that this level can't be reached.
  if (level == SamplerLevel::full) {
    if (auto opened = open_wakings(); !opened) return opened;
    if (auto opened = open_machine(options); !opened) return opened;
    tree_.emplace(pid, on_exec);
  }
  std::size_t gone = 0;
  for (const pid_t thread : threads) {
    const auto opened = open_thread(thread, on_exec, options);
    const bool has_ended = !opened && ::syscall(SYS_tgkill, thread, thread, 0) != 0 && errno == ESRCH &&
                           !std::filesystem::exists(fmt::format("/proc/{}", thread));
    if (has_ended) ++gone;
    if (!opened && !has_ended) return opened;
  }
  if (gone == threads.size()) return event_error("of a thread", ESRCH);
  return {};
}

Result<void> PerfRings::open(pid_t pid, const std::vector<pid_t>& threads, bool on_exec,
                             const PerfRingsOptions& options) {
  allow_many_files();
  const std::size_t share = std::bit_floor(kAllRingsBytes / online_cpus().size());
  Result<void> failed = event_error("of any kind", EACCES);
  for (const SamplerLevel level : {SamplerLevel::full, SamplerLevel::kernel, SamplerLevel::user}) {
    if (level < options.best) continue;
    // What may be locked is RLIMIT_MEMLOCK and kernel.perf_event_mlock_kb: one tries.
    for (ring_bytes_ = std::clamp(share, kSmallestRingBytes, kLargestRingBytes); ring_bytes_ >= kSmallestRingBytes;
         ring_bytes_ /= 2) {
      failed = open_at(level, pid, threads, on_exec, options);
      if (failed) return {};
      if (rings_.empty()) break;  // It was not for want of memory.
    }
  }
  level_ = SamplerLevel::nothing;
  rings_.clear();
  stacks_.clear();
  others_.clear();
  return failed;
}

Result<PerfRings> PerfRings::open_before_exec(pid_t pid, const PerfRingsOptions& options) {
  PerfRings rings;
  if (auto opened = rings.open(pid, {pid}, true, options); !opened) return opened.error();
  return rings;
}

Result<PerfRings> PerfRings::attach(pid_t pid, const PerfRingsOptions& options) {
  auto threads = threads_of(pid);
  if (!threads) return threads.error();
  PerfRings rings;
  if (auto opened = rings.open(process_of(pid), *threads, false, options); !opened) return opened.error();
  // Threads made meanwhile, by threads that had no events yet. Those that had some are recorded twice: no harm.
  std::set<pid_t> known(threads->begin(), threads->end());
  constexpr int kMostRounds = 20;
  for (int round = 0; round < kMostRounds; ++round) {
    threads = threads_of(pid);
    if (!threads) break;
    bool is_stable = true;
    for (const pid_t thread : *threads) {
      if (!known.insert(thread).second) continue;
      is_stable = false;
      static_cast<void>(rings.open_thread(thread, false, options));  // It may have ended.
    }
    if (is_stable) break;
  }
  return rings;
}

// ---- draining -------------------------------------------------------------------------------------------------------

void PerfRings::wait(std::chrono::milliseconds patience) const {
  std::vector<pollfd> events;
  for (const Ring& ring : rings_) events.push_back({ring.event.get(), POLLIN, 0});
  ::poll(events.data(), events.size(), static_cast<int>(patience.count()));
}

double PerfRings::fullness() const {
  double fullest = 0.0;
  for (const Ring& ring : rings_) {
    const perf_event_mmap_page& page = page_of(ring.memory.get());
    const std::uint64_t head = __atomic_load_n(&page.data_head, __ATOMIC_ACQUIRE);
    fullest = std::max(fullest, static_cast<double>(head - ring.tail) / static_cast<double>(page.data_size));
  }
  return fullest;
}

/// Null: there is none.
const perf_event_header* PerfRings::front(Ring& ring) const {
  if (ring.tail >= ring.head) return nullptr;
  const std::size_t size = ring.memory.get_deleter().bytes - page_bytes();
  const std::byte* data = ring.memory.get() + page_bytes();
  const std::size_t at = ring.tail % size;
  const auto* header = reinterpret_cast<const perf_event_header*>(data + at);  // 8 bytes, as all records: in one piece.
  if (at + header->size <= size) return header;
  ring.wrapped.resize((header->size + 7U) / 8U);
  const std::size_t first = size - at;
  auto* whole = reinterpret_cast<std::byte*>(ring.wrapped.data());
  std::memcpy(whole, data + at, first);
  std::memcpy(whole + first, data, header->size - first);
  return reinterpret_cast<const perf_event_header*>(whole);
}

void PerfRings::release(Ring& ring) const {
  __atomic_store_n(&page_of(ring.memory.get()).data_tail, ring.tail, __ATOMIC_RELEASE);
}

void PerfRings::drain(std::uint64_t until_ns, const std::function<void(const PerfRecord&)>& sink) {
  struct Front {
    std::uint64_t time_ns;
    Ring* ring;
    const perf_event_header* header;
  };
  const auto is_later = [](const Front& a, const Front& b) { return a.time_ns > b.time_ns; };
  std::vector<Front> fronts;
  const auto push = [&](Ring& ring) {
    const perf_event_header* header = front(ring);
    if (header == nullptr) return;
    fronts.push_back({PerfParser::time_of(*header), &ring, header});
    std::push_heap(fronts.begin(), fronts.end(), is_later);
  };
  for (Ring& ring : rings_) {
    ring.head = __atomic_load_n(&page_of(ring.memory.get()).data_head, __ATOMIC_ACQUIRE);
    push(ring);
  }
  while (!fronts.empty() && fronts.front().time_ns <= until_ns) {
    std::pop_heap(fronts.begin(), fronts.end(), is_later);
    const Front next = fronts.back();
    fronts.pop_back();
    ++records_;
    if (const auto record = parser_.parse(*next.header); record && (!tree_ || tree_->takes(*record))) sink(*record);
    next.ring->tail += next.header->size;
    constexpr std::uint64_t kReleaseRecords = 256;
    if (records_ % kReleaseRecords == 0) release(*next.ring);
    push(*next.ring);
  }
  for (Ring& ring : rings_) release(ring);
}

void PerfRings::take_stacks(bool takes) {
  for (const FileDescriptor& event : stacks_) {
    ::ioctl(event.get(), takes ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
  }
}

void PerfRings::stop() {
  take_stacks(false);
  for (const Ring& ring : rings_) ::ioctl(ring.event.get(), PERF_EVENT_IOC_DISABLE, 0);
  for (const FileDescriptor& event : others_) ::ioctl(event.get(), PERF_EVENT_IOC_DISABLE, 0);
}

std::uint64_t PerfRings::lost() const {
  if (!tells_lost_) return parser_.lost;
  std::uint64_t lost = 0;
  const auto add = [&](const FileDescriptor& event) {
    std::uint64_t values[2] = {};  // The count, the lost.
    if (::read(event.get(), values, sizeof values) == sizeof values) lost += values[1];
  };
  for (const Ring& ring : rings_) add(ring.event);
  for (const FileDescriptor& event : stacks_) add(event);
  for (const FileDescriptor& event : others_) add(event);
  return std::max(lost, parser_.lost);
}

}  // namespace aiopt
