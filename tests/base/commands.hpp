/// What the tests of running commands share.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/files.hpp"
#include "base/subprocess.hpp"

namespace aiopt {

inline Command shell(std::string line, std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
  Command command;
  command.line = std::move(line);
  command.timeout = timeout;
  return command;
}

inline CommandResult run(const Command& command, std::stop_token stop = {}) {
  auto result = run_command(command, std::move(stop));
  REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
  return *result;
}

/// Starts 20 daemons: forked twice, in sessions of their own, deaf to SIGTERM; each writes its number into a file.
/// Goes on when all have.
inline std::string start_daemons(const std::filesystem::path& folder, int count = 20) {
  const std::string number = std::to_string(count);
  return "cd " + folder.string() + " && i=0; while [ $i -lt " + number +
         " ]; do i=$((i + 1));"
         " ( setsid sh -c 'trap \"\" TERM HUP INT; echo $$ > tmp.'$i' && mv tmp.'$i' pid.'$i'; sleep 60'"
         " > log 2>&1 & ) ; done; while [ $(ls | grep -c pid) -lt " +
         number + " ]; do sleep 0.02; done; echo started; ";
}

inline bool is_alive(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return false;
  const std::size_t name_end = stat->rfind(") ");
  return name_end != std::string::npos && (*stat)[name_end + 2] != 'Z';
}

inline std::vector<pid_t> daemons_of(const std::filesystem::path& folder) {
  std::vector<pid_t> pids;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("pid.")) continue;
    if (const auto text = read_file(entry.path())) pids.push_back(static_cast<pid_t>(std::atoi(text->c_str())));
  }
  return pids;
}

inline int count_alive(const std::vector<pid_t>& pids) {
  int alive = 0;
  for (const pid_t pid : pids) alive += is_alive(pid) ? 1 : 0;
  return alive;
}

inline std::string this_program() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

/// Runs one of the skipped test cases, which are programs for the others to start.
inline std::string child_program(const std::string& name) {
  return this_program() + " --no-skip=1 --test-case='" + name + "'";
}

}  // namespace aiopt
