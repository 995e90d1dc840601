/// Which parts of a recording are of the target.

#include "profile/offcpu_recording.hpp"

#include <algorithm>
#include <set>

namespace aiopt {

void leave_out(OffCpuRecording& recording, const std::function<bool(std::string_view path)>& is_starter) {
  // A process whose beginning was lost could have been anybody's.
  if (recording.lost > 0) return;
  std::set<std::uint32_t> spaces;
  for (const auto& [number, programs] : recording.programs) {
    if (!programs.empty() && std::all_of(programs.begin(), programs.end(), is_starter)) spaces.insert(number);
  }
  const auto is_out = [&](const RecordedWait& wait) {
    return wait.stack != kNoStack && spaces.contains(recording.stacks[wait.stack].address_space);
  };
  // Of what has no stack only the thread is known. One that became the command has been both.
  std::set<std::uint32_t> threads;
  for (const RecordedWait& wait : recording.waits) {
    if (is_out(wait)) threads.insert(wait.thread);
  }
  for (const RecordedWait& wait : recording.waits) {
    if (wait.stack != kNoStack && !is_out(wait)) threads.erase(wait.thread);
  }
  std::erase_if(recording.waits, [&](const RecordedWait& wait) {
    return is_out(wait) || (wait.stack == kNoStack && threads.contains(wait.thread));
  });
}

}  // namespace aiopt
