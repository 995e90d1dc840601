/// aiopt resume: goes on where a run stopped, however it stopped.

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "view/terminal.hpp"

namespace aiopt {

int resume_command(const ResumeArguments& arguments) {
  ResumeOptions options;
  if (arguments.iterations > 0) options.iterations = arguments.iterations;
  options.workers = arguments.workers;
  options.lanes = arguments.lanes;
  options.sandbox = arguments.sandbox;
  set_verbosity(arguments.verbosity);
  const StopTokens stop = catch_interrupts();
  Result<RunOutcome> outcome = Error{Error::Code::cancelled, ""};
  {
    TerminalView view(stderr, arguments.verbosity == 0 && isatty(STDERR_FILENO) != 0);
    outcome = resume(arguments.folder, options, view, stop);
  }
  if (!outcome) return fail(outcome.error());
  if (const int shown = show_run(arguments.folder, arguments.json); shown != kDone) return shown;
  return outcome->end == RunEnd::interrupted ? kInterrupted : kDone;
}

}  // namespace aiopt
