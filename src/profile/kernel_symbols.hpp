/// KernelSymbols: the functions of the running kernel and its modules, by address.

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

class KernelSymbols {
 public:
  KernelSymbols() = default;  ///< Knows none.

  /// Of /proc/kallsyms (proc(5)). Errors: io; unavailable, where the kernel shows no addresses (kernel.kptr_restrict).
  static Result<KernelSymbols> load(const std::filesystem::path& file = "/proc/kallsyms");
  /// Of such a text. Lines that are no function are passed over.
  static KernelSymbols parse(std::string_view text);

  /// "jbd2_log_wait_commit", a module's too. Empty: there is no function. Valid as long as this lives.
  std::string_view name_at(std::uint64_t address) const;

  std::size_t size() const { return addresses_.size(); }
  bool empty() const { return addresses_.empty(); }

 private:
  void sort();

  // Side by side: 12 bytes a function and its name. Ascending.
  std::vector<std::uint64_t> addresses_;
  std::vector<std::uint32_t> names_;  ///< Into text_, which ends each with a NUL.
  std::string text_;
};

}  // namespace aiopt
