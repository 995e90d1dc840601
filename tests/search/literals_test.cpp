/// Which numbers of C++ code are found, and how they are written back.

#include "search/literals.hpp"

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

/// The tokens found, in order, with a space between.
std::string found_in(std::string_view text) {
  std::string tokens;
  for (const Literal& literal : tunable_literals(text)) {
    if (!tokens.empty()) tokens += ' ';
    tokens += text.substr(literal.offset, literal.length);
  }
  return tokens;
}

Literal only(std::string_view text) {
  const auto literals = tunable_literals(text);
  REQUIRE(literals.size() == 1);
  return literals[0];
}

}  // namespace

TEST_CASE("numbers of every spelling are read with their value") {
  CHECK(only("x = 4096;").value == 4096.0);
  CHECK(only("x = 0x2Fu;").value == 47.0);
  CHECK(only("x = 0x2Fu;").base == 16);
  CHECK(only("x = 0x2Fu;").suffix == "u");
  CHECK(only("x = 0755;  // aiopt: tune").value == 493.0);
  CHECK(only("x = 0b1010'0000;").value == 160.0);
  CHECK(only("x = 1'000'000ULL;").value == 1e6);
  CHECK(only("x = 1.5f;").value == 1.5);
  CHECK_FALSE(only("x = 1.5f;").integer);
  CHECK(only("x = 2e3;").value == 2000.0);
  CHECK(only("x = 2.5E-3;").value == 0.0025);
  CHECK(only("x = .25;").value == 0.25);
  CHECK(only("x = 3.;").value == 3.0);
  CHECK(only("sleep_for(10ms);").suffix == "ms");
  CHECK(only("x = 64_KiB;").suffix == "_KiB");
  CHECK(only("x = 0xe+y;").value == 14.0);
}

TEST_CASE("what only looks like a number to tune is left out") {
  CHECK(found_in("x86 = a1b2 + i32;") == "");
  CHECK(found_in("x = 0x1.8p3;") == "");
  CHECK(found_in("x = 0x9E3779B97F4A7C15;") == "");
  CHECK(found_in("x = 99999999999999999999999;") == "");
  CHECK(found_in("x = 12abc + 1.2.3 + 08 + 0x + 0b2 + 1e999;") == "");
}

TEST_CASE("comments, strings, characters and includes hold no numbers") {
  CHECK(found_in("// 10\n/* 20\n 30 */ x = 40; // 50 \\\n 60\ny = 70;") == "40 70");
  CHECK(found_in("s = \"a 10 \\\" 20\"; x = 30;") == "30");
  CHECK(found_in("s = R\"(10 \" 20)\" + R\"x(30 )\" 40)x\"; x = 50;") == "50");
  CHECK(found_in("s = u8R\"(10)\"; t = L\"20\"; x = 30;") == "30");
  CHECK(found_in("c = '\\''; d = '9'; x = 30; e = u'\\x41';") == "30");
  CHECK(found_in("#include \"a20.h\"\n#include <b30>\n#line 40\n#if FOO > 50\nx = 60;\n#pragma pack(70)\n") == "60");
  CHECK(found_in("#if A > 2 && \\\n B > 30\nx = 40;") == "40");
}

TEST_CASE("an unfinished token at the end of the text is no trouble") {
  for (const char* text : {"\"abc",
                           "'",
                           "/* 12",
                           "R\"(12",
                           "R\"",
                           "//",
                           "#",
                           "#define",
                           "0x",
                           "1'",
                           "1e",
                           "1e+",
                           "\\",
                           "{{{{",
                           "}}}}",
                           "((((",
                           "case",
                           "static_assert(",
                           "// aiopt: tune [",
                           "// aiopt: tune [1,",
                           "\"\\",
                           "// \\",
                           "#if \\",
                           "0",
                           "."}) {
    CAPTURE(text);
    CHECK(found_in(text) == "");
  }
}

TEST_CASE("0 and 1 are left alone, but for the value of a named constant") {
  CHECK(found_in("for (int i = 0; i < n; i += 1) a[0] = b[1];") == "");
  CHECK(found_in("constexpr int kThreads = 1;") == "1");
  CHECK(found_in("const bool kBatch{0};") == "0");
  CHECK(found_in("#define SLOTS 1\n") == "1");
  CHECK(found_in("int size() const { return 1; }") == "");
  CHECK(found_in("constexpr int size() { return 1; }") == "");
  CHECK(found_in("void f(const Foo& x) { y = 1; }") == "");
  CHECK(found_in("const int n = f(1) + a[0];") == "");
}

TEST_CASE("named constants are marked as such") {
  CHECK(only("static constexpr std::size_t kBlock = 4096;").constant);
  CHECK(only("#define BLOCK (4096)\n").constant);
  CHECK_FALSE(only("resize(4096);").constant);
  CHECK_FALSE(only("constexpr int kA = b; int c = 4096;").constant);
}

TEST_CASE("case labels, static_asserts and versions are left out") {
  CHECK(found_in("switch (x) { case 10: y = 20; break; case Foo::a + 30: y = 40; }") == "20 40");
  CHECK(found_in("static_assert(sizeof(x) == 80, \"\"); y = 20;") == "20");
  CHECK(found_in("#define MY_VERSION 30402\nconst int kFormatVersion = 7;\nx = 20;") == "20");
}

TEST_CASE("file modes, masks and polynomials are left out") {
  CHECK(found_in("open(name, 0644); x = y & 0xff; z = 0x82f63b78; size = 0x100000; n = 0x30;") == "0x100000 0x30");
}

TEST_CASE("tables of more than eight numbers are left out, blocks of statements are not") {
  CHECK(found_in("int t[] = {2, 3, 4, 5, 6, 7, 8, 9, 10}; x = 20;") == "20");
  CHECK(found_in("int t[][3] = {{2, 3, 4}, {5, 6, 7}, {8, 9, 10}}; x = 20;") == "3 20");
  CHECK(found_in("int t[] = {2, 3, 4, 5, 6, 7, 8, 9};") == "2 3 4 5 6 7 8 9");
  CHECK(found_in("void f() { a = 2; b = 3; c = 4; d = 5; e = 6; f = 7; g = 8; h = 9; i = 10; }") ==
        "2 3 4 5 6 7 8 9 10");
  CHECK(found_in("namespace n { int t[] = {2, 3, 4, 5, 6, 7, 8, 9, 10}; int x = 20; }") == "20");
}

TEST_CASE("a hint says what values a literal may take") {
  const Literal ranged = only("x = 64;  // aiopt: tune [16, 4096] log");
  REQUIRE(ranged.hint.has_value());
  CHECK(ranged.hint->lower == 16.0);
  CHECK(ranged.hint->upper == 4096.0);
  CHECK(ranged.hint->log);
  CHECK_FALSE(ranged.hint->integer);
  const Literal whole = only("x = 2.0;  /* aiopt: tune [1, 9] int: the integrator's log */");
  REQUIRE(whole.hint.has_value());
  CHECK_FALSE(whole.hint->log);
  const Literal both = only("x = 2.0;  // aiopt: tune [-1e1, 9] int log");
  REQUIRE(both.hint.has_value());
  CHECK(both.hint->integer);
  CHECK(both.hint->log);
  CHECK(both.hint->lower == 0.0);
}

TEST_CASE("a hint brings back a literal that would be left out") {
  CHECK(found_in("x = 1;  // aiopt: tune [0, 9]") == "1");
  CHECK(found_in("case 3:  // aiopt: tune") == "3");
}

TEST_CASE("a hint whose range cannot be read still marks the line") {
  for (const char* text : {"x = 5; // aiopt: tune [9, 2]", "x = 5; // aiopt: tune [a, b]", "x = 5; // aiopt: tune [1",
                           "x = 5; // aiopt: tune", "x = 5; // aiopt: tune [1, nan]", "x = 5; // aiopt: tune [-5, -1]",
                           "x = 5; // aiopt: tune ]1,2["}) {
    CAPTURE(text);
    const Literal literal = only(text);
    REQUIRE(literal.hint.has_value());
    CHECK_FALSE(literal.hint->lower.has_value());
  }
}

TEST_CASE("lines are counted through comments, strings and continued directives") {
  const auto literals = tunable_literals("/*\n*/ // a \\\n b\nR\"(\n\n)\" \"\\\n\"\n#if 1 \\\n 2\nx = 30 + 40;\n");
  REQUIRE(literals.size() == 2);
  CHECK(literals[0].line == 10);
  CHECK(literals[0].on_line == 0);
  CHECK(literals[1].on_line == 1);
}

TEST_CASE("a literal is written back in its own spelling") {
  CHECK(write_literal(only("x = 0x40u;"), 128) == "0x80u");
  CHECK(write_literal(only("x = 0100;  // aiopt: tune"), 128) == "0200");
  CHECK(write_literal(only("x = 0b100;"), 8) == "0b1000");
  CHECK(write_literal(only("x = 1'000ull;"), 2000000) == "2000000ull");
  CHECK(write_literal(only("x = 1.5f;"), 3.0) == "3.0f");
  CHECK(write_literal(only("x = 1.5;"), 0.1234567) == "0.123457");
  CHECK(write_literal(only("x = 1e9;"), 2.5e12) == "2.5e+12");
}

TEST_CASE("a text full of braces or numbers costs linear time") {
  std::string nested;
  for (int i = 0; i < 200'000; ++i) nested += "{2,";
  nested += std::string(200'000, '}');
  CHECK(tunable_literals(nested).size() <= 9);
  std::string line;
  for (int i = 0; i < 200'000; ++i) line += "f(2);";
  CHECK(tunable_literals(line).size() == 200'000);
}
