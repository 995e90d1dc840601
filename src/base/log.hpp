/// What aiopt tells about its own working, on stderr; what the user asked for goes to stdout, not here.

#pragma once

#include <string_view>

namespace aiopt {

enum class LogLevel { debug, info, off };

/// Off until it is set: main() does, a library and tests are silent. Safe from any thread, as all here.
void set_log_level(LogLevel least);

/// One line each: control characters and bytes that are not UTF-8 are replaced, so that what a model or a program
/// said cannot act on a terminal. Never give them a secret.
void log_debug(std::string_view line);
void log_info(std::string_view line);

}  // namespace aiopt
