#include "words.h"

#include <fstream>
#include <regex>
#include <sstream>

#include "base/assert.h"

namespace firstcome {
namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(std::string(FIRSTCOME_SOURCE) + "/" + path);
  MUST(file.is_open(), path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

}  // namespace

std::string words_of_header(const std::string& path) {
  std::string all;
  for (const auto& line : lines_of(path)) {
    const auto comment = line.find("///");
    if (comment == std::string::npos) continue;
    std::istringstream words(line.substr(comment + 3));
    for (std::string word; words >> word;) all += word + " ";
  }
  return all;
}

std::vector<std::string> labels_of_header(const std::string& path, const std::string& declaration) {
  static const std::regex label(R"(///   ([A-Z]\S*(?: \S+)?)(?:  .*)?)");
  std::vector<std::string> labels;
  for (const auto& line : lines_of(path)) {
    std::smatch found;
    if (line.starts_with(declaration)) return labels;
    if (!line.starts_with("///")) labels.clear();
    if (std::regex_match(line, found, label)) labels.push_back(found[1]);
  }
  return {};
}

}  // namespace firstcome
