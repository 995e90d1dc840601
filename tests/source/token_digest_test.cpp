/// Tests of the digest that does not see comments and white space.

#include "source/token_digest.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/clock.hpp"

using namespace aiopt;

namespace {

bool is_one(const std::string& a, const std::string& b) {
  return token_digest(a) == token_digest(b);
}

}  // namespace

TEST_CASE("texts that differ in comments and white space alone have one digest") {
  const std::vector<std::pair<std::string, std::string>> pairs = {
      {"int a=1;", "int  a\n=\t1 ;\r\n"},
      {"int a=1;", "int a = /* one */ 1; // done\n"},
      {"int a=1;", "/* int b; */ int a\\\n = 1;"},
      {"int abc=1;", "int a\\\nb\\ \r\nc = 1;"},
      {"f(a/b);", "f(a / b); // \\\n still a comment\n"},
      {"#define f(x) x\nint a;", "# define f(x)   x // y\n\n\nint a;"},
      {"#define f(x) x\nint a;", "/* c */ #define f(x) \\\n x\nint a;"},
      {"#define f x /* a\n b */ y\n", "#define f x y\n"},
      {"#include <a//b.h>\nint a;", "#include  <a//b.h>\n\nint a;"},
      {"auto s = R\"x(\n//\")x\";", "auto s=R\"x(\n//\")x\" ;"},
      {"const char* s = \"//\\\"\";", "const char* s=\"//\\\"\"; // \"\n"},
      {"char c = '\"'; int d;", "char c = '\"'; /* \" */ int d;"},
      {"int n = 1'000'000;", "int n = 1'000'000 ; // '\n"},
      {"static_assert(a == b);", "static_assert( a\n== b );"},
  };
  for (const auto& [first, second] : pairs) {
    const std::string a = first;  // A lambda of INFO's may not capture a binding (clang 14).
    const std::string b = second;
    INFO(a, "\n---\n", b);
    CHECK(is_one(a, b));
  }
}

TEST_CASE("texts that mean something else have another digest") {
  const std::vector<std::pair<std::string, std::string>> pairs = {
      {"int a=1;", "int a=2;"},
      {"int a;", "inta;"},
      {"x = a - -b;", "x = a--b;"},
      {"x = a + ++b;", "x = a++ + b;"},
      {"a < b;", "a <b>;"},
      {"#define f(x) (x)\n", "#define f (x) (x)\n"},
      {"#define A\nint a;", "#define A int a;"},
      {"#define A 1\nint a;", "#define A 1 int a;\n"},
      {"int a;\n#define A\nint b;", "int a;\nint b;\n#define A\n"},
      {"s = \"a b\";", "s = \"a  b\";"},
      {"s = \"a//b\";", "s = \"a//c\";"},
      {"s = R\"(a b)\";", "s = R\"(a  b)\";"},
      {"s = R\"(a\\\nb)\";", "s = R\"(ab)\";"},
      {"s = R\"(/*)\"; a(); /* */", "s = R\"(/*)\"; /* */"},
      {"s = L\"x\";", "s = L \"x\";"},
      {"s = \"x\"_s;", "s = \"x\" _s;"},
      {"c = '\\''; a();", "c = '\\''; b();"},
      {"n = 1'0; a();", "n = 1'0; b();"},
      {"// \\\nint a;\n", "//\nint a;\n"},
      {"a = b //* c */ d\n;", "a = b d;"},
      {"n = 1e+5;", "n = 1e + 5;"},
      {"s = \"ab\" \"c\";", "s = \"a\" \"bc\";"},
  };
  for (const auto& [first, second] : pairs) {
    const std::string a = first;  // A lambda of INFO's may not capture a binding (clang 14).
    const std::string b = second;
    INFO(a, "\n---\n", b);
    CHECK_FALSE(is_one(a, b));
  }
}

TEST_CASE("white space counts where the program can see it; the words of comments never do") {
  for (const std::string sees : {"assert(a+b);", "int l = __LINE__;", "int c = __COUNTER__;", "MY_ASSERT(x);",
                                 "std::source_location l;", "#define STR(x) #x\n"}) {
    INFO(sees);
    CHECK_FALSE(is_one("int a;\n" + sees, "\nint a;\n" + sees));
    CHECK_FALSE(is_one("a+b;\n" + sees, "a + b;\n" + sees));
    CHECK_FALSE(is_one("int a;\n" + sees, "/* \n */int a;\n" + sees));
    CHECK(is_one("int a; // one\n" + sees, "int a; // two\n" + sees));
    CHECK(is_one("// assert(x) __LINE__\nint a;", "int a;"));
  }
  CHECK(is_one("#define PASTE(a,b) a##b\n", "#define PASTE(a, b) a ## b\n"));
}

TEST_CASE("any bytes will do, in linear time") {
  const std::vector<std::string> parts = {"R\"", "\\ ",        "\\\n", "/*",      "'", "\"",
                                          "#",   "#define f(", "R\"(", "u8R\"x(", "."};
  const auto begin = monotonic_now();
  for (const std::string& part : parts) {
    std::string text;
    while (text.size() < 200'000) text += part;
    CHECK(token_digest(text).size() == 64);
    CHECK(token_digest(text.substr(0, text.size() - 1)).size() == 64);
  }
  CHECK(monotonic_now() - begin < std::chrono::seconds(20));  // Quadratic, it would be minutes.
  std::string bytes;
  for (int i = 0; i < 3 * 256; ++i) bytes += static_cast<char>(i * 7);
  for (std::size_t i = 0; i < bytes.size(); ++i) CHECK(token_digest(bytes.substr(i)).size() == 64);
}

TEST_CASE("of a tree, C and C++ files count by their tokens, others by their bytes, and names too") {
  const auto tree = [](const std::string& path, const std::string& text) {
    return token_digest(SourceTree{{path, make_source_file(text)}});
  };
  CHECK(tree("a.cc", "int a;") == tree("a.cc", "int  a; // a\n"));
  CHECK(tree("a.cc", "int a;") != tree("b.cc", "int a;"));
  CHECK(tree("Makefile", "all:\n\ta\n") != tree("Makefile", "all:\n a\n"));
}
