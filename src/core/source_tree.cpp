/// Digests of source files and of whole trees.

#include <string_view>
#include <utility>

#include <aiopt/source_tree.hpp>

#include "base/sha256.hpp"

namespace aiopt {

std::string tree_sha256(const SourceTree& tree) {
  Sha256 digest;
  for (const auto& [path, file] : tree) {
    digest.update(path);
    digest.update(std::string_view("\0", 1));  // Which no path has: no two trees give the same bytes.
    digest.update(file.sha256);
  }
  return digest.hex_digest();
}

SourceFile make_source_file(std::string text) {
  std::string digest = sha256_hex(text);
  return {std::make_shared<const std::string>(std::move(text)), std::move(digest)};
}

}  // namespace aiopt
