/// FolderSeal: remembers what lies in a folder, and puts it back after a program ran there.

#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <aiopt/result.hpp>

#include "base/file_descriptor.hpp"
#include "source/run_traces.hpp"
#include "source/untrusted_folder.hpp"

namespace aiopt {

/// Nothing is read but lstat(2), except for the data paths: those are copied. Nothing may run in the folder while one
/// of the functions does. Used by one thread at a time.
class FolderSeal {
 public:
  /// @param root      The open folder; must live as long.
  /// @param snapshot  Where the data is copied to; whatever is there is removed, and it itself at the end.
  /// @param data      What may change in the folder and is put back: paths of files or folders, relative; they need not
  ///                  exist. Of a symbolic link, the link: what it points to is not touched.
  /// Errors: invalid_argument for a data path that is absolute, empty or has ".." or "." in it; io; unavailable if too
  /// much lies in the folder.
  static Result<FolderSeal> make(int root, std::filesystem::path snapshot, const std::vector<std::string>& data);

  FolderSeal(FolderSeal&&) = default;
  FolderSeal& operator=(FolderSeal&&) = delete;
  ~FolderSeal();

  /// Removes what is new, puts the data back, names the rest. Times and permissions of folders are put back too: they
  /// could carry a word from one run to the next. May be called any number of times.
  /// Errors: io, unavailable: the folder is not as it was.
  Result<RunTraces> restore();

 private:
  struct Sealed {
    Fingerprint now;         ///< In the folder.
    int copy = -1;           ///< Of a file in the data: the name of its copy.
    Fingerprint copy_print;  ///< Of that copy: nobody may change it either.
    std::string text;        ///< Of a link in the data: its target. Of a folder: its extended attributes.
  };

  FolderSeal(int root, std::filesystem::path snapshot, std::set<std::string> data);

  bool is_data(const std::string& path) const;
  Result<void> take_snapshot();
  Result<void> put_back(const std::string& path, Sealed& sealed);
  int make_again(int parent, const std::string& name, const Sealed& sealed) const;
  Result<void> settle_folder(const std::string& path, Sealed& sealed, bool& same);

  int root_;
  std::filesystem::path snapshot_;
  FileDescriptor copies_;
  std::set<std::string> data_;
  std::map<std::string, Sealed> sealed_;
};

}  // namespace aiopt
