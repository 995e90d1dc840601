/// A table of replies, good and bad, and what becomes of one small source.

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "source/patch_apply.hpp"
#include "source/patch_parser.hpp"

using namespace aiopt;

namespace {

const std::string kWal =
    "#include \"wal.h\"\n"
    "namespace walkv {\n"
    "\n"
    "void Wal::append(Slice record) {\n"
    "  std::lock_guard lock(mutex_);\n"
    "  buffer_ += record;\n"
    "  sync();\n"
    "}\n"
    "\n"
    "void Wal::close() {\n"
    "  std::lock_guard lock(mutex_);\n"
    "  sync();\n"
    "}\n"
    "\n"
    "}  // namespace walkv\n";
const std::string kHeader = "#pragma once\r\nclass Wal {\r\n  int fd_ = -1;\r\n};\r\n";

SourceTree source() {
  SourceTree tree;
  tree["src/wal.cc"] = make_source_file(kWal);
  tree["src/wal.h"] = make_source_file(kHeader);
  return tree;
}

std::string block(const std::string& path, const std::string& search, const std::string& text) {
  return path + "\n<<<<<<< SEARCH\n" + search + "=======\n" + text + ">>>>>>> REPLACE\n";
}

std::string diff(const std::string& hunks) {
  return "```diff\n--- a/src/wal.cc\n+++ b/src/wal.cc\n" + hunks + "```\n";
}

struct PatchRow {
  std::string what;
  std::string reply;
  std::string outcome;  ///< "function: lines that the tree has more" or "refused: part of the reason".
};

/// "+added" and "-removed" lines of all files, told by counting them.
std::string outcome_of(const std::string& reply) {
  const auto patch = parse_patch(reply);
  if (!patch) return "refused: " + patch.error().message;
  const PatchRules rules{{"src/*.cc", "src/*.h"}, 4096};
  const auto applied = apply_patch(source(), *patch, rules);
  if (!applied) return "refused: " + applied.error().message;
  const auto again = apply_patch(source(), applied->exact, rules);
  REQUIRE(again);
  REQUIRE(tree_sha256(again->tree) == tree_sha256(applied->tree));
  std::string outcome = applied->changed_function + ":";
  const SourceTree before = source();
  for (const auto& [path, file] : applied->tree) {
    const auto old = before.find(path);
    if (old == before.end()) {
      outcome += " new " + path + "[" + *file.text + "]";
    } else if (file.sha256 != old->second.sha256) {
      // The part that differs, without what is common at both ends.
      const std::string& a = *old->second.text;
      const std::string& b = *file.text;
      std::size_t head = 0;
      while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
      std::size_t tail = 0;
      while (tail < a.size() - head && tail < b.size() - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail])
        ++tail;
      outcome += " [" + a.substr(head, a.size() - head - tail) + "]->[" + b.substr(head, b.size() - head - tail) + "]";
    }
  }
  for (const auto& [path, file] : before) {
    if (!applied->tree.contains(path)) outcome += " gone " + path;
  }
  return outcome;
}

const std::string kBuffer = "  buffer_ += record;\n";

const std::vector<PatchRow> kRows = {
    {"a block", block("src/wal.cc", kBuffer, "  buffer_.append(record);\n"),
     "walkv::Wal::append: [ += record]->[.append(record)]"},
    {"a block in a fence", "Sure.\n\nsrc/wal.cc\n```cpp\n" + block("", kBuffer, "") + "```\n",
     "walkv::Wal::append: [buffer_ += record;\n  ]->[]"},
    {"two blocks of one file",
     block("src/wal.cc", kBuffer, "  b();\n") + block("", "void Wal::close() {\n", "void Wal::shut() {\n"),
     "walkv::Wal::append: [uffer_ += record;\n  sync();\n}\n\nvoid Wal::close]->[();\n  sync();\n}\n\nvoid Wal::shut]"},
    {"two files",
     block("src/wal.cc", kBuffer, "  b();\n") +
         block("`src/wal.h`", "  int fd_ = -1;\n", "  int fd_ = -2;\n  int n_ = 0;\n"),
     "src/wal.h: [uffer_ += record]->[()] [1]->[2;\r\n  int n_ = 0]"},
    {"search without its indentation", block("src/wal.cc", "buffer_ += record;\n", "b();\nc();\n"),
     "walkv::Wal::append: [uffer_ += record]->[();\n  c()]"},
    {"search with trailing blanks", block("src/wal.cc", "  buffer_ += record;   \n  sync();\t\n", "  c();\n"),
     "walkv::Wal::append: [buffer_ += record;\n  syn]->[]"},
    {"an insertion after context", block("src/wal.cc", kBuffer, kBuffer + "  ++count_;\n"),
     "walkv::Wal::append: []->[++count_;\n  ]"},
    {"an ambiguous search", block("src/wal.cc", "  sync();\n", "  fsync();\n"),
     "refused: src/wal.cc: the search text stands there 2 times: line 7 `sync();`, line 12 `sync();`"},
    {"an ambiguous search by indentation", block("src/wal.cc", "std::lock_guard lock(mutex_);\n", "\n"),
     "refused: src/wal.cc: the search text stands there 2 times"},
    {"made unique by a second line",
     block("src/wal.cc", "  sync();\n}\n\nvoid Wal::close() {\n", "  f();\n}\n\nvoid Wal::close() {\n"),
     "walkv::Wal::append: [sync]->[f]"},
    {"a search that is not there", block("src/wal.cc", "  buffer_ += records;\n", "x\n"),
     "refused: src/wal.cc: the search text is not there (it begins `  buffer_ += records;`); the most similar place is "
     "line 6:\n6:   buffer_ += record;"},
    {"a file that is not there", block("src/wall.cc", kBuffer, "x\n"),
     "refused: `src/wall.cc` is no file of the source; did you mean `src/wal.cc`?"},
    {"a new file by an empty search", block("src/n.cc", "", "int n;\n"), "src/n.cc: new src/n.cc[int n;\n]"},
    {"an empty search in a full file", block("src/wal.cc", "", "int n;\n"),
     "refused: src/wal.cc: the search text is empty"},
    {"nothing changed", block("src/wal.cc", kBuffer, kBuffer), "refused: the patch changes nothing"},
    {"a change and its undoing", block("src/wal.cc", kBuffer, "  b();\n") + block("", "  b();\n", kBuffer),
     "refused: the patch changes nothing"},
    {"the second of two wrong", block("src/wal.cc", kBuffer, "  b();\n") + block("", "zzz\n", "y\n"),
     "refused: edit 2 of 2: src/wal.cc: the search text is not there"},
    {"an edit on what the one before left",
     block("src/wal.cc", kBuffer, "  b();\n") + block("", "  b();\n", "  c();\n"),
     "walkv::Wal::append: [buffer_ += record]->[c()]"},
    {"no name", "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n",
     "refused: line 1 of the reply, `<<<<<<< SEARCH`: this block names no file"},
    {"a block cut off", "src/wal.cc\n<<<<<<< SEARCH\n" + kBuffer + "=======\n  b(",
     "refused: line 2 of the reply, `<<<<<<< SEARCH`: this block is never closed"},
    {"an absolute path", block("/src/wal.cc", kBuffer, "x\n"), "refused: the path `/src/wal.cc` is absolute"},
    {"a path with ..", block("src/../../wal.cc", kBuffer, "x\n"),
     "refused: the path `src/../../wal.cc` leaves the source"},
    {"a path with ./", block("./src/wal.cc", kBuffer, "  b();\n"), "walkv::Wal::append: [uffer_ += record]->[()]"},
    {"a path that is not editable", block("tests/wal_test.cc", "a\n", "b\n"),
     "refused: `tests/wal_test.cc` may not change; editable are: src/*.cc, src/*.h"},
    {"a path with a backslash", block("src\\wal.cc", "a\n", "b\n"),
     "refused: the path `src\\wal.cc` holds a backslash"},
    {"bytes that are no text", block("src/wal.cc", kBuffer, std::string("\0\1\n", 3)),
     "refused: src/wal.cc: the patch is binary"},
    {"too much", block("src/wal.cc", kBuffer, std::string(5000, 'x') + "\n"),
     "refused: the patch adds more than 4096 bytes"},
    {"a search with CRLF in a file with LF", block("src/wal.cc", "  buffer_ += record;\r\n", "  b();\r\n"),
     "walkv::Wal::append: [uffer_ += record]->[()]"},
    {"a divider in doubt", block("src/wal.cc", "=======\n", "x\n"),
     "refused: line 4 of the reply, `=======`: the block that starts in line 2 has 2 lines that may divide it"},

    {"a hunk",
     diff("@@ -5,3 +5,3 @@ void Wal::append(Slice record) {\n   std::lock_guard lock(mutex_);\n-  buffer_ += "
          "record;\n+  b();\n   sync();\n"),
     "walkv::Wal::append: [uffer_ += record]->[()]"},
    {"a hunk with wrong numbers",
     diff("@@ -90,30 +1,2 @@\n   std::lock_guard lock(mutex_);\n-  buffer_ += record;\n+  b();\n   sync();\n"),
     "walkv::Wal::append: [uffer_ += record]->[()]"},
    {"a hunk without numbers",
     diff("@@ ... @@\n   std::lock_guard lock(mutex_);\n-  buffer_ += record;\n+  b();\n   sync();\n"),
     "walkv::Wal::append: [uffer_ += record]->[()]"},
    {"a hunk whose line picks the place", diff("@@ -12 +12 @@\n-  sync();\n+  flush();\n"),
     "walkv::Wal::close: [sync]->[flush]"},
    {"a hunk whose line picks the other", diff("@@ -7 +7 @@\n-  sync();\n+  flush();\n"),
     "walkv::Wal::append: [sync]->[flush]"},
    {"a hunk between two places", diff("@@ -9,1 +9,1 @@\n-  sync();\n+  flush();\n"),
     "refused: src/wal.cc: the search text stands there 2 times"},
    {"hunks that move one another",
     diff(
         "@@ -1 +1,3 @@\n-#include \"wal.h\"\n+#include \"wal.h\"\n+//\n+//\n@@ -12 +14 @@\n-  sync();\n+  flush();\n"),
     "src/wal.cc: [namespace walkv {\n\nvoid Wal::append(Slice record) {\n  std::lock_guard lock(mutex_);\n  buffer_ "
     "+= record;\n  sync();\n}\n\nvoid Wal::close() {\n  std::lock_guard lock(mutex_);\n  sync]->[//\n//\nnamespace "
     "walkv {\n\nvoid Wal::append(Slice record) {\n  std::lock_guard lock(mutex_);\n  buffer_ += record;\n  "
     "sync();\n}\n\nvoid Wal::close() {\n  std::lock_guard lock(mutex_);\n  flush]"},
    {"an insertion without context", diff("@@ -6,0 +7,1 @@\n+  ++count_;\n"),
     "walkv::Wal::append: []->[++count_;\n  ]"},
    {"an insertion past the end", diff("@@ -99,0 +100,1 @@\n+x\n"), "refused: src/wal.cc: cannot insert at line 100"},
    {"blank context without its space",
     diff("@@ -2,3 +2,3 @@\n namespace walkv {\n\n-void Wal::append(Slice record) {\n+void Wal::append(const Slice& "
          "record) {\n"),
     "walkv::Wal::append: [Slice]->[const Slice&]"},
    {"a removal", diff("@@ -6 +5,0 @@\n-  buffer_ += record;\n"), "walkv::Wal::append: [buffer_ += record;\n  ]->[]"},
    {"a diff of a file with CRLF",
     "--- a/src/wal.h\n+++ b/src/wal.h\n@@ -3 +3 @@\n-  int fd_ = -1;\r\n+  int fd_ = -2;\r\n", "src/wal.h: [1]->[2]"},
    {"a diff of a file with CRLF, written with LF",
     "--- a/src/wal.h\n+++ b/src/wal.h\n@@ -3 +3,2 @@\n-  int fd_ = -1;\n+  int fd_ = -2;\n+  int x;\n",
     "src/wal.h: [1]->[2;\r\n  int x]"},
    {"the last line end taken",
     diff("@@ -15 +15 @@\n-}  // namespace walkv\n+}  // namespace walkv\n\\ No newline at end of file\n"),
     "src/wal.cc: [\n]->[]"},
    {"a new file",
     "diff --git a/src/n.h b/src/n.h\nnew file mode 100644\n--- /dev/null\n+++ b/src/n.h\n@@ -0,0 +1,2 @@\n+#pragma "
     "once\n+int n;\n",
     "src/n.h: new src/n.h[#pragma once\nint n;\n]"},
    {"a new file, not said to be one", "--- a/src/n.h\n+++ b/src/n.h\n@@ -0,0 +1 @@\n+int n;\n",
     "src/n.h: new src/n.h[int n;\n]"},
    {"a removed file",
     "diff --git a/src/wal.h b/src/wal.h\ndeleted file mode 100644\n--- a/src/wal.h\n+++ /dev/null\n@@ -1 +0,0 "
     "@@\n-x\n",
     "src/wal.h: gone src/wal.h"},
    {"a rename", "diff --git a/src/wal.h b/src/w.h\nrename from src/wal.h\nrename to src/w.h\n",
     "refused: line 2 of the reply, `rename from src/wal.h`: renames"},
    {"a binary patch", "diff --git a/src/x.cc b/src/x.cc\nGIT binary patch\nliteral 0\n",
     "refused: line 2 of the reply, `GIT binary patch`: binary"},
    {"a link",
     "diff --git a/src/l.h b/src/l.h\nnew file mode 120000\n--- /dev/null\n+++ b/src/l.h\n@@ -0,0 +1 "
     "@@\n+/etc/passwd\n\\ No newline at end of file\n",
     "refused: line 2 of the reply, `new file mode 120000`: symbolic links"},
    {"context that is not there",
     diff("@@ -5,3 +5,3 @@\n   std::scoped_lock lock(mutex_);\n-  buffer_ += record;\n+  b();\n"),
     "refused: src/wal.cc: the search text is not there"},
    {"a diff cut off in its fence",
     "```diff\n--- a/src/wal.cc\n+++ b/src/wal.cc\n@@ -6,2 +6,2 @@\n-  buffer_ += record;\n+  b();",
     "refused: line 1 of the reply, `` ```diff ``"},
    {"a diff of .git", "--- a/.git/config\n+++ b/.git/config\n@@ -1 +1 @@\n-a\n+b\n",
     "refused: the path `.git/config` lies in .git"},

    {"a whole file", "```cpp src/wal.h\n#pragma once\nclass Wal {\n  int fd_ = -2;\n};\n```\n", "src/wal.h: [1]->[2]"},
    {"a whole file, named above", "### `src/n.cc`\n\n```cpp\nint n;\n```\n", "src/n.cc: new src/n.cc[int n;\n]"},
    {"a whole file that is the same", "```cpp src/wal.h\n#pragma once\nclass Wal {\n  int fd_ = -1;\n};\n```\n",
     "refused: the patch changes nothing"},
    {"a whole file cut off", "```cpp src/wal.h\n#pragma once\n", "refused: line 1 of the reply, "},
    {"a fence without a name", "```cpp\nint n;\n```\n", "refused: line 1 of the reply, "},
    {"prose", "The lock is the bottleneck.\n",
     "refused: the reply, which begins with `The lock is the bottleneck.`, changes nothing"},
    {"nothing", "", "refused: the reply is empty"},
    {"blanks", "\n \n", "refused: the reply is empty"},
};

}  // namespace

TEST_CASE("every reply of the table has its outcome") {
  for (const PatchRow& row : kRows) {
    CAPTURE(row.what);
    const std::string outcome = outcome_of(row.reply);
    const bool refused = row.outcome.starts_with("refused: ");
    CAPTURE(outcome);
    CAPTURE(row.outcome);
    CHECK((refused ? outcome.substr(0, row.outcome.size()) : outcome) == row.outcome);
  }
  CHECK(kRows.size() >= 60);
}
