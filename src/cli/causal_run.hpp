/// The causal half of `aiopt profile`: a command under coz.

#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include <aiopt/profile.hpp>
#include <aiopt/result.hpp>

#include "cli/target_run.hpp"
#include "profile/causal_experiments.hpp"

namespace aiopt {

struct CausalRequest {
  std::vector<std::string> command;
  std::vector<std::string> source_scope;  ///< See CozOptions, this and the next.
  std::vector<std::string> binary_scope;
  std::chrono::milliseconds duration{0};  ///< The command is run again until it is over; 0: once, to its end.
};

struct CausalOutcome {
  CausalExperiments experiments;
  CausalProfile profile;  ///< Functions are named from the source files, where those are there.
  TargetEnd end;          ///< Of the last run.
};

/// What coz would say against the command is asked before it is run; say() tells of each reason. What the plan has to
/// tell is said too.
/// Errors: not_found (coz, the program), invalid_argument (a program that coz can't profile), unavailable, io.
Result<CausalOutcome> profile_causal(const CausalRequest& request, const std::stop_token& stop);

}  // namespace aiopt
