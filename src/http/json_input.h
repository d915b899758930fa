#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "http/response.h"

namespace firstcome::http {

/// The members of a request's body: a JSON object of single values, every name known and there once.
///
/// Read what is wanted, then ask refusal() once: it names the first mistake. JSON's `null` counts as left out.
class JsonInput {
 public:
  JsonInput(std::string_view body, std::span<const std::string_view> known);

  std::optional<std::string> text(std::string_view name);
  std::optional<bool> truth(std::string_view name);
  std::optional<double> number(std::string_view name);
  std::optional<std::uint32_t> whole(std::string_view name);  ///< from 0; `name` may mean more

  bool has(std::string_view name) const { return find(name) != nullptr; }

  /// For a change, where a null could be meant as "take it away": the first one is refused.
  void refuse_nulls();

  /// For rules between fields; the first refusal stays.
  void refuse(std::string detail) { refuse("bad-field", std::move(detail)); }

  /// 400, or nothing.
  const std::optional<Response>& refusal() const { return refusal_; }

 private:
  using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string>;
  class Reader;

  const Value* find(std::string_view name) const;
  void refuse(std::string_view type, std::string detail);

  std::vector<std::pair<std::string, Value>> members_;
  std::optional<Response> refusal_;
};

}  // namespace firstcome::http
