#pragma once

#include <optional>
#include <span>
#include <vector>

#include "sim/nodes.h"
#include "verify/history.h"

namespace firstcome::sim {

/// One request and what its sender saw of it.
struct Asked {
  std::uint32_t person = 0;
  bool follows_up = true;  ///< its answer decides what the person does next
  Micros call = 0;
  std::optional<Micros> came_back;
  Told told;
};

/// The users: they come, ask, lose connections and patience, ask elsewhere, twice at once, again after they won, or
/// leave for good; and remember everything that they were told.
class Crowd {
 public:
  Crowd(World& world, const Plan& plan, const Nodes& nodes);

  void come();

  /// Who was told sold_out comes again when there are more places; `truth` knows.
  void hear_of_raises(const Standings& truth);

  /// Has everybody who still asks a final answer?
  bool is_content(const Standings& truth) const;
  std::string who_is_not(const Standings& truth) const;

  std::vector<verify::Attempt> history() const;
  std::span<const Asked> asked() const { return asked_; }
  const User& name_of(const Asked& one) const { return people_[one.person].name; }
  const CampaignId& campaign_of(const Asked& one) const {
    return plan_.campaigns[people_[one.person].campaign].campaign;
  }

 private:
  struct Person {
    User name;
    std::uint32_t campaign = 0;
    std::uint32_t repeats = 0;  // asks again after a final answer
    bool left = false;
    bool asks = true;  // a request of it is out or will be
    std::optional<Told> final;
    std::optional<Told> won;
  };

  void ask(std::uint32_t person, bool follows_up);
  void arrive(std::uint32_t number, std::uint32_t node);
  void reply(std::uint32_t number, const Told* told);
  void answer(std::uint32_t number, const Told& told);
  void cut(std::uint32_t number, Micros after);
  void ask_status(Person& person);
  void follow_up(std::uint32_t person, const Told& told);
  void ask_later(std::uint32_t person, Micros after);
  void remember_won(Person& person, const Told& told);
  bool is_final(const Person& person, const Standings& truth) const;
  Micros network() { return world_.dice.between(30, 2500); }

  World& world_;
  const Plan& plan_;
  const Nodes& nodes_;
  std::vector<Person> people_;
  std::vector<Asked> asked_;
};

}  // namespace firstcome::sim
