/// aiopt evolve against an endpoint that misbehaves in every way we know.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "support/chat_endpoint.hpp"
#include "support/program.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

namespace {

std::string block(std::uint64_t from, std::uint64_t to) {
  return fmt::format("main.cc\n<<<<<<< SEARCH\n  int value = {};\n=======\n  int value = {};\n>>>>>>> REPLACE\n", from,
                     to);
}

nlohmann::json json_of(const ProgramResult& result) {
  INFO(result.all);
  const nlohmann::json json = nlohmann::json::parse(result.out, nullptr, false);
  REQUIRE_FALSE(json.is_discarded());
  return json;
}

}  // namespace

TEST_CASE(
    "an endpoint that answers with good, malformed, truncated, slow, 429 and 500 replies gives the right count of each "
    "outcome") {
  // One proposal at a time, so that the n-th request is known; eight kinds in turn. Whole files do not depend on the
  // parent.
  std::atomic<std::uint64_t> good{0};
  std::atomic<std::uint64_t> proposal{0};
  std::atomic<int> tries{0};
  const auto next = [&] {
    ++proposal;
    tries = 0;
  };
  ChatEndpoint endpoint([&](const EndpointRequest&) -> EndpointReply {
    const std::string whole =
        fmt::format("```cpp main.cc\nint main() {{\n  int value = {};\n}}\n```\n", 101 + good.load());
    switch (proposal % 8) {
      case 0:  // Good.
        next();
        ++good;
        return chat_reply(whole);
      case 1:  // No JSON at all: tried again, then good.
        if (++tries == 1) {
          EndpointReply broken;
          broken.body = "<html>bad gateway</html>";
          broken.status = 502;
          return broken;
        }
        next();
        ++good;
        return chat_reply(whole);
      case 2:  // Malformed: no patch in it.
        next();
        return chat_reply("I cannot do that.");
      case 3:  // Truncated at max_tokens.
        next();
        return chat_reply("main.cc\n<<<<<<< SEARCH\n  int value", "length");
      case 4: {  // 429 with Retry-After, then good.
        if (++tries == 1) {
          EndpointReply limited = error_reply(429, "slow down");
          limited.headers = {"Retry-After: 0"};
          return limited;
        }
        next();
        ++good;
        return chat_reply(whole);
      }
      case 5:  // 500 for ever: two retries, then given up.
        if (++tries == 3) next();
        return error_reply(500, "internal error");
      case 6: {  // Slow: the first byte never comes in time, and is not asked for again.
        next();
        EndpointReply slow = chat_reply(whole);
        slow.delay_before = 3s;
        return slow;
      }
      default:  // The search text is not there.
        next();
        return chat_reply(block(99'999, 5));
    }
  });
  const TemporaryFolder folder;
  make_tiny_task(folder.path(), "llm: {retries: 2, first_byte_timeout: 400ms}\n");
  const ProgramResult result = run_aiopt({"evolve", "tiny", "--mode=fast", "--api-base", endpoint.api_base(), "--model",
                                          "any", "--iterations=16", "--workers=1", "--window=1", "--run=run", "--json"},
                                         folder.path());
  INFO(result.all);
  REQUIRE(result.exit_code == 0);
  const nlohmann::json json = json_of(result);
  CHECK(json["iterations"] == 16);
  // The 8th and the 16th evaluation measure an elite again: the second round of kinds lacks its last two.
  CHECK(json["remeasured"] == 2);
  CHECK(json["outcomes"]["passed"] == 6 + 2);
  CHECK(json["outcomes"]["patch_rejected"] == 5);
  CHECK(json["outcomes"]["no_reply"] == 3);
  CHECK(json["best"]["speedup"].get<double>() == doctest::Approx(1.06));
  const ProgramResult truncated = run_aiopt({"show", "run", "4"}, folder.path());
  CHECK(truncated.out.find("cut off at max_tokens") != std::string::npos);
}

TEST_CASE("recorded replies and a seed give the same export with 1, 2 and 4 workers") {
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    return chat_reply(
        fmt::format("```cpp main.cc\nint main() {{\n  int value = {};\n}}\n```\n", 100 + request.number * 37 % 60));
  });
  const TemporaryFolder folder;
  // The default axes, of which one is measured by the clock.
  const auto task = make_tiny_task(folder.path()) / "task.yaml";
  const std::string yaml = *read_file(task);
  std::ofstream(task) << yaml.substr(0, yaml.find("archive:"));
  const ProgramResult recorded = run_aiopt(
      {"evolve", "tiny", "--api-base", endpoint.api_base(), "--model", "any", "--iterations=20", "--claim-pairs=2",
       "--claim-candidates=1", "--reproducible", "--run=recorded", "--record=replies.jsonl"},
      folder.path());
  INFO(recorded.all);
  REQUIRE(recorded.exit_code == 0);
  std::string first;
  for (const char* workers : {"1", "2", "4"}) {
    const ProgramResult run = run_aiopt(
        {"evolve", "tiny", "--model", "any", "--iterations=20", "--claim-pairs=2", "--claim-candidates=1",
         "--reproducible", "--replay=replies.jsonl", "--workers", workers, "--run", fmt::format("run{}", workers)},
        folder.path());
    INFO(run.all);
    REQUIRE(run.exit_code == 0);
    const ProgramResult exported = run_aiopt({"export", fmt::format("run{}", workers)}, folder.path());
    REQUIRE(exported.exit_code == 0);
    if (first.empty()) first = exported.out;
    CHECK(exported.out == first);
    CHECK(std::count(exported.out.begin(), exported.out.end(), '\n') == 22);
  }
}

TEST_CASE("a run that is resumed from another folder still finds the files of --record and --replay") {
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    return chat_reply(fmt::format("```cpp main.cc\nint main() {{\n  int value = {};\n}}\n```\n", 100 + request.number));
  });
  const TemporaryFolder folder;
  const std::filesystem::path elsewhere = folder.path() / "elsewhere";
  std::filesystem::create_directory(elsewhere);
  make_tiny_task(folder.path());
  const auto run = [](const std::vector<std::string>& arguments, const std::filesystem::path& from) {
    const ProgramResult result = run_aiopt(arguments, from);
    INFO(result.all);
    REQUIRE(result.exit_code == 0);
  };
  run({"evolve", "tiny", "--api-base", endpoint.api_base(), "--model", "any", "--iterations=4", "--claim-pairs=2",
       "--claim-candidates=1", "--reproducible", "--run=recorded", "--record=replies.jsonl"},
      folder.path());
  run({"evolve", "tiny", "--model", "any", "--iterations=4", "--claim-pairs=2", "--claim-candidates=1",
       "--reproducible", "--run=replayed", "--replay=replies.jsonl"},
      folder.path());
  const std::size_t recorded = read_file(folder.path() / "replies.jsonl")->size();
  run({"resume", "../recorded", "--iterations=8"}, elsewhere);
  CHECK(read_file(folder.path() / "replies.jsonl")->size() > recorded);
  run({"resume", "../replayed"}, elsewhere);
  CHECK(std::filesystem::is_empty(elsewhere));
}

TEST_CASE("the key reaches the endpoint's header and nothing else") {
  const std::string key = "sk-test-4f9a0c2e7b";
  setenv("OPENAI_API_KEY", key.c_str(), 1);
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    return chat_reply(fmt::format("```cpp main.cc\nint main() {{\n  int value = {};\n}}\n```\n", 100 + request.number));
  });
  const TemporaryFolder folder;
  make_tiny_task(folder.path());
  // A git that tells what it was given: aiopt calls git where a user does not see it.
  const std::string old_path = std::getenv("PATH");
  const std::string seen = (folder.path() / "seen").string();
  std::filesystem::create_directories(folder.path() / "bin");
  std::ofstream(folder.path() / "bin" / "git")
      << "#!/bin/sh\nenv >>'" << seen << "'\nPATH='" << old_path << "' exec git \"$@\"\n";
  std::filesystem::permissions(folder.path() / "bin" / "git", std::filesystem::perms::owner_all);
  // A candidate looks at what its parent shows of its environment.
  const auto task = folder.path() / "tiny" / "task.yaml";
  std::string yaml = *read_file(task);
  yaml.replace(yaml.find("build: "), yaml.find('\n', yaml.find("build: ")) - yaml.find("build: "),
               "build: \"cat /proc/$PPID/environ >>'" + seen + "'; env >>'" + seen + "'\"");
  std::ofstream(task) << yaml;
  setenv("PATH", ((folder.path() / "bin").string() + ":" + old_path).c_str(), 1);
  const ProgramResult result = run_aiopt({"evolve", "tiny", "--api-base", endpoint.api_base(), "--model", "any",
                                          "--iterations=5", "--run=run", "--record=replies.jsonl"},
                                         folder.path());
  CHECK(run_aiopt({"best", "run"}, folder.path()).exit_code == 0);
  CHECK(run_aiopt({"doctor", "tiny"}, folder.path()).exit_code == 0);
  CHECK(run_aiopt({"evaluate", "tiny"}, folder.path()).exit_code == 0);
  unsetenv("OPENAI_API_KEY");
  setenv("PATH", old_path.c_str(), 1);
  INFO(result.all);
  CHECK(read_file(seen)->find("PATH=") != std::string::npos);
  REQUIRE(result.exit_code == 0);
  REQUIRE_FALSE(endpoint.requests().empty());
  CHECK(endpoint.requests().front().headers.at("authorization") == "Bearer " + key);
  CHECK(endpoint.requests().front().body.find(key) == std::string::npos);
  CHECK(result.all.find(key) == std::string::npos);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (!entry.is_regular_file()) continue;
    CHECK_MESSAGE(read_file(entry.path())->find(key) == std::string::npos, entry.path().string());
  }
}
