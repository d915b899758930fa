#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace firstcome::sim {

/// Everything that must happen at least once in a whole run, or the run proves less than it says.
enum class Happening : std::uint8_t {
  // Faults: strike at random until the world heals.
  crash,                   ///< a process dies, between two steps or within one
  crash_batch_lost,        ///< ... and the journal's batch with it
  crash_batch_torn,        ///< ... and a prefix of the batch survives
  crash_batch_durable,     ///< ... and the batch survives untold
  crash_append_lost,       ///< ... or what it was sending to the brokers
  crash_append_written,    ///< ... which was written all the same
  process_stopped,         ///< stands still as a whole (SIGSTOP), and goes on
  slow_commit,             ///< the journal takes long
  failed_commit,           ///< the journal says that it failed
  unknown_commit_lost,     ///< neither told nor there
  unknown_commit_durable,  ///< not told, but there
  append_lost,             ///< it never reaches the brokers
  append_late,             ///< it reaches them when it has been given up, maybe
  producer_broke,          ///< tickets without a report are sent once more
  partition_away,          ///< nobody reads or writes it for a while
  entry_twice,             ///< the journal holds an append twice
  foreign_entry,           ///< a message that is none of ours
  entry_elsewhere,         ///< in another partition than its campaign's
  newer_entry,             ///< of a kind that only a newer node knows
  follower_stalled,        ///< the journal cannot be reached for a while
  follower_behind,         ///< one partition comes later than the others
  shown_again,             ///< entries are shown a second time
  slow_loop,               ///< a desk hears late
  disk_full,               ///< journal and store refuse
  node_clock_jumped,       //
  journal_clock_jumped,    //
  store_clock_jumped,      //
  store_down,              //
  store_read_failed,       //
  store_write_failed,      //
  store_write_unknown,     ///< no answer, and it was written
  store_write_lost,        ///< no answer, and it was not
  store_write_late,        ///< no answer, and it is written later
  issuer_paused,           ///< stands still inside a write, and others go on
  transaction_stopped,     ///< an issuer stands still inside its transaction, with its locks
  poison_row,              ///< a row that the store refuses for ever
  store_removed,           //
  store_restored,          ///< from an older copy
  request_lost,            //
  answer_lost,             //
  client_stopped_waiting,  ///< and asks again elsewhere
  client_left,             ///< for good
  double_click,            ///< two requests at once
  stale_resent,            ///< an operator's entry comes a second time, later
  gate_away,               //
  gate_ask_lost,           ///< it never reaches the gate
  gate_answer_lost,        ///< it let them through, and nobody hears of it
  gate_answer_late,        //
  gate_answer_twice,       //
  gate_silent,             ///< neither answer nor fault
  gate_lies_full,          //
  gate_lies_in,            //
  gate_lost_memory,        //
  gate_rolled_back,        //
  gate_split,              ///< two memories, each for some of the processes
  gate_gone,               ///< for good: it takes asks and never answers again
  // What the code must have been through because of them.
  restart,
  drained,  ///< a process went down in order
  won,
  pending,
  sold_out,
  not_open,
  closed,
  paused,
  no_campaign,
  fault,
  journal_full,
  append_told_failed,
  append_unknown,  ///< given up, and nobody knows
  claim_joined,
  ticket_sent_again,
  claim_overflowed,  ///< too many waited
  gate_in,
  gate_again,
  gate_full,
  gate_bypassed,
  gate_widened,
  raised,
  moved,  ///< the window
  resumed,
  closed_by_person,
  closed_by_due,
  sealed,
  surplus,
  out_of_window,
  spare_took_over,
  fence_lost,
  transaction_ended,  ///< by the server, since its issuer stood still
  lock_waited,        ///< for a transaction that is not decided, in vain
  beat_waited,        ///< so did a beat
  place_lost,         ///< a write came from who was no longer the issuer at work
  parked,
  campaign_stopped,  ///< too many parked
  retried,
  issued_told,
};

inline constexpr std::string_view happening_names[] = {"crash",
                                                       "crash_batch_lost",
                                                       "crash_batch_torn",
                                                       "crash_batch_durable",
                                                       "crash_append_lost",
                                                       "crash_append_written",
                                                       "process_stopped",
                                                       "slow_commit",
                                                       "failed_commit",
                                                       "unknown_commit_lost",
                                                       "unknown_commit_durable",
                                                       "append_lost",
                                                       "append_late",
                                                       "producer_broke",
                                                       "partition_away",
                                                       "entry_twice",
                                                       "foreign_entry",
                                                       "entry_elsewhere",
                                                       "newer_entry",
                                                       "follower_stalled",
                                                       "follower_behind",
                                                       "shown_again",
                                                       "slow_loop",
                                                       "disk_full",
                                                       "node_clock_jumped",
                                                       "journal_clock_jumped",
                                                       "store_clock_jumped",
                                                       "store_down",
                                                       "store_read_failed",
                                                       "store_write_failed",
                                                       "store_write_unknown",
                                                       "store_write_lost",
                                                       "store_write_late",
                                                       "issuer_paused",
                                                       "transaction_stopped",
                                                       "poison_row",
                                                       "store_removed",
                                                       "store_restored",
                                                       "request_lost",
                                                       "answer_lost",
                                                       "client_stopped_waiting",
                                                       "client_left",
                                                       "double_click",
                                                       "stale_resent",
                                                       "gate_away",
                                                       "gate_ask_lost",
                                                       "gate_answer_lost",
                                                       "gate_answer_late",
                                                       "gate_answer_twice",
                                                       "gate_silent",
                                                       "gate_lies_full",
                                                       "gate_lies_in",
                                                       "gate_lost_memory",
                                                       "gate_rolled_back",
                                                       "gate_split",
                                                       "gate_gone",
                                                       "restart",
                                                       "drained",
                                                       "won",
                                                       "pending",
                                                       "sold_out",
                                                       "not_open",
                                                       "closed",
                                                       "paused",
                                                       "no_campaign",
                                                       "fault",
                                                       "journal_full",
                                                       "append_told_failed",
                                                       "append_unknown",
                                                       "claim_joined",
                                                       "ticket_sent_again",
                                                       "claim_overflowed",
                                                       "gate_in",
                                                       "gate_again",
                                                       "gate_full",
                                                       "gate_bypassed",
                                                       "gate_widened",
                                                       "raised",
                                                       "moved",
                                                       "resumed",
                                                       "closed_by_person",
                                                       "closed_by_due",
                                                       "sealed",
                                                       "surplus",
                                                       "out_of_window",
                                                       "spare_took_over",
                                                       "fence_lost",
                                                       "transaction_ended",
                                                       "lock_waited",
                                                       "beat_waited",
                                                       "place_lost",
                                                       "parked",
                                                       "campaign_stopped",
                                                       "retried",
                                                       "issued_told"};
inline constexpr std::size_t happenings = std::size(happening_names);
static_assert(happenings == static_cast<std::size_t>(Happening::issued_told) + 1);

constexpr bool is_fault(Happening one) { return one < Happening::restart; }

using Counts = std::array<std::uint64_t, happenings>;

}  // namespace firstcome::sim
