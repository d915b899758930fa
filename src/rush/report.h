#pragma once

#include <string>

#include "rush/rush.h"

namespace firstcome::rush {

/// For a terminal: answers by kind, throughput, times, and how the times are spread. Ends with a line end.
std::string render_text(const Report& report);

/// The same and more, one JSON object without a line end; its members are listed in docs/api.md's manner: words of the
/// design, units last.
std::string render_json(const Report& report);

}  // namespace firstcome::rush
