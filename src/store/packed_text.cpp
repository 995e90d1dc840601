/// TextPacker: see packed_text.hpp.

#include "store/packed_text.hpp"

#include <new>

#include <fmt/format.h>
#include <zstd.h>

namespace aiopt {
namespace {

constexpr std::size_t kShortBytes = 160;  ///< Below, a frame saves next to nothing, and sqlite3 shows it to people.
constexpr int kLevel = 1;                 ///< Level 3 saves some 5 % more at twice the CPU time.

Error damaged(const char* why) {
  return {Error::Code::corruption, fmt::format("a compressed text is damaged: {}", why)};
}

}  // namespace

TextPacker::TextPacker() : compressor_(ZSTD_createCCtx()), decompressor_(ZSTD_createDCtx()) {
  if (compressor_ == nullptr || decompressor_ == nullptr) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(compressor_, ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(compressor_, ZSTD_c_checksumFlag, 1);
}

TextPacker::~TextPacker() {
  ZSTD_freeCCtx(compressor_);
  ZSTD_freeDCtx(decompressor_);
}

PackedText TextPacker::pack(std::string_view text) {
  if (text.size() < kShortBytes) return {false, std::string(text)};
  std::string frame(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size = ZSTD_compress2(compressor_, frame.data(), frame.size(), text.data(), text.size());
  if (ZSTD_isError(size)) return {false, std::string(text)};
  frame.resize(size);
  return {true, std::move(frame)};
}

Result<std::string> TextPacker::unpack(bool is_frame, std::string_view bytes) {
  if (bytes.size() > kMaxTextBytes) return damaged("it is too large");
  if (!is_frame) return std::string(bytes);
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR) return damaged("it is no zstd frame");
  if (size == ZSTD_CONTENTSIZE_UNKNOWN) return damaged("it does not say how long it is");
  if (size > kMaxTextBytes) return damaged("it would be too large");
  std::string text(static_cast<std::size_t>(size), '\0');
  const std::size_t got = ZSTD_decompressDCtx(decompressor_, text.data(), text.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(got)) return damaged(ZSTD_getErrorName(got));
  if (got != text.size()) return damaged("it is shorter than it says");
  return text;
}

}  // namespace aiopt
