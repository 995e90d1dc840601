/// Numbers in the text that profilers print, whichever locale they ran in.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace aiopt {

/// "0.50", "0,50" (a decimal comma), "-3", "1e9"; the whole text must be one. Nothing if it is no finite number.
std::optional<double> parse_decimal(std::string_view text);

/// Digits alone, at most 2^64 - 1.
std::optional<std::uint64_t> parse_count(std::string_view text);

/// What tells a recorded file from the text that a tool makes of it: "perf.data, of which perf script makes text";
/// empty for text. Readers of text say it, as handing over the wrong file is the commonest mistake.
std::string_view binary_kind(std::string_view text);

}  // namespace aiopt
