/// Reads /proc/kallsyms: "ffffffff81234560 t ext4_sync_file\t[ext4]", 200,000 lines, sorted but for modules.

#include "profile/kernel_symbols.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <numeric>

#include "base/files.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kMostKallsymsBytes = 256u << 20;
/// Functions have no size there. Behind the last one is code that has no name, for instance of modules loaded since.
constexpr std::uint64_t kLongestKernelFunction = 1u << 20;
constexpr std::string_view kFunctionTypes = "tTwW";

struct KallsymsLine {
  std::uint64_t address = 0;
  char type = 0;
  std::string_view name;
};

/// Address 0, where the line is none, or the kernel hides it.
KallsymsLine parse_kallsyms_line(std::string_view line) {
  KallsymsLine parsed;
  const char* const end = line.data() + line.size();
  const auto [behind, error] = std::from_chars(line.data(), end, parsed.address, 16);
  if (error != std::errc{} || end - behind < 4 || behind[0] != ' ' || behind[2] != ' ') return {};
  parsed.type = behind[1];
  const std::string_view rest(behind + 3, static_cast<std::size_t>(end - behind - 3));
  parsed.name = rest.substr(0, rest.find('\t'));
  return parsed;
}

}  // namespace

Result<KernelSymbols> KernelSymbols::load(const std::filesystem::path& file) {
  const Result<std::string> text = read_file(file, kMostKallsymsBytes);
  if (!text) return text.error();
  KernelSymbols symbols = parse(*text);
  if (!symbols.empty()) return symbols;
  return Error{Error::Code::unavailable,
               fmt::format("cannot name the kernel's functions: {} shows no addresses; as root, or after "
                           "sysctl kernel.kptr_restrict=0, it does",
                           file.string())};
}

KernelSymbols KernelSymbols::parse(std::string_view text) {
  KernelSymbols symbols;
  symbols.text_.reserve(text.size() / 2);
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    const KallsymsLine line = parse_kallsyms_line(text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
    if (line.address == 0 || kFunctionTypes.find(line.type) == std::string_view::npos) continue;
    symbols.addresses_.push_back(line.address);
    symbols.names_.push_back(static_cast<std::uint32_t>(symbols.text_.size()));
    symbols.text_.append(line.name).push_back('\0');
  }
  symbols.sort();
  symbols.text_.shrink_to_fit();
  return symbols;
}

void KernelSymbols::sort() {
  if (std::is_sorted(addresses_.begin(), addresses_.end())) return;
  std::vector<std::uint32_t> order(addresses_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return addresses_[a] < addresses_[b]; });
  std::vector<std::uint64_t> addresses;
  std::vector<std::uint32_t> names;
  for (const std::uint32_t i : order) {
    addresses.push_back(addresses_[i]);
    names.push_back(names_[i]);
  }
  addresses_ = std::move(addresses);
  names_ = std::move(names);
}

std::string_view KernelSymbols::name_at(std::uint64_t address) const {
  auto next = std::upper_bound(addresses_.begin(), addresses_.end(), address);
  if (next == addresses_.begin()) return "";
  --next;
  if (address - *next >= kLongestKernelFunction) return "";
  // Of several at one address, the first: the kernel puts the function before its aliases.
  const auto first = std::lower_bound(addresses_.begin(), next, *next);
  return text_.data() + names_[static_cast<std::size_t>(first - addresses_.begin())];
}

}  // namespace aiopt
