/// Runs that are killed or interrupted, and go on.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "support/chat_endpoint.hpp"
#include "support/program.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

namespace {

/// aiopt in the background, its stderr in a file.
pid_t start_aiopt(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                  const std::filesystem::path& log) {
  const pid_t child = fork();
  if (child != 0) return child;
  if (chdir(folder.c_str()) != 0) _exit(127);
  const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(file, STDERR_FILENO);
  dup2(file, STDOUT_FILENO);
  std::vector<char*> argv = {std::getenv("AIOPT_PROGRAM")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// The ids of the evaluations that the log says were told: "[3/40] 5 by llm: ...".
std::set<int> reported(const std::filesystem::path& log) {
  std::set<int> ids;
  std::istringstream lines(*read_file(log));
  for (std::string line; std::getline(lines, line);) {
    int told = 0;
    int budget = 0;
    int id = 0;
    if (std::sscanf(line.c_str(), "[%d/%d] %d by", &told, &budget, &id) == 3) ids.insert(id);
  }
  return ids;
}

std::multiset<int> exported_ids(const std::filesystem::path& folder) {
  const ProgramResult exported = run_aiopt({"export", "run"}, folder);
  REQUIRE(exported.exit_code == 0);
  std::multiset<int> ids;
  std::istringstream lines(exported.out);
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json json = nlohmann::json::parse(line);
    if (json.contains("id") && json["id"].get<int>() > 0) ids.insert(json["id"].get<int>());
  }
  return ids;
}

/// Proposals that no reply depends on the time of.
EndpointReply numbered_reply(const EndpointRequest& request) {
  return chat_reply(fmt::format("```cpp main.cc\nint main() {{\n  int value = {};\n}}\n```\n", 100 + request.number));
}

/// 50 in the soak benchmark, fewer in CI.
int number_of_kills() {
  const char* kills = std::getenv("AIOPT_KILLS");
  return kills != nullptr ? std::atoi(kills) : 8;
}

}  // namespace

TEST_CASE(
    "a run that is killed at random moments loses nothing that was reported, repeats nothing and ends with the asked "
    "number") {
  ChatEndpoint endpoint(numbered_reply, 0, false);
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  const std::filesystem::path log = folder.path() / "log";
  const int kills = number_of_kills();
  const std::string iterations = fmt::format("--iterations={}", kills * 12);
  std::vector<std::string> arguments = {"evolve",  "tiny", "--api-base", endpoint.api_base(),
                                        "--model", "any",  iterations,   "--run=run"};
  std::mt19937 random(20261122);
  int killed = 0;
  for (int round = 0; round < 10 * kills && killed < kills; ++round) {
    const pid_t child = start_aiopt(arguments, folder.path(), log);
    // From the middle of creating run.db to some dozens of evaluations later.
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 400));
    kill(child, SIGKILL);
    if (wait_for(child) == 128 + SIGKILL) ++killed;
    if (std::filesystem::exists(folder.path() / "run" / "run.db")) {
      arguments = {"resume", "run"};
      const ProgramResult checked = run_aiopt({"export", "run"}, folder.path());
      if (checked.exit_code != 0) {
        // Killed before the first commit of create(): evolve starts over, and says so if it cannot.
        arguments = {"evolve", "tiny", "--api-base", endpoint.api_base(), "--model", "any", iterations, "--run=run"};
        continue;
      }
      const std::multiset<int> stored = exported_ids(folder.path());
      CHECK(std::set<int>(stored.begin(), stored.end()).size() == stored.size());
      for (const int id : reported(log)) CHECK(stored.count(id) == 1);
    }
  }
  CHECK(killed == kills);
  const ProgramResult last = run_aiopt(arguments, folder.path());
  INFO(last.all);
  REQUIRE(last.exit_code == 0);
  CHECK(exported_ids(folder.path()).size() == static_cast<std::size_t>(kills * 12));
  Command integrity;
  integrity.directory = folder.path();
  integrity.line = "sqlite3 run/run.db 'PRAGMA integrity_check'";
  CHECK(run_command(integrity)->out == "ok\n");
}

TEST_CASE("the first Ctrl-C finishes and saves, the second ends all at once, and resume goes on") {
  const TemporaryFolder folder;
  const std::filesystem::path task = make_tiny_task(folder.path());
  ChatEndpoint endpoint(numbered_reply, 0, false);
  // A benchmark that leaves a daemon behind and takes a minute.
  const std::string slow = "setsid sh -c 'trap \"\" TERM; sleep 61.25' & sleep 60.25; echo throughput: 1";
  std::string yaml = *read_file(task / "task.yaml");
  const std::size_t at = yaml.find("parser: lines");
  yaml.insert(at, "warmup: 0\n  ");
  REQUIRE(write_file_atomic(task / "task.yaml", yaml).has_value());
  const std::filesystem::path log = folder.path() / "log";

  const pid_t child = start_aiopt(
      {"evolve", "tiny", "--api-base", endpoint.api_base(), "--model", "any", "--iterations=100000", "--run=run"},
      folder.path(), log);
  std::this_thread::sleep_for(1500ms);
  kill(child, SIGINT);
  CHECK(wait_for(child) == 130);
  const std::size_t saved = exported_ids(folder.path()).size();
  CHECK(saved > 0);
  CHECK(saved >= reported(log).size());

  yaml.replace(yaml.find("command: "), yaml.find('\n', yaml.find("command: ")) - yaml.find("command: "),
               "command: " + nlohmann::json(slow).dump());
  REQUIRE(write_file_atomic(task / "task.yaml", yaml).has_value());
  const pid_t second =
      start_aiopt({"evolve", "tiny", "--emitter=constants", "--iterations=100", "--run=slow"}, folder.path(), log);
  std::this_thread::sleep_for(1500ms);
  kill(second, SIGINT);
  std::this_thread::sleep_for(300ms);
  const auto before = monotonic_now();
  kill(second, SIGINT);
  CHECK(wait_for(second) == 130);
  CHECK(monotonic_now() - before < 1s);
  Command survivors;
  survivors.directory = folder.path();
  survivors.line = "pgrep -f 'sleep 6[01].25' | wc -l";
  CHECK(std::atoi(run_command(survivors)->out.c_str()) <= 1);  // The pgrep's own shell names the pattern.
}
