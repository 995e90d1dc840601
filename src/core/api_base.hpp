/// What an endpoint's URL may hold. run.db keeps it, so no secret may be in it.

#pragma once

#include <optional>
#include <string_view>

namespace aiopt {

/// What is wrong with it, "must be a URL like ..."; nothing if it may be used. The URL is not quoted: whoever got the
/// form wrong may have put a secret there.
std::optional<std::string_view> mistake_in_api_base(std::string_view url);

}  // namespace aiopt
