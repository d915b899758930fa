#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "client/http_client.h"

namespace firstcome::cli {

/// A server's answer as a command sees it.
struct Told {
  int status = 0;
  nlohmann::ordered_json body;
  std::string text;
};

/// The two listeners of a server, as the command line and the environment name them.
///
///   --url, FIRSTCOME_URL, http://127.0.0.1:8080; --admin-url, FIRSTCOME_ADMIN_URL, http://127.0.0.1:8081;
///   --admin-token-file, FIRSTCOME_ADMIN_TOKEN.
class Api {
 public:
  /// For ask_public() alone. The token's file is not read: who asks as a user, or for health, need not be allowed to.
  static Api of_public(const Words& words);
  /// For both. Fails with misconfigured where the token's file cannot be read.
  static Result<Api> of_admin(const Words& words);

  Result<Told> ask_public(std::string_view method, std::string_view path,
                          const std::vector<client::Header>& headers = {});
  Result<Told> ask_admin(std::string_view method, std::string_view path, const nlohmann::ordered_json& body = {});

  const std::string& url() const { return url_; }
  const std::string& admin_url() const { return admin_url_; }
  client::Client& client() { return client_; }

 private:
  std::vector<client::Header> admin_headers() const;
  Result<Told> ask(std::string_view method, const std::string& url, const std::vector<client::Header>& headers,
                   std::string_view body);

  client::Client client_;
  std::string url_;
  std::string admin_url_;
  std::string admin_token_;
};

std::vector<Argument> public_arguments();  ///< --url, --json
std::vector<Argument> admin_arguments();   ///< --admin-url, --admin-token-file, --json
std::vector<Argument> with(std::vector<Argument> first, std::vector<Argument> then);

/// Prints a problem's detail and what to do to stderr (with --json the body to stdout); the exit code for it.
int tell_problem(const Words& words, const Told& told);

/// With --json: the body. Else: `text`.
void print(const Words& words, const nlohmann::ordered_json& body, const std::string& text);

}  // namespace firstcome::cli
