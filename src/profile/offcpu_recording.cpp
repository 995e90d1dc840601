/// Which parts of a recording are of the target.

#include "profile/offcpu_recording.hpp"

#include <algorithm>
#include <set>

namespace aiopt {

void leave_out(OffCpuRecording& recording, const std::function<bool(std::string_view path)>& is_starter) {
  // A process whose beginning was lost could have been anybody's.
  if (recording.lost > 0) return;
  const auto are_starters = [&](const std::vector<std::string>& programs) {
    return !programs.empty() && std::all_of(programs.begin(), programs.end(), is_starter);
  };
  std::set<std::uint32_t> spaces;
  for (const auto& [number, programs] : recording.programs) {
    if (are_starters(programs)) spaces.insert(number);
  }
  std::set<std::uint32_t> lists;
  for (std::uint32_t i = 0; i < recording.program_lists.size(); ++i) {
    if (are_starters(recording.program_lists[i])) lists.insert(i);
  }
  // Of what has no stack the thread tells: by execve(2) it becomes another one.
  std::erase_if(recording.waits, [&](const RecordedWait& wait) {
    if (wait.stack != kNoStack) return spaces.contains(recording.stacks[wait.stack].address_space);
    return lists.contains(recording.threads[wait.thread].programs);
  });
}

}  // namespace aiopt
