/// Where the functions of a C or C++ file are, without a compiler: a light scanner that forgives macros.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace aiopt {

/// A function's definition, from the first byte of its head (template<> included) to its closing brace. Lambdas and
/// local classes belong to the function around them.
struct FunctionSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string name;  ///< Qualified by the namespaces and classes around it, anonymous ones left out.
};

/// In order, without overlap. One pass: linear in the text, of which nothing is read past `until` but the end of what
/// began before.
std::vector<FunctionSpan> find_functions(std::string_view text, std::size_t until = static_cast<std::size_t>(-1));

/// The span that holds `offset`, or null.
const FunctionSpan* function_at(const std::vector<FunctionSpan>& functions, std::size_t offset);

/// The name of the function that holds what stands on that line, from 1; empty where none does.
std::string function_at_line(std::string_view text, int line);

}  // namespace aiopt
