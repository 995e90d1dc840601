/// Lists of CPUs.

#include "base/cpu_set.hpp"

#include <sched.h>

#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

std::vector<int> parsed(std::string_view text) {
  const auto cpus = parse_cpu_list(text);
  REQUIRE_MESSAGE(cpus, text);
  return *cpus;
}

}  // namespace

TEST_CASE("a list of CPUs is read as taskset reads it") {
  CHECK(parsed("3") == std::vector{3});
  CHECK(parsed("0-2,5") == std::vector{0, 1, 2, 5});
  CHECK(parsed("0-6:2") == std::vector{0, 2, 4, 6});
  CHECK(parsed(" 5, 1-2 ,1") == std::vector{1, 2, 5});
}

TEST_CASE("what is no list of CPUs is an error that quotes it") {
  for (const char* text : {"", ",", "1,", "-1", "a", "2-1", "1-", "1-2:0", "1-2:", "3:2", "1 2", "99999", "1-+2"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_cpu_list(text));
  }
  CHECK(parse_cpu_list("2-x").error().message == "'2-x' is no list of CPUs such as 0-2,5");
}

TEST_CASE("a list of CPUs is written with ranges, sorted") {
  CHECK(cpu_list_text({5, 2, 1, 0, 1}) == "0-2,5");
  CHECK(cpu_list_text({7}) == "7");
  CHECK(cpu_list_text({0, 2, 3}) == "0,2-3");
  CHECK(cpu_list_text({}).empty());
}

TEST_CASE("the usable CPUs are those of the thread's affinity") {
  const std::vector<int> all = usable_cpus();
  REQUIRE_FALSE(all.empty());
  std::vector<int> of_thread;
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(all.back()), &one);
    if (::sched_setaffinity(0, sizeof one, &one) == 0) of_thread = usable_cpus();
  }).join();
  CHECK(of_thread == std::vector{all.back()});
  CHECK(usable_cpus() == all);
}
