/// Runs the aiopt program.

#include "support/program.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace aiopt {

ProgramResult run_aiopt(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                        const std::string& input, std::chrono::milliseconds timeout) {
  const char* program = std::getenv("AIOPT_PROGRAM");
  if (program == nullptr) throw std::runtime_error("AIOPT_PROGRAM is not set; run this by meson test");
  std::vector<std::string> all = {program};
  all.insert(all.end(), arguments.begin(), arguments.end());
  Command command;
  command.directory = folder;
  command.input = input;
  command.timeout = timeout;
  // The one child that may have it: no other sees a key.
  if (const char* key = std::getenv("OPENAI_API_KEY")) command.variables["OPENAI_API_KEY"] = key;
  Result<CommandResult> ran = run_program(all, command);
  if (!ran) throw std::runtime_error(ran.error().message);
  return {ran->exit_code(), ran->out, ran->output};
}

std::filesystem::path make_tiny_task(const std::filesystem::path& parent, const std::string& more_yaml) {
  const std::filesystem::path folder = parent / "tiny";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "main.cc") << "int main() {\n  int value = 100;\n  return value;\n}\n";
  std::ofstream(folder / "task.yaml") << R"(name: tiny
editable: ["*.cc"]
build: "! grep -n 'does not build' main.cc"
test: "! grep -n 'fails its tests' main.cc"
benchmark:
  command: "sed -n 's/.*value = \\([0-9]*\\).*/throughput: \\1/p' main.cc"
  parser: lines
  throughput: throughput
  min_pairs: 2
  max_pairs: 2
archive:
  throughput: {cells: 20, lower: 0, upper: 200}
  function: auto
)" << more_yaml;
  return folder;
}

std::filesystem::path copy_walkv(const std::filesystem::path& parent) {
  namespace fs = std::filesystem;
  const fs::path task = parent / "walkv";
  fs::copy(fs::path(std::getenv("AIOPT_SOURCE_ROOT")) / "examples/walkv", task, fs::copy_options::recursive);
  fs::remove_all(task / "build");
  return task;
}

}  // namespace aiopt
