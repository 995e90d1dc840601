/// Unwinds with libdwfl, which asks us for the files, the registers and the memory.

#include "profile/unwinder.hpp"

#include <elfutils/libdwfl.h>
#include <fmt/format.h>
#include <libelf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace aiopt {

namespace {

struct DwflCloser {
  void operator()(Dwfl* dwfl) const { dwfl_end(dwfl); }
};

#if defined(__x86_64__)
/// Where DWARF's registers are among ours (System V ABI for AMD64, figure 3.36): RAX RDX RCX RBX RSI RDI RBP RSP, R8 to
/// R15, and the return address.
constexpr std::array<std::size_t, 17> kDwarfRegisters = {0, 3, 2, 1, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 8};
constexpr std::size_t kRegisterCount = kDwarfRegisters.size();
#elif defined(__aarch64__)
constexpr std::size_t kProgramCounter = 32;
constexpr std::size_t kRegisterCount = 33;
#else
constexpr std::size_t kRegisterCount = std::numeric_limits<std::size_t>::max();  // No dump has them.
#endif

constexpr pid_t kThread = 1;  ///< libdwfl wants a number; it is asked nowhere.

bool set_registers(Dwfl_Thread* thread, std::span<const std::uint64_t> registers) {
#if defined(__x86_64__)
  std::array<Dwarf_Word, kDwarfRegisters.size()> values{};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = registers[kDwarfRegisters[i]];
  return dwfl_thread_state_registers(thread, 0, values.size(), values.data());
#elif defined(__aarch64__)
  dwfl_thread_state_register_pc(thread, registers[kProgramCounter]);
  const std::vector<Dwarf_Word> values(registers.begin(), registers.begin() + kProgramCounter);
  return dwfl_thread_state_registers(thread, 0, static_cast<unsigned>(values.size()), values.data());
#else
  return thread == nullptr && registers.empty();
#endif
}

/// What is added to the linker's addresses where the file is mapped so. Empty: the mapping holds no code of it.
std::optional<std::uint64_t> bias_of(const Mapping& mapping, const ObjectFile& file) {
  for (const ObjectFile::Segment& segment : file.segments()) {
    const bool is_mapped = segment.is_code &&
                           segment.file_offset < mapping.file_offset + (mapping.end - mapping.start) &&
                           mapping.file_offset < segment.file_offset + segment.file_bytes;
    if (is_mapped) return mapping.start - mapping.file_offset + segment.file_offset - segment.address;
  }
  return std::nullopt;
}

/// A file at a place in memory, as libdwfl has it: from its first segment's first page to its last one's end.
struct LoadedObject {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  const ObjectFile* file = nullptr;
};

std::optional<LoadedObject> loaded_object(const Mapping& mapping, const ObjectFile& file) {
  const std::optional<std::uint64_t> bias = bias_of(mapping, file);
  if (!bias) return std::nullopt;
  const ObjectFile::Segment& first = file.segments().front();
  const std::uint64_t alignment = std::max<std::uint64_t>(first.alignment, 1);
  LoadedObject object{*bias + (first.address & (~alignment + 1)), 0, &file};
  for (const ObjectFile::Segment& segment : file.segments()) {
    object.high = std::max(object.high, *bias + segment.address + segment.memory_bytes);
  }
  const bool is_sound = object.low < object.high && object.low <= mapping.start && mapping.start < object.high;
  return is_sound ? std::optional(object) : std::nullopt;
}

/// Callers' addresses are where they go on.
std::vector<std::uint64_t> addresses_of_calls(std::span<const std::uint64_t> chain) {
  std::vector<std::uint64_t> addresses(chain.begin(), chain.end());
  for (std::size_t i = 1; i < addresses.size(); ++i) --addresses[i];
  return addresses;
}

/// The chain is of the same callers, but lacks those that keep no frame pointer. What is left of it when all that both
/// have, in the same order, is taken away, lies beyond the end of the dump. In a recursion one address stands for many
/// callers: to look for the outermost in the chain would not do.
std::vector<std::uint64_t> splice(std::vector<std::uint64_t> unwound, const std::vector<std::uint64_t>& chain) {
  if (unwound.size() < 2) return chain.empty() ? unwound : chain;
  auto beyond = chain.begin();
  for (const std::uint64_t address : unwound) {
    if (beyond != chain.end() && *beyond == address) ++beyond;
  }
  // Both begin at the same place. That alone does not say that the chain is sound.
  if (beyond - chain.begin() > 1) unwound.insert(unwound.end(), beyond, chain.end());
  return unwound;
}

}  // namespace

/// libdwfl's view of the process.
class Unwinder::Frames {
 public:
  explicit Frames(std::shared_ptr<CodeObjects> objects) : objects_(std::move(objects)) {
    callbacks_.find_elf = find_elf;
    callbacks_.find_debuginfo = find_debuginfo;
    dwfl_.reset(dwfl_begin(&callbacks_));
    attach();
  }

  void add(const Mapping& mapping) {
    CodeObject* const object = objects_->find(mapping);
    const std::optional<LoadedObject> loaded =
        object == nullptr ? std::nullopt : loaded_object(mapping, object->file());
    const auto same = loaded ? loaded_.find(loaded->low) : loaded_.end();
    if (same != loaded_.end() && same->second.file == loaded->file) return;  // Another part of it.
    std::erase_if(loaded_, [&](const auto& old) {
      const LoadedObject& other = old.second;
      return loaded ? other.low < loaded->high && loaded->low < other.high
                    : other.low < mapping.end && mapping.start < other.high;
    });
    if (loaded) loaded_.emplace(loaded->low, *loaded);
    is_current_ = false;
  }

  /// @param is_complete  set where the outermost caller was reached
  std::vector<std::uint64_t> unwind(const UserStack& stack, bool& is_complete) {
    std::vector<std::uint64_t> addresses;
    is_complete = false;
    if (stack.registers.size() != kRegisterCount || !is_attached_) return addresses;
    report();
    stack_ = &stack;
    has_read_beyond_ = false;
    // For libdwfl, a return address that cannot be read is the outermost one's.
    is_complete = dwfl_getthread_frames(dwfl_.get(), kThread, add_frame, &addresses) == 0 && !has_read_beyond_;
    stack_ = nullptr;
    return addresses;
  }

 private:
  void attach() {
    thread_callbacks_.next_thread = next_thread;
    thread_callbacks_.get_thread = get_thread;
    thread_callbacks_.memory_read = read_memory;
    thread_callbacks_.set_initial_registers = set_initial_registers;
    const auto vdso = ObjectFile::own_vdso();
    if (!vdso) return;
    of_this_machine_ = *vdso;
    is_attached_ = dwfl_attach_state(dwfl_.get(), of_this_machine_->elf(), kThread, &thread_callbacks_, this);
  }

  /// Modules that are reported again stay as they were, with all that was read of them; others go.
  void report() {
    if (is_current_) return;
    is_current_ = true;
    dwfl_report_begin(dwfl_.get());
    for (auto& [low, object] : loaded_) {
      const std::string name = fmt::format("{}@{:x}", object.file->path().string(), low);
      Dwfl_Module* const module = dwfl_report_module(dwfl_.get(), name.c_str(), object.low, object.high);
      void** user_data = nullptr;
      if (module == nullptr) continue;
      dwfl_module_info(module, &user_data, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
      *user_data = const_cast<ObjectFile*>(object.file);
    }
    dwfl_report_end(dwfl_.get(), nullptr, nullptr);
  }

  static int find_elf(Dwfl_Module*, void** user_data, const char*, Dwarf_Addr, char**, Elf** elf) {
    // One more reference to it, which libdwfl gives back. Our own, for it was opened with care.
    *elf = elf_begin(-1, ELF_C_READ, static_cast<const ObjectFile*>(*user_data)->elf());
    return -1;
  }
  /// None: what unwinding needs is in the object itself. libdwfl's own would ask a server.
  static int find_debuginfo(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*, GElf_Word,
                            char**) {
    return -1;
  }

  static pid_t next_thread(Dwfl*, void* self, void** thread) {
    if (*thread != nullptr) return 0;
    *thread = self;
    return kThread;
  }
  static bool get_thread(Dwfl*, pid_t, void* self, void** thread) {
    *thread = self;
    return true;
  }
  static bool set_initial_registers(Dwfl_Thread* thread, void* self) {
    return set_registers(thread, static_cast<Frames*>(self)->stack_->registers);
  }
  static bool read_memory(Dwfl*, Dwarf_Addr address, Dwarf_Word* word, void* self) {
    Frames& frames = *static_cast<Frames*>(self);
    const UserStack& stack = *frames.stack_;
    const std::uint64_t offset = address - stack.sp;  // Of an address below it, larger than any stack.
    if (stack.bytes.size() < sizeof *word || offset > stack.bytes.size() - sizeof *word) {
      frames.has_read_beyond_ = true;
      return false;
    }
    std::memcpy(word, stack.bytes.data() + offset, sizeof *word);
    return true;
  }
  static int add_frame(Dwfl_Frame* frame, void* argument) {
    auto& addresses = *static_cast<std::vector<std::uint64_t>*>(argument);
    Dwarf_Addr pc = 0;
    bool is_activation = false;  // Not in a call: the innermost, or one that a signal interrupted.
    if (!dwfl_frame_pc(frame, &pc, &is_activation)) return DWARF_CB_ABORT;
    addresses.push_back(is_activation || addresses.empty() ? pc : pc - 1);
    return addresses.size() < kMostFrames ? DWARF_CB_OK : DWARF_CB_ABORT;
  }

  std::shared_ptr<CodeObjects> objects_;               ///< Outlives dwfl_, which reads its files.
  std::shared_ptr<const ObjectFile> of_this_machine_;  ///< The same. It tells libdwfl which registers there are.
  Dwfl_Callbacks callbacks_{};
  Dwfl_Thread_Callbacks thread_callbacks_{};
  std::unique_ptr<Dwfl, DwflCloser> dwfl_;
  std::map<std::uint64_t, LoadedObject> loaded_;  ///< By their lowest address.
  bool is_current_ = false;                       ///< libdwfl knows of all in loaded_.
  bool is_attached_ = false;
  const UserStack* stack_ = nullptr;  ///< That is being unwound.
  bool has_read_beyond_ = false;      ///< Or below.
};

Unwinder::Unwinder(std::span<const Mapping> mappings, std::shared_ptr<CodeObjects> objects)
    : frames_(std::make_unique<Frames>(std::move(objects))) {
  for (const Mapping& mapping : mappings) add(mapping);
}

Unwinder::~Unwinder() = default;

void Unwinder::add(const Mapping& mapping) {
  frames_->add(mapping);
}

std::vector<std::uint64_t> Unwinder::unwind(const UserStack& stack,
                                            std::span<const std::uint64_t> frame_pointer_chain) {
  bool is_complete = false;
  std::vector<std::uint64_t> unwound = frames_->unwind(stack, is_complete);
  const std::vector<std::uint64_t> chain = addresses_of_calls(frame_pointer_chain);
  std::vector<std::uint64_t> addresses = is_complete ? std::move(unwound) : splice(std::move(unwound), chain);
  if (addresses.size() > kMostFrames) addresses.resize(kMostFrames);
  return addresses;
}

}  // namespace aiopt
