#pragma once

#include <cstddef>

namespace firstcome {

/// A million winners lie in 80 MB that is touched in a random order: with pages of 4 KB the first touch of each page
/// and the look-up of its address cost more than the fold itself. Asks the kernel for pages of 2 MB instead, wherever a
/// whole one fits between `begin` and its end; where the kernel does not grant it, nothing changes.
void ask_for_large_pages(void* begin, std::size_t bytes);

}  // namespace firstcome
