#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace firstcome {

/// One labelled sentence of a port's header, and what an adapter must do for it.
template <class Host>
struct Clause {
  std::string label;
  std::string sentence;  ///< in the header's words
  std::function<testing::AssertionResult(Host&)> holds;
};

/// The suite of a port is run once per adapter and clause.
#define CONTRACT_REQUIRE(condition) \
  if (!(condition)) return testing::AssertionFailure() << "line " << __LINE__ << ": " << #condition << " is false. "

}  // namespace firstcome
