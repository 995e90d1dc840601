/// A digest of a C or C++ text that does not see comments and white space.

#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include <aiopt/source_tree.hpp>

namespace aiopt {

/// SHA-256, in hex, over the preprocessing tokens of a C or C++ text ([lex.pptoken]; the longest match, raw strings as
/// they stand, continued lines joined). A directive stays a line of its own, and "#define f (x)" is not "#define f(x)".
///
/// White space counts where the program can see it: if the text says __LINE__, __COUNTER__, source_location or any name
/// with "assert" in it, or defines a macro with the operator #, then the line of each token and whether white space
/// stands before it are in the digest; only the words of comments are not. Macros of other files that look at their
/// line (LOG(x), CHECK(x)) are not known: texts that use them may be one that differ in what the program prints.
///
/// Any bytes will do; linear time.
std::string token_digest(std::string_view text);

/// Of a tree: SHA-256 over paths and the token_digest() of C and C++ files (by their extension), the plain digest of
/// others. Trees with the same one build the same program, but for debug information and the above.
std::string token_digest(const SourceTree& tree);

/// The same for many trees that share most of their files: each text is read once.
class TokenDigests {
 public:
  std::string of(const SourceTree& tree);

 private:
  std::unordered_map<std::string, std::string> by_sha256_;  ///< Of a text -> its token_digest().
};

}  // namespace aiopt
