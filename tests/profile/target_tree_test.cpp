/// Which records are of the target, out of those of the whole machine.

#include <doctest/doctest.h>

#include <cstdint>

#include "profile/target_tree.hpp"

using namespace aiopt;

namespace {

constexpr std::uint32_t kTarget = 10;
constexpr std::uint32_t kChild = 20;
constexpr std::uint32_t kOther = 30;

template <typename Event>
bool takes(TargetTree& tree, std::uint32_t pid, Event event) {
  return tree.takes({1, pid, pid, event});
}

Started started_by(std::uint32_t parent) {
  return {parent, parent};
}

}  // namespace

TEST_CASE("of the machine's records those of the target and of what it starts are taken") {
  TargetTree tree(kTarget, false);
  CHECK(takes(tree, kTarget, SwitchedOut{}));
  CHECK(takes(tree, kChild, started_by(kTarget)));
  CHECK(takes(tree, kChild, SwitchedIn{}));
  CHECK_FALSE(takes(tree, kOther, SwitchedOut{}));
  CHECK_FALSE(takes(tree, kOther + 1, started_by(kOther)));
  CHECK_FALSE(takes(tree, kOther + 1, Named{"other", true}));
  CHECK_FALSE(takes(tree, kOther + 1, SwitchedIn{}));
}

TEST_CASE("a new thread of the target is taken by its process") {
  TargetTree tree(kTarget, false);
  CHECK(tree.takes({1, kTarget, 11, Started{kTarget, kTarget}}));
  CHECK(tree.takes({2, kTarget, 11, SwitchedIn{}}));
  CHECK_FALSE(tree.takes({3, kOther, 31, Started{kOther, kOther}}));
}

TEST_CASE("before an execve(2) nothing of a waiting child counts, and what it forks waits for its own") {
  TargetTree tree(kTarget, true);
  CHECK_FALSE(takes(tree, kTarget, SwitchedOut{}));
  CHECK_FALSE(takes(tree, kChild, started_by(kTarget)));
  CHECK_FALSE(takes(tree, kChild, Named{"renamed", false}));
  CHECK(takes(tree, kChild, Named{"program", true}));
  CHECK(takes(tree, kChild, SwitchedIn{}));
  CHECK(takes(tree, kChild + 1, started_by(kChild)));
  CHECK(takes(tree, kChild + 1, SwitchedIn{}));
  CHECK_FALSE(takes(tree, kTarget, SwitchedIn{}));
}

TEST_CASE("a process that has the number of one of the target's that has ended is not taken for it") {
  TargetTree tree(kTarget, false);
  CHECK(takes(tree, kChild, started_by(kTarget)));
  CHECK(takes(tree, kChild, Ended{}));
  CHECK_FALSE(takes(tree, kChild, started_by(kOther)));
  CHECK_FALSE(takes(tree, kChild, SwitchedIn{}));
}

TEST_CASE("what a thread does after its end is not taken, until its number is another thread's") {
  TargetTree tree(kTarget, false);
  CHECK(tree.takes({1, kTarget, 11, Started{kTarget, kTarget}}));
  CHECK(tree.takes({2, kTarget, 11, Ended{}}));
  CHECK_FALSE(tree.takes({3, kTarget, 11, SwitchedOut{}}));
  CHECK_FALSE(tree.takes({3, kTarget, 0xFFFFFFFF, SwitchedOut{}}));  // Its number is given back.
  CHECK(tree.takes({4, kTarget, 11, Started{kTarget, kTarget}}));
  CHECK(tree.takes({5, kTarget, 11, SwitchedOut{}}));
}

TEST_CASE("the program that a thread other than the first executes is taken, under the number of the first") {
  TargetTree tree(kTarget, false);
  CHECK(takes(tree, kTarget, Ended{}));
  CHECK_FALSE(takes(tree, kTarget, SwitchedOut{}));
  CHECK(takes(tree, kTarget, Named{"other", true}));
  CHECK(takes(tree, kTarget, SwitchedOut{}));
}

TEST_CASE("a process whose beginning was lost is taken once it has a stack, which none but the target's has") {
  TargetTree tree(kTarget, true);
  CHECK_FALSE(takes(tree, kChild, SwitchedOut{}));
  CHECK(takes(tree, kChild, SwitchSample{}));
  CHECK(takes(tree, kChild, SwitchedOut{}));
  CHECK_FALSE(takes(tree, kTarget, SwitchSample{}));  // It only waits, before its own execve(2) or for ever.
  CHECK_FALSE(takes(tree, kTarget, SwitchedOut{}));
}

TEST_CASE("wake-ups tell a thread and no process, and are passed on") {
  TargetTree tree(kTarget, false);
  CHECK(tree.takes({1, 0, kOther, Woken{}}));
}
