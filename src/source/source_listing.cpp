/// What of a source belongs to it: see source_listing.hpp.

#include "source/source_listing.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <unordered_set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "source/cache_tag.hpp"
#include "source/git.hpp"

namespace aiopt {
namespace {

namespace fs = std::filesystem;

Error list_error(const fs::path& path, int number) {
  return {Error::Code::io,
          fmt::format("cannot copy {} into the workspace: {}", path.string(), std::generic_category().message(number))};
}

/// The paths that git counts to the source: tracked, or new and not ignored. Nothing if `source` is in no work tree, or
/// git ignores the very files that are to be evolved.
std::optional<std::vector<std::string>> list_git_files(const fs::path& source, const SourceTree& baseline) {
  const auto listed = run_git(source, {"ls-files", "-z", "--cached", "--others", "--exclude-standard"});
  if (!listed || !listed->succeeded()) return std::nullopt;
  std::unordered_set<std::string> seen;
  std::vector<std::string> paths;
  std::string_view rest = listed->out;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    std::string path(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (path.ends_with('/')) path.pop_back();  // A repository within this one.
    // Twice where a merge is not finished; the tag is written anew.
    if (path.empty() || path == kCacheTagName || !seen.insert(path).second) continue;
    paths.push_back(std::move(path));
  }
  for (const auto& [path, file] : baseline) {
    if (!seen.contains(path)) return std::nullopt;
  }
  return paths;
}

/// "" if there is none, or if .git is a file: a linked work tree or a submodule, whose repository is elsewhere.
std::string head_commit(const fs::path& source) {
  std::error_code failure;
  if (!fs::is_directory(fs::symlink_status(source / ".git", failure))) return "";
  const auto head = run_git(source, {"rev-parse", "--quiet", "--verify", "HEAD^{commit}"});
  return head && head->succeeded() ? std::string(trim(head->out)) : "";
}

class Lister {
 public:
  explicit Lister(const fs::path& source) : source_(source.lexically_normal()) {}

  /// `path` is relative to the source; "" is all of it.
  Result<void> list_folder(const std::string& path) {
    std::error_code failure;
    fs::directory_iterator entries(source_ / path, failure);
    if (failure) return list_error(source_ / path, failure.value());
    for (; entries != fs::directory_iterator(); entries.increment(failure)) {
      const std::string name = entries->path().filename().string();
      if (name == ".git" || (path.empty() && name == kCacheTagName)) continue;  // The copy has a tag of its own.
      if (auto listed = list_entry(path.empty() ? name : path + '/' + name); !listed) return listed;
    }
    if (failure) return list_error(source_ / path, failure.value());
    return {};
  }

  /// A path of git's: a folder among them is listed whole, and what is not there is left out.
  Result<void> list_path(const std::string& path) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (leaves_out(path.substr(0, slash))) return {};
    }
    return list_entry(path);
  }

  std::vector<SourceEntry> take_entries() { return std::move(entries_); }

 private:
  Result<void> list_entry(const std::string& path) {
    struct stat status {};
    if (::lstat((source_ / path).c_str(), &status) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return {};
      return list_error(source_ / path, errno);
    }
    SourceEntry entry{path, status.st_mode & (S_IFMT | 0777), ""};
    if (S_ISDIR(status.st_mode)) {
      if (leaves_out(path)) return {};
      entries_.push_back(std::move(entry));
      return list_folder(path);
    }
    if (S_ISLNK(status.st_mode)) {
      auto target = target_in_copy(path);
      if (!target) return target.error();
      entry.link_target = std::move(*target);
    } else if (!S_ISREG(status.st_mode)) {
      return {};
    }
    entries_.push_back(std::move(entry));
    return {};
  }

  bool leaves_out(const std::string& path) {
    const auto [entry, is_new] = left_out_.try_emplace(path, false);
    if (is_new) entry->second = is_left_out(source_ / path);
    return entry->second;
  }

  Result<std::string> target_in_copy(const std::string& path) const {
    std::error_code failure;
    const fs::path target = fs::read_symlink(source_ / path, failure);
    if (failure) return list_error(source_ / path, failure.value());
    const fs::path parent = fs::path(path).parent_path();
    const fs::path meant = (target.is_absolute() ? target : source_ / parent / target).lexically_normal();
    const fs::path inside = meant.lexically_relative(source_);
    const bool leads_out = inside.empty() || *inside.begin() == "..";
    if (leads_out) return meant.string();
    if (!target.is_absolute()) return target.string();
    return inside.lexically_relative(parent.empty() ? fs::path(".") : parent).string();
  }

  const fs::path source_;
  std::vector<SourceEntry> entries_;
  std::map<std::string, bool> left_out_;
};

}  // namespace

Result<SourceListing> list_source(const fs::path& source, const SourceTree& baseline) {
  Lister lister(source);
  SourceListing listing;
  if (const auto paths = list_git_files(source, baseline)) {
    for (const std::string& path : *paths) {
      if (auto listed = lister.list_path(path); !listed) return listed.error();
    }
    listing.commit = head_commit(source);
  } else if (auto listed = lister.list_folder(""); !listed) {
    return listed.error();
  }
  listing.entries = lister.take_entries();
  return listing;
}

}  // namespace aiopt
