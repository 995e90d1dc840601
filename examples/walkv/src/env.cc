/// The file layer over POSIX.

#include "env.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace walkv {
namespace {

Status failed(const char* what, const std::string& path) {
  const int error = errno;
  if (error == ENOENT) return Status::not_found();
  return Status::io_error(std::string(what) + " " + path + ": " + std::strerror(error));
}

class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixWritableFile() override { ::close(fd_); }

  Status append(std::string_view data) override {
    while (!data.empty()) {
      const ssize_t written = ::write(fd_, data.data(), data.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return failed("write", path_);
      data.remove_prefix(static_cast<size_t>(written));
    }
    return {};
  }

  Status sync() override {
    if (::fsync(fd_) != 0) return failed("fsync", path_);
    return {};
  }

 private:
  const int fd_;
  const std::string path_;
};

class PosixReadableFile final : public ReadableFile {
 public:
  PosixReadableFile(int fd, uint64_t size, std::string path) : fd_(fd), size_(size), path_(std::move(path)) {}
  ~PosixReadableFile() override { ::close(fd_); }

  Status read(uint64_t offset, size_t size, std::string* out) const override {
    out->resize(size);
    size_t done = 0;
    while (done < size) {
      const ssize_t got = ::pread(fd_, out->data() + done, size - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed("read", path_);
      if (got == 0) return Status::corruption(path_ + " is shorter than it should be");
      done += static_cast<size_t>(got);
    }
    return {};
  }

  uint64_t size() const override { return size_; }

 private:
  const int fd_;
  const uint64_t size_;
  const std::string path_;
};

class PosixEnv final : public Env {
 public:
  Status create_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return failed("mkdir", path);
    return {};
  }

  Status list_directory(const std::string& path, std::vector<std::string>* names) override {
    names->clear();
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return failed("opendir", path);
    while (const dirent* entry = ::readdir(directory)) {
      if (entry->d_name[0] != '.') names->push_back(entry->d_name);
    }
    ::closedir(directory);
    return {};
  }

  Status sync_directory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failed("open", path);
    const Status status = ::fsync(fd) != 0 ? failed("fsync", path) : Status();
    ::close(fd);
    return status;
  }

  Status new_writable_file(const std::string& path, std::unique_ptr<WritableFile>* file) override {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return failed("create", path);
    *file = std::make_unique<PosixWritableFile>(fd, path);
    return {};
  }

  Status open_file(const std::string& path, std::unique_ptr<ReadableFile>* file) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return failed("open", path);
    struct stat info {};
    if (::fstat(fd, &info) != 0) {
      ::close(fd);
      return failed("stat", path);
    }
    *file = std::make_unique<PosixReadableFile>(fd, static_cast<uint64_t>(info.st_size), path);
    return {};
  }

  Status rename_file(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0) return failed("rename", from);
    return {};
  }

  Status remove_file(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return failed("unlink", path);
    return {};
  }
};

}  // namespace

Env* Env::posix() {
  static PosixEnv env;
  return &env;
}

Status read_whole_file(Env& env, const std::string& path, std::string* out) {
  std::unique_ptr<ReadableFile> file;
  const Status status = env.open_file(path, &file);
  if (!status.ok()) return status;
  return file->read(0, file->size(), out);
}

}  // namespace walkv
