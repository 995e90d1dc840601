/// Tests of what a patch does to a tree.

#include "source/patch_apply.hpp"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "base/clock.hpp"
#include "source/patch_checks.hpp"
#include "source/patch_parser.hpp"
#include "source/source_tree.hpp"

using namespace aiopt;

namespace {

SourceTree tree_of(std::string text) {
  SourceTree tree;
  tree["src/a.cc"] = make_source_file(std::move(text));
  tree["src/b.h"] = make_source_file("int b;\n");
  return tree;
}

Edit replace(std::string search, std::string text, std::uint32_t line = 0) {
  return {Edit::Kind::replace, "src/a.cc", std::move(search), std::move(text), line};
}

/// The text of src/a.cc after one edit, or "error: ...".
std::string after(const std::string& text, const Edit& edit) {
  const auto applied = apply_patch(tree_of(text), {{edit}}, kRules);
  if (!applied) return "error: " + applied.error().message;
  // What is kept of a patch always makes the same tree again.
  const auto again = apply_patch(tree_of(text), applied->exact, kRules);
  REQUIRE(again);
  CHECK(tree_sha256(again->tree) == tree_sha256(applied->tree));
  const auto found = applied->tree.find("src/a.cc");
  return found == applied->tree.end() ? "removed" : *found->second.text;
}

}  // namespace

TEST_CASE("an exact match comes before a tolerant one") {
  CHECK(after("a \nb\na\nb\n", replace("a\nb\n", "x\n")) == "a \nb\nx\n");
}

TEST_CASE("trailing white space and line ends do not hinder a match, and the file keeps its own") {
  CHECK(after("int a;  \nint b;\nint c;\t\n", replace("int a;\nint b;\nint c;\n", "int a;\nint B;\nint c;\n")) ==
        "int a;  \nint B;\nint c;\t\n");
  CHECK(after("a\r\nb\r\nc\r\n", replace("a\nb\n", "a\nx\ny\n")) == "a\r\nx\r\ny\r\nc\r\n");
  CHECK(after("a\r\nb\r\nc\r\n", replace("b", "x\ny")) == "a\r\nx\r\ny\r\nc\r\n");
  CHECK(after("a\nb\n", replace("a\r\n", "x\r\ny\r\n")) == "x\ny\nb\n");
  CHECK(after("a\nb", replace("b\n", "x\n")) == "a\nx");
  CHECK(after("a\nb", replace("b\n", "b\nc\n")) == "a\nb\nc");
  CHECK(after("a\nb", replace("a\nb\n", "a\n")) == "a");
  CHECK(after("a\nb\n", replace("b", "c\n\n")) == "a\nc\n\n\n");
}

TEST_CASE("another common indentation does not hinder a match, and the replacement gets the file's") {
  CHECK(after("{\n    if (a) {\n      f();\n    }\n}\n",
              replace("if (a) {\n  f();\n}\n", "if (b) {\n  g();\n\n  h();\n}\n")) ==
        "{\n    if (b) {\n      g();\n\n      h();\n    }\n}\n");
  CHECK(after("{\n\tf();\n\tg();\n}\n", replace("    f();\n    g();\n", "    f();\n      x();\n    g();\n")) ==
        "{\n\tf();\n\t  x();\n\tg();\n}\n");
  CHECK(after("f();\ng();\n", replace("    f();\n    g();\n", "    f2();\n    g();\n")) == "f2();\ng();\n");
  CHECK(after("  f();\n  g();\n", replace("    f();\n    g();\n", "    f();\n  out();\n    g();\n")) ==
        "  f();\nout();\n  g();\n");
  // Not a common one: no match.
  CHECK(contains(after("  f();\n    g();\n", replace("f();\ng();\n", "h();\n")), "is not there"));
}

TEST_CASE("an ambiguous search is refused with the lines that it matched") {
  const std::string error = after("x = 1;\ny;\n  x = 1;\nx = 1;\n", replace("x = 1;", "x = 2;"));
  CHECK(contains(error, "3 times: line 1 `x = 1;`, line 3 `x = 1;`, line 4 `x = 1;`"));
  // Whole lines match whole lines.
  CHECK(after("max = 1;\nx = 1;\n", replace("x = 1;\n", "x = 2;\n")) == "max = 1;\nx = 2;\n");
}

TEST_CASE("a line picks the place that is clearly nearest") {
  const std::string text = "a\nx\nb\nx\nc\nx\n";
  CHECK(after(text, replace("x\n", "y\n", 4)) == "a\nx\nb\ny\nc\nx\n");
  CHECK(after(text, replace("x\n", "y\n", 7)) == "a\nx\nb\nx\nc\ny\n");
  CHECK(contains(after(text, replace("x\n", "y\n", 3)), "3 times"));
  CHECK(contains(after(text, replace("x\n", "y\n", 90)), "3 times"));
}

TEST_CASE("a line picks whole lines only, if the search text is of whole lines") {
  CHECK(after("max = 1;\nx = 1;\nq\nx = 1;\n", replace("x = 1;\n", "y\n", 1)) == "max = 1;\ny\nq\nx = 1;\n");
}

TEST_CASE("line ends are not cut in two, and the exact patch finds its place again") {
  CHECK(after("x;\r\n  x;\r\n\r\nz\r\n", replace("x;\r\n\r", "x;\r\n\rz\r")) == "x;\r\n  x;\r\n\rz\r\nz\r\n");
  CHECK(after("a\r\nb\r\n", replace("a\r", "c")) == "c\r\nb\r\n");
  CHECK(after("x;\nz\r", replace("", "q\n", 3)) == "x;\nz\r\nq\n");
}

TEST_CASE("what is not there is answered with the most similar place") {
  const std::string error = after("int one;\nvoid append(Slice key) {\n  lock();\n  write(key);\n}\nint two;\n",
                                  replace("void append(Slice key) {\n  lock_all();\n  write(key);\n", "x\n"));
  CHECK(contains(error, "line 2:\n2: void append(Slice key) {\n3:   lock();\n4:   write(key);\n"));
  CHECK(contains(after("int a;\n", replace("zzz\n", "y\n")), "is not there (it begins `zzz`)"));
}

TEST_CASE("insertions go where a diff says, empty searches into empty files only") {
  CHECK(after("a\nb\n", replace("", "x\n", 1)) == "x\na\nb\n");
  CHECK(after("a\nb\n", replace("", "x\n", 2)) == "a\nx\nb\n");
  CHECK(after("a\nb", replace("", "x\n", 3)) == "a\nb\nx\n");
  CHECK(after("", replace("", "x\n")) == "x\n");
  CHECK(contains(after("a\nb\n", replace("", "x\n", 4)), "cannot insert at line 4"));
  CHECK(contains(after("a\nb\n", replace("", "x\n")), "search text is empty"));
}

TEST_CASE("files are made, replaced and removed") {
  CHECK(after("a\n", {Edit::Kind::whole_file, "src/a.cc", "", "b\n", 0}) == "b\n");
  CHECK(after("a\r\nb\r\n", {Edit::Kind::whole_file, "src/a.cc", "", "a\nc\n", 0}) == "a\r\nc\r\n");
  CHECK(after("a\n", {Edit::Kind::remove_file, "src/a.cc", "", "", 0}) == "removed");
  const auto made = apply_patch(tree_of("a\n"), {{{Edit::Kind::replace, "./src/sub/n.cc", "", "n\n", 0}}}, kRules);
  REQUIRE(made);
  CHECK(*made->tree.at("src/sub/n.cc").text == "n\n");
  CHECK(made->changed_function == "src/sub/n.cc");
  CHECK(contains(after("a\n", {Edit::Kind::whole_file, "src/a.cc/x.cc", "", "b\n", 0}), "`src/a.cc` is a file"));
  CHECK(contains(after("a\n", {Edit::Kind::remove_file, "src/n.cc", "", "", 0}), "no file of the source"));
}

TEST_CASE("paths that leave the editable files are refused") {
  const auto reason_of = [](const std::string& path) {
    const auto applied = apply_patch(tree_of("a\n"), {{{Edit::Kind::whole_file, path, "", "b\n", 0}}}, kRules);
    return applied ? "taken" : applied.error().message;
  };
  CHECK(contains(reason_of("/etc/passwd"), "absolute"));
  CHECK(contains(reason_of("src/../../x.cc"), "'..'"));
  CHECK(contains(reason_of("../src/x.cc"), "'..'"));
  CHECK(contains(reason_of(std::string("src/a\0.cc", 9)), "control"));
  CHECK(contains(reason_of("src\\a.cc"), "backslash"));
  CHECK(contains(reason_of("src/.git/config"), ".git"));
  CHECK(contains(reason_of("tests/a.cc"), "may not change; editable are: src/**"));
  CHECK(contains(reason_of(""), "names no file"));
  CHECK(contains(reason_of("src//x.cc"), "empty part"));
  CHECK(contains(reason_of("src/"), "empty part"));
  CHECK(contains(reason_of(std::string(5000, 'x')), "too long"));
}

TEST_CASE("a patch that does nothing, is binary, or is too large is refused") {
  CHECK(contains(after("a\n", replace("a\n", "a\n")), "changes nothing"));
  CHECK(contains(apply_patch(tree_of("a\n"), {}, kRules).error().message, "changes nothing"));
  CHECK(
      contains(apply_patch(tree_of("a\nb\n"), {{replace("a\n", "c\n"), replace("c\n", "a\n")}}, kRules).error().message,
               "changes nothing"));
  CHECK(contains(after("a\n", replace("a\n", std::string("\0x", 2))), "binary"));
  CHECK(contains(after("a\n", replace("a\n", std::string(300'000, 'x'))), "adds more than"));
  const Patch many{std::vector<Edit>(1001, replace("a\n", "b\n"))};
  CHECK(contains(apply_patch(tree_of("a\n"), many, kRules).error().message, "1001 edits"));
}

TEST_CASE("all of a patch is applied, or nothing") {
  const auto applied = apply_patch(tree_of("a\n"), {{replace("a\n", "b\n"), replace("zzz\n", "c\n")}}, kRules);
  REQUIRE_FALSE(applied);
  CHECK(applied.error().message.starts_with("edit 2 of 2: src/a.cc: "));
}

TEST_CASE("files that do not change are shared with the parent") {
  const SourceTree parent = tree_of("a\n");
  const auto applied = apply_patch(parent, {{replace("a\n", "b\n")}}, kRules);
  REQUIRE(applied);
  CHECK(applied->tree.at("src/b.h").text == parent.at("src/b.h").text);
  CHECK(applied->tree.at("src/a.cc").sha256 == make_source_file("b\n").sha256);
}

TEST_CASE("changes outside EVOLVE blocks are refused, and the exact patch keeps to them too") {
  const std::string text = "x;\n// EVOLVE-BLOCK-START\nx;\ny;\n// EVOLVE-BLOCK-END\nz;\n";
  CHECK(after(text, replace("y;\n", "Y;\n")) == "x;\n// EVOLVE-BLOCK-START\nx;\nY;\n// EVOLVE-BLOCK-END\nz;\n");
  CHECK(after(text, replace("x;\n", "X;\n", 3)) == "x;\n// EVOLVE-BLOCK-START\nX;\ny;\n// EVOLVE-BLOCK-END\nz;\n");
  CHECK(contains(after(text, replace("z;\n", "Z;\n")),
                 "line 6 of src/a.cc (`z;`) is outside the EVOLVE blocks (lines 3-4)"));
  CHECK(contains(after(text, replace("// EVOLVE-BLOCK-END\n", "")), "markers"));
  CHECK(contains(after(text, {Edit::Kind::remove_file, "src/a.cc", "", "", 0}), "must stay"));
  CHECK(after(text, {Edit::Kind::whole_file, "src/a.cc", "", "x; \n// EVOLVE-BLOCK-START\nq;\n// EVOLVE-BLOCK-END\nz;",
                     0}) == "x;\n// EVOLVE-BLOCK-START\nq;\n// EVOLVE-BLOCK-END\nz;\n");
}

TEST_CASE("the changed function is the one where most lines changed, the first of equals") {
  const std::string text = "int g;\nvoid f() {\n  a();\n  b();\n}\nnamespace n {\nvoid h() {\n  c();\n  d();\n}\n}\n";
  const auto function_of = [&](std::vector<Edit> edits) {
    const auto applied = apply_patch(tree_of(text), {std::move(edits)}, kRules);
    REQUIRE(applied);
    return applied->changed_function;
  };
  CHECK(function_of({replace("  a();\n", "  A();\n")}) == "f");
  CHECK(function_of({replace("  a();\n", "  A();\n"), replace("  c();\n  d();\n", "  C();\n  D();\n")}) == "n::h");
  CHECK(function_of({replace("  c();\n", "  C();\n"), replace("  a();\n", "  A();\n")}) == "n::h");
  CHECK(function_of({replace("int g;\n", "int G;\n")}) == "src/a.cc");
  CHECK(function_of({replace("  b();\n", "")}) == "f");
  CHECK(function_of({replace("  c();\n", "  c();\n\n  e();\n"), replace("int g;\n", "int g;\n\n\n")}) == "n::h");
  std::string whole = text;
  whole.replace(whole.find("  c();"), 6, "  C();\n  C();");
  CHECK(function_of({{Edit::Kind::whole_file, "src/a.cc", "", whole, 0}}) == "n::h");
}

TEST_CASE("one-line searches in a file of 20 KB are cheap, parse and digest included") {
  std::string text = "namespace n {\n";
  for (int i = 0; text.size() < 20'000; ++i) {
    text += "int function_" + std::to_string(i) + "(int a) {\n  if (a > 3) return a * " + std::to_string(i) +
            ";\n  return 7;\n}\n";
  }
  const SourceTree parent = tree_of(text + "}\n");
  const std::string reply =
      "src/a.cc\n<<<<<<< SEARCH\n  if (a > 3) return a * 150;\n=======\n  if (a > 4) return a * 151;\n>>>>>>> "
      "REPLACE\n";
  constexpr int kTimes = 200;
  const auto before = process_cpu_time();
  for (int i = 0; i < kTimes; ++i) {
    const auto applied = apply_patch(parent, *parse_patch(reply), kRules);
    REQUIRE(applied);
    REQUIRE(applied->changed_function == "n::function_150");
  }
  const auto each = (process_cpu_time() - before) / kTimes;
  MESSAGE("parse and apply: ", each.count(), " us");
  CHECK(each < std::chrono::milliseconds(50));  // Sanitizers and debug builds too.
}

TEST_CASE("a thousand loose edits of a large file are refused before they take a minute") {
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i) text += "  line " + std::to_string(i) + ";\n";
  Patch patch;
  for (int i = 0; i < 1000; ++i) patch.edits.push_back(replace("line " + std::to_string(i) + ";\n", "x\n"));
  const auto applied = apply_patch(tree_of(text), patch, kRules);
  REQUIRE_FALSE(applied);
  CHECK(contains(applied.error().message, "match only loosely"));
}

TEST_CASE("a megabyte that repeats itself costs no more than reading it a few times") {
  std::string same;
  while (same.size() < 1'000'000) same += "  x = 1;\n";
  std::string search = same.substr(0, 400'000);
  const PatchRules rules{{"src/**"}, 4'000'000};
  const auto before = process_cpu_time();
  for (const std::string& needle :
       {search, search + "y\n", "  y\n" + search, " " + search, search + " x = 1;", std::string("  x")}) {
    CHECK_FALSE(apply_patch(tree_of(same), {{replace(needle, "z\n")}}, rules));
    const bool hinted = apply_patch(tree_of(same), {{replace(needle, "z\n", 5000)}}, rules).has_value();
    CHECK(hinted == (needle == search || needle == "  x"));
  }
  const auto applied = apply_patch(tree_of(same), {{replace("", "x\n", 5000)}}, rules);
  REQUIRE(applied);
  CHECK(applied->exact.edits[0].kind == Edit::Kind::whole_file);
  CHECK(apply_patch(tree_of(same), applied->exact, kRules));  // It adds two bytes, though it is a megabyte.
  CHECK(process_cpu_time() - before < std::chrono::seconds(20));
}
