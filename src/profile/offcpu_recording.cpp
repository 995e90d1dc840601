/// Which parts of a recording are of the target.

#include "profile/offcpu_recording.hpp"

#include <algorithm>
#include <set>

namespace aiopt {

void leave_out(OffCpuRecording& recording, const std::function<bool(std::string_view path)>& is_starter) {
  // A process whose beginning was lost could have been anybody's.
  if (recording.lost > 0) return;
  std::set<std::uint32_t> starters;
  for (std::uint32_t i = 0; i < recording.program_lists.size(); ++i) {
    const std::vector<std::string>& programs = recording.program_lists[i];
    if (!programs.empty() && std::all_of(programs.begin(), programs.end(), is_starter)) starters.insert(i);
  }
  std::erase_if(recording.waits,
                [&](const RecordedWait& wait) { return starters.contains(recording.threads[wait.thread].programs); });
}

}  // namespace aiopt
