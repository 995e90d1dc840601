/// Tests of what is read out of replies; what becomes of it in a tree is in patch_table_test.

#include "source/patch_parser.hpp"

#include <string>

#include <doctest/doctest.h>

#include "source/patch_checks.hpp"

using namespace aiopt;

namespace {

const std::string kBlock = "<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n";

std::string path_of_first(const std::string& reply, std::string_view only_file = {}) {
  const auto patch = parse_patch(reply, only_file);
  return patch ? patch->edits.front().path : patch.error().message;
}

std::string reason(const std::string& reply, std::string_view only_file = {}) {
  const auto patch = parse_patch(reply, only_file);
  return patch ? "no error" : patch.error().message;
}

}  // namespace

TEST_CASE("a block's file is named in any of the ways that models have") {
  for (const std::string name :
       {"src/wal.cc", "`src/wal.cc`", "**src/wal.cc**", "**`src/wal.cc`**", "### src/wal.cc", "### 2. `src/wal.cc`",
        "File: src/wal.cc", "**File:** src/wal.cc", "**File: `src/wal.cc`**", "// src/wal.cc", "/* src/wal.cc */",
        "# src/wal.cc", "src/wal.cc:", "- src/wal.cc", "1. src/wal.cc", "Changes in src/wal.cc:",
        "In `src/wal.cc`, replace the loop:", "\"src/wal.cc\"", "<!-- nothing -->\nsrc/wal.cc"}) {
    CAPTURE(name);
    CHECK(path_of_first(name + "\n" + kBlock) == "src/wal.cc");
    CHECK(path_of_first(name + "\n\n" + kBlock) == "src/wal.cc");
    CHECK(path_of_first(name + "\n```cpp\n" + kBlock + "```\n") == "src/wal.cc");
  }
  CHECK(path_of_first("```cpp src/wal.cc\n" + kBlock + "```\n") == "src/wal.cc");
  CHECK(path_of_first("```cpp:src/wal.cc\n" + kBlock + "```\n") == "src/wal.cc");
  CHECK(path_of_first("```cpp title=\"src/wal.cc\"\n" + kBlock + "```\n") == "src/wal.cc");
  CHECK(path_of_first("<<<<<<< SEARCH src/wal.cc\nold\n=======\nnew\n>>>>>>> REPLACE\n") == "src/wal.cc");
  CHECK(path_of_first("Makefile\n" + kBlock) == "Makefile");
}

TEST_CASE("prose before a block names no file") {
  for (const std::string prose : {"Now the lock is released earlier.", "Replace the loop:", "std::mutex", "etc.", "1.5",
                                  "call f(src/wal.cc)", "https://example.org/wal.cc"}) {
    CAPTURE(prose);
    CHECK(path_of_first(prose + "\n" + kBlock, "only.cc") == "only.cc");
    CHECK(contains(reason(prose + "\n" + kBlock), "names no file"));
  }
}

TEST_CASE("several blocks share the name before the first, until another is named") {
  const auto patch = parse_patch("a.cc\n" + kBlock + kBlock + "Then the other:\nb.cc\n" + kBlock + "And:\n" + kBlock);
  REQUIRE(patch);
  REQUIRE(patch->edits.size() == 4);
  CHECK(patch->edits[1].path == "a.cc");
  CHECK(patch->edits[2].path == "b.cc");
  CHECK(patch->edits[3].path == "b.cc");
  CHECK(patch->edits[3] == Edit{Edit::Kind::replace, "b.cc", "old\n", "new\n", 0});
}

TEST_CASE("five to nine signs make a block") {
  for (const std::size_t count : {5U, 6U, 8U, 9U}) {
    const std::string reply = std::string(count, '<') + " SEARCH\nold\n" + std::string(count, '=') + "\nnew\n" +
                              std::string(count, '>') + " REPLACE\n";
    CHECK(path_of_first(reply, "a.cc") == "a.cc");
  }
  CHECK(contains(reason("<<<< SEARCH\nold\n====\nnew\n>>>> REPLACE\n", "a.cc"), "changes nothing"));
  // Of different lengths, as long as it is clear.
  CHECK(path_of_first("<<<<<<< SEARCH\nold\n======\nnew\n>>>>>> REPLACE\n", "a.cc") == "a.cc");
}

TEST_CASE("a divider in the code does not corrupt the block") {
  const auto longer = parse_patch("<<<<<<<< SEARCH\n=======\n========\n=======\n-\n>>>>>>>> REPLACE\n", "a.txt");
  REQUIRE(longer);
  CHECK(longer->edits[0].search == "=======\n");
  CHECK(longer->edits[0].text == "=======\n-\n");
  CHECK(contains(reason("<<<<<<< SEARCH\n=======\n=======\nx\n>>>>>>> REPLACE\n", "a.txt"), "lines 2 and 3"));
  // Not exactly the signs: code.
  const auto code = parse_patch("<<<<<<< SEARCH\n// ======= x\n=======\n ==========\n>>>>>>> REPLACE\n", "a.txt");
  REQUIRE(code);
  CHECK(code->edits[0].search == "// ======= x\n");
  CHECK(code->edits[0].text == " ==========\n");
}

TEST_CASE("blocks that are not whole are refused with the line") {
  CHECK(contains(reason("a.cc\n<<<<<<< SEARCH\nold\n=======\nnew\n"),
                 "line 2 of the reply, `<<<<<<< SEARCH`: this block is never closed"));
  CHECK(contains(reason("a.cc\n<<<<<<< SEARCH\nold\n"), "cut off"));
  CHECK(contains(reason("a.cc\n<<<<<<< SEARCH\nold\n=======\nnew\n<<<<<<< SEARCH\nb\n=======\nc\n>>>>>>> REPLACE\n"),
                 "not closed before the next one starts in line 6"));
  CHECK(contains(reason("a.cc\n<<<<<<< SEARCH\nold\n>>>>>>> REPLACE\n"), "has no line ======="));
  CHECK(contains(reason("a.cc\nold\n=======\nnew\n>>>>>>> REPLACE\n"), "closes no block"));
  CHECK(contains(reason("<<<<<<< SEARCH in the file below\nold\n=======\nnew\n>>>>>>> REPLACE\n"), "after SEARCH"));
}

TEST_CASE("replies without an edit say what was expected") {
  CHECK(contains(reason(""), "the reply is empty"));
  CHECK(contains(reason(" \n\t\r\n"), "the reply is empty"));
  CHECK(contains(reason("I cannot help with that.\n"), "begins with `I cannot help with that.`"));
  CHECK(contains(reason(std::string(5 << 20, 'x')), "at most"));
}

TEST_CASE("what a model thinks aloud is no patch") {
  CHECK(path_of_first("<think>maybe\nx.cc\n" + kBlock + "no</think>\na.cc\n" + kBlock) == "a.cc");
}

TEST_CASE("a reply with CRLF is read as one with LF") {
  const auto patch = parse_patch("a.cc\r\n<<<<<<< SEARCH\r\nold\r\n=======\r\nnew\r\n>>>>>>> REPLACE\r\n");
  REQUIRE(patch);
  CHECK(patch->edits[0].search == "old\n");
}

TEST_CASE("hunks are read by their prefixes, whatever the counts say") {
  const auto patch = parse_patch(
      "```diff\n--- a/src/a.cc\n+++ b/src/a.cc\n@@ -10,99 +10,1 @@ void f() {\n one\n\n-two\n+2\n three\n@@ -20,3 "
      "+20,3 @@\n"
      " x\n-y\n+Y\n+Z\n z\n```\nDone.\n");
  REQUIRE(patch);
  REQUIRE(patch->edits.size() == 2);
  CHECK(patch->edits[0] == Edit{Edit::Kind::replace, "src/a.cc", "one\n\ntwo\nthree\n", "one\n\n2\nthree\n", 10});
  CHECK(patch->edits[1] == Edit{Edit::Kind::replace, "src/a.cc", "x\ny\nz\n", "x\nY\nZ\nz\n", 20});
}

TEST_CASE("a hunk's line counts in what the hunks before have added") {
  const auto patch = parse_patch("--- a.cc\n+++ a.cc\n@@ -1 +1,3 @@\n-a\n+b\n+c\n+d\n@@ -9 +11 @@\n-x\n+y\n");
  REQUIRE(patch);
  REQUIRE(patch->edits.size() == 2);
  CHECK(patch->edits[1].line == 11);
}

TEST_CASE("a removed line '-- x' with an added '++ y' is not taken for a file's head") {
  const auto patch = parse_patch("--- a.sql\n+++ a.sql\n@@ -1,3 +1,3 @@\n a\n--- x\n+++ y\n b\n");
  REQUIRE(patch);
  REQUIRE(patch->edits.size() == 1);
  CHECK(patch->edits[0].search == "a\n-- x\nb\n");
  CHECK(patch->edits[0].text == "a\n++ y\nb\n");
}

TEST_CASE("prose around a bare diff, and a signature below it, are left out") {
  const auto patch = parse_patch(
      "Here it is:\n\ndiff --git a/a.cc b/a.cc\nindex 1..2 100644\n--- a/a.cc\n+++ b/a.cc\n@@ -1,2 +1,2 @@\n-a\n+b\n "
      "c\n\n"
      "- This replaces a.\n+ And more.\n");
  REQUIRE(patch);
  CHECK(patch->edits[0].text == "b\nc\n");
  const auto mail = parse_patch("--- a/a.cc\n+++ b/a.cc\n@@ -1,2 +1,2 @@\n-a\n+b\n c\n-- \n2.39.5\n\n");
  REQUIRE(mail);
  CHECK(mail->edits[0].search == "a\nc\n");
}

TEST_CASE("diffs make, remove and name files in git's ways") {
  const auto made = parse_patch(
      "diff --git a/n.cc b/n.cc\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/n.cc\n@@ -0,0 +1,2 "
      "@@\n+a\n+b\n\\ No newline at end of file\n");
  REQUIRE(made);
  CHECK(made->edits[0] == Edit{Edit::Kind::whole_file, "n.cc", "", "a\nb", 0});
  const auto gone =
      parse_patch("diff --git a/n.cc b/n.cc\ndeleted file mode 100644\n--- a/n.cc\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n");
  REQUIRE(gone);
  CHECK(gone->edits == std::vector<Edit>{{Edit::Kind::remove_file, "n.cc", "", "", 0}});
  const auto empty = parse_patch("diff --git a/n.cc b/n.cc\nnew file mode 100644\nindex 0000000..e69de29\n");
  REQUIRE(empty);
  CHECK(empty->edits[0] == Edit{Edit::Kind::whole_file, "n.cc", "", "", 0});
  CHECK(path_of_first("--- \"a/\\303\\244 b.cc\"\n+++ \"b/\\303\\244 b.cc\"\n@@ -1 +1 @@\n-a\n+b\n") == "ä b.cc");
  CHECK(path_of_first(
            "--- old/src/a.cc\t2024-01-01 10:00:00\n+++ new/src/a.cc\t2024-01-01 10:00:01\n@@ -1 +1 @@\n-a\n+b\n") ==
        "src/a.cc");
  CHECK(path_of_first("--- src/a.cc.orig\n+++ src/a.cc\n@@ -1 +1 @@\n-a\n+b\n") == "src/a.cc");
  CHECK(path_of_first("@@ -1 +1 @@\n-a\n+b\n", "only.cc") == "only.cc");
}

TEST_CASE("what a diff may not do is refused") {
  CHECK(contains(reason("diff --git a/a.cc b/b.cc\nsimilarity index 90%\nrename from a.cc\nrename to b.cc\n"),
                 "renames"));
  CHECK(contains(reason("--- a/a.cc\n+++ b/b.cc\n@@ -1 +1 @@\n-a\n+b\n"), "renames"));
  CHECK(contains(reason("diff --git a/a.bin b/a.bin\nindex 1..2\nGIT binary patch\nliteral 3\n"), "binary"));
  CHECK(contains(reason("diff --git a/a.bin b/a.bin\nBinary files a/a.bin and b/a.bin differ\n"), "binary"));
  CHECK(contains(reason("diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n"),
                 "symbolic"));
  CHECK(contains(reason("diff --cc a.cc\n--- a/a.cc\n+++ b/a.cc\n@@@ -1 -1 +1 @@@\n--a\n++b\n"), "merge"));
  CHECK(contains(reason("@@ -1 +1 @@\n-a\n+b\n"), "belongs to no file"));
  CHECK(contains(reason("```diff\n--- a/a.cc\n@@ -1 +1 @@\n-a\n+b\n```\n"), "expected a line `+++"));
  CHECK(contains(reason("```diff\n--- a/a.cc\n+++ b/a.cc\n@@ -1 +1 @@\n-a\n+b\n"), "never closed"));
  CHECK(contains(reason("```diff\n--- a/a.cc\n+++ b/a.cc\n@@ -1,3 +1,3 @@\n-a\n+b\nint x;\n c\n```\n"),
                 "`int x;`: expected a line of the hunk"));
  CHECK(contains(reason("--- a/a.cc\n+++ b/a.cc\n@@ -1,9 +1,9 @@\n c\n-a\n+b"), "ends within this hunk"));
  CHECK(contains(reason("```diff\n--- a/a.cc\n+++ b/a.cc\n@@ -5,4 +5,5 @@\n+b\n```\n"), "neither context nor removed"));
}

TEST_CASE("an insertion without context keeps the line that its diff names") {
  const auto patch = parse_patch("--- a/a.cc\n+++ b/a.cc\n@@ -3,0 +4,2 @@\n+x\n+y\n");
  REQUIRE(patch);
  CHECK(patch->edits[0] == Edit{Edit::Kind::replace, "a.cc", "", "x\ny\n", 4});
}

TEST_CASE("whole files are read from fences that name them") {
  const auto two = parse_patch(
      "Both:\n\n```cpp src/a.cc\nint a;\n```\n\n**src/b.cc**\n\n~~~cpp\nint b;\n```\n~~~\n```bash\nmake\n```\n");
  REQUIRE(two);
  REQUIRE(two->edits.size() == 2);
  CHECK(two->edits[0] == Edit{Edit::Kind::whole_file, "src/a.cc", "", "int a;\n", 0});
  CHECK(two->edits[1] == Edit{Edit::Kind::whole_file, "src/b.cc", "", "int b;\n```\n", 0});
  const auto lone = parse_patch("Here:\n```cpp\nint a;\n```\nBuild:\n```sh\nmake\n```\n", "src/a.cc");
  REQUIRE(lone);
  CHECK(lone->edits == std::vector<Edit>{{Edit::Kind::whole_file, "src/a.cc", "", "int a;\n", 0}});
  CHECK(contains(reason("```cpp\nint a;\n```\n"), "names no file"));
  CHECK(contains(reason("```cpp\nint a;\n```\n```cpp\nint b;\n```\n", "src/a.cc"), "a second fence"));
  CHECK(contains(reason("```cpp src/a.cc\nint a;\n"), "never closed"));
  CHECK(contains(reason("```cpp src/a.cc\nint a;\n```\n```cpp src/a.cc\nint b;\n```\n"), "a second version"));
}
