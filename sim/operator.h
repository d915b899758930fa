#pragma once

#include "sim/nodes.h"

namespace firstcome::sim {

/// The person with the admin token: opens campaigns, raises, moves windows, pauses and resumes, closes, sends again
/// what got no answer (or what did), and retries parked coupons. Knows what the node that is asked knows, no more.
class Operator {
 public:
  Operator(World& world, const Plan& plan, Nodes& nodes, const Log& log, Tables& tables)
      : world_(world), plan_(plan), nodes_(nodes), log_(log), tables_(tables) {}

  void begin();

  /// After the faults: nothing is left paused, shut or parked.
  void put_in_order();

 private:
  void open(const Opened& opened);
  void raise(const CampaignId& campaign);
  void pause(const CampaignId& campaign);
  void resume(const CampaignId& campaign);
  void move_window(const CampaignId& campaign);
  void send(const Entry& entry);
  const Campaign* seen_by_some_node(const CampaignId& campaign) const;
  void retry_parked();

  World& world_;
  const Plan& plan_;
  Nodes& nodes_;
  const Log& log_;
  Tables& tables_;
};

}  // namespace firstcome::sim
