#include "verify/verify.h"

#include <algorithm>
#include <cstdio>

#include "cli/command.h"

namespace firstcome::cli {
namespace {

int verify(const Words& words) {
  verify::Options options;
  options.folder = words.get_or("--data", "");
  options.campaign = words.get("--campaign");
  options.histories = words.all("--history");
  const auto skew = words.count("--skew-ms", 0);
  if (!skew) return complain(skew.error());
  options.skew = std::chrono::milliseconds(*skew);
  const auto report = verify::verify_folder(options);
  if (!report) return complain(report.error());
  const auto compared = std::ranges::find(report->checks, "every won is held", &verify::Check::name);
  if (compared != report->checks.end() && compared->checked == 0) {
    std::fprintf(stderr, "firstcome: nobody won in these histories: are they of this folder, and of this campaign?\n");
  }
  std::printf(
      "%s", words.has("--json") ? (verify::render_json(*report) + "\n").c_str() : verify::render_text(*report).c_str());
  return report->exact() ? exit_fine : exit_broken;
}

}  // namespace

std::vector<Command> verify_commands() {
  return {{"verify",
           "folds the journal twice and holds it against the store and what clients were told; changes nothing; exit 4 "
           "when a "
           "promise is broken",
           {{"--data", "DIR", "the server's data folder; it may be running", true},
            {"--campaign", "ID", "only this one"},
            {"--history", "FILE", "what a rush wrote down; may be given several times", false, true},
            {"--skew-ms", "MS", "how far the clocks of the histories may be apart (0)"},
            {"--json", "", "print JSON"}},
           verify}};
}

}  // namespace firstcome::cli
