#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/malformed.h"
#include "http/response.h"

namespace firstcome::http {

/// What went wrong, for a program (type) and for a person (detail, hint): RFC 9457.
///
/// `type` is stable and part of the interface: "/problems/sold-out"; docs/api.md has a heading for each.
struct Problem {
  int status = 500;
  std::string type;                                          ///< the last part: "sold-out"
  std::string title;                                         ///< the same for every problem of that type
  std::string detail;                                        ///< this one, one sentence
  std::string hint;                                          ///< what to do now, one sentence
  std::vector<std::pair<std::string, std::string>> members;  ///< more members of the body; values are JSON texts
  std::optional<std::chrono::seconds> retry_after;

  /// `fields` come on top: Allow, WWW-Authenticate, Cache-Control.
  Response response(std::vector<std::pair<std::string, std::string>> fields = {}) const;
};

/// `text` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

/// The problem of a request that was refused before anybody looked at what it wants. Always the same object.
const ReadyResponse& problem_of(Malformed kind);

}  // namespace firstcome::http
