#include "gate/redis_error.h"

#include <algorithm>
#include <array>

namespace firstcome {
namespace {

struct Known {
  std::string_view code;
  RedisRemedy remedy;
  std::string_view what;  ///< for the log
};

constexpr std::array known{
    Known{"LOADING", RedisRemedy::wait, "it is reading its data"},
    Known{"BUSY", RedisRemedy::wait, "a script of somebody's runs too long there"},
    Known{"UNKILLABLE", RedisRemedy::wait, "a script of somebody's runs too long there, and has written"},
    Known{"MISCONF", RedisRemedy::wait, "it cannot save to its disk and takes no writes"},
    Known{"OOM", RedisRemedy::wait, "its memory is full (maxmemory)"},
    Known{"NOREPLICAS", RedisRemedy::wait, "too few replicas follow it (min-replicas-to-write)"},
    Known{"MASTERDOWN", RedisRemedy::look_again, "it is a replica without its primary"},
    Known{"CLUSTERDOWN", RedisRemedy::look_again, "its cluster is down, or the slot has no primary"},
    Known{"READONLY", RedisRemedy::leave, "it is a replica: name the primary in gate, or use redis-sentinel://"},
    Known{"MOVED", RedisRemedy::follow, "another server of the cluster has the slot"},
    Known{"ASK", RedisRemedy::follow_once, "another server of the cluster gets the slot"},
    Known{"TRYAGAIN", RedisRemedy::repeat, "the slot is being moved"},
    Known{"NOSCRIPT", RedisRemedy::load_function, "it does not have our library"},
    Known{"NOAUTH", RedisRemedy::call_a_person, "it wants a password: set gate_password_file"},
    Known{"WRONGPASS", RedisRemedy::call_a_person,
          "user or password is wrong: look at gate (redis://USER@...) and gate_password_file"},
    Known{"NOPERM", RedisRemedy::call_a_person,
          "its user may not do this: it needs +fcall +function|load +smismember +hmget +hset +sadd +scard +expire "
          "+time +get "
          "+set +unlink +ping +role +asking +cluster|slots +info and ~PREFIX:* (gate_prefix)"},
    Known{
        "UNKNOWN", RedisRemedy::call_a_person,
        "it does not know a command of the gate's: look at gate (redis://, redis-sentinel:// or redis-cluster://), and "
        "whether it is Redis 7.0 or newer, or Valkey"},
    Known{"NOCLUSTER", RedisRemedy::call_a_person, "it is no Redis Cluster: write redis:// in gate"},
};

std::string_view word(std::string_view text, std::size_t number) {
  for (; number > 0; --number) {
    const auto space = text.find(' ');
    if (space == std::string_view::npos) return {};
    text.remove_prefix(space + 1);
  }
  return text.substr(0, text.find(' '));
}

/// What a server wrote, as a line of our log can hold it.
std::string legible(std::string_view text) {
  std::string line(text.substr(0, 160));
  std::ranges::replace_if(line, [](char c) { return c < ' ' || c > '~'; }, '?');
  return line;
}

FaultKind kind_of(RedisRemedy remedy) {
  return remedy == RedisRemedy::call_a_person ? FaultKind::misconfigured : FaultKind::unavailable;
}

/// ERR is said for many things; these have a name of their own here.
struct Sentence {
  std::string_view part;
  std::string_view code;
};

constexpr std::array sentences{
    Sentence{"Function not found", "NOSCRIPT"},
    Sentence{"The user executing the script can't", "NOPERM"},
    Sentence{"unknown command", "UNKNOWN"},
    Sentence{"cluster support disabled", "NOCLUSTER"},
};

std::string_view code_of(std::string_view text) {
  const std::string_view code = word(text, 0);
  if (code != "ERR") return code;
  const auto* const found = std::ranges::find_if(
      sentences, [&](const Sentence& one) { return text.find(one.part) != std::string_view::npos; });
  return found == sentences.end() ? code : found->code;
}

}  // namespace

RedisError read_redis_error(std::string_view text) {
  const std::string_view code = code_of(text);
  const auto* const found = std::ranges::find(known, code, &Known::code);
  if (found == known.end()) {
    return {RedisRemedy::call_a_person, {}, {FaultKind::misconfigured, "it answered \"" + legible(text) + "\""}};
  }
  const bool leads_on = found->remedy == RedisRemedy::follow || found->remedy == RedisRemedy::follow_once;
  return {found->remedy,
          std::string(leads_on ? word(text, 2) : std::string_view()),
          {kind_of(found->remedy), std::string(code) + ": " + std::string(found->what)}};
}

RedisError read_auth_error(std::string_view text) {
  RedisError error = read_redis_error(text);
  if (std::ranges::find(known, word(text, 0), &Known::code) == known.end()) {
    error.fault.what = "it does not take our user and password: look at gate (redis://USER@...) and gate_password_file";
  }
  return error;
}

}  // namespace firstcome
