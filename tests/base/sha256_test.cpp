/// Tests of SHA-256.

#include "base/sha256.hpp"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

using aiopt::Sha256;
using aiopt::sha256_hex;

TEST_CASE("the digests are those of NIST's examples") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("it does not matter in which pieces the bytes come") {
  const std::string text(300, 'x');
  for (const std::size_t size : {55u, 56u, 63u, 64u, 65u, 119u, 120u, 128u, 300u}) {
    const std::string_view part = std::string_view(text).substr(0, size);
    Sha256 digest;
    for (std::size_t at = 0; at < size; at += 7) digest.update(part.substr(at, 7));
    CHECK(digest.hex_digest() == sha256_hex(part));
  }
}

TEST_CASE("bytes that are zero count") {
  using namespace std::string_view_literals;
  CHECK(sha256_hex("\0"sv) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}
