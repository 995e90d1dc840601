/// Opens ELF files with libelf, after a look at what is being opened.

#include "profile/object_file.hpp"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/file_descriptor.hpp"

namespace aiopt {

namespace {

constexpr unsigned kOwnByteOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
constexpr std::size_t kMostSegments = 1024;
constexpr std::size_t kLargestVdso = 64u << 10;

Error cannot_open(const std::filesystem::path& file, Error::Code code, std::string_view why) {
  return Error{code, fmt::format("cannot read {}: {}", file.string(), why)};
}

/// The bytes that its compressed sections become (elf(5), Elf64_Chdr). Empty: they cannot be told.
std::optional<std::uint64_t> decompressed_bytes(Elf* elf) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return 0;
  std::uint64_t sum = 0;
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) return std::nullopt;
    // GNU's older form, by name alone: no linker has written it for years.
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (name != nullptr && std::string_view(name).starts_with(".zdebug")) return std::nullopt;
    if ((header.sh_flags & SHF_COMPRESSED) == 0) continue;
    GElf_Chdr compressed;
    if (gelf_getchdr(section, &compressed) == nullptr) return std::nullopt;
    if (compressed.ch_size > UINT64_MAX - sum) return std::nullopt;
    sum += compressed.ch_size;
  }
  return sum;
}

/// How far the image at `base` goes, by its own headers: 0 if it is none of this machine.
std::size_t image_size(const char* base) {
  if (std::memcmp(base, ELFMAG, SELFMAG) != 0 || base[EI_CLASS] != ELFCLASS64) return 0;
  Elf64_Ehdr header;
  std::memcpy(&header, base, sizeof header);
  std::uint64_t end = header.e_shoff + std::uint64_t{header.e_shnum} * header.e_shentsize;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, base + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_LOAD) end = std::max(end, segment.p_offset + segment.p_filesz);
  }
  return end <= kLargestVdso ? static_cast<std::size_t>(end) : 0;
}

Result<std::string> read_regular_file(const std::filesystem::path& file, std::uint64_t limit_bytes) {
  // Without O_NONBLOCK, to open a FIFO is to wait for its writer.
  const FileDescriptor descriptor(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!descriptor.is_open()) {
    const int error = errno;
    const bool is_missing = error == ENOENT || error == ENOTDIR;
    return cannot_open(file, is_missing ? Error::Code::not_found : Error::Code::io, std::strerror(error));
  }
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) return cannot_open(file, Error::Code::io, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return cannot_open(file, Error::Code::invalid_argument, "it is no regular file");
  if (static_cast<std::uint64_t>(status.st_size) > limit_bytes) {
    return cannot_open(file, Error::Code::invalid_argument, fmt::format("it is larger than {} bytes", limit_bytes));
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got = ::pread(descriptor.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_open(file, Error::Code::io, std::strerror(errno));
    if (got == 0) break;  // It shrank: zeros are left.
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? (value >> 1) ^ 0xedb88320u : value >> 1;
    table[i] = value;
  }
  return table;
}

}  // namespace

Result<std::shared_ptr<const ObjectFile>> ObjectFile::open(const std::filesystem::path& file,
                                                           std::uint64_t limit_bytes) {
  Result<std::string> image = read_regular_file(file, limit_bytes);
  if (!image) return image.error();
  std::shared_ptr<ObjectFile> opened(new ObjectFile);
  opened->path_ = file;
  opened->image_ = *std::move(image);
  const std::string wrong = opened->load(limit_bytes);
  if (!wrong.empty()) return cannot_open(file, Error::Code::invalid_argument, wrong);
  return std::shared_ptr<const ObjectFile>(std::move(opened));
}

Result<std::shared_ptr<const ObjectFile>> ObjectFile::own_vdso() {
  const Error none{Error::Code::unavailable, "cannot read the vdso: the kernel gives this process none"};
  const unsigned long base = getauxval(AT_SYSINFO_EHDR);
  if (base == 0) return none;
  const char* image = reinterpret_cast<const char*>(base);  // NOLINT: the kernel tells where it is as a number.
  const std::size_t size = image_size(image);
  if (size == 0) return none;
  std::shared_ptr<ObjectFile> vdso(new ObjectFile);
  vdso->path_ = "[vdso]";
  vdso->image_.assign(image, size);
  if (!vdso->load(kLargestVdso).empty()) return none;
  return std::shared_ptr<const ObjectFile>(std::move(vdso));
}

ObjectFile::~ObjectFile() {
  elf_end(elf_);
}

std::string ObjectFile::load(std::uint64_t limit_bytes) {
  image_.append(kPadding, '\0');
  elf_version(EV_CURRENT);
  elf_ = elf_memory(image_.data(), static_cast<std::size_t>(size()));
  GElf_Ehdr header;
  if (elf_ == nullptr || elf_kind(elf_) != ELF_K_ELF || gelf_getehdr(elf_, &header) == nullptr) {
    return "it is no ELF file";
  }
  if (header.e_ident[EI_DATA] != kOwnByteOrder) return "it is of another byte order";
  const std::optional<std::uint64_t> decompressed = decompressed_bytes(elf_);
  if (!decompressed || *decompressed > limit_bytes) {
    return "its compressed sections are damaged, or larger than the limit";
  }
  load_segments();
  load_links();
  return "";
}

void ObjectFile::load_segments() {
  std::size_t count = 0;
  if (elf_getphdrnum(elf_, &count) != 0) return;
  for (std::size_t i = 0; i < std::min(count, kMostSegments); ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf_, static_cast<int>(i), &header) == nullptr || header.p_type != PT_LOAD) continue;
    segments_.push_back({header.p_vaddr, header.p_memsz, header.p_offset, header.p_filesz, header.p_align,
                         (header.p_flags & PF_X) != 0});
  }
}

void ObjectFile::load_links() {
  const void* id = nullptr;
  const ssize_t id_bytes = dwelf_elf_gnu_build_id(elf_, &id);
  for (ssize_t i = 0; i < id_bytes; ++i) build_id_ += fmt::format("{:02x}", static_cast<const unsigned char*>(id)[i]);
  GElf_Word crc = 0;
  if (const char* name = dwelf_elf_gnu_debuglink(elf_, &crc)) debug_link_ = DebugLink{name, crc};
}

std::optional<std::uint64_t> ObjectFile::address_of(std::uint64_t file_offset) const {
  const auto holds = [&](const Segment& segment) {
    return file_offset >= segment.file_offset && file_offset - segment.file_offset < segment.file_bytes;
  };
  // Pages at a border belong to two segments; code is in one that can be executed.
  for (const bool is_code : {true, false}) {
    for (const Segment& segment : segments_) {
      if (segment.is_code == is_code && holds(segment)) return segment.address + (file_offset - segment.file_offset);
    }
  }
  return std::nullopt;
}

bool ObjectFile::is_code(std::uint64_t address) const {
  return std::any_of(segments_.begin(), segments_.end(), [&](const Segment& segment) {
    return segment.is_code && address >= segment.address && address - segment.address < segment.memory_bytes;
  });
}

std::string_view ObjectFile::bytes_at(std::uint64_t file_offset, std::size_t size) const {
  const std::string_view bytes = std::string_view(image_).substr(0, image_.size() - kPadding);
  return file_offset <= bytes.size() ? bytes.substr(static_cast<std::size_t>(file_offset), size) : "";
}

std::uint32_t crc_of(const ObjectFile& file) {
  static constexpr std::array<std::uint32_t, 256> kTable = make_crc_table();
  std::uint32_t crc = ~0u;
  for (const char c : file.bytes_at(0, std::string_view::npos)) {
    crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ (crc >> 8);
  }
  return ~crc;
}

}  // namespace aiopt
