/// aiopt evolve --mode=full on a small real program: two threads and the lock that one of them waits for.

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/files.hpp"
#include "profile/coz.hpp"
#include "support/program.hpp"

using namespace aiopt;

namespace {

namespace fs = std::filesystem;

/// The lock is held over most of an operation, on line 10. What is of coz.h is in it too, where coz is not installed.
constexpr const char* kProgram = R"(#include <dlfcn.h>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <thread>
std::mutex table;
__attribute__((noinline)) void update_table(volatile long& sum) {
  for (long i = 0; i < 300000; ++i) sum = sum + i;
}
__attribute__((noinline)) void prepare(volatile long& sum) {
  for (long i = 0; i < 20000; ++i) sum = sum + i;
}
using GetCounter = void* (*)(int, const char*);
double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}
int main(int count, char** arguments) {
  const double seconds = count > 1 ? std::atof(arguments[1]) : 0.1;
  auto get_counter = reinterpret_cast<GetCounter>(dlsym(RTLD_DEFAULT, "_coz_get_counter"));
  auto* visits = get_counter == nullptr ? nullptr : static_cast<std::size_t*>(get_counter(1, "op"));
  const double begin = now();
  long operations[2] = {0, 0};
  const auto work = [&](long& done) {
    volatile long sum = 0;
    while (now() < begin + seconds) {
      prepare(sum);
      {
        const std::lock_guard lock(table);
        update_table(sum);
      }
      ++done;
      if (visits != nullptr) __atomic_fetch_add(visits, 1, __ATOMIC_RELAXED);
    }
  };
  std::thread other(work, std::ref(operations[0]));
  work(operations[1]);
  other.join();
  std::printf("throughput: %.1f\n", static_cast<double>(operations[0] + operations[1]) / (now() - begin));
}
)";

constexpr const char* kFree = R"(Each thread's table is its own.

diff --git a/main.cc b/main.cc
--- a/main.cc
+++ b/main.cc
@@ -29,8 +29,5 @@ int main(int count, char** arguments) {
       prepare(sum);
-      {
-        const std::lock_guard lock(table);
-        update_table(sum);
-      }
+      update_table(sum);
       ++done;
       if (visits != nullptr) __atomic_fetch_add(visits, 1, __ATOMIC_RELAXED);
     }
)";

fs::path make_task(const fs::path& parent) {
  const fs::path folder = parent / "locked";
  fs::create_directories(folder / "patches");
  REQUIRE(write_file_atomic(folder / "main.cc", kProgram));
  REQUIRE(write_file_atomic(folder / "patches/free.patch", kFree));
  const char* compiler = std::getenv("CXX");
  REQUIRE(write_file_atomic(folder / "task.yaml",
                            fmt::format(R"(name: locked
editable: ["*.cc"]
build: "{} -std=c++17 -pthread -O1 {} -o main main.cc {}"
test: ./main 0.01
benchmark:
  command: ./main 0.1
  parser: lines
  throughput: throughput
  min_pairs: 3
  max_pairs: 5
patches: patches
profile:
  command: ./main 30
  offcpu: {{duration: 1s}}
  causal: {{duration: 24s, progress: op}}
archive: {{offcpu_ratio: 10, causal_hotspot: auto}}
)",
                                        compiler != nullptr ? compiler : "c++", kCozFlagsOfGcc, kCozLinkFlags)));
  return folder;
}

nlohmann::json shown(const TemporaryFolder& folder, const std::string& id) {
  const ProgramResult told = run_aiopt({"show", "run", id, "--json"}, folder.path());
  INFO(told.all);
  REQUIRE(told.exit_code == 0);
  return nlohmann::json::parse(told.out);
}

double lock_share(const nlohmann::json& off_cpu) {
  return off_cpu["classes"]["lock"].get<double>() /
         (off_cpu["samples"].get<double>() - off_cpu["idle_samples"].get<double>());
}

int tenth_of(const nlohmann::json& off_cpu) {
  return static_cast<int>(off_cpu["ratio"].get<double>() * 10.0);
}

}  // namespace

TEST_CASE("a program that waits for its lock and one that does not lie in cells of their own, and are told apart") {
  const TemporaryFolder folder;
  const fs::path task = make_task(folder.path());
  const ProgramResult result =
      run_aiopt({"evolve", task.string(), "--mode=full", "--emitter=patch_pool", "--iterations=1", "--claim-pairs=7",
                 "--claim-candidates=1", "--run=run", "--json"},
                folder.path());
  INFO(result.all);
  REQUIRE(result.exit_code == 0);
  const nlohmann::json json = nlohmann::json::parse(result.out);
  CHECK(json["best"]["remeasured"] == true);  // 1.9 times as fast, where it has two CPUs for itself.

  const nlohmann::json locked = shown(folder, "0");
  const nlohmann::json free = shown(folder, "1");
  CAPTURE(locked.dump(1));
  CAPTURE(free.dump(1));
  const nlohmann::json& waits = locked["profile"]["off_cpu"];
  CHECK(waits["ratio"].get<double>() > 0.25);
  // Two threads, and the shell that waits for them; what aiopt has around that would be three more that do nothing.
  CHECK(waits["idle_samples"].get<double>() < 0.5 * waits["samples"].get<double>());
  // The first of all, but where other programs take a CPU away: then it is the wait for that.
  const nlohmann::json& blockers = waits["top_blockers"];
  CHECK(std::any_of(blockers.begin(), blockers.end(), [](const nlohmann::json& blocker) {
    return blocker["class"] == "lock" && blocker["file"] == "main.cc";
  }));
  if (find_coz()) {
    // The line on which it runs most is the one that is tried, and that alone.
    const nlohmann::json& targets = locked["profile"]["causal"]["targets"];
    REQUIRE(targets.size() == 1);
    CHECK(targets[0]["file"] == "main.cc");
    CHECK(targets[0]["line"] == 10);
    CHECK(targets[0]["function"] == "update_table");
    // Not known where an ordinary user may not see what runs in the kernel.
    if (::geteuid() == 0) CHECK(targets[0]["share"].get<double>() > 0.2);
  }
  const nlohmann::json& runs = free["profile"]["off_cpu"];
  CHECK(lock_share(waits) > 0.01);  // 0.4 where nobody else takes its CPUs away.
  CHECK(lock_share(runs) < 0.1 * lock_share(waits));
  // Where other programs take its CPUs away, it waits as much, for them.
  if (tenth_of(waits) != tenth_of(runs)) CHECK(json["archive"]["cells"].size() == 2);
}
