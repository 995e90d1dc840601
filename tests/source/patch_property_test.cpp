/// Properties of parsing and applying that hold for any patch: random edits, and replies gone wrong.

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <aiopt/rng.hpp>

#include "source/patch_apply.hpp"
#include "source/patch_checks.hpp"
#include "source/patch_parser.hpp"
#include "source/text_lines.hpp"

using namespace aiopt;

namespace {

/// Few different lines, so that most searches are ambiguous.
std::string random_line(Rng& rng) {
  const std::vector<std::string> lines = {"x;", "  x;", "\tx;", "y;", "", "}", "void f() {", "  y;  ", "z"};
  return lines[rng.index(lines.size())];
}

std::string random_text(Rng& rng, std::size_t most_lines) {
  std::string text;
  const std::size_t ends = rng.index(4);  // LF, CRLF, mixed, LF
  for (std::size_t i = rng.index(most_lines + 1); i > 0; --i) {
    text += random_line(rng);
    text += ends == 1 || (ends == 2 && rng.index(2) == 0) ? "\r\n" : "\n";
  }
  if (!text.empty() && rng.index(5) == 0) text.pop_back();
  return text;
}

std::string random_source(Rng& rng) {
  if (rng.index(3) > 0) return random_text(rng, 12);
  std::string text;
  for (std::size_t i = rng.index(3) + 1; i > 0; --i) {
    text += random_text(rng, 3) + "\n// EVOLVE-BLOCK-START\n" + random_text(rng, 5) + "\n# EVOLVE-BLOCK-END\n";
  }
  return text + random_text(rng, 3);
}

/// A stretch of the text, mostly of whole lines.
std::string random_stretch(Rng& rng, const std::string& text) {
  if (text.empty()) return "";
  const std::size_t lines = count_lines(text);
  const std::size_t first = rng.index(lines);
  std::size_t begin = offset_of_line(text, first);
  std::size_t end = offset_of_line(text, first + 1 + rng.index(4));
  if (rng.index(6) == 0) begin += rng.index(end - begin + 1);
  if (rng.index(6) == 0) end -= rng.index(end - begin + 1);
  return text.substr(begin, end - begin);
}

Edit random_edit(Rng& rng, const SourceTree& tree) {
  const std::vector<std::string> paths = {"src/a.cc", "src/b.cc", "src/new.cc"};
  Edit edit;
  edit.path = paths[rng.index(paths.size())];
  const std::size_t kind = rng.index(10);
  if (kind == 0) {
    edit.kind = Edit::Kind::remove_file;
  } else if (kind == 1) {
    edit.kind = Edit::Kind::whole_file;
    edit.text = random_source(rng);
  } else {
    const auto file = tree.find(edit.path);
    edit.search = file == tree.end() ? random_text(rng, 2) : random_stretch(rng, *file->second.text);
    edit.text = rng.index(3) == 0 ? edit.search + random_text(rng, 2) : random_text(rng, 4);
    if (rng.index(3) == 0) edit.line = static_cast<std::uint32_t>(rng.index(14));
  }
  return edit;
}

std::string escaped(const std::string& text) {
  std::string shown;
  for (const char c : text) shown += c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : std::string(1, c);
  return shown;
}

std::string shown(const SourceTree& tree) {
  std::string all;
  for (const auto& [path, file] : tree) all += path + ": " + escaped(*file.text) + "\n";
  return all;
}

std::string shown(const Patch& patch) {
  std::string all;
  for (const Edit& edit : patch.edits) {
    all += edit.path + " " + std::to_string(static_cast<int>(edit.kind)) + " [" + escaped(edit.search) + "] -> [" +
           escaped(edit.text) + "]\n";
  }
  return all;
}

/// What every applied patch promises.
void check_promises(const SourceTree& parent, const AppliedPatch& applied) {
  CHECK(tree_sha256(applied.tree) != tree_sha256(parent));
  CHECK_FALSE(applied.exact.edits.empty());
  CHECK_FALSE(applied.changed_function.empty());
  const auto again = apply_patch(parent, applied.exact, kRules);
  if (!again) FAIL(again.error().message, "\n", shown(parent), shown(applied.exact));
  if (shown(again->tree) != shown(applied.tree)) {
    FAIL("parent\n", shown(parent), "once\n", shown(applied.tree), "again\n", shown(again->tree), "exact\n",
         shown(applied.exact));
  }
  for (const auto& [path, file] : applied.tree) CHECK(make_source_file(*file.text).sha256 == file.sha256);
}

}  // namespace

TEST_CASE("the exact form of a patch makes the same tree again, and needs no line numbers") {
  Rng rng(20261122);
  int applied_count = 0;
  for (int round = 0; round < 4000; ++round) {
    SourceTree parent;
    parent["src/a.cc"] = make_source_file(random_source(rng));
    parent["src/b.cc"] = make_source_file(random_source(rng));
    Patch patch;
    for (std::size_t i = rng.index(3) + 1; i > 0; --i) patch.edits.push_back(random_edit(rng, parent));
    const auto applied = apply_patch(parent, patch, kRules);
    if (!applied) continue;
    ++applied_count;
    check_promises(parent, *applied);
    for (const Edit& edit : applied->exact.edits) CHECK(edit.line == 0);
  }
  CHECK(applied_count > 800);
}

TEST_CASE("replies gone wrong are refused with a reason, or make a tree as promised") {
  const std::vector<std::string> replies = {
      "src/a.cc\n```cpp\n<<<<<<< SEARCH\nint a;\nint b;\n=======\nint A;\n>>>>>>> REPLACE\n```\nsrc/b.cc\n<<<<<<< "
      "SEARCH\n}\n"
      "=======\n  g();\n}\n>>>>>>> REPLACE\n",
      "```diff\ndiff --git a/src/a.cc b/src/a.cc\nindex 1..2 100644\n--- a/src/a.cc\n+++ b/src/a.cc\n@@ -1,3 +1,3 @@\n "
      "int "
      "a;\n-int b;\n+int B;\n \n```\n",
      "--- a/src/b.cc\n+++ b/src/b.cc\n@@ -2,2 +2,3 @@\n   f();\n+  g();\n }\n@@ -9,0 +10 @@\n+tail\ndiff --git "
      "a/src/n.cc "
      "b/src/n.cc\nnew file mode 100644\n--- /dev/null\n+++ b/src/n.cc\n@@ -0,0 +1 @@\n+n\n\\ No newline at end of "
      "file\n",
      "**src/a.cc**\n```cpp\nint a;\nint c;\n```\n```cpp src/n.cc\nint n;\n```\n",
      "diff --git a/src/b.cc b/src/b.cc\ndeleted file mode 100644\n--- a/src/b.cc\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
  };
  SourceTree parent;
  parent["src/a.cc"] = make_source_file("int a;\nint b;\n\nint c;\nint a2;\n");
  parent["src/b.cc"] = make_source_file("// EVOLVE-BLOCK-START\nvoid h() {\n  f();\n}\n// EVOLVE-BLOCK-END\n");
  const std::vector<std::string> pieces = {"\n",
                                           "=======\n",
                                           "<<<<<<< SEARCH\n",
                                           ">>>>>>> REPLACE\n",
                                           "```\n",
                                           "@@ -1 +1 @@\n",
                                           "--- a/src/a.cc\n+++ b/src/a.cc\n",
                                           "\\ No newline at end of file\n",
                                           "@@",
                                           "-",
                                           "+",
                                           " ",
                                           "\r",
                                           std::string(1, '\0'),
                                           "\xff",
                                           "src/a.cc\n",
                                           "../",
                                           "/",
                                           "4294967295",
                                           "\""};
  Rng rng(5000);
  int parsed_count = 0;
  int applied_count = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string reply = replies[rng.index(replies.size())];
    for (std::size_t i = rng.index(4); i > 0 && !reply.empty(); --i) {
      const std::size_t at = rng.index(reply.size());
      switch (rng.index(6)) {
        case 0:
          reply.insert(at, pieces[rng.index(pieces.size())]);
          break;
        case 1:
          reply.erase(at, rng.index(20) + 1);
          break;
        case 2:
          reply[at] = static_cast<char>(rng.index(256));
          break;
        case 3:
          reply.resize(at);
          break;
        case 4:
          reply.insert(line_begin(reply, at), reply.substr(line_begin(reply, at), rng.index(60)));
          break;
        default:
          reply.erase(line_begin(reply, at), line_end(reply, at) - line_begin(reply, at));
      }
    }
    const auto patch = parse_patch(reply, rng.index(2) == 0 ? "src/a.cc" : "");
    if (!patch) {
      CHECK_FALSE(patch.error().message.empty());
      continue;
    }
    ++parsed_count;
    const auto applied = apply_patch(parent, *patch, kRules);
    if (!applied) {
      CHECK_FALSE(applied.error().message.empty());
      continue;
    }
    ++applied_count;
    check_promises(parent, *applied);
  }
  CHECK(parsed_count > 1500);
  CHECK(applied_count > 500);
  MESSAGE(parsed_count, " of 5000 parsed, ", applied_count, " applied");
}
