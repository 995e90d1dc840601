/// What a function is called in a profile.

#pragma once

#include <string>
#include <string_view>

namespace aiopt {

/// A symbol's name as people say it: demangled, without arguments, return type, qualifiers, version and clone suffix
/// (".isra.0", ".cold"). Template arguments of more than 24 characters become "<...>"; a lambda is "f::{lambda#1}". Of
/// what cannot be demangled in bounded time (a symbol may come from a hostile build) the names in front of the first
/// template are kept, or else the symbol itself. At most 256 characters.
std::string function_name_of(std::string_view symbol);

/// The same of a name that is demangled already: "std::vector<int>::push_back(int const&)". What does not look like
/// one stays as it is.
std::string shorten_function_name(std::string_view demangled);

}  // namespace aiopt
