/// Tests of the scanner that finds functions.

#include "source/function_names.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

std::string enclosing_function(const std::string& text, std::size_t offset) {
  const std::vector<FunctionSpan> functions = find_functions(text, offset + 1);
  const FunctionSpan* function = function_at(functions, offset);
  return function == nullptr ? "" : function->name;
}

/// The function that holds the '@' of the text.
std::string function_at_sign(const std::string& text) {
  REQUIRE(text.find('@') != std::string::npos);
  return enclosing_function(text, text.find('@'));
}

}  // namespace

TEST_CASE("a function is named with the namespaces and classes around it") {
  CHECK(function_at_sign("int f(int a) { return @a; }") == "f");
  CHECK(function_at_sign("int f(int a);\n@int x;\nint g() { }") == "");
  CHECK(function_at_sign("namespace a::b { namespace { void f() { @ } } }") == "a::b::f");
  CHECK(function_at_sign("inline namespace v1 { struct S { void f() const noexcept { @ } }; }") == "v1::S::f");
  CHECK(function_at_sign("namespace walkv {\nStatus Wal::append(const Slice& s) {\n  @\n}\n}") == "walkv::Wal::append");
  CHECK(function_at_sign("class A final : public B<int> { class C { int g() { @ } }; };") == "A::C::g");
  CHECK(function_at_sign("extern \"C\" { int main(int, char**) { @ } }") == "main");
  CHECK(function_at_sign("namespace n {\nvoid f() {}\n}\nvoid g() { @ }") == "g");
}

TEST_CASE("the head of a function belongs to it, the lines between functions do not") {
  CHECK(function_at_sign("void f() {}\ntemplate <class @T>\nvoid g(T t)\n{\n}") == "g");
  CHECK(function_at_sign("void f(int @a,\n int b) {}") == "f");
  CHECK(function_at_sign("void f() {}\n// @\nvoid g() {}") == "");
}

TEST_CASE("constructors, destructors, operators and conversions have their names") {
  CHECK(function_at_sign("Wal::Wal(int a) : a_(a), b_{a, {1}}, c_<int>{2} { @ }") == "Wal::Wal");
  CHECK(function_at_sign("struct W { W(int a) : a_{@a} {} };") == "W::W");
  CHECK(function_at_sign("struct W { explicit W(int a) : a_{a} { @ } void g(); };") == "W::W");
  CHECK(function_at_sign("struct W { W() noexcept(true) : a_{1} { } void g() { @ } };") == "W::g");
  CHECK(function_at_sign("Wal::~Wal() { @ }") == "Wal::~Wal");
  CHECK(function_at_sign("bool operator==(const A& a, const A& b) { return @; }") == "operator==");
  CHECK(function_at_sign("struct A { bool operator<(const A& o) const { return @; } };") == "A::operator<");
  CHECK(function_at_sign("struct A { int operator()(int x) { return @x; } };") == "A::operator()");
  CHECK(function_at_sign("struct A { operator bool() const { return @; } };") == "A::operator bool");
  CHECK(function_at_sign("void* operator new[](std::size_t n) { @ }") == "operator new[]");
  CHECK(function_at_sign("A& A::operator=(A&& o) noexcept { @ }") == "A::operator=");
  CHECK(function_at_sign("W::W(int a) try : a_(a) { @ } catch (...) { }") == "W::W");
}

TEST_CASE("return types, templates, attributes and macros do not hide the name") {
  CHECK(function_at_sign("template <typename T = int, int N = 3> std::map<int, void(int)> g(T t) { @ }") == "g");
  CHECK(function_at_sign("template <class T> void Foo<T>::bar(T) { @ }") == "Foo::bar");
  CHECK(function_at_sign("auto f() -> decltype(g(1)) { @ }") == "f");
  CHECK(function_at_sign("[[nodiscard]] __attribute__((noinline)) int f() { @ }") == "f");
  CHECK(function_at_sign("void f() EXCLUSIVE_LOCKS_REQUIRED(mutex_) { @ }") == "f");
  CHECK(function_at_sign("MACRO(x) void f(int a) { @ }") == "f");
  CHECK(function_at_sign("struct Foo make(int a) { @ }") == "make");
  CHECK(function_at_sign("class EXPORT(1) Foo : Base { void f() { @ } };") == "Foo::f");
  CHECK(function_at_sign("class __attribute__((packed)) Foo { void f() { @ } };") == "Foo::f");
  CHECK(function_at_sign("template <> struct hash<Foo> { size_t operator()(Foo f) const { @ } };") ==
        "hash::operator()");
  CHECK(function_at_sign("template <class T> requires (sizeof(T) > 1) void f(T t) { @ }") == "f");
  CHECK(function_at_sign("void (*get(int which))(char) { @ }") == "get");
  CHECK(function_at_sign("void f(std::vector<int> a = {}, int b = {1}) { @ }") == "f");
}

TEST_CASE("lambdas and local classes belong to the function around them") {
  CHECK(function_at_sign("void f() { auto l = [&](int x) { return @x; }; }") == "f");
  CHECK(function_at_sign("void f() { struct L { void g() { @ } }; }") == "f");
  CHECK(function_at_sign("void f() { if (a) { } }\nauto l = [](int x) { @ };") == "");
}

TEST_CASE("braces in comments, strings and literals do not count") {
  CHECK(function_at_sign("void f() { // }\n /* } */ @ }") == "f");
  CHECK(function_at_sign("void f() { puts(\"}\\\"}\"); char c = '}'; c = '\\''; @ }") == "f");
  CHECK(function_at_sign("void f() { auto s = R\"x(}\")x\"; @ }") == "f");
  CHECK(function_at_sign("void f() { auto s = u8R\"(})\"; auto n = 1'000'000; auto h = 0xff'ff; @ }") == "f");
  CHECK(function_at_sign("void f() { // goes on \\\n }\n @ }") == "f");
  CHECK(function_at_sign("#define OPEN {\nvoid f() { @ }") == "f");
  CHECK(function_at_sign("#define OPEN \\\n  {\n\nvoid f() { } @") == "");
}

TEST_CASE("both branches of a condition may open the same function") {
  const std::string text = "#if A\nvoid f(int a) {\n#else\nvoid f() {\n#endif\n @ }\nvoid g() { }\n";
  CHECK(function_at_sign(text) == "f");
  CHECK(enclosing_function(text, text.find("g()") + 6) == "g");
  CHECK(function_at_sign("void f() {\n#if A\n x(); }\nvoid h() {\n}\n#else\n y();@ }\n#endif\nvoid g() {}") == "f");
}

TEST_CASE("arrays, enums and variables with braces are no functions") {
  CHECK(function_at_sign("int a[] = {1, @2};") == "");
  CHECK(function_at_sign("enum class E : int { a, @b };\nvoid f() {}") == "");
  CHECK(function_at_sign("std::vector<int> v{f(1), @g(2)};") == "");
  CHECK(function_at_sign("int x{3};\nvoid f() { @ }") == "f");
}

TEST_CASE("a line's function is that of what stands on it, behind the white space") {
  const std::string text = "int x;\nvoid f() {\n  x = 1;\n}\n  void g() {}\n\n";
  const std::vector<std::string> names = {"", "", "f", "f", "f", "g", "", ""};
  for (int line = 0; line < static_cast<int>(names.size()); ++line) {
    CAPTURE(line);
    CHECK(function_at_line(text, line) == names[static_cast<std::size_t>(line)]);
  }
  CHECK(function_at_line(text, 100) == "");
}

TEST_CASE("hostile text ends in time and without a crash") {
  for (const std::string part : {"{", "}", "(", "<", "a<", "#if\n", "R\"(", "\"", "'", "1'1", "/*", "//\\\n",
                                 "operator(", "a{", ":", "a():b{", "template<", "#else\n", "namespace a{"}) {
    std::string text;
    while (text.size() < 200'000) text += part;
    find_functions(text);
    find_functions("void f() {" + text);
  }
  CHECK(enclosing_function("", 0) == "");
  CHECK(enclosing_function("void f() {", 10) == "");
}
