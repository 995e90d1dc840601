/// Runs git: see git.hpp.

#include "source/git.hpp"

namespace aiopt {

Result<CommandResult> run_git(const std::filesystem::path& directory, const std::vector<std::string>& arguments,
                              const std::map<std::string, std::string>& variables) {
  Command command;
  command.directory = directory;
  command.timeout = std::chrono::minutes(10);
  command.output_limit_bytes = std::size_t{256} << 20;
  // What a surrounding git (a hook, `git rebase --exec`) sets for its own repository; see `git rev-parse
  // --local-env-vars`.
  command.hidden_variables = {"GIT_DIR",
                              "GIT_WORK_TREE",
                              "GIT_INDEX_FILE",
                              "GIT_PREFIX",
                              "GIT_COMMON_DIR",
                              "GIT_OBJECT_DIRECTORY",
                              "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                              "GIT_NAMESPACE",
                              "GIT_CONFIG",
                              "GIT_CONFIG_PARAMETERS",
                              "GIT_CONFIG_COUNT",
                              "GIT_SHALLOW_FILE",
                              "GIT_GRAFT_FILE",
                              "GIT_IMPLICIT_WORK_TREE",
                              "GIT_EXTERNAL_DIFF",
                              "GIT_DIFF_OPTS",
                              "GIT_TRACE"};
  command.variables = {{"GIT_OPTIONAL_LOCKS", "0"}, {"GIT_TERMINAL_PROMPT", "0"}, {"LC_ALL", "C"}};
  for (const auto& [name, value] : variables) command.variables[name] = value;

  std::vector<std::string> line = {
      "git", "--no-pager",       "-c", "core.hooksPath=/dev/null",   "-c", "core.fsmonitor=false",
      "-c",  "safe.directory=*", "-c", "protocol.file.allow=always", "-c", "core.autocrlf=false",
      "-c",  "gc.auto=0"};
  line.insert(line.end(), arguments.begin(), arguments.end());
  return run_program(line, command);
}

}  // namespace aiopt
