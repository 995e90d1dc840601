/// What symbols become in a profile.

#include "profile/function_name.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace aiopt;

TEST_CASE("a function is named without its arguments") {
  CHECK(function_name_of("_ZN5walkv3Wal6appendERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE") ==
        "walkv::Wal::append");
  CHECK(function_name_of("_ZNK5walkv3Wal4sizeEv") == "walkv::Wal::size");
  CHECK(function_name_of("_ZN5walkv12_GLOBAL__N_14syncEi") == "walkv::(anonymous namespace)::sync");
  CHECK(function_name_of("main") == "main");
}

TEST_CASE("a symbol's version and the compiler's clones are no part of the name") {
  CHECK(function_name_of("fsync@@GLIBC_2.2.5") == "fsync");
  CHECK(function_name_of("compress.constprop.0.isra.0") == "compress");
  CHECK(function_name_of("_ZN5walkv3Wal6appendEi.cold") == "walkv::Wal::append");
  CHECK(function_name_of("runtime.mcall") == "runtime.mcall");
}

TEST_CASE("short template arguments stay, long ones go, and so does the return type that they bring") {
  CHECK(shorten_function_name("int walkv::summed<int>(int, int)") == "walkv::summed<int>");
  CHECK(shorten_function_name("std::vector<std::pair<int, std::string>, std::allocator<std::pair<int, std::string> > >"
                              "::push_back(std::pair<int, std::string> const&)") == "std::vector<...>::push_back");
  CHECK(shorten_function_name("std::enable_if<true, void>::type f<char>(char) const &") == "f<char>");
  CHECK(shorten_function_name("std::function<void (int)>::operator()(int) const") ==
        "std::function<void (int)>::operator()");
}

TEST_CASE("a lambda is named after the function that it is in") {
  CHECK(shorten_function_name("main::{lambda(int)#2}::operator()(int) const") == "main::{lambda#2}");
  CHECK(shorten_function_name("walkv::Wal::append(std::string const&)::{lambda()#1}::operator()() const") ==
        "walkv::Wal::append::{lambda#1}");
  CHECK(shorten_function_name("auto main::{lambda(auto:1)#1}::operator()<int>(int) const") == "main::{lambda#1}");
  CHECK(shorten_function_name("void run<main::{lambda()#1}>(main::{lambda()#1})") == "run<main::{lambda()#1}>");
}

TEST_CASE("operators keep their symbols") {
  CHECK(shorten_function_name("std::ostream& operator<< <char>(std::ostream&, char const*)") == "operator<<<char>");
  CHECK(shorten_function_name("Slice::operator()(int)") == "Slice::operator()");
  CHECK(shorten_function_name("Slice::operator<(Slice const&) const") == "Slice::operator<");
  CHECK(shorten_function_name("Slice::operator->() const") == "Slice::operator->");
  CHECK(shorten_function_name("operator new[](unsigned long)") == "operator new[]");
  CHECK(shorten_function_name("Status::operator unsigned long() const") == "Status::operator unsigned long");
  CHECK(shorten_function_name("operator\"\" _ms(unsigned long long)") == "operator\"\" _ms");
}

TEST_CASE("what only looks like a mangled or a demangled name stays as it is") {
  CHECK(function_name_of("_Zeus") == "_Zeus");
  CHECK(function_name_of("") == "");
  CHECK(shorten_function_name("a<b") == "a<b");
  CHECK(shorten_function_name("f(int") == "f(int");
  CHECK(shorten_function_name("()") == "()");
  CHECK(function_name_of(std::string(10'000, 'x')).size() == 256);
}

TEST_CASE("a symbol whose demangled name would be larger than memory costs nothing") {
  // f(pair<A, A>), each A the pair before it: it doubles 60 times.
  std::string bomb = "_ZN5walkv1fESt4pairIiiE";
  for (int i = 0; i < 60; ++i) {
    const std::string last =
        i == 0 ? "S_" : "S" + std::string(1, static_cast<char>(i < 11 ? '0' + i - 1 : 'A' + i % 26)) + "_";
    bomb += "St4pairI" + last + last + "E";
  }
  const auto start = std::chrono::steady_clock::now();
  CHECK(function_name_of(bomb) == "walkv::f");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
}
