/// A digest of the code and data in a program: the same for programs that do the same by the same instructions.

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace aiopt {

/// SHA-256, in hex, over what an ELF program or shared library brings into memory (elf(5)): the name, address and bytes
/// of each section with SHF_ALLOC, the size of .bss, entry point, type and machine. Symbols and relocations of dynamic
/// linking are among them: a call of another function may change nothing else. Left out are notes (the build id among
/// them) and the unwind tables (.eh_frame, .eh_frame_hdr); debug information, .symtab and .comment are not loaded. A
/// path or a line number that the program prints (assert, __FILE__) is part of its data.
///
/// Nothing for what is no ELF of little-endian byte order (a script), is broken, has no section headers, or is not
/// linked (an object file: what it calls stands in sections that are not loaded). Any bytes will do; linear time. A
/// file made on purpose can have the digest of another: it tells honest programs apart.
std::optional<std::string> binary_digest(std::string_view bytes);

/// The same of a file of at most 1 GiB; nothing if it cannot be read.
std::optional<std::string> binary_digest_of_file(const std::filesystem::path& file);

}  // namespace aiopt
