#include "gate/redis_codec.h"

#include <hiredis/hiredis.h>

#include "base/assert.h"

namespace firstcome {
namespace {

/// Ends: hiredis reads at most seven lists within each other.
RedisValue value_of(const redisReply& reply) {
  RedisValue value;
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      value.kind = RedisValue::Kind::number;
      value.number = reply.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      value.kind = RedisValue::Kind::text;
      value.text.assign(reply.str, static_cast<std::size_t>(reply.len));
      break;
    case REDIS_REPLY_ERROR:
      value.kind = RedisValue::Kind::error;
      value.text.assign(reply.str, static_cast<std::size_t>(reply.len));
      break;
    case REDIS_REPLY_ARRAY:
      value.kind = RedisValue::Kind::list;
      value.list.reserve(reply.elements);
      for (std::size_t i = 0; i < reply.elements; ++i) value.list.push_back(value_of(*reply.element[i]));
      break;
    default:
      break;
  }
  return value;
}

}  // namespace

void append_command(std::string& out, std::span<const std::string_view> words) {
  std::vector<const char*> starts;
  std::vector<std::size_t> lengths;
  starts.reserve(words.size());
  lengths.reserve(words.size());
  for (const std::string_view word : words) {
    starts.push_back(word.data());
    lengths.push_back(word.size());
  }
  char* command = nullptr;
  const auto size = redisFormatCommandArgv(&command, static_cast<int>(words.size()), starts.data(), lengths.data());
  MUST(size > 0, "no memory for a command");
  out.append(command, static_cast<std::size_t>(size));
  redisFreeCommand(command);
}

struct RedisReader::Impl {
  Impl() { MUST(reader != nullptr, "no memory for a reader"); }
  ~Impl() { redisReaderFree(reader); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  redisReader* const reader = redisReaderCreate();
  std::size_t unfinished = 0;  // bytes that came since the last whole reply
};

RedisReader::RedisReader() : impl_(std::make_unique<Impl>()) {}
RedisReader::~RedisReader() = default;
RedisReader::RedisReader(RedisReader&&) noexcept = default;
RedisReader& RedisReader::operator=(RedisReader&&) noexcept = default;

Result<void> RedisReader::feed(std::string_view bytes) {
  impl_->unfinished += bytes.size();
  if (redisReaderFeed(impl_->reader, bytes.data(), bytes.size()) != REDIS_OK) {
    return fail(FaultKind::corrupt, std::string("what it answers is not Redis: ") + impl_->reader->errstr);
  }
  return {};
}

Result<std::optional<RedisValue>> RedisReader::next() {
  void* whole = nullptr;
  if (redisReaderGetReply(impl_->reader, &whole) != REDIS_OK) {
    return fail(FaultKind::corrupt, std::string("what it answers is not Redis: ") + impl_->reader->errstr);
  }
  if (!whole) {
    if (impl_->unfinished > reply_bytes_max) return fail(FaultKind::corrupt, "a reply is longer than any should be");
    return std::nullopt;
  }
  const std::unique_ptr<redisReply, decltype(&freeReplyObject)> reply(static_cast<redisReply*>(whole),
                                                                      &freeReplyObject);
  impl_->unfinished = impl_->reader->len - impl_->reader->pos;
  return value_of(*reply);
}

}  // namespace firstcome
