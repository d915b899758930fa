#pragma once

#include <cstdio>
#include <string>

#include "rush/rush.h"

namespace firstcome::rush {

/// One line of at most `columns` columns, without a line end:
/// "[########........]  53 %  5,312 of 10,000 done  won 100, sold_out 5,212  41,200/s".
std::string render_progress(const Progress& progress, double attempts_per_second, std::size_t columns);

/// What to give to run(): a bar that is drawn again and again when `out` is a terminal, else a line every three
/// seconds. Nothing is left of the bar when the rush is over.
OnProgress show_progress(std::FILE* out);

}  // namespace firstcome::rush
