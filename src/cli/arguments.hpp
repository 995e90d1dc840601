/// The command line.

#pragma once

namespace aiopt {

/// Reads the arguments and runs the subcommand that they name. @return The program's exit status, see ExitCode.
int run_arguments(int argc, char** argv);

}  // namespace aiopt
