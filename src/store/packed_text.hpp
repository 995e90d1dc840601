/// Texts in run.db: short ones as they are (TEXT), others as one zstd frame (BLOB).

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <aiopt/result.hpp>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace aiopt {

/// The most that a text may have, packed or not: what a hostile frame can make us allocate.
inline constexpr std::size_t kMaxTextBytes = 64u << 20;

struct PackedText {
  bool is_frame = false;
  std::string bytes;
};

/// Keeps zstd's contexts, whose set-up costs more than a short text. Used by one thread at a time.
class TextPacker {
 public:
  TextPacker();
  ~TextPacker();
  TextPacker(const TextPacker&) = delete;
  TextPacker& operator=(const TextPacker&) = delete;

  /// @pre text.size() <= kMaxTextBytes
  PackedText pack(std::string_view text);

  /// Error::Code::corruption if the frame is damaged, does not say its size, or would be over kMaxTextBytes.
  Result<std::string> unpack(bool is_frame, std::string_view bytes);

 private:
  ZSTD_CCtx_s* compressor_;
  ZSTD_DCtx_s* decompressor_;
};

}  // namespace aiopt
