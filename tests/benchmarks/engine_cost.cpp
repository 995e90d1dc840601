/// What aiopt itself costs: CPU time and memory for each iteration, with a model that answers at once and an
/// evaluator that takes microseconds.
///
/// The endpoint is real, over loopback, in a process of its own; so are prompts, store and search. Prints JSON. Beside
/// it stands OpenEvolve 0.3.2 on a machine of this kind: 6 ms at 100 iterations, 13 at 500, 35 averaged over 2,000, and
/// 117 MB.

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "llm/openai_chat.hpp"
#include "support/chat_endpoint.hpp"
#include "support/small_run.hpp"

using namespace aiopt;

namespace {

/// Serves until it is killed; writes its port to the pipe.
[[noreturn]] void serve(int port_pipe) {
  ChatEndpoint endpoint(
      [](const EndpointRequest& request) { return chat_reply(reply_text_with_value(request.number + 100)); }, 0, false);
  const int port = endpoint.port();
  if (write(port_pipe, &port, sizeof port) != static_cast<ssize_t>(sizeof port)) std::_Exit(1);
  while (true) pause();
}

/// One run in a process of its own, so that its peak memory is its own. Prints one JSON object.
[[noreturn]] void measure(int port, std::uint64_t iterations) {
  SmallRun run;
  run.task.llm.api_base = fmt::format("http://127.0.0.1:{}/v1", port);
  auto chat = make_openai_chat(run.task.llm, ApiKey{});
  if (!chat) std::_Exit(1);
  EvolutionOptions options;
  options.iterations = iterations;
  options.workers = 2;
  options.window = 6;
  const auto store = run.create_store();
  const auto cpu_before = process_cpu_time();
  const auto wall_before = monotonic_now();
  const auto end = run.run(*store, **chat, options);
  if (!end || run.progress.outcomes[EvaluationStatus::passed] != iterations) {
    fmt::print(stderr, "the run failed: {}\n", end ? "not every evaluation passed" : end.error().message);
    std::_Exit(1);
  }
  const double cpu_ms = std::chrono::duration<double, std::milli>(process_cpu_time() - cpu_before).count();
  const double wall_ms = std::chrono::duration<double, std::milli>(monotonic_now() - wall_before).count();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto n = static_cast<double>(iterations);
  fmt::print(
      "{{\"iterations\": {}, \"cpu_ms_per_iteration\": {:.4f}, \"wall_ms_per_iteration\": {:.4f}, \"peak_rss_mb\": "
      "{:.1f}, \"run_db_bytes_per_iteration\": {:.0f}}}\n",
      iterations, cpu_ms / n, wall_ms / n, static_cast<double>(usage.ru_maxrss) / 1024.0,
      static_cast<double>(std::filesystem::file_size(run.folder.path() / "run" / "run.db")) / n);
  std::fflush(stdout);
  run.~SmallRun();  // _Exit runs no destructor, and the folder must go.
  std::_Exit(0);
}

bool in_own_process(int port, std::uint64_t iterations) {
  const pid_t child = fork();
  if (child == 0) measure(port, iterations);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

int main(int argc, char** argv) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return 1;
  const pid_t server = fork();
  if (server == 0) serve(pipe_ends[1]);
  int port = 0;
  bool fine = read(pipe_ends[0], &port, sizeof port) == static_cast<ssize_t>(sizeof port);
  std::vector<std::uint64_t> sizes = {100, 500, 2000, 20000};
  if (argc > 1) sizes = {std::strtoull(argv[1], nullptr, 10)};
  for (const std::uint64_t iterations : sizes) fine = fine && in_own_process(port, iterations);
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  return fine ? 0 : 1;
}
