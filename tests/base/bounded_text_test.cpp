/// Tests of BoundedText.

#include "base/bounded_text.hpp"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

using aiopt::BoundedText;

TEST_CASE("text within the bound is kept whole, in whatever pieces it came") {
  for (const std::size_t limit : {0u, 1u, 64u, 65u, 66u, 1000u}) {
    BoundedText text(limit);
    std::string all;
    while (all.size() < limit) {
      const std::string piece(std::min<std::size_t>(7, limit - all.size()), static_cast<char>('a' + all.size() % 26));
      text.append(piece);
      all += piece;
    }
    CHECK(text.text() == all);
  }
}

TEST_CASE("of endless text head and tail are kept, and what went is counted") {
  BoundedText text(1000);
  text.append("head");
  for (int i = 0; i < 100'000; ++i) text.append("0123456789");
  text.append("tail");
  const std::string kept = text.text();
  CHECK(kept.size() <= 1000);
  CHECK(kept.size() > 900);
  CHECK(kept.starts_with("head0123"));
  CHECK(kept.ends_with("6789tail"));
  CHECK(kept.find("[... 999072 bytes left out ...]") != std::string::npos);
}

TEST_CASE("one piece larger than the bound is cut in its middle") {
  BoundedText text(200);
  text.append("head" + std::string(100'000, '.') + "tail");
  const std::string kept = text.text();
  CHECK(kept.size() <= 200);
  CHECK(kept.starts_with("head"));
  CHECK(kept.ends_with("tail"));
}

TEST_CASE("a bound too small for any words keeps the head") {
  BoundedText text(3);
  text.append("abcdef");
  CHECK(text.text() == "abc");
}
