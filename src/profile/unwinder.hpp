/// Unwinder: from a copy of a thread's stack to the chain of its callers.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "profile/code_object.hpp"
#include "profile/mapping.hpp"

namespace aiopt {

/// What perf_event_open(2) gives with PERF_SAMPLE_REGS_USER and PERF_SAMPLE_STACK_USER. Lent.
struct UserStack {
  std::span<const std::uint64_t> registers;  ///< Those of Unwinder::kRegisters, by rising bit.
  std::uint64_t sp = 0;                      ///< The address of the first byte.
  std::span<const std::byte> bytes;          ///< Upwards. Where they end, so does unwinding.
};

/// Of one process between two execve(2). By call frame information, .eh_frame or .debug_frame, which compilers write
/// for every function (DWARF 5, 6.4); of code that has none, by frame pointers. Not thread-safe.
class Unwinder {
 public:
#if defined(__x86_64__)
  /// AX BX CX DX SI DI BP SP IP, R8 to R15: asm/perf_regs.h.
  static constexpr std::uint64_t kRegisters = 0xff01ff;
#elif defined(__aarch64__)
  /// X0 to X30, SP, PC.
  static constexpr std::uint64_t kRegisters = (std::uint64_t{1} << 33) - 1;
#else
  static constexpr std::uint64_t kRegisters = 0;  ///< The frame pointers' chain alone.
#endif
  static constexpr std::size_t kMostFrames = 256;

  /// @param mappings, objects  see Symbolizer
  explicit Unwinder(std::span<const Mapping> mappings,
                    std::shared_ptr<CodeObjects> objects = std::make_shared<CodeObjects>());
  ~Unwinder();

  void add(const Mapping& mapping);

  /// The addresses to be named, innermost first: of callers one less than where they go on, so that they are within the
  /// call. At most kMostFrames. Where the dump ended before the outermost caller and the kernel's chain goes on from a
  /// place that both have, with that.
  ///
  /// @param frame_pointer_chain  the user's part of PERF_SAMPLE_CALLCHAIN as the kernel gives it, without
  ///                             PERF_CONTEXT_* marks: may be empty; all that is known where the dump gives less
  std::vector<std::uint64_t> unwind(const UserStack& stack, std::span<const std::uint64_t> frame_pointer_chain);

 private:
  class Frames;
  std::unique_ptr<Frames> frames_;
};

}  // namespace aiopt
