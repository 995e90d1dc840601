/// Mappings, shared until they differ.

#include "profile/address_spaces.hpp"

#include <linux/perf_event.h>

#include <algorithm>
#include <utility>

namespace aiopt {
namespace {

/// Whether anything lies in [start, end).
bool is_covered(const AddressMap& map, std::uint64_t start, std::uint64_t end) {
  if (map.find(start) != nullptr) return true;
  const auto next = map.mappings().lower_bound(start);
  return next != map.mappings().end() && next->first < end;
}

}  // namespace

std::shared_ptr<AddressSpaces::Space> AddressSpaces::make_space(AddressMap mappings,
                                                                std::vector<std::string> programs) {
  auto space = std::make_shared<Space>();
  space->number = next_number_++;
  space->mappings = std::move(mappings);
  space->programs = std::move(programs);
  return space;
}

std::shared_ptr<AddressSpaces::Space>& AddressSpaces::space_of(std::uint32_t pid) {
  std::shared_ptr<Space>& space = spaces_[pid];
  if (!space) space = make_space();
  return space;
}

void AddressSpaces::map(std::uint32_t pid, const Mapping& mapping) {
  std::shared_ptr<Space>& space = space_of(pid);
  const Mapping* there = space->mappings.find(mapping.start);
  if (there != nullptr && *there == mapping) return;  // Told twice, as of a thread that was found.
  const long holders = space.use_count() - (space->is_kept ? 1 : 0);
  const bool changes_kept = space->is_kept && is_covered(space->mappings, mapping.start, mapping.end);
  if (holders > 1 || changes_kept) space = make_space(space->mappings, space->programs);
  space->mappings.add(mapping);
  if (!std::exchange(space->is_new_program, false)) return;
  std::vector<std::string>& programs = space->programs;
  const bool is_known = std::find(programs.begin(), programs.end(), mapping.path) != programs.end();
  if (!is_known && programs.size() < kMostPrograms) programs.push_back(mapping.path);
}

void AddressSpaces::fork(std::uint32_t parent, std::uint32_t child) {
  const std::shared_ptr<Space> shared = space_of(parent);
  spaces_[child] = shared;
}

void AddressSpaces::exec(std::uint32_t pid) {
  spaces_[pid] = make_space({}, space_of(pid)->programs);
  spaces_[pid]->is_new_program = true;
}

void AddressSpaces::end(std::uint32_t pid) {
  spaces_.erase(pid);
}

std::uint32_t AddressSpaces::of(std::uint32_t pid) {
  return space_of(pid)->number;
}

const std::vector<std::string>& AddressSpaces::programs_of(std::uint32_t pid) {
  static const std::vector<std::string> kUnknown;
  const std::shared_ptr<Space>& space = space_of(pid);
  return space->is_new_program ? kUnknown : space->programs;
}

std::uint32_t AddressSpaces::keep(std::uint32_t pid) {
  const std::shared_ptr<Space>& space = space_of(pid);
  if (!space->is_kept) kept_[space->number] = space;
  space->is_kept = true;
  return space->number;
}

void AddressSpaces::keep_executable(std::uint32_t pid, std::vector<std::uint64_t>& addresses) {
  const AddressMap& mappings = space_of(pid)->mappings;
  std::erase_if(addresses, [&](std::uint64_t address) { return mappings.find(address) == nullptr; });
}

void AddressSpaces::keep_executable_callers(std::uint32_t pid, std::vector<std::uint64_t>& chain) {
  const auto user = std::find(chain.begin(), chain.end(), static_cast<std::uint64_t>(PERF_CONTEXT_USER));
  if (chain.end() - user <= 2) return;
  const AddressMap& mappings = space_of(pid)->mappings;
  const auto is_no_code = [&](std::uint64_t address) {
    // The return address lies behind the call, which may be a function's last instruction.
    return mappings.find(address) == nullptr && mappings.find(address - 1) == nullptr;
  };
  chain.erase(std::remove_if(user + 2, chain.end(), is_no_code), chain.end());
}

std::map<std::uint32_t, std::vector<Mapping>> AddressSpaces::kept() const {
  std::map<std::uint32_t, std::vector<Mapping>> mappings;
  for (const auto& [number, space] : kept_) {
    for (const auto& [start, mapping] : space->mappings.mappings()) mappings[number].push_back(mapping);
  }
  return mappings;
}

}  // namespace aiopt
