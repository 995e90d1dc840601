/// Workspace: see workspace.hpp.
///
/// What a build or a test did to the folder is not trusted: every path is walked component by component from the
/// folder's own descriptor, never through a symbolic link, and files are put in place by rename.

#include "source/workspace.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "source/build_stamps.hpp"
#include "source/cache_tag.hpp"
#include "source/file_copy.hpp"
#include "source/fingerprint.hpp"
#include "source/folder_seal.hpp"
#include "source/git.hpp"
#include "source/source_copy.hpp"
#include "source/text_lines.hpp"
#include "source/untrusted_folder.hpp"

namespace aiopt {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemporaryName = ".aiopt-new";

struct KnownFile {
  std::string sha256;
  Fingerprint fingerprint;
};

/// Gives the workspace a repository that shares the source's objects, with that commit as HEAD and its index entries,
/// so that a build can ask git for its version. No file of the work tree is written.
bool clone_repository(const fs::path& source, const fs::path& folder, const std::string& commit) {
  try {
    // upload-pack runs in the source with none of our -c options, so these must come from a file.
    const TemporaryFolder settings("aiopt-git-");
    const fs::path file = settings.path() / "config";
    if (!write_file_atomic(file, "[safe]\n\tdirectory = *\n[protocol \"file\"]\n\tallow = always\n")) return false;
    const auto cloned = run_git(
        source,
        {"clone", "--quiet", "--shared", "--no-checkout", "--template=", "--", source.string(), folder.string()},
        {{"GIT_CONFIG_GLOBAL", file.string()}});
    if (!cloned || !cloned->succeeded()) return false;
  } catch (const fs::filesystem_error&) {
    return false;
  }
  // Nothing that a build does with git may reach the source again.
  const auto cut_off = run_git(folder, {"config", "--remove-section", "remote.origin"});
  // The source may have gone on to another commit.
  const auto head = run_git(folder, {"update-ref", "HEAD", commit});
  const auto indexed = run_git(folder, {"read-tree", "HEAD"});
  std::error_code failure;
  fs::create_directories(folder / ".git" / "info", failure);
  const auto excluded = write_file_atomic(folder / ".git" / "info" / "exclude", fmt::format("/{}\n", kCacheTagName));
  return cut_off && cut_off->succeeded() && head && head->succeeded() && indexed && indexed->succeeded() && excluded;
}

/// The path as it will be; nothing is there yet but the folder around it.
Result<fs::path> find_free_folder(const fs::path& folder) {
  std::error_code failure;
  const fs::path made = fs::absolute(folder, failure).lexically_normal();
  if (fs::exists(fs::symlink_status(made, failure))) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("cannot make the workspace {}: it exists; remove it first", made.string())};
  }
  fs::create_directories(made.parent_path(), failure);
  return made;
}

/// How many bytes of `path` are the folder that holds it.
std::size_t parent_length(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? 0 : slash;
}

}  // namespace

struct Workspace::Impl {
  fs::path folder;
  FileDescriptor root;
  ProtectedFiles protected_files;
  std::map<std::string, Fingerprint> protected_prints;
  std::map<std::string, KnownFile> known;
  BuildStamps stamps;
  std::optional<FolderSeal> seal;
  std::string broken;  ///< Why the workspace is not to be used further, or "".

  ~Impl() {
    seal.reset();
    root.close();
    if (!folder.empty()) remove_folder(folder);
  }

  Error failed(std::string_view path, int number) const {
    return {Error::Code::io, fmt::format("cannot put {} into the workspace {}: {}", in_backticks(path), folder.string(),
                                         std::generic_category().message(number))};
  }

  /// Whether a patch would put something in the place of a file, link or folder that no patch may change.
  Result<void> check_free(const std::string& path) const {
    const auto& files = protected_files.files;
    const auto found = files.find(path);
    if (found == files.end()) {
      const auto inner = files.lower_bound(path + '/');
      if (inner == files.end() || !inner->first.starts_with(path + '/')) return {};
    }
    const char* const why = found != files.end() && S_ISLNK(found->second.mode)
                                ? "a symbolic link in the source: a patch cannot change what it points to"
                                : "in the source and not editable: a patch cannot change it";
    return Error{Error::Code::invalid_argument, fmt::format("{} is {}", in_backticks(path), why)};
  }

  bool is_protected_file(const std::string& path) const {
    const auto found = protected_files.files.find(path);
    return found != protected_files.files.end() && !S_ISDIR(found->second.mode);
  }

  /// Also where git made it already. From here on the end of this removes it.
  Result<void> make_folder(const fs::path& made) {
    std::error_code failure;
    fs::create_directory(made, failure);
    if (!fs::is_directory(made)) {
      return Error{Error::Code::io, fmt::format("cannot make the workspace {}: {}", made.string(), failure.message())};
    }
    folder = made;
    // Before anything is copied: a workspace within its source must not be copied into another.
    if (auto tagged = write_cache_tag(made); !tagged) return tagged;
    root = FileDescriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!root.is_open()) return failed(".", errno);
    return {};
  }

  /// The folder's path must still lead to the folder that was made; a build that moved it away broke the workspace.
  Result<void> check_root() const {
    if (!broken.empty()) return Error{Error::Code::unavailable, broken};
    struct stat by_descriptor {};
    struct stat by_path {};
    const bool same = ::fstat(root.get(), &by_descriptor) == 0 && ::lstat(folder.c_str(), &by_path) == 0 &&
                      by_descriptor.st_ino == by_path.st_ino && by_descriptor.st_dev == by_path.st_dev;
    if (!same) {
      return Error{
          Error::Code::unavailable,
          fmt::format("the workspace {} was moved or removed by something else; make a new one", folder.string())};
    }
    if ((by_path.st_mode & 0700) != 0700) ::fchmod(root.get(), (by_path.st_mode & 07777) | 0700);
    return {};
  }

  /// Opens the folder `name` in `parent`, made or repaired if it is not one any more.
  Result<FileDescriptor> enter(int parent, const std::string& name, const std::string& path) const {
    constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    FileDescriptor folder_there(::openat(parent, name.c_str(), kFlags));
    if (!folder_there.is_open()) {
      const int why = errno;
      if (auto is_free = is_protected_file(path) ? check_free(path) : Result<void>(); !is_free) return is_free.error();
      if (why != ENOENT) {
        if (const int number = remove_below(parent, name)) return failed(path, number);
      }
      if (::mkdirat(parent, name.c_str(), 0755) != 0) return failed(path, errno);
      folder_there = FileDescriptor(::openat(parent, name.c_str(), kFlags));
      if (!folder_there.is_open()) return failed(path, errno);
    }
    struct stat status {};
    if (::fstat(folder_there.get(), &status) != 0) return failed(path, errno);
    if ((status.st_mode & 0700) != 0700) ::fchmodat(parent, name.c_str(), (status.st_mode & 07777) | 0700, 0);
    return folder_there;
  }

  /// The folder that holds `path`.
  Result<FileDescriptor> open_parent(const std::string& path) const {
    FileDescriptor parent(::openat(root.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!parent.is_open()) return failed(path, errno);
    std::size_t begin = 0;
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', begin)) {
      auto inner = enter(parent.get(), path.substr(begin, slash - begin), path.substr(0, slash));
      if (!inner) return inner.error();
      parent = std::move(*inner);
      begin = slash + 1;
    }
    return parent;
  }

  static bool holds(int parent, const char* name, const std::string& text) {
    const FileDescriptor in(::openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    struct stat status {};
    if (!in.is_open() || ::fstat(in.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
    std::array<char, 65536> chunk;
    std::string_view rest = text;
    for (;;) {
      const ssize_t got = ::read(in.get(), chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got == 0) return rest.empty();
      if (got < 0 || !rest.starts_with(std::string_view(chunk.data(), static_cast<std::size_t>(got)))) return false;
      rest.remove_prefix(static_cast<std::size_t>(got));
    }
  }

  /// 0, or the errno. Sets a stamp that the file system keeps as it is, or the next later one that it does.
  int stamp_file(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return errno;
    std::int64_t stamp = stamps.next(nanoseconds(status.st_mtim), monotonic_now());
    for (int attempt = 0; attempt < 2; ++attempt) {
      const struct timespec time { stamp / 1'000'000'000, stamp % 1'000'000'000 };
      const std::array<struct timespec, 2> times = {time, time};
      if (::futimens(fd, times.data()) != 0 || ::fstat(fd, &status) != 0) return errno;
      if (nanoseconds(status.st_mtim) >= stamp) return 0;
      stamp = stamps.next_even_second();
    }
    return 0;
  }

  /// 0, or the errno. A new file beside the old one, then a rename: nothing is written through a link, and a hard link
  /// that a build made keeps what it has.
  int replace_file(int parent, const std::string& name, const std::string& text, mode_t mode) {
    if (const int number = remove_below(parent, kTemporaryName)) return number;
    FileDescriptor out(::openat(parent, kTemporaryName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out.is_open()) return errno;
    for (std::string_view rest = text; !rest.empty();) {
      const ssize_t written = ::write(out.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fchmod(out.get(), mode & 0777) != 0) return errno;
    if (const int number = stamp_file(out.get())) return number;
    if (out.close() != 0) return errno;
    if (::renameat(parent, kTemporaryName, parent, name.c_str()) == 0) return 0;
    if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST) return errno;
    if (const int number = remove_below(parent, name)) return number;
    return ::renameat(parent, kTemporaryName, parent, name.c_str()) == 0 ? 0 : errno;
  }

  Result<void> put_file(const std::string& path, const SourceFile& file) {
    if (auto is_free = check_free(path); !is_free) return is_free;
    auto parent = open_parent(path);
    if (!parent) return parent.error();
    const std::string name = path.substr(path.rfind('/') + 1);
    struct stat status {};
    const bool there = ::fstatat(parent->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    const auto entry = known.find(path);
    const bool is_known = entry != known.end();
    if (there && is_known && entry->second.fingerprint == fingerprint_of(status)) {
      if (entry->second.sha256 == file.sha256) return {};
    }
    constexpr mode_t kNewFile = S_IFREG | 0644;
    const mode_t mode = is_known                           ? entry->second.fingerprint.mode
                        : there && S_ISREG(status.st_mode) ? status.st_mode
                                                           : kNewFile;
    const bool intact =
        there && S_ISREG(status.st_mode) && status.st_mode == mode && holds(parent->get(), name.c_str(), *file.text);
    if (!intact) {
      if (const int number = replace_file(parent->get(), name, *file.text, mode)) return failed(path, number);
    }
    if (::fstatat(parent->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return failed(path, errno);
    known[path] = {file.sha256, fingerprint_to_keep(status)};
    return {};
  }

  Result<void> remove_file(const std::string& path) const {
    auto parent = open_parent(path);
    if (!parent) return parent.error();
    if (const int number = remove_below(parent->get(), path.substr(path.rfind('/') + 1))) return failed(path, number);
    return {};
  }

  Result<void> check_out(const SourceTree& tree) {
    if (auto checked = check_root(); !checked) return checked;
    if (seal) {
      // What the last candidate left must not reach this one, whether or not anybody asked.
      auto restored = seal->restore();
      seal.reset();
      if (!restored) return give_up(restored.error());
    }
    // First what goes: a file may stand where a folder is to be.
    for (auto entry = known.begin(); entry != known.end();) {
      if (tree.contains(entry->first)) {
        ++entry;
        continue;
      }
      if (auto removed = remove_file(entry->first); !removed) return removed;
      entry = known.erase(entry);
    }
    for (const auto& [path, file] : tree) {
      if (auto put = put_file(path, file); !put) return put;
    }
    return {};
  }

  Error give_up(Error error) {
    broken = fmt::format("the workspace {} is not to be used further: {}", folder.string(), error.message);
    return error;
  }

  /// Whether a protected file is what it was. Its bytes are read only where lstat(2) says that it was touched.
  bool is_intact(int parent, const std::string& path, const ProtectedFile& file) {
    const std::string name = name_of(path);
    struct stat status {};
    if (parent < 0 || ::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (S_ISDIR(file.mode)) return S_ISDIR(status.st_mode);  // Permissions are put right by whoever enters it.
    Fingerprint& print = protected_prints[path];
    if (print == fingerprint_of(status)) return true;
    if ((status.st_mode & S_IFMT) != (file.mode & S_IFMT)) return false;
    if (S_ISLNK(file.mode)) {
      std::string target(file.link_target.size() + 1, '\0');
      const ssize_t length = ::readlinkat(parent, name.c_str(), target.data(), target.size());
      target.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
      if (target != file.link_target) return false;
    } else {
      if ((status.st_mode & 07777) != (file.mode & 07777)) return false;
      const FileDescriptor in(::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      if (!in.is_open() || sha256_of_file(in.get()) != file.sha256) return false;
    }
    print = fingerprint_to_keep(status);
    return true;
  }

  std::vector<std::string> find_changed_protected() {
    std::vector<std::string> changed;
    FileDescriptor parent;
    std::string parent_path = "/";  // None.
    for (const auto& [path, file] : protected_files.files) {
      if (file.may_change) continue;
      if (path.compare(0, parent_length(path), parent_path) != 0) {
        parent_path = parent_of(path);
        parent = open_below(root.get(), parent_path);
      }
      if (!is_intact(parent.get(), path, file)) changed.push_back(path);
    }
    return changed;
  }
};

Workspace::Workspace(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;
Workspace::~Workspace() = default;

const fs::path& Workspace::folder() const {
  return impl_->folder;
}

Result<void> Workspace::check_out(const SourceTree& tree) {
  return impl_->check_out(tree);
}

Result<void> Workspace::seal(const std::vector<std::string>& data) {
  impl_->seal.reset();
  if (auto checked = impl_->check_root(); !checked) return checked;
  auto sealed = FolderSeal::make(impl_->root.get(), impl_->folder.string() + ".data", data);
  if (!sealed) return sealed.error();
  impl_->seal.emplace(std::move(*sealed));
  return {};
}

Result<RunTraces> Workspace::restore() {
  assert(impl_->seal && "seal() first");
  if (auto checked = impl_->check_root(); !checked) return checked.error();
  auto traces = impl_->seal->restore();
  if (!traces) return impl_->give_up(traces.error());
  return traces;
}

Result<void> Workspace::take_data(Workspace& from, const std::vector<std::string>& data) {
  for (Workspace* side : {this, &from}) {
    if (auto checked = side->impl_->check_root(); !checked) return checked;
  }
  for (const std::string& path : data) {
    const std::string name = name_of(path);
    const FileDescriptor there = open_below(from.impl_->root.get(), parent_of(path));
    struct stat status {};
    const bool is_there = there.is_open() && ::fstatat(there.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (!is_there || !(S_ISDIR(status.st_mode) || S_ISREG(status.st_mode))) {
      return Error{Error::Code::invalid_argument, fmt::format("the benchmark left no data in {}", in_backticks(path))};
    }
    const FileDescriptor here = open_below(impl_->root.get(), parent_of(path));
    if (!here.is_open()) return impl_->failed(path, errno);
    if (const int number = remove_below(here.get(), name)) return impl_->failed(path, number);
    if (::renameat(there.get(), name.c_str(), here.get(), name.c_str()) != 0) return impl_->failed(path, errno);
  }
  return {};
}

std::vector<std::string> Workspace::changed_protected() {
  std::vector<std::string> changed = impl_->find_changed_protected();
  if (!changed.empty()) {
    impl_->give_up({Error::Code::unavailable,
                    fmt::format("{} was changed by a program that ran in it", in_backticks(changed.front()))});
  }
  return changed;
}

Result<Workspace> Workspace::create(const fs::path& source, const fs::path& folder, const SourceTree& baseline) {
  auto protected_files = read_protected(source, baseline);
  if (!protected_files) return protected_files.error();
  return create(source, folder, baseline, *protected_files);
}

Result<Workspace> Workspace::create(const fs::path& source, const fs::path& folder, const SourceTree& baseline,
                                    const ProtectedFiles& protected_files) {
  std::error_code failure;
  const fs::path from = fs::canonical(source, failure);
  if (failure || !fs::is_directory(from)) {
    return Error{Error::Code::not_found, fmt::format("cannot copy the source {}: {}", source.string(),
                                                     failure ? failure.message() : "no folder")};
  }
  auto free_folder = find_free_folder(folder);
  if (!free_folder) return free_folder.error();
  const fs::path made = std::move(*free_folder);
  const std::string& commit = protected_files.commit;
  if (commit.empty() || !clone_repository(from, made, commit)) remove_folder(made);
  auto impl = std::make_unique<Impl>();
  if (auto opened = impl->make_folder(made); !opened) return opened.error();
  impl->protected_files = protected_files;

  // What came to the source since it was read is no part of the run.
  std::vector<SourceEntry> entries;
  for (const auto& [path, file] : protected_files.files) entries.push_back({path, file.mode, file.link_target});
  for (const auto& [path, file] : baseline) entries.push_back({path, S_IFREG, ""});
  if (auto copied = copy_source(from, made, entries); !copied) return copied.error();
  if (const auto changed = impl->find_changed_protected(); !changed.empty()) {
    const std::string others = changed.size() > 1 ? fmt::format(", and {} more", changed.size() - 1) : "";
    return Error{Error::Code::unavailable,
                 fmt::format("{} of the source {} changed since the run began{}: what was measured no longer compares; "
                             "put it back, or begin a new run",
                             in_backticks(changed.front()), from.string(), others)};
  }
  if (auto checked_out = impl->check_out(baseline); !checked_out) return checked_out.error();
  return Workspace(std::move(impl));
}

}  // namespace aiopt
