#include "app/metrics_page.h"

#include "base/version.h"
#include "metrics/page.h"

namespace firstcome {
namespace {

template <class Whole, class Read>
double sum(const std::vector<const Whole*>& parts, Read read) {
  double total = 0;
  for (const auto* const part : parts) total += static_cast<double>(read(*part));
  return total;
}

void desk_numbers(metrics::Page& page, const std::vector<const Desk::Counters*>& desks) {
  for (int kind = 0; kind < answer_kinds; ++kind) {
    page.counter("firstcome_claims_total", "Claims answered, by answer.",
                 sum(desks, [&](const auto& desk) { return desk.answers[kind].load(std::memory_order_relaxed); }),
                 {{"answer", std::string(to_string(static_cast<AnswerKind>(kind)))}});
  }
  const auto total = [&](auto member) {
    return sum(desks, [&](const auto& desk) { return (desk.*member).load(std::memory_order_relaxed); });
  };
  page.gauge("firstcome_claims_waiting", "Claims that wait for their answer.", total(&Desk::Counters::waiting));
  page.gauge("firstcome_tickets_in_flight", "Tickets in the journal's hands.", total(&Desk::Counters::in_flight));
  page.gauge("firstcome_tickets_queued", "Tickets that wait for room in the journal's hands.",
             total(&Desk::Counters::queued));
  page.counter("firstcome_claims_joined_total", "Claims that joined an earlier one of the same user.",
               total(&Desk::Counters::joined));
  page.counter("firstcome_tickets_sent_again_total", "Tickets sent since the first had no fate, or a raise made room.",
               total(&Desk::Counters::sent_again));
  page.counter("firstcome_claims_overflowed_total", "Claims told pending at once, beyond waiting_claims_max.",
               total(&Desk::Counters::overflowed));
  page.counter("firstcome_appends_failed_total", "Tickets that the journal did not take; their claims got 503.",
               total(&Desk::Counters::failed_appends));
}

/// Nothing where there is no gate.
void gate_numbers(metrics::Page& page, const std::vector<const Desk::Counters*>& desks,
                  const std::vector<Gate::Stats>& gates) {
  if (gates.empty()) return;
  constexpr std::string_view names[admission_kinds] = {"in", "again", "full"};
  for (int kind = 0; kind < admission_kinds; ++kind) {
    page.counter("firstcome_gate_answers_total", "What the gate said of users.",
                 sum(desks, [&](const auto& desk) { return desk.gate_answers[kind].load(std::memory_order_relaxed); }),
                 {{"answer", std::string(names[kind])}});
  }
  const auto of_desks = [&](auto member) {
    return sum(desks, [&](const auto& desk) { return (desk.*member).load(std::memory_order_relaxed); });
  };
  page.counter("firstcome_gate_bypasses_total", "Claims that went on without an answer of the gate.",
               of_desks(&Desk::Counters::gate_bypasses));
  page.counter("firstcome_gate_widenings_total", "Times that a raise of the gate's limit was asked for.",
               of_desks(&Desk::Counters::widenings));
  Gate::Stats all = gates.front();
  double away = all.is_away ? 1 : 0;
  for (std::size_t i = 1; i < gates.size(); ++i) {
    away += gates[i].is_away ? 1 : 0;
    all += gates[i];
  }
  page.gauge("firstcome_gate_away", "Loops that know the gate to be away: their claims go on without it.", away);
  page.gauge("firstcome_gate_waiting", "Users of whom the gate was asked.", static_cast<double>(all.waiting));
  page.summary("firstcome_gate_batch_users", "Users per call of the gate.", all.calls, static_cast<double>(all.asked));
  page.counter("firstcome_gate_faults_total", "Times that a server of the gate went away or refused.",
               static_cast<double>(all.faults));
  page.counter("firstcome_gate_redirects_total", "Calls that another server of a cluster had to answer.",
               static_cast<double>(all.redirects));
  for (std::size_t i = 0; i < gate_call_names.size(); ++i) {
    const auto& calls = all.by_call[i];
    page.summary("firstcome_gate_call_seconds", "Time until the gate answered a call.", calls.answered, calls.seconds,
                 {{"call", std::string(gate_call_names[i])}});
    page.counter("firstcome_gate_calls_failed_total", "Calls of the gate without an answer, or with an error.",
                 static_cast<double>(calls.failed), {{"call", std::string(gate_call_names[i])}});
  }
  page.gauge("firstcome_gate_links", "Connections to the gate's servers.", static_cast<double>(all.links));
}

void loop_numbers(metrics::Page& page, const std::vector<const http::Counters*>& loops) {
  const auto total = [&](auto member) { return sum(loops, [&](const auto& loop) { return (loop.*member).value(); }); };
  page.gauge("firstcome_connections", "Open connections.", total(&http::Counters::connections_open));
  page.counter("firstcome_connections_accepted_total", "Connections accepted.",
               total(&http::Counters::connections_accepted));
  page.counter("firstcome_connections_refused_total",
               "Connections closed at once, beyond connections_max or what operators have.",
               total(&http::Counters::connections_refused));
  page.counter("firstcome_accepts_failed_total",
               "Accepts that failed for want of file descriptors, epoll watches or memory.",
               total(&http::Counters::accepts_failed));
  page.counter("firstcome_requests_total", "Well-formed requests.", total(&http::Counters::requests));
  page.counter("firstcome_requests_unnamed_total", "Requests told 401, since no trusted proxy said who asks.",
               total(&http::Counters::unnamed));
  page.counter("firstcome_requests_malformed_total", "Requests refused before anybody looked at what they want.",
               sum(loops, [](const auto& loop) {
                 std::uint64_t all = 0;
                 for (const auto& kind : loop.malformed) all += kind.value();
                 return all;
               }));
  page.gauge("firstcome_requests_waiting", "Requests that wait for their answer: claims, and operators' ones.",
             total(&http::Counters::exchanges_waiting));
  page.counter("firstcome_clients_left_total", "Clients that left while their request waited.",
               total(&http::Counters::clients_left));
  page.counter("firstcome_connections_idle_total", "Connections closed after idle_ms_max without a request.",
               total(&http::Counters::idle_closed));
  page.counter("firstcome_connections_unread_total", "Connections cut since the client did not read.",
               total(&http::Counters::unread_closed));
  page.counter("firstcome_connections_drain_cut_total", "Connections cut at the end of drain_ms_max.",
               total(&http::Counters::drain_cut));
  page.counter("firstcome_received_bytes_total", "Bytes received.", total(&http::Counters::bytes_in));
  page.counter("firstcome_sent_bytes_total", "Bytes sent.", total(&http::Counters::bytes_out));
}

void journal_numbers(metrics::Page& page, const Journal& journal) {
  const auto stats = journal.stats();
  page.gauge("firstcome_mailbox_depth", "Appends that wait for the journal.", static_cast<double>(stats.waiting));
  page.gauge("firstcome_mailbox_limit", "Appends that may wait; beyond, claims get 503.",
             static_cast<double>(stats.waiting_max));
  page.summary("firstcome_journal_batch_entries", "Entries per commit.", stats.commits,
               static_cast<double>(stats.entries));
  page.summary("firstcome_journal_commit_seconds", "Time of a commit.", stats.commits, stats.commit_seconds);
  page.counter("firstcome_journal_faults_total", "Commits that failed.", static_cast<double>(stats.faults));
  page.counter("firstcome_journal_skipped_total", "Messages in the journal that are no entries of ours.",
               static_cast<double>(stats.skipped));
}

void issuer_numbers(metrics::Page& page, const Issuer::Counters& counters, Clock& clock) {
  const auto value = [](const auto& counter) { return static_cast<double>(counter.load()); };
  page.gauge("firstcome_issuer_at_work", "1: writes into the store; 0: a spare, or stopped.", counters.at_work ? 1 : 0);
  page.counter("firstcome_issuer_take_overs_total", "Times that it came to work, the first time too.",
               value(counters.take_overs));
  const std::int64_t beat = counters.beat_ms;
  page.gauge("firstcome_issuer_beat_seconds", "Time since the store took its beat, or a spare's question; -1: never.",
             beat < 0 ? -1 : static_cast<double>(clock.uptime().count() - beat) / 1000);
  page.gauge("firstcome_issuer_rank", "Rank that the store has reached, of all campaigns together.",
             value(counters.rank));
  page.counter("firstcome_coupons_written_total", "Coupons written into the store.", value(counters.written));
  page.gauge("firstcome_coupons_owed", "Coupons that are won and not yet in the store; 0 at a spare issuer.",
             value(counters.owed));
  const std::int64_t since = counters.owed_since_ms;
  const auto age = static_cast<double>(clock.now().time_since_epoch().count() - since) / 1000;
  page.gauge("firstcome_coupons_owed_seconds", "Age of the oldest of them.", since > 0 ? std::max(age, 0.0) : 0);
  page.gauge("firstcome_coupons_parked", "Coupons that the store refused.", value(counters.parked));
  page.gauge("firstcome_campaigns_stopped", "Campaigns that stopped issuing, with too many parked.",
             value(counters.stopped_campaigns));
  page.summary("firstcome_store_commit_seconds", "Time of a transaction.", counters.transactions,
               counters.commit_seconds);
  page.counter("firstcome_store_faults_total", "Calls of the store that failed.", value(counters.faults));
  page.counter("firstcome_fences_lost_total", "Writes that another issuer had made.", value(counters.fences_lost));
}

void operator_numbers(metrics::Page& page, const MetricsSources& sources) {
  page.gauge("firstcome_operations_depth", "Operators' changes that wait for the journal.",
             static_cast<double>(sources.operator_desk.waiting()));
  page.gauge("firstcome_operations_limit", "Changes that may wait; beyond, they get 503.",
             static_cast<double>(limits::operations_max));
  if (!sources.issuer_thread) return;
  page.gauge("firstcome_questions_depth", "Operators' questions that wait for the store.",
             static_cast<double>(sources.issuer_thread->asked()));
  page.gauge("firstcome_questions_limit", "Questions that may wait; beyond, they get 503.",
             static_cast<double>(limits::questions_max));
}

void standings_numbers(metrics::Page& page, const News& news) {
  for (const EffectKind kind : {EffectKind::won, EffectKind::known, EffectKind::surplus, EffectKind::out_of_window,
                                EffectKind::after_closed, EffectKind::no_campaign}) {
    page.counter("firstcome_entries_total", "Entries in the journal since its beginning, by what they did.",
                 static_cast<double>(news.count_of(kind)), {{"effect", std::string(to_string(kind))}});
  }
  // Two processes whose positions are equal must show the same chains.
  const std::vector<Mark> marks = news.marks();
  for (std::size_t partition = 0; partition < marks.size(); ++partition) {
    const Mark& mark = marks[partition];
    if (mark.position == 0) continue;
    const std::string label = std::to_string(partition);
    page.gauge("firstcome_journal_position", "The position applied last.", static_cast<double>(mark.position),
               {{"partition", label}});
    page.gauge("firstcome_standings_chain", "The chains of all campaigns at that position, their first 48 bits.",
               static_cast<double>(chain_number(mark.chains)), {{"partition", label}});
  }
}

}  // namespace

std::string metrics_page(const MetricsSources& sources, const std::vector<const http::Counters*>& loops,
                         const std::vector<const Desk::Counters*>& desks, const std::vector<Gate::Stats>& gates,
                         Clock& clock) {
  metrics::Page page;
  page.gauge("firstcome_build_info", "Which firstcome this is.", 1, {{"version", std::string(version)}});
  desk_numbers(page, desks);
  gate_numbers(page, desks, gates);
  journal_numbers(page, sources.adapters.journal());
  if (sources.issuer) issuer_numbers(page, sources.issuer->counters(), clock);
  operator_numbers(page, sources);
  page.gauge("firstcome_campaigns", "Campaigns, closed ones too.", sources.standings.campaigns().size());
  page.gauge("firstcome_places", "All quotas together.", static_cast<double>(sources.standings.places()));
  standings_numbers(page, sources.news);
  sources.adapters.write_metrics(page);
  loop_numbers(page, loops);
  return page.text();
}

}  // namespace firstcome
