#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::http {

/// An answer in words of HTTP, before it is bytes.
struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> fields;  ///< besides Content-Type, Content-Length and Connection
  std::string body;
};

/// "Conflict" for 409. Every status that we send is known.
std::string_view reason_of(int status);

/// A response as the bytes that go out, made once and sent many times: sending one to a client that keeps its
/// connection is one copy.
///
/// The fields are the least that a client needs: Content-Type, Content-Length (always), what the response brings, and
/// Connection where it differs from what the client's version implies. No Date: it would be another byte sequence
/// every second, and it serves caches, which must not keep these answers (RFC 9110, 6.6.1 asks for it "should").
/// No Server: who needs the version asks /metrics.
///
///   Threads   any may read one that no longer changes.
class ReadyResponse {
 public:
  enum class Connection : unsigned char { implied, close, keep_alive };

  ReadyResponse() = default;
  explicit ReadyResponse(const Response& response) { assign(response); }

  /// Becomes another response in the storage that it has: winners' answers are each made once.
  void assign(const Response& response);

  void append_to(std::string& out, Connection connection, bool with_body) const;

  int status() const { return status_; }
  std::string_view body() const { return std::string_view(bytes_).substr(fields_end_ + 2); }
  bool empty() const { return bytes_.empty(); }

 private:
  std::string bytes_;
  std::size_t fields_end_ = 0;  ///< where the empty line starts
  int status_ = 0;
};

}  // namespace firstcome::http
