#include "http/response.h"

#include "base/assert.h"

namespace firstcome::http {

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

void ReadyResponse::assign(const Response& response) {
  status_ = response.status;
  MUST(!reason_of(status_).empty(), "a status that we send has a reason phrase");
  // RFC 9110, 8.6: neither of these may state the length of a body that it does not have.
  const bool never_has_body = status_ == 204 || status_ == 304;
  MUST(!never_has_body || response.body.empty(), "204 and 304 have no body");

  bytes_.clear();
  bytes_.reserve(256 + response.body.size());
  const auto append = [this](const auto&... parts) { (bytes_.append(parts), ...); };
  append("HTTP/1.1 ", std::to_string(status_), " ", reason_of(status_), "\r\n");
  if (!never_has_body) {
    if (!response.content_type.empty()) append("Content-Type: ", std::string_view(response.content_type), "\r\n");
    append("Content-Length: ", std::to_string(response.body.size()), "\r\n");
  }
  for (const auto& [name, value] : response.fields) {
    MUST(value.find_first_of("\r\n") == std::string::npos, "a field value is one line");
    append(std::string_view(name), ": ", std::string_view(value), "\r\n");
  }
  fields_end_ = bytes_.size();
  bytes_ += "\r\n";
  bytes_ += response.body;
}

void ReadyResponse::append_to(std::string& out, Connection connection, bool with_body) const {
  if (connection == Connection::implied && with_body) {
    out.append(bytes_);
    return;
  }
  out.append(bytes_, 0, fields_end_);
  if (connection == Connection::close) out.append("Connection: close\r\n");
  if (connection == Connection::keep_alive) out.append("Connection: keep-alive\r\n");
  out.append("\r\n");
  if (with_body) out.append(bytes_, fields_end_ + 2);
}

}  // namespace firstcome::http
