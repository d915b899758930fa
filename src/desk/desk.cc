// DESIGN
//   A Wait is what a desk knows of one user of one campaign who has no answer yet. It is queued (its ticket has not
//   been sent), in flight (the journal has it), or only waiting (for the closing, or for the store). Where there is a
//   gate it is asked first (desk_gate.cc). Waits of a campaign stand in its Room, since the seal and the closing end
//   them all. A claim that gives up (wait_ms_max) leaves its Wait behind while the ticket is in flight, so that the
//   user's next claim joins it instead of sending a second ticket; after in_flight_ms_max the Wait is forgotten and the
//   next claim sends one. A second ticket is harmless: the standings know.
#include "desk/desk.h"

#include <algorithm>

#include "base/mutant.h"

namespace firstcome {

Desk::Desk(std::uint32_t author, const Standings& standings, Journal& journal, Gate* gate, Clock& clock, Random& random,
           DeskLimits limits, Deliver deliver)
    : author_(author),
      standings_(standings),
      journal_(journal),
      gate_(gate),
      clock_(clock),
      random_(random),
      limits_(limits),
      deliver_(std::move(deliver)),
      jitter_(static_cast<std::minstd_rand::result_type>(random.next())) {}

Desk::~Desk() = default;

std::optional<Answer> Desk::claim(std::string_view campaign_id, std::string_view user, ClaimNumber number) {
  const Campaign* const campaign = standings_.find(campaign_id);
  if (!campaign)
    return counted(answer(is_fresh() && !refusing_ ? AnswerKind::no_campaign : AnswerKind::fault, nullptr));
  const Look look = campaign->look(user, clock_.now());
  // What is won stays won, however stale this node is.
  const bool is_won = look.place == Place::winner && look.issued;
  if (!is_won && (refusing_ || !is_fresh())) return counted(answer(AnswerKind::fault, campaign));
  if (const auto known = from_standings(*campaign, look)) return counted(*known);
  return wait(*campaign, User(user), number, look.place);
}

Answer Desk::status(std::string_view campaign_id, std::string_view user) {
  const Campaign* const campaign = standings_.find(campaign_id);
  if (!campaign) return answer(is_fresh() ? AnswerKind::no_campaign : AnswerKind::fault, nullptr);
  const Look look = campaign->look(user, clock_.now());
  const auto known = from_standings(*campaign, look);
  if (known && known->kind == AnswerKind::won) return *known;
  if (!is_fresh()) return answer(AnswerKind::fault, campaign);
  const bool final = known && (known->kind == AnswerKind::sold_out || known->kind == AnswerKind::closed);
  return final ? *known : answer(AnswerKind::pending, campaign);
}

/// Nothing when the standings do not know yet: a ticket, the closing or the store will tell.
std::optional<Answer> Desk::from_standings(const Campaign& campaign, const Look& look) {
  switch (look.place) {
    case Place::winner: {
      if (!look.issued) return {};
      Answer won = answer(AnswerKind::won, &campaign);
      won.winner = look.winner;
      won.rank = look.rank;
      return won;
    }
    case Place::sealed: {
      if (!look.issued) return {};
      Answer sold_out = answer(AnswerKind::sold_out, &campaign);
      sold_out.quota = look.quota;
      return sold_out;
    }
    case Place::closed:
      return answer(AnswerKind::closed, &campaign);
    case Place::paused:
      return answer(AnswerKind::paused, &campaign);
    case Place::not_yet_open:
      return answer(AnswerKind::not_open, &campaign);
    case Place::past_close:
    case Place::free:
      return {};
  }
  return {};
}

Answer Desk::answer(AnswerKind kind, const Campaign* campaign) {
  Answer made{.kind = kind, .campaign = campaign};
  if (kind == AnswerKind::pending) {
    // 1 s in quiet times, up to 5 s when as many wait as may.
    const std::size_t load = 4000 * std::min(claims_.size(), limits_.waiting_claims_max) / limits_.waiting_claims_max;
    made.retry_after = retry_after(Millis(1000 + load));
  } else if (kind == AnswerKind::fault) {
    made.retry_after = retry_after(Millis(1000));
  } else if (kind == AnswerKind::paused) {
    made.retry_after = retry_after(Millis(5000));
  } else if (kind == AnswerKind::not_open) {
    const auto opens_at = campaign->view().window.opens_at;
    const Millis away = opens_at ? *opens_at - clock_.now() : Millis(0);
    // Not before the opening, and not later than in a minute, since windows change.
    made.retry_after = std::clamp(away, Millis(1000), Millis(60'000));
  }
  return made;
}

Answer Desk::counted(Answer answer) {
  counters_.answers[static_cast<int>(answer.kind)].fetch_add(1, std::memory_order_relaxed);
  return answer;
}

/// Up to twice `least`, so that those who were refused together do not come back together.
Millis Desk::retry_after(Millis least) {
  return least + Millis(static_cast<Millis::rep>(jitter_() % static_cast<std::uint64_t>(least.count() + 1)));
}

std::optional<Answer> Desk::wait(const Campaign& campaign, const User& user, ClaimNumber number, Place place) {
  if (claims_.size() >= limits_.waiting_claims_max) {
    counters_.overflowed.fetch_add(1, std::memory_order_relaxed);
    return counted(answer(AnswerKind::pending, &campaign));
  }
  auto& made_room = rooms_[&campaign];
  if (!made_room) {
    made_room = std::make_unique<Room>(
        Room{.campaign = &campaign, .waits = Waits(&pool_), .queue = Line(&pool_), .full = Line(&pool_)});
  }
  Room& room = *made_room;
  if (mutant(Mutant::sold_out_at_full) && room.in_flight + campaign.winners().size() >= campaign.view().quota) {
    return counted(Answer{.kind = AnswerKind::sold_out, .campaign = &campaign, .quota = campaign.view().quota});
  }
  const auto [found, is_new] = room.waits.try_emplace(user);
  Wait& wait = found->second;
  if (!is_new) {
    counters_.joined.fetch_add(1, std::memory_order_relaxed);
    // A claim of its own would ask the gate by now.
    if (clock_.uptime() - wait.full_since >= limits_.wait_ms_max) leave_full(room, wait);
    // It waited for the store, and the standings have a raise already that applied() has not brought yet.
    const bool is_unsent = wait.is_idle() && !mutant(Mutant::ticket_not_sent_again);
    if (place == Place::free && is_unsent && !ask(room, user, wait)) {
      queue(room, *found);
      send_queued(room);
    }
  } else if (place == Place::past_close) {
    ask_to_close(campaign);
  } else if (place == Place::free && !ask(room, user, wait)) {
    if (room.in_flight >= limits_.in_flight_max || !room.queue.empty()) {
      queue(room, *found);
    } else if (!send(room, user, wait)) {
      counters_.failed_appends.fetch_add(1, std::memory_order_relaxed);
      room.waits.erase(found);
      drop_if_empty(&campaign);
      return counted(answer(AnswerKind::fault, &campaign));
    }
  }
  wait.claims.push_back(number);
  claims_.emplace(number, Claim{&campaign, user});
  claim_ends_.emplace_back(clock_.uptime() + limits_.wait_ms_max, number);
  counters_.waiting.store(claims_.size(), std::memory_order_relaxed);
  return {};
}

void Desk::heard(Time journal_now) {
  heard_at_.store(clock_.uptime(), std::memory_order_relaxed);
  skew_.store(std::chrono::abs(journal_now - clock_.now()), std::memory_order_relaxed);
  widen_full();
}

Millis Desk::silence() const { return clock_.uptime() - heard_at_.load(std::memory_order_relaxed); }

bool Desk::is_fresh() const {
  return silence() <= limits_.stale_ms_max && skew_.load(std::memory_order_relaxed) <= limits_.skew_ms_max;
}

std::optional<std::string> Desk::why_not_fresh() const {
  if (heard_at_.load(std::memory_order_relaxed) == never) return "nothing was heard from the journal yet";
  if (const Millis now = silence(); now > limits_.stale_ms_max) {
    return "nothing was heard from the journal for " + std::to_string(now.count()) + " ms";
  }
  if (const Millis now = skew_.load(std::memory_order_relaxed); now > limits_.skew_ms_max) {
    return "this machine's clock and the journal's time are " + std::to_string(now.count()) +
           " ms apart: a clock is wrong, or the news is late";
  }
  return {};
}

void Desk::ask_to_close(const Campaign& campaign) {
  // Once a second until it is seen: an append may get lost, and a second one is harmless.
  constexpr Millis again{1000};
  const auto [asked, is_new] = closing_asked_.try_emplace(&campaign, clock_.uptime());
  if (!is_new && clock_.uptime() - asked->second < again) return;
  asked->second = clock_.uptime();
  (void)journal_.append(Closed{campaign.id(), ClosedBy::due},
                        {author_, 0});  // full or stopped: the next second asks again
}

void Desk::close_due() {
  const Time now = clock_.now();
  for (std::uint32_t i = 0; i < standings_.campaigns().size(); ++i) {
    const Campaign& campaign = *standings_.campaigns()[i];
    const auto& view = campaign.view();
    if (!view.closed && view.window.is_after(now)) ask_to_close(campaign);
  }
}

}  // namespace firstcome
