/// The program that waits in a known way, for tests that record it.

#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "profile/offcpu_sampler.hpp"

namespace aiopt {

/// tests/profile/programs/waiting.cpp, built once.
class WaitingProgram {
 public:
  WaitingProgram() : folder_("aiopt-waiting-") {
    const char* root = std::getenv("AIOPT_SOURCE_ROOT");
    REQUIRE(root != nullptr);
    const char* compiler = std::getenv("CXX");
    Command command;
    command.line = std::string(compiler != nullptr ? compiler : "c++") + " -O2 -g -std=c++20 -pthread -o '" + path() +
                   "' '" + root + "/tests/profile/programs/waiting.cpp'";
    const auto built = run_command(command);
    REQUIRE(built.has_value());
    REQUIRE_MESSAGE(built->succeeded(), built->output);
    // An ordinary user runs it too, and writes beside it.
    std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
  }

  std::string path() const { return folder_.path() / "waiting"; }
  std::string report() const { return folder_.path() / "report"; }

  SampledCommand command(const std::string& mode, int n) const {
    return {{path(), mode, report(), std::to_string(n)}, {}};
  }

  struct Truth {
    double lived = 0.0;
    double ran = 0.0;
    double ratio() const { return 1.0 - ran / lived; }
  };

  /// As the latest run wrote it down.
  Truth truth() const {
    std::ifstream file(report());
    Truth truth;
    file >> truth.lived >> truth.ran;
    REQUIRE(truth.lived > 0.0);
    return truth;
  }

 private:
  TemporaryFolder folder_;
};

inline const WaitingProgram& waiting() {
  static const WaitingProgram program;
  return program;
}

}  // namespace aiopt
