#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace firstcome {

/// What the outside did to us. Never a verdict about a user: verdicts are values.
enum class FaultKind : std::uint8_t {
  unavailable,    ///< cannot be reached, or refuses for now (a full disk is one)
  timed_out,      ///< no answer in time: may have happened, may not
  overloaded,     ///< a bounded queue is full
  corrupt,        ///< what was read cannot be what was written
  misconfigured,  ///< needs a person: wrong setting, wrong version, wrong folder
};

std::string_view to_string(FaultKind kind);

/// `what` is for the operator's log and names the option to change; users never see it.
struct Fault {
  FaultKind kind;
  std::string what;

  /// The one place where it is decided whether trying again can help.
  bool retryable() const { return kind != FaultKind::corrupt && kind != FaultKind::misconfigured; }

  /// The same fault with what was being done in front: "open journal: disk is full".
  Fault within(std::string_view doing) && { return {kind, std::string(doing) + ": " + std::move(what)}; }
};

template <class T = void>
using Result = std::expected<T, Fault>;

inline std::unexpected<Fault> fail(FaultKind kind, std::string what) {
  return std::unexpected(Fault{kind, std::move(what)});
}
inline std::unexpected<Fault> fail(Fault fault) { return std::unexpected(std::move(fault)); }

}  // namespace firstcome
