/// How call paths become one tree.

#include "prompt/call_paths.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "prompt/profiled_walkv.hpp"

using namespace aiopt;

namespace {

Blocker waiting_in(const std::string& function, double share, const std::vector<std::string>& callers) {
  Blocker blocker = blocker_of({function, "", 0}, WaitClass::lock, share, "");
  for (const std::string& caller : callers) blocker.callers.push_back({caller, "", 0});
  return blocker;
}

}  // namespace

TEST_CASE("paths that begin alike share their beginning, and go on in one line until they fork") {
  const std::vector<Blocker> blockers = {waiting_in("put", 0.4, {"fill", "run", "main"}),
                                         waiting_in("get", 0.2, {"find", "read", "run", "main"}),
                                         waiting_in("sync", 0.1, {"append", "put", "fill", "run", "main"})};
  CHECK(call_paths(blockers, 25) ==
        "main > run\n"
        "  fill > put: 40 % lock\n"
        "    append > sync: 10 % lock\n"
        "  read > find > get: 20 % lock");
}

TEST_CASE("what waits twice in one function is told once") {
  Blocker other = waiting_in("put", 0.05, {"main"});
  other.kind = WaitClass::io;
  const std::vector<Blocker> blockers = {waiting_in("put", 0.4, {"main"}), waiting_in("put", 0.1, {"main"}), other};
  CHECK(call_paths(blockers, 25) == "main > put: 50 % lock, 5 % I/O");
}

TEST_CASE("the libraries' functions are left out, and recursion is told once") {
  const std::vector<Blocker> blockers = {waiting_in("f", 0.4,
                                                    {"f", "g", "g", "std::thread::_Invoker<...>::operator()",
                                                     "void std::__invoke_impl<...>", "start_thread", "__clone3"})};
  CHECK(call_paths(blockers, 25) == "g > f: 40 % lock");
}

TEST_CASE("blockers without a name or a caller are no part of it") {
  const std::vector<Blocker> blockers = {waiting_in("f", 0.4, {}), waiting_in("", 0.3, {"main"}),
                                         waiting_in("g", 0.2, {"start_thread", ""})};
  CHECK(call_paths(blockers, 25) == "");
  CHECK(call_paths({}, 25) == "");
}

TEST_CASE("the lightest blockers are left out where there are too many lines") {
  std::vector<Blocker> blockers;
  for (int i = 0; i < 10; ++i) blockers.push_back(waiting_in("f" + std::to_string(i), 0.1, {"main"}));
  CHECK(split_lines(call_paths(blockers, 25)).size() == 11);
  const std::string few = call_paths(blockers, 4);
  CHECK(split_lines(few).size() == 4);
  CHECK(few.find("f2: ") != std::string::npos);
  CHECK(few.find("f3: ") == std::string::npos);
  CHECK(call_paths(blockers, 0) == "");
}

TEST_CASE("of a long path the middle is left out, and no more than eight callers are looked at") {
  std::vector<std::string> callers;
  for (int i = 0; i < 1'000; ++i) callers.push_back("c" + std::to_string(i));
  const std::vector<Blocker> blockers = {waiting_in("f", 0.4, callers)};
  CHECK(call_paths(blockers, 25) == "c7 > c6 > ... > c0 > f: 40 % lock");
}
