/// The reason of an Evaluation: which of its lines say most.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aiopt {

/// The first line of what a compiler, linker or test printed that says that something went wrong: one that surely does,
/// else one that may ("a_failed_sync_fails_the_write ok" is a name). `lines.end()` if there is none.
std::vector<std::string_view>::const_iterator first_error(const std::vector<std::string_view>& lines);

/// The line of a reason that says most, fit for a list: the first that names an error, else the first that a stage
/// printed, else the first. At most 110 bytes, and nothing in it steers a terminal.
std::string telling_line(std::string_view reason);

}  // namespace aiopt
