#pragma once

#include <cstdint>
#include <string_view>

/// Single-line mutilations of the protocol, compiled in only with FIRSTCOME_MUTANTS. The simulation switches on one at
/// a time and must catch each: that is how we know that it would catch a mistake of ours. docs/testing.md has the
/// table.
namespace firstcome {

enum class Mutant : std::uint8_t {
  none,
  winner_before_sealed,      ///< the standings look for the winner first, then load the flags
  body_from_ticket,          ///< `won` shows the code of the ticket in hand, not the standings' record
  waiter_by_code,            ///< a waiting claim is woken only by its own ticket
  answer_before_commit,      ///< the journal shows entries before they are durable
  join_without_end,          ///< a ticket without a fate is remembered for ever
  ticket_not_sent_again,     ///< ... and the next claim behind it does not append
  surplus_remembered,        ///< a surplus user is refused after a raise
  stale_pause_counts,        ///< a resent `paused` counts
  out_of_window_remembered,  ///< a user who came out of the window is refused later
  fold_from_progress,        ///< a node folds tickets from the store's progress on
  fence_without_chain,       ///< the fence compares the rank only
  fence_last,                ///< the fence is checked after the coupons are written, without the transaction
  fault_parks,               ///< a fault of the store parks the coupon
  progress_beyond_written,   ///< progress runs ahead of the coupons
  sold_out_at_full,          ///< sold_out when the tickets in hand fill the quota, before the seal
  closed_before_sealed,      ///< closed is told before sealed, and before the winner
  unknown_kind_skipped,      ///< an entry of a newer kind is skipped
  applied_again,             ///< an applied position is applied again
  early_due_counts,          ///< a due closing counts before closes_at
  no_widen,                  ///< nobody raises the gate's limit
  widen_without_generation,  ///< everybody who saw the same generation raises it
  again_waits,               ///< `again` of the gate does not send a ticket
  gate_waited_for,           ///< a claim does not go on without an answer of the gate
  entry_elsewhere_counts,    ///< an entry counts in whichever partition it stands
  catching_up_is_fresh,      ///< old entries that are shown late make a desk fresh
  store_read_once,           ///< an issuer without work does not look whether the store still has what it wrote
  rate_not_held_back,        ///< rows that another issuer has just written do not count against the rate
  behind_is_corrupt,         ///< who has read less of the journal than the store holds stops for good
};

#ifdef FIRSTCOME_MUTANTS
inline Mutant mutant_now = Mutant::none;
inline bool mutant(Mutant one) { return mutant_now == one; }
#else
constexpr bool mutant(Mutant) { return false; }
#endif

}  // namespace firstcome
