#include "http/request_parser.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "base/assert.h"

namespace firstcome::http {
namespace {

namespace beast = boost::beast;
using BeastView = beast::string_view;
using BeastError = beast::http::error;
using beast::error_code;

// Method, spaces and version around the target: "M-SEARCH", the longest that clients send, and then some.
constexpr std::size_t around_target_bytes_max = 32;
// What a chunk line may hold, and a little: room() then always finds room behind a whole header.
constexpr std::size_t beyond_head_bytes = 2 * Limits::chunk_line_bytes_max;

std::string_view view(BeastView text) { return {text.data(), text.size()}; }

bool is_forbidden(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t' && byte != '\r' && byte != '\n') || byte >= 0x7f;
}

// No early exit, so that the compiler makes 16 bytes a step of it: nearly always there is nothing to find.
bool has_forbidden(const char* from, const char* to) {
  bool found = false;
  for (; from != to; ++from) found |= is_forbidden(*from);
  return found;
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Names, addresses and ports. A comma would be two hosts that somebody joined.
bool is_host(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::strchr("-._~:[]%", c);
  });
}

Method method_of(beast::http::verb verb) {
  switch (verb) {
    case beast::http::verb::get:
      return Method::get;
    case beast::http::verb::head:
      return Method::head;
    case beast::http::verb::post:
      return Method::post;
    case beast::http::verb::patch:
      return Method::patch;
    case beast::http::verb::put:
      return Method::put;
    case beast::http::verb::delete_:
      return Method::delete_;
    case beast::http::verb::options:
      return Method::options;
    default:
      return Method::other;
  }
}

/// Whether `bytes`, of which Beast took nothing, hold the line of a chunk with something in it to its end. Then an
/// extension has an open quote; Beast would wait for the rest of it, and count the chunk against the body's limit at
/// every byte.
bool is_whole_chunk_line(std::string_view bytes) {
  if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);  // the end of the chunk before
  const auto end = bytes.find("\r\n");
  return end != std::string_view::npos &&
         bytes.substr(0, end).find_first_of("123456789abcdefABCDEF;") < bytes.find(';');
}

enum class Phase : std::uint8_t { head, body, complete, refused };

/// What is known about the present request. Stays where it is when the bytes move.
struct Reading {
  explicit Reading(const Limits& l) : limits(l) {}

  const Limits& limits;
  Phase phase = Phase::head;
  Malformed refusal = Malformed::request_line;
  bool refused_by_us = false;
  bool empty_line_skipped = false;
  bool request_line_seen = false;
  bool expects_continue = false;
  std::uint8_t hosts = 0;
  std::uint8_t lengths = 0;
  std::uint8_t encodings = 0;
  std::size_t checked = 0;  ///< bytes that were looked at for forbidden ones
  std::size_t request_line_bytes = 0;
  std::size_t fields_count = 0;
  std::array<Field, Limits::fields_max> fields;
  std::string body;
  Request request;

  void start_again();
  void on_field(beast::http::field name, BeastView name_text, BeastView value, error_code& ec);
  Malformed kind_of(error_code ec, std::string_view head) const;
  void move_views(const char* from, const char* to);
  void refuse(Malformed kind, error_code& ec) {
    refusal = kind;
    refused_by_us = true;
    ec = BeastError::bad_field;
  }
};

/// Beast's parser, with what it reads put down in Reading.
class Grammar final : public beast::http::basic_parser<true> {
 public:
  explicit Grammar(Reading& reading) : reading_(reading) {
    header_limit(std::numeric_limits<std::uint32_t>::max());  // counted by RequestParser::head
    body_limit(reading.limits.body_bytes);
    eager(true);
  }

 private:
  void on_request_impl(beast::http::verb verb, BeastView method, BeastView target, int version,
                       error_code& ec) override {
    Request& into = reading_.request;
    reading_.request_line_seen = true;
    into.method = method_of(verb);
    into.method_name = view(method);
    into.target = view(target);
    into.http_1_0 = version == 10;
    if (target.size() > reading_.limits.target_bytes) return reading_.refuse(Malformed::target_too_long, ec);
    if (target.front() != '/' || target.contains('#')) return reading_.refuse(Malformed::target, ec);
    const std::size_t question = into.target.find('?');
    into.path = into.target.substr(0, question);
    into.query = question == std::string_view::npos ? std::string_view{} : into.target.substr(question + 1);
  }

  void on_field_impl(beast::http::field name, BeastView name_text, BeastView value, error_code& ec) override {
    if (reading_.phase != Phase::head) return;  // a trailer: allowed, and nobody's business
    reading_.on_field(name, name_text, value, ec);
  }

  void on_header_impl(error_code& ec) override {
    if (reading_.hosts == 0 && !reading_.request.http_1_0) return reading_.refuse(Malformed::no_host, ec);
    reading_.request.fields = {reading_.fields.data(), reading_.fields_count};
    reading_.request.keep_alive = keep_alive();
  }

  std::size_t on_body_impl(BeastView bytes, error_code&) override {
    reading_.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  void on_chunk_header_impl(std::uint64_t, BeastView extensions, error_code& ec) override {
    if (extensions.contains('"')) reading_.refuse(Malformed::chunk, ec);  // see body()
  }

  std::size_t on_chunk_body_impl(std::uint64_t, BeastView bytes, error_code& ec) override {
    return on_body_impl(bytes, ec);
  }

  void on_response_impl(int, BeastView, int, error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  Reading& reading_;
};

void Reading::start_again() {
  phase = Phase::head;
  refused_by_us = false;
  empty_line_skipped = false;
  request_line_seen = false;
  expects_continue = false;
  hosts = lengths = encodings = 0;
  checked = 0;
  request_line_bytes = 0;
  fields_count = 0;
  body.clear();
}

void Reading::on_field(beast::http::field name, BeastView name_text, BeastView value, error_code& ec) {
  if (fields_count == fields.size()) return refuse(Malformed::too_many_fields, ec);
  fields[fields_count++] = {view(name_text), view(value)};
  switch (name) {
    case beast::http::field::host:
      if (++hosts > 1) return refuse(Malformed::two_hosts, ec);
      if (!is_host(view(value))) return refuse(Malformed::bad_host, ec);
      return;
    case beast::http::field::content_length:
      if (++lengths > 1) return refuse(Malformed::two_content_lengths, ec);
      if (!is_digits(view(value))) return refuse(Malformed::content_length, ec);
      return;
    case beast::http::field::transfer_encoding:
      ++encodings;
      if (request.http_1_0 || !same_name(view(value), "chunked")) return refuse(Malformed::transfer_encoding, ec);
      return;
    case beast::http::field::expect:
      if (request.http_1_0) return;
      if (!same_name(view(value), "100-continue")) return refuse(Malformed::expectation, ec);
      expects_continue = true;
      return;
    default:
      return;
  }
}

Malformed Reading::kind_of(error_code ec, std::string_view head) const {
  if (refused_by_us) return refusal;
  if (ec == BeastError::body_limit) return Malformed::body_too_large;
  if (phase == Phase::body) return Malformed::chunk;
  if (ec == BeastError::bad_version) {
    const std::string_view line = head.substr(0, head.find('\r'));
    const std::string_view version = line.substr(std::min(line.size(), line.rfind(' ')));
    const bool is_http = std::ranges::count(line, ' ') == 2 && version.size() == 9 && version.starts_with(" HTTP/") &&
                         is_digits(version.substr(6, 1)) && version[7] == '.' && is_digits(version.substr(8));
    return is_http ? Malformed::version : Malformed::request_line;
  }
  if (ec == BeastError::bad_target) return Malformed::target;
  if (!request_line_seen) return Malformed::request_line;
  if (ec == BeastError::multiple_content_length) return Malformed::two_content_lengths;
  if (ec == BeastError::bad_content_length)
    return encodings ? Malformed::length_and_encoding : Malformed::content_length;
  if (ec == BeastError::bad_transfer_encoding) {
    return lengths ? Malformed::length_and_encoding : Malformed::transfer_encoding;
  }
  return Malformed::field;
}

void Reading::move_views(const char* from, const char* to) {
  const auto move = [&](std::string_view& text) {
    if (!text.empty()) text = {to + (text.data() - from), text.size()};
  };
  move(request.method_name);
  move(request.target);
  move(request.path);
  move(request.query);
  for (std::size_t i = 0; i < fields_count; ++i) {
    move(fields[i].name);
    move(fields[i].value);
  }
}

}  // namespace

struct RequestParser::Parts : Reading {
  using Reading::Reading;
  std::optional<Grammar> grammar;
};

RequestParser::RequestParser(const Limits& limits, std::size_t buffer_bytes)
    : limits_(limits),
      buffer_(std::make_unique_for_overwrite<char[]>(buffer_bytes)),
      capacity_(buffer_bytes),
      parts_(std::make_unique<Parts>(limits)) {}

RequestParser::~RequestParser() = default;

Request& RequestParser::request() {
  MUST(parts_->phase == Phase::complete, "only a complete request can be looked at");
  return parts_->request;
}

Malformed RequestParser::malformed() const { return parts_->refusal; }

bool RequestParser::has_rest() const {
  return parts_->phase == Phase::complete ? begin_ + scanned_ < end_ : begin_ < end_;
}

bool RequestParser::take_wants_continue() {
  const bool body_is_awaited = parts_->phase == Phase::body && begin_ + head_bytes_ == end_ && parts_->body.empty();
  return std::exchange(parts_->expects_continue, false) && body_is_awaited;
}

void RequestParser::forget_request() {
  begin_ += scanned_;
  scanned_ = head_bytes_ = 0;
  if (begin_ == end_) begin_ = end_ = 0;
  parts_->start_again();
}

void RequestParser::clear() {
  begin_ = end_ = scanned_ = head_bytes_ = 0;
  parts_->start_again();
}

/// Moves what is in the buffer to the front of `to`, which may be the same buffer.
void RequestParser::move_request(char* to, std::size_t capacity) {
  char* const from = buffer_.get() + begin_;
  if (parts_->phase == Phase::body) parts_->move_views(from, to);
  std::memmove(to, from, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  capacity_ = capacity;
}

std::span<char> RequestParser::room() {
  if (parts_->phase == Phase::complete) forget_request();
  if (parts_->phase == Phase::body && scanned_ > head_bytes_) {  // the body keeps what it has taken in elsewhere
    char* const head_end = buffer_.get() + begin_ + head_bytes_;
    const char* const rest = buffer_.get() + begin_ + scanned_;
    const auto rest_bytes = end_ - begin_ - scanned_;
    std::memmove(head_end, rest, rest_bytes);
    scanned_ = head_bytes_;
    end_ = begin_ + head_bytes_ + rest_bytes;
  }
  if (begin_ > 0) move_request(buffer_.get(), capacity_);
  if (end_ == capacity_) grow(2 * capacity_);
  return {buffer_.get() + end_, capacity_ - end_};
}

void RequestParser::grow(std::size_t bytes) {
  const std::size_t largest = limits_.header_bytes + beyond_head_bytes;
  MUST(capacity_ < largest, "next() refuses what is too long before the buffer is full");
  const std::size_t capacity = std::min(bytes, largest);
  auto larger = std::make_unique_for_overwrite<char[]>(capacity);
  move_request(larger.get(), capacity);
  buffer_ = std::move(larger);
}

void RequestParser::received(std::size_t bytes) {
  MUST(bytes <= capacity_ - end_, "more was received than there was room for");
  end_ += bytes;
}

void RequestParser::take_rest_of(RequestParser& other) {
  MUST(!has_rest(), "one request cannot continue another one");
  clear();
  if (other.parts_->phase == Phase::complete) other.forget_request();
  const std::size_t rest = other.end_ - other.begin_;
  if (rest > capacity_) {
    buffer_ = std::make_unique_for_overwrite<char[]>(rest);
    capacity_ = rest;
  }
  const char* const from = other.buffer_.get() + other.begin_;
  std::memcpy(buffer_.get(), from, rest);
  end_ = rest;
  scanned_ = other.scanned_;
  head_bytes_ = other.head_bytes_;
  std::swap(parts_, other.parts_);
  if (parts_->phase == Phase::body) parts_->move_views(from, buffer_.get());
  other.clear();
}

RequestParser::Outcome RequestParser::refuse(Malformed kind) {
  parts_->phase = Phase::refused;
  parts_->refusal = kind;
  return Outcome::malformed;
}

RequestParser::Outcome RequestParser::next() {
  if (parts_->phase == Phase::complete) forget_request();
  switch (parts_->phase) {
    case Phase::refused:
      return Outcome::malformed;
    case Phase::body:
      return body();
    default:
      return begin_ == end_ ? Outcome::need_more : head();
  }
}

RequestParser::Outcome RequestParser::head() {
  Parts& parts = *parts_;
  if (!parts.empty_line_skipped && buffer_[begin_] == '\r') {
    // RFC 9112, 2.2: one empty line before a request is ignored; some clients end a body with one.
    if (end_ - begin_ < 2) return Outcome::need_more;
    if (buffer_[begin_ + 1] != '\n') return refuse(Malformed::request_line);
    parts.empty_line_skipped = true;
    begin_ += 2;
    if (begin_ == end_) return Outcome::need_more;
  }
  const char* const first = buffer_.get() + begin_;
  const char* const last = buffer_.get() + end_;
  const char* head_end = nullptr;
  const char* at = first + scanned_;
  while (!head_end) {
    const auto* line_end = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(last - at)));
    if (!line_end) {
      at = last;
      break;
    }
    if (line_end == first || line_end[-1] != '\r') return refuse(Malformed::byte);
    if (parts.request_line_bytes == 0) parts.request_line_bytes = static_cast<std::size_t>(line_end + 1 - first);
    at = line_end;
    if (line_end + 1 == last) break;
    if (line_end[1] == ' ' || line_end[1] == '\t') return refuse(Malformed::folded_field);
    if (line_end[1] == '\r') {
      if (line_end + 2 == last) break;
      if (line_end[2] != '\n') return refuse(Malformed::byte);
      head_end = line_end + 3;
    }
    at = line_end + 1;
  }
  scanned_ = static_cast<std::size_t>(at - first);
  if (has_forbidden(first + parts.checked, head_end ? head_end : last)) return refuse(Malformed::byte);

  const std::size_t line_bytes_max = limits_.target_bytes + around_target_bytes_max;
  const auto bytes = static_cast<std::size_t>((head_end ? head_end : last) - first);
  const std::size_t line_bytes = parts.request_line_bytes ? parts.request_line_bytes : bytes;
  if (line_bytes > line_bytes_max) {
    const bool has_method = std::memchr(first, ' ', around_target_bytes_max) != nullptr;
    return refuse(has_method ? Malformed::target_too_long : Malformed::request_line);
  }
  if (bytes > limits_.header_bytes) return refuse(Malformed::header_too_large);
  if (!head_end) {
    parts.checked = bytes;
    return Outcome::need_more;
  }

  head_bytes_ = scanned_ = bytes;
  parts.grammar.emplace(parts);
  error_code ec;
  const std::size_t consumed = parts.grammar->put(boost::asio::const_buffer(first, bytes), ec);
  if (ec || consumed != bytes) return refuse(parts.kind_of(ec, {first, bytes}));
  if (!parts.grammar->is_done()) {
    parts.phase = Phase::body;
    return body();
  }
  parts.phase = Phase::complete;
  parts.request.body = {};
  return Outcome::complete;
}

/// Beast gets one chunk line's limit at a time, so that a line or trailers beyond it are refused however they were cut.
RequestParser::Outcome RequestParser::body() {
  Parts& parts = *parts_;
  for (;;) {
    const std::size_t bytes = end_ - begin_ - scanned_;
    const std::size_t offered = std::min(bytes, Limits::chunk_line_bytes_max);
    if (offered == 0) return Outcome::need_more;
    error_code ec;
    const auto taken = parts.grammar->put(boost::asio::const_buffer(buffer_.get() + begin_ + scanned_, offered), ec);
    scanned_ += taken;
    if (ec && ec != BeastError::need_more) return refuse(parts.kind_of(ec, {}));
    if (parts.grammar->is_done()) {
      parts.phase = Phase::complete;
      parts.request.body = parts.body;
      return Outcome::complete;
    }
    if (taken > 0) continue;
    const std::string_view waiting(buffer_.get() + begin_ + scanned_, offered);
    return bytes > offered || is_whole_chunk_line(waiting) ? refuse(Malformed::chunk) : Outcome::need_more;
  }
}

}  // namespace firstcome::http
