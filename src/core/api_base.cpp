/// The form of an endpoint's URL.

#include "core/api_base.hpp"

#include <algorithm>
#include <cstddef>

namespace aiopt {

std::optional<std::string_view> mistake_in_api_base(std::string_view url) {
  const bool is_http = url.starts_with("http://") || url.starts_with("https://");
  const std::size_t host = url.find("//") + 2;
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; };
  if (!is_http || host >= url.size() || url[host] == '/' || std::any_of(url.begin(), url.end(), is_blank)) {
    return "must be a URL like http://127.0.0.1:8080/v1";
  }
  if (url.substr(host, url.find('/', host) - host).find('@') != std::string_view::npos) {
    return "must not hold a user or password; give the key by the environment";
  }
  if (url.find_first_of("?#") != std::string_view::npos) return "must end before any '?' or '#'";
  return std::nullopt;
}

}  // namespace aiopt
