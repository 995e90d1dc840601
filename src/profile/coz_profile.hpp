/// The profiles that coz and its forks write: parsed into causal experiments, and written.

#pragma once

#include <string>
#include <string_view>

#include <aiopt/result.hpp>

#include "profile/causal_experiments.hpp"

namespace aiopt {

/// Reads a profile of coz 0.1 to 0.2.5 and later or of bcoz: tab-separated records, JSON lines, or both in one file;
/// runs that were appended; runs that were killed. A file with no experiment is read, too, with a note on the likely
/// reason. A line that cannot be read is left out, and the points that follow an experiment of which that is true with
/// it: notes say how many, and which was the first. Durations may be negative, as coz writes them.
///
/// Lines `speedup <tab> file:line <tab> percent` are taken for a summary of what the whole line is worth: an
/// experiment at 0 % and one at 100 % that differ by this much, on the progress point "speedup", and a note.
/// Errors: a binary file.
Result<CausalExperiments> parse_coz(std::string_view text);

/// Text that `coz plot` reads, and parse_coz() too: the same experiments, doubles included. The notes are not in it;
/// tabs and line ends in names become spaces. startup says time=0, as the time of the start is not kept.
std::string to_coz_text(const CausalExperiments& experiments);

}  // namespace aiopt
