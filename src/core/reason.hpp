/// The reason of an Evaluation: which of its lines say most.

#pragma once

#include <string>
#include <string_view>

namespace aiopt {

/// Whether a line that a compiler, linker or test printed says that something went wrong.
bool names_an_error(std::string_view line);

/// The line of a reason that says most, fit for a list: the first that names an error, else the first that a stage
/// printed, else the first. At most 110 bytes, and nothing in it steers a terminal.
std::string telling_line(std::string_view reason);

}  // namespace aiopt
