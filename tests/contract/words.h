#pragma once

#include <string>
#include <vector>

namespace firstcome {

/// The text of the comments of a header under src/, on one line with single spaces.
std::string words_of_header(const std::string& path);

/// The labels ("Order", "Never N+1") of the comment before the line that starts with `declaration`.
std::vector<std::string> labels_of_header(const std::string& path, const std::string& declaration);

}  // namespace firstcome
