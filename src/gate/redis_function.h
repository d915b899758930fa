#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gate/gate.h"
#include "gate/redis_codec.h"

namespace firstcome {

/// The library that the gate runs in Redis, and the commands that call it. Its name carries its version: nodes of two
/// versions use one Redis side by side.
inline constexpr std::string_view redis_library = "firstcome_1";

/// The Lua source, as FUNCTION LOAD takes it.
std::string_view redis_function_source();

/// The keys of a campaign: PREFIX:{CAMPAIGN}:meta and :users. The campaign alone decides the slot of a cluster.
struct RedisKeys {
  RedisKeys(std::string_view prefix, std::string_view campaign);
  std::string meta;
  std::string users;
};

/// PREFIX:installation, whose the prefix is. In a cluster one server has it.
std::string redis_owner_key(std::string_view prefix);

void append_load(std::string& out);
void append_own(std::string& out, std::string_view owner_key, std::string_view installation);
void append_admit(std::string& out, const RedisKeys& keys, std::uint32_t places,
                  std::span<const std::string_view> users);
void append_widen(std::string& out, const RedisKeys& keys, std::uint64_t generation, std::uint32_t places);

/// Not the library's: a function is refused while memory is full, even one that only deletes.
void append_forget(std::string& out, const RedisKeys& keys);

struct Admissions {
  std::uint64_t generation = 0;
  std::vector<Admission> users;
};

/// What admit answered about `users` users. Fails with corrupt when that is no such answer.
Result<Admissions> admissions_of(const RedisValue& reply, std::size_t users);

/// What widen answered. Fails with corrupt.
Result<std::uint64_t> generation_of(const RedisValue& reply);

}  // namespace firstcome
