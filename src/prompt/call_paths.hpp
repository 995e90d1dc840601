/// The ways to the places where threads wait, merged into one tree.

#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <aiopt/profile.hpp>

namespace aiopt {

/// The blockers' call paths from the outside in, as indented text, that of the first blocker
/// first:
///
///     main
///       Bench::fill > DbImpl::put: 41 % lock
///         Wal::append > File::sync: 16 % I/O
///       Bench::read > DbImpl::get: 22 % lock
///
/// A line goes as far as the path does not fork. Callers of the standard library and the C library's start of a thread
/// are left out. Blockers without a name or a caller are no part of it; the lightest ones are left out until the text
/// has no more than `max_lines` lines. Names are as code_text() makes them, for a fence.
std::string call_paths(std::span<const Blocker> blockers, std::size_t max_lines);

}  // namespace aiopt
