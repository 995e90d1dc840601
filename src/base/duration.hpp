/// Durations as people write them.

#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace aiopt {

/// "500ms", "300s", "2m", "1.5h", or a bare number of seconds, as OpenEvolve has it: from 1 ms to 168 h. Nothing if it
/// is no such time.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace aiopt
