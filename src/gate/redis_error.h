#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace firstcome {

/// What an error reply asks of us. Whatever it says, the claims behind it go on without the gate.
enum class RedisRemedy : std::uint8_t {
  wait,           ///< it cannot now, and may later: LOADING, BUSY, UNKILLABLE, MISCONF, OOM, NOREPLICAS, MASTERDOWN
  look_again,     ///< ... and another may be in its place: CLUSTERDOWN
  leave,          ///< it is no primary any more: READONLY
  follow,         ///< another one has the slot: MOVED
  follow_once,    ///< ... for this call: ASK
  repeat,         ///< the slot is being moved: TRYAGAIN
  load_function,  ///< ERR Function not found, NOSCRIPT
  call_a_person,  ///< NOAUTH, WRONGPASS, NOPERM, an unknown command, and whatever has no name here
};

struct RedisError {
  RedisRemedy remedy = RedisRemedy::call_a_person;
  std::string server;  ///< of follow and follow_once: HOST:PORT, or :PORT of the same host
  Fault fault;         ///< for the log: names the error and, where a person is needed, the option
};

RedisError read_redis_error(std::string_view text);

/// The same for what AUTH answered: a server that does not know the command repeats its arguments, and one of them is
/// the password.
RedisError read_auth_error(std::string_view text);

}  // namespace firstcome
