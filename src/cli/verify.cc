#include "verify/verify.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "app/places.h"
#include "cli/api.h"
#include "cli/server_settings.h"
#include "client/http_client.h"

namespace firstcome::cli {
namespace {

Result<std::unique_ptr<verify::Source>> source_of(const LoadedSettings& loaded) {
  const Settings& settings = loaded.settings;
  if (!settings.is_distributed()) {
    if (loaded.origin.at("data") == "default") {
      return fail(FaultKind::misconfigured, "what shall be verified? --data DIR, or --journal and --store");
    }
    return verify::folder_source(settings.data);
  }
  if (loaded.origin.at("store") == "default") {
    return fail(FaultKind::misconfigured,
                "verify compares the journal with its store: --store mysql://USER@HOST:PORT/DATABASE");
  }
  auto journal = journal_place(settings);
  if (!journal) return fail(journal.error());
  auto store = store_server(settings);
  if (!store) return fail(store.error());
  return verify::servers_source(std::move(*journal), std::move(*store));
}

std::optional<Chain> chain_of(const std::string& hex) {
  Chain chain{};
  if (hex.size() != 2 * chain.size()) return {};
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const std::string two = hex.substr(2 * i, 2);
    char* end = nullptr;
    chain[i] = static_cast<std::uint8_t>(std::strtoul(two.c_str(), &end, 16));
    if (*end != 0) return {};
  }
  return chain;
}

/// What /readyz?verbose says. A process that is not ready says it too.
Result<void> ask_readiness(client::Client& client, const std::string& url, std::vector<verify::ClaimedMark>& claimed) {
  const auto told = client.request("GET", url + "/readyz?verbose");
  if (!told) return fail(told.error());
  const auto body = nlohmann::json::parse(told->body, nullptr, false);
  const auto no = [&] {
    return fail(FaultKind::misconfigured, url + " does not say where its standings are: is it a firstcome?");
  };
  if (!body.is_object() || !body.contains("standings") || !body["standings"].is_array()) return no();
  if (body["standings"].empty()) return fail(FaultKind::unavailable, "it is starting, and has no standings yet");
  for (const auto& one : body["standings"]) {
    try {
      const auto chains = chain_of(one.at("chains").get<std::string>());
      if (!chains) return no();
      claimed.push_back({.who = url + "/readyz",
                         .partition = one.at("partition").get<std::uint32_t>(),
                         .position = one.at("position").get<Position>(),
                         .chains = chains});
    } catch (const nlohmann::json::exception&) {
      return no();
    }
  }
  return {};
}

/// The value behind `name{partition="N"} ` in a line of a metrics page.
struct Sample {
  std::uint32_t partition = 0;
  double value = 0;
};
std::optional<Sample> sample_of(std::string_view line, std::string_view name) {
  const std::string head = std::string(name) + "{partition=\"";
  if (!line.starts_with(head)) return {};
  const std::string rest(line.substr(head.size()));
  Sample sample;
  int read = 0;
  if (std::sscanf(rest.c_str(), "%u\"} %lf%n", &sample.partition, &sample.value, &read) != 2) return {};
  return sample;
}

/// What /metrics says; only an admin listener has it.
Result<void> ask_metrics(client::Client& client, const std::string& url, std::vector<verify::ClaimedMark>& claimed) {
  const auto told = client.request("GET", url + "/metrics");
  if (!told) return fail(told.error());
  if (told->status != 200) return {};
  std::map<std::uint32_t, verify::ClaimedMark> marks;
  for (std::size_t from = 0; from < told->body.size();) {
    const auto end = std::min(told->body.find('\n', from), told->body.size());
    const std::string_view line = std::string_view(told->body).substr(from, end - from);
    if (const auto position = sample_of(line, "firstcome_journal_position")) {
      marks[position->partition].position = static_cast<Position>(position->value);
    } else if (const auto chain = sample_of(line, "firstcome_standings_chain")) {
      marks[chain->partition].number = static_cast<std::uint64_t>(chain->value);
    }
    from = end + 1;
  }
  for (auto& [partition, mark] : marks) {
    mark.who = url + "/metrics";
    mark.partition = partition;
    claimed.push_back(std::move(mark));
  }
  return {};
}

int verify(const Words& words) {
  const auto loaded = load_server_settings(words);
  if (!loaded) return complain(loaded.error());
  verify::Options options;
  options.campaign = words.get("--campaign");
  options.histories = words.all("--history");
  const auto skew = words.count("--skew-ms", 0);
  if (!skew) return complain(skew.error());
  options.skew = std::chrono::milliseconds(*skew);
  auto source = source_of(*loaded);
  if (!source) return complain(source.error());
  client::Client client;
  for (const auto& url : words.all("--process")) {
    auto asked = ask_readiness(client, url, options.claimed);
    if (asked) asked = ask_metrics(client, url, options.claimed);
    if (asked) continue;
    if (asked.error().kind == FaultKind::misconfigured) return complain(asked.error());
    options.not_asked.push_back("process " + url + ": " + asked.error().what);
  }
  const auto report = verify::verify(**source, options);
  if (!report) return complain(report.error());
  const auto compared = std::ranges::find(report->checks, "every won is held", &verify::Check::name);
  if (compared != report->checks.end() && compared->checked == 0) {
    std::fprintf(stderr, "firstcome: nobody won in these histories: are they of this journal, and of this campaign?\n");
  }
  std::printf(
      "%s", words.has("--json") ? (verify::render_json(*report) + "\n").c_str() : verify::render_text(*report).c_str());
  if (report->broken()) return exit_broken;
  return report->exact() ? exit_fine : exit_unreachable;
}

}  // namespace

std::vector<Command> verify_commands() {
  return {
      {"verify",
       "folds the journal twice and holds it against the store, running processes and what clients were told; changes "
       "nothing; exit 4 when a promise is broken, 3 when none is but not all could be asked",
       with(server_arguments({"data", "journal", "journal_options", "journal_password_file", "store",
                              "store_password_file", "store_tls_ca"}),
            {{"--campaign", "ID", "only this one"},
             {"--process", "URL", "a listener of a running process; may be given several times", false, true},
             {"--history", "FILE", "what a rush wrote down; may be given several times", false, true},
             {"--skew-ms", "MS", "how far the clocks of the histories may be apart (0)"},
             {"--json", "", "print JSON"}}),
       verify}};
}

}  // namespace firstcome::cli
