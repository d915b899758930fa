#pragma once

#include <string_view>

namespace firstcome {

[[noreturn]] void bug(const char* file, int line, const char* condition, std::string_view why);

}  // namespace firstcome

/// A bug aborts, in release too: going on with a broken invariant could give a place twice.
/// `why` is a sentence for the person who reads the crash.
#define MUST(condition, why) ((condition) ? void() : ::firstcome::bug(__FILE__, __LINE__, #condition, (why)))
