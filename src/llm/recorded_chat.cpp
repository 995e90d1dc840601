/// A recording: JSON lines, one write(2) each, so that a kill leaves at most a torn last line.

#include "llm/recorded_chat.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "llm/openai_wire.hpp"

namespace aiopt {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// A reply has at most 16 MiB, and each byte that is not valid becomes three.
constexpr std::size_t kLongestLine = 64u << 20;

constexpr std::array<std::pair<Error::Code, std::string_view>, 7> kCodeNames = {{
    {Error::Code::not_found, "not_found"},
    {Error::Code::invalid_argument, "invalid_argument"},
    {Error::Code::corruption, "corruption"},
    {Error::Code::io, "io"},
    {Error::Code::unavailable, "unavailable"},
    {Error::Code::timed_out, "timed_out"},
    {Error::Code::cancelled, "cancelled"},
}};

std::string_view name_of(Error::Code code) {
  for (const auto& [value, name] : kCodeNames) {
    if (value == code) return name;
  }
  return "unavailable";
}

std::optional<Error::Code> code_of(std::string_view name) {
  for (const auto& [value, known] : kCodeNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

/// A file descriptor that is closed.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;

  int get() const { return value_; }

 private:
  int value_;
};

Error io_error(std::string_view what, const std::filesystem::path& file, int error_number) {
  return {Error::Code::io,
          fmt::format("cannot {} the recording {}: {}", what, file.string(), std::strerror(error_number))};
}

Error no_recording(const std::filesystem::path& file, std::uint64_t line, std::string_view why) {
  return {Error::Code::corruption,
          fmt::format("{}:{}: not a line of a recording of replies: {}", file.string(), line, why)};
}

std::string line_of(std::uint64_t number, const std::string& digest, const Result<ChatReply>& outcome) {
  ordered_json record;
  record["number"] = number;
  record["request_sha256"] = digest;
  if (outcome) {
    record["text"] = outcome->text;
    record["finish_reason"] = outcome->finish_reason;
    record["prompt_tokens"] = outcome->usage.prompt_tokens;
    record["completion_tokens"] = outcome->usage.completion_tokens;
    record["latency_ms"] = outcome->latency.count();
  } else {
    record["error"]["code"] = name_of(outcome.error().code);
    record["error"]["message"] = outcome.error().message;
  }
  return record.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

std::uint64_t unsigned_or_zero(const json& record, const char* name) {
  const auto found = record.find(name);
  return found != record.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::optional<std::string> string_in(const json& record, const char* name) {
  const auto found = record.find(name);
  if (found == record.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

struct Record {
  std::uint64_t number = 0;
  Result<ChatReply> outcome;
};

std::optional<Error> error_in(const json& record) {
  const auto found = record.find("error");
  if (found == record.end() || !found->is_object()) return std::nullopt;
  const auto code = code_of(string_in(*found, "code").value_or(""));
  const auto message = string_in(*found, "message");
  if (!code || !message) return std::nullopt;
  return Error{*code, one_line(*message, 2'000)};
}

std::optional<Record> parse_line(std::string_view line) {
  if (!is_modest_json(line)) return std::nullopt;
  const json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!record.is_object()) return std::nullopt;
  const auto number = record.find("number");
  if (number == record.end() || !number->is_number_unsigned()) return std::nullopt;
  const auto text = string_in(record, "text");
  if (!text) {
    auto error = error_in(record);
    if (!error) return std::nullopt;
    return Record{number->get<std::uint64_t>(), *std::move(error)};
  }
  ChatReply reply;
  reply.text = *text;
  reply.finish_reason = string_in(record, "finish_reason").value_or("");
  reply.usage = {unsigned_or_zero(record, "prompt_tokens"), unsigned_or_zero(record, "completion_tokens")};
  constexpr std::uint64_t kLongestLatency = 1'000'000'000'000;
  reply.latency = std::chrono::milliseconds(
      static_cast<std::int64_t>(std::min(unsigned_or_zero(record, "latency_ms"), kLongestLatency)));
  return Record{number->get<std::uint64_t>(), std::move(reply)};
}

/// Where a line lies in the file.
struct Extent {
  off_t begin = 0;
  std::size_t size = 0;
};

/// Calls `take(line, extent)` for each whole line of an open file, until it gives an Error.
///
/// @return Where the last whole line ends: what follows was torn off by a kill.
Result<off_t> for_each_line(int file, const std::filesystem::path& name,
                            const std::function<Result<void>(std::string_view, Extent)>& take) {
  std::string line;
  std::array<char, 65'536> block{};
  off_t begin = 0;
  off_t at = 0;
  std::uint64_t number = 1;
  while (true) {
    const ssize_t got = pread(file, block.data(), block.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("read", name, errno);
    if (got == 0) return begin;
    std::string_view rest(block.data(), static_cast<std::size_t>(got));
    at += got;
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      line.append(rest.substr(0, end));
      rest.remove_prefix(end + 1);
      const Extent extent{begin, line.size()};
      if (const Result<void> taken = take(line, extent); !taken) {
        return no_recording(name, number, taken.error().message);
      }
      begin += static_cast<off_t>(line.size()) + 1;
      line.clear();
      ++number;
    }
    line.append(rest);
    if (line.size() > kLongestLine) return no_recording(name, number, "it is longer than any reply");
  }
}

/// A line that cannot be used; for_each_line() says where.
Error bad_line(const char* why) {
  return {Error::Code::corruption, why};
}

Result<void> check_line(std::string_view line) {
  if (!parse_line(line)) return bad_line("no JSON object with number and text or error");
  return {};
}

Result<Descriptor> open_file(const std::filesystem::path& file, int flags) {
  Descriptor descriptor(open(file.c_str(), flags | O_CLOEXEC, 0600));
  if (descriptor.get() < 0) {
    Error error = io_error("open", file, errno);
    if (errno == ENOENT) error.code = Error::Code::not_found;
    return error;
  }
  struct stat status {};
  if (fstat(descriptor.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return Error{Error::Code::invalid_argument, fmt::format("the recording {} is no regular file", file.string())};
  }
  return descriptor;
}

/// Whether what follows the last whole line is the start of a record, or nothing: only that may be cut off.
bool is_torn_record(int file, off_t begin) {
  constexpr std::string_view kStart = R"({"number":)";
  std::array<char, kStart.size()> start{};
  const ssize_t got = pread(file, start.data(), start.size(), begin);
  return got >= 0 && kStart.starts_with(std::string_view(start.data(), static_cast<std::size_t>(got)));
}

class RecordingChat : public ChatClient {
 public:
  RecordingChat(std::unique_ptr<ChatClient> inner, std::filesystem::path name, Descriptor file)
      : name_(std::move(name)), file_(std::move(file)), inner_(std::move(inner)) {}

  void send(ChatRequest request, Done done) override {
    const std::uint64_t number = request.number;
    std::string digest = request_sha256(request);
    inner_->send(std::move(request),
                 [this, number, digest = std::move(digest), done = std::move(done)](Result<ChatReply> outcome) {
                   done(recorded(number, digest, std::move(outcome)));
                 });
  }

 private:
  Result<ChatReply> recorded(std::uint64_t number, const std::string& digest, Result<ChatReply> outcome) {
    // Nothing came from the model: played back, it would end a run that nobody interrupts.
    if (!outcome && outcome.error().code == Error::Code::cancelled) return outcome;
    const std::string line = line_of(number, digest, outcome);
    const std::lock_guard lock(mutex_);
    // A recording with a hole does not repeat the run: better to hear of it now than when it is played back.
    if (const Result<void> appended = append(line); !appended) return appended.error();
    return outcome;
  }

  Result<void> append(std::string_view line) {
    const off_t end = lseek(file_.get(), 0, SEEK_END);
    ssize_t written = 0;
    do {
      written = write(file_.get(), line.data(), line.size());
    } while (written < 0 && errno == EINTR);
    if (written == static_cast<ssize_t>(line.size())) return {};
    const int error_number = written < 0 ? errno : ENOSPC;
    if (written > 0 && ftruncate(file_.get(), end) != 0) return io_error("mend", name_, errno);
    return io_error("write to", name_, error_number);
  }

  const std::filesystem::path name_;
  std::mutex mutex_;
  const Descriptor file_;
  const std::unique_ptr<ChatClient> inner_;  // Last, so that it ends first: its last outcomes are recorded too.
};

class ReplayingChat : public ChatClient {
 public:
  ReplayingChat(std::filesystem::path name, Descriptor file, std::unordered_map<std::uint64_t, Extent> lines)
      : name_(std::move(name)), file_(std::move(file)), lines_(std::move(lines)) {}

  void send(ChatRequest request, Done done) override { done(outcome_of(request.number)); }

 private:
  Result<ChatReply> outcome_of(std::uint64_t number) const {
    const auto found = lines_.find(number);
    if (found == lines_.end()) {
      return Error{Error::Code::not_found,
                   fmt::format("the recording {} has no reply number {}", name_.string(), number)};
    }
    std::string line(found->second.size, '\0');
    const ssize_t got = pread(file_.get(), line.data(), line.size(), found->second.begin);
    if (got < 0) return io_error("read", name_, errno);
    std::optional<Record> record = got == static_cast<ssize_t>(line.size()) ? parse_line(line) : std::nullopt;
    if (!record) {
      return Error{Error::Code::corruption,
                   fmt::format("the recording {} was changed while it was played back", name_.string())};
    }
    return std::move(record->outcome);
  }

  const std::filesystem::path name_;
  const Descriptor file_;
  const std::unordered_map<std::uint64_t, Extent> lines_;
};

}  // namespace

Result<std::unique_ptr<ChatClient>> make_recording_chat(std::unique_ptr<ChatClient> inner,
                                                        const std::filesystem::path& file) {
  Result<Descriptor> descriptor = open_file(file, O_RDWR | O_CREAT | O_APPEND);
  if (!descriptor) return descriptor.error();
  if (flock(descriptor->get(), LOCK_EX | LOCK_NB) != 0) {
    return Error{Error::Code::unavailable, fmt::format("the recording {} is in use by another run", file.string())};
  }
  // Every line is checked before anything is cut off: the file may be no recording at all.
  const Result<off_t> end =
      for_each_line(descriptor->get(), file, [](std::string_view line, Extent) { return check_line(line); });
  if (!end) return end.error();
  if (!is_torn_record(descriptor->get(), *end)) return no_recording(file, 1, "it has no end");
  if (ftruncate(descriptor->get(), *end) != 0) return io_error("mend", file, errno);
  return std::unique_ptr<ChatClient>(std::make_unique<RecordingChat>(std::move(inner), file, *std::move(descriptor)));
}

Result<std::unique_ptr<ChatClient>> make_replaying_chat(const std::filesystem::path& file) {
  Result<Descriptor> descriptor = open_file(file, O_RDONLY);
  if (!descriptor) return descriptor.error();
  std::unordered_map<std::uint64_t, Extent> lines;
  const Result<off_t> end = for_each_line(descriptor->get(), file, [&](std::string_view line, Extent extent) {
    const std::optional<Record> record = parse_line(line);
    if (!record) return Result<void>(bad_line("no JSON object with number and text or error"));
    lines[record->number] = extent;
    return Result<void>();
  });
  if (!end) return end.error();
  return std::unique_ptr<ChatClient>(std::make_unique<ReplayingChat>(file, *std::move(descriptor), std::move(lines)));
}

}  // namespace aiopt
