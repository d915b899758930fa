#include "gate/redis_function.h"

#include <array>

#include "base/limits.h"

namespace firstcome {
namespace {

// DESIGN
//   Two keys a campaign, both under its hash tag: meta (generation, limit) and users (a set), whose size is the count
//   of those that were let through: where one of the two is gone, the limit is made anew. Redis has no rollback: what a
//   function did before it failed stays. So it checks first what may fail, and then writes; the writes are an HSET, a
//   SADD and their times. It is refused before it starts when memory is full (no allow-oom), and then claims go past
//   it.
//
//   A generation is the time in microseconds at which the limit was made, plus the number of widenings since: a gate
//   that lost its memory and was made anew has another one, so that whoever was told `full` sees it.
//
//   Beside them one key a prefix says which installation uses it (own): two that were given the same prefix by mistake
//   would fill each other's campaigns.
//
//   Redis' CPU goes to the calls and to the values that cross between it and Lua: one SADD for the whole batch, and the
//   answer as one string of letters. Where there is room for all, SADD alone says how many are new; which of them is
//   not asked for, a second crossing of each name and half the time. Both go on.
constexpr std::string_view source = R"lua(#!lua name=firstcome_1

-- Keys and their times: a day after the last that was let through. Text, since a number is printed and read anew by
-- every call.
local seconds = '86400'
local users_max = 64

local function places_of(text)
  local places = tonumber(text)
  if places and places >= 0 and places == math.floor(places) then return places end
  return nil
end

-- The letters, and the users that are new and find one of the `places`.
local function letters_one_by_one(args, known, places)
  local said, fresh, taken = {}, {}, {}
  for i = 2, #args do
    local user = args[i]
    if known[i - 1] == 1 or taken[user] then
      said[i - 1] = 'a'
    elseif #fresh < places then
      taken[user] = true
      fresh[#fresh + 1] = user
      said[i - 1] = 'i'
    else
      said[i - 1] = 'f'
    end
  end
  return table.concat(said), fresh
end

-- KEYS meta users, ARGV places user...: {generation, one letter a user: i(n), a(gain), f(ull)}. Where there is room for
-- all, as many letters are i as users are new, and no letter is whose it is.
local function admit(keys, args)
  local places = places_of(args[1])
  if #keys ~= 2 or not places or #args < 2 or #args > users_max + 1 then
    return redis.error_reply('ERR firstcome: admit takes two keys, places and 1 to 64 users')
  end
  local meta, count = redis.call('HMGET', keys[1], 'generation', 'limit'), redis.call('SCARD', keys[2])
  local generation, limit = tonumber(meta[1]), tonumber(meta[2])
  if not generation or not limit or count == 0 then
    local now = redis.call('TIME')
    generation, limit = now[1] * 1000000 + now[2], count + places
    redis.call('HSET', keys[1], 'generation', string.format('%.0f', generation), 'limit', limit)
    redis.call('EXPIRE', keys[1], seconds)
  end

  local asked, letters, added = #args - 1, nil, 0
  if count + asked <= limit then
    added = redis.call('SADD', keys[2], unpack(args, 2))
    letters = string.rep('i', added) .. string.rep('a', asked - added)
  else
    local known, fresh = redis.call('SMISMEMBER', keys[2], unpack(args, 2)), nil
    letters, fresh = letters_one_by_one(args, known, limit - count)
    if #fresh > 0 then added = redis.call('SADD', keys[2], unpack(fresh)) end
  end
  if added > 0 then
    redis.call('EXPIRE', keys[1], seconds)
    redis.call('EXPIRE', keys[2], seconds)
  end
  return {generation, letters}
end

-- KEYS meta users, ARGV generation seen, places: the generation that holds now; 0: there is none.
local function widen(keys, args)
  local places = places_of(args[2])
  if #keys ~= 2 or not places or not tonumber(args[1]) then
    return redis.error_reply('ERR firstcome: widen takes two keys, a generation and places')
  end
  local seen = redis.call('HMGET', keys[1], 'generation')[1]
  local generation = tonumber(seen)
  if not generation then return 0 end
  if seen ~= args[1] then return generation end
  local limit = redis.call('SCARD', keys[2]) + places
  redis.call('HSET', keys[1], 'generation', string.format('%.0f', generation + 1), 'limit', limit)
  redis.call('EXPIRE', keys[1], seconds)
  redis.call('EXPIRE', keys[2], seconds)
  return generation + 1
end

-- KEYS installation, ARGV id: the id that the prefix belongs to. Who comes first has it, until a day after it came last:
-- then its campaigns' keys are gone too. Says at once what the others are not allowed, before anybody needs them.
local function own(keys, args)
  if #keys ~= 1 or #args ~= 1 then
    return redis.error_reply('ERR firstcome: own takes a key and an id')
  end
  local needed = {{'SMISMEMBER', keys[1], 'u'}, {'HMGET', keys[1], 'f'}, {'HSET', keys[1], 'f', 'v'}, {'TIME'},
                  {'SADD', keys[1], 'u'}, {'SCARD', keys[1]}, {'EXPIRE', keys[1], 1}, {'UNLINK', keys[1]}, {'GET', keys[1]},
                  {'SET', keys[1], 'v'}}
  for _, command in ipairs(needed) do
    if not redis.acl_check_cmd(unpack(command)) then return redis.error_reply('NOPERM firstcome: ' .. command[1]) end
  end
  local owner = redis.call('GET', keys[1])
  if owner and owner ~= args[1] then return owner end
  redis.call('SET', keys[1], args[1], 'EX', seconds)
  return args[1]
end

redis.register_function('firstcome_1_admit', admit)
redis.register_function('firstcome_1_widen', widen)
redis.register_function('firstcome_1_own', own)
)lua";

static_assert(limits::gate_batch_max == 64, "users_max of the library, and its version, must follow");

}  // namespace

std::string_view redis_function_source() { return source; }

RedisKeys::RedisKeys(std::string_view prefix, std::string_view campaign) {
  users.append(prefix).append(":{").append(campaign).append("}:");
  meta = users + "meta";
  users += "users";
}

std::string redis_owner_key(std::string_view prefix) { return std::string(prefix) + ":installation"; }

void append_own(std::string& out, std::string_view owner_key, std::string_view installation) {
  append_command(out, {"FCALL", "firstcome_1_own", "1", owner_key, installation});
}

void append_load(std::string& out) { append_command(out, {"FUNCTION", "LOAD", "REPLACE", source}); }

void append_admit(std::string& out, const RedisKeys& keys, std::uint32_t places,
                  std::span<const std::string_view> users) {
  const std::string number = std::to_string(places);
  std::vector<std::string_view> words{"FCALL", "firstcome_1_admit", "2", keys.meta, keys.users, number};
  words.insert(words.end(), users.begin(), users.end());
  append_command(out, words);
}

void append_widen(std::string& out, const RedisKeys& keys, std::uint64_t generation, std::uint32_t places) {
  append_command(out, {"FCALL", "firstcome_1_widen", "2", keys.meta, keys.users, std::to_string(generation),
                       std::to_string(places)});
}

void append_forget(std::string& out, const RedisKeys& keys) { append_command(out, {"UNLINK", keys.meta, keys.users}); }

Result<Admissions> admissions_of(const RedisValue& reply, std::size_t users) {
  const auto no = [] {
    return fail(FaultKind::corrupt, "what " + std::string(redis_library) + " answered is not what it answers");
  };
  if (!reply.is(RedisValue::Kind::list) || reply.list.size() != 2) return no();
  const auto generation = generation_of(reply.list[0]);
  const RedisValue& letters = reply.list[1];
  if (!generation || !letters.is(RedisValue::Kind::text) || letters.text.size() != users) return no();
  Admissions said{.generation = *generation, .users = {}};
  said.users.reserve(users);
  for (const char letter : letters.text) {
    switch (letter) {
      case 'i':
        said.users.push_back(Admission::in);
        break;
      case 'a':
        said.users.push_back(Admission::again);
        break;
      case 'f':
        said.users.push_back(Admission::full);
        break;
      default:
        return no();
    }
  }
  return said;
}

Result<std::uint64_t> generation_of(const RedisValue& reply) {
  if (!reply.is(RedisValue::Kind::number) || reply.number < 0) {
    return fail(FaultKind::corrupt, "a generation is a number");
  }
  return static_cast<std::uint64_t>(reply.number);
}

}  // namespace firstcome
