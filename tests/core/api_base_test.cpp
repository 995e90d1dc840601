/// Which URLs may be an endpoint's.

#include "core/api_base.hpp"

#include <doctest/doctest.h>

#include <string_view>

using namespace aiopt;

TEST_CASE("an endpoint's URL has a scheme and a host, and may have a port and a path") {
  for (const std::string_view url : {"http://127.0.0.1:8080/v1", "https://api.openai.com/v1", "http://[::1]:1",
                                     "https://host/accounts/@me/v1", "http://h"}) {
    CAPTURE(url);
    CHECK_FALSE(mistake_in_api_base(url));
  }
  for (const std::string_view url : {"", "http", "http://", "https:///v1", "ftp://host/v1", "127.0.0.1:1", "host/v1",
                                     "http://host/a b", "http://host/\n", "//host"}) {
    CAPTURE(url);
    CHECK(mistake_in_api_base(url).value_or("") == "must be a URL like http://127.0.0.1:8080/v1");
  }
}

TEST_CASE("a URL with a place for secrets in it is refused, and the message does not quote it") {
  for (const std::string_view url : {"http://bob:hunter2@host/v1", "http://hunter2@host", "http://bob:a?b@host"}) {
    CAPTURE(url);
    CHECK(mistake_in_api_base(url).value_or("") == "must not hold a user or password; give the key by the environment");
  }
  for (const std::string_view url : {"http://host/v1?key=hunter2", "http://host?hunter2", "http://host/v1#hunter2"}) {
    CAPTURE(url);
    CHECK(mistake_in_api_base(url).value_or("") == "must end before any '?' or '#'");
  }
}
