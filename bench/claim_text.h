#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/assert.h"

namespace firstcome::bench {

inline constexpr std::size_t user_digits = 8;
inline constexpr std::size_t campaign_digits = 5;

/// `number` with leading zeros.
template <std::size_t Digits>
void write_digits(std::uint64_t number, char* to) {
  for (std::size_t i = Digits; i-- > 0; number /= 10) to[i] = static_cast<char>('0' + number % 10);
}

inline std::string user_name(std::uint64_t number) {
  std::string name(1 + user_digits, 'u');
  write_digits<user_digits>(number, name.data() + 1);
  return name;
}

/// Claims as text of one fixed length, so that one more is two numbers written over a copy, and the load costs little
/// beside the server. With one campaign all are for `campaign`; with more, user i's is for campaign "c" and i modulo
/// their number in five digits.
class ClaimText {
 public:
  /// `fields`: more lines of the header, each with its end.
  ClaimText(const std::string& host, const std::string& campaign, std::uint32_t campaigns, const std::string& fields)
      : campaigns_(campaigns),
        text_("POST /v1/campaigns/" + (campaigns > 1 ? "c00000" : campaign) + "/claims HTTP/1.1\r\nHost: " + host +
              "\r\nX-User: " + user_name(0) + "\r\n" + fields + "\r\n"),
        campaign_at_(text_.find("/c00000/") + 2),
        user_at_(text_.find("u00000000") + 1) {}

  std::size_t size() const { return text_.size(); }

  void write(std::uint64_t user, char* to) const {
    std::memcpy(to, text_.data(), text_.size());
    if (campaigns_ > 1) write_digits<campaign_digits>(user % campaigns_, to + campaign_at_);
    write_digits<user_digits>(user, to + user_at_);
  }

 private:
  const std::uint32_t campaigns_;
  const std::string text_;
  const std::size_t campaign_at_;
  const std::size_t user_at_;
};

/// What a browser sends besides Host.
inline constexpr std::string_view browser_fields =
    "Content-Length: 0\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: application/json\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Origin: https://lunch.example.org\r\n"
    "Referer: https://lunch.example.org/today\r\n"
    "Sec-Fetch-Dest: empty\r\n"
    "Sec-Fetch-Mode: cors\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef\r\n"
    "X-Forwarded-For: 203.0.113.7\r\n"
    "X-Forwarded-Proto: https\r\n";

}  // namespace firstcome::bench
