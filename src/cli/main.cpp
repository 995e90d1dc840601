/// The program.

#include <cstdio>
#include <exception>

#include "cli/arguments.hpp"
#include "cli/command.hpp"

int main(int argc, char** argv) {
  try {
    return aiopt::run_arguments(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "aiopt: %s\n", error.what());
    return aiopt::kFailed;
  }
}
