#include "cli/api.h"

#include <cstdio>
#include <cstdlib>

#include "settings/settings.h"

namespace firstcome::cli {
namespace {

std::string from_environment(const char* name, std::string_view otherwise) {
  const char* const value = std::getenv(name);
  return value && *value ? value : std::string(otherwise);
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

/// Found as a server finds its own; empty: none.
Result<std::string> admin_token(const Words& words) {
  std::map<std::string, std::string> environment, flags;
  for (const char* const name : {"FIRSTCOME_ADMIN_TOKEN", "FIRSTCOME_ADMIN_TOKEN_FILE"}) {
    if (auto value = from_environment(name, ""); !value.empty()) environment[name] = std::move(value);
  }
  if (const auto file = words.get("--admin-token-file")) flags["admin_token_file"] = *file;
  auto loaded = load_settings({}, environment, flags);
  if (!loaded) return fail(std::move(loaded).error());
  return std::move(loaded->settings.admin_token);
}

}  // namespace

Result<Api> Api::from(const Words& words) {
  Api api;
  api.url_ = without_slash(words.get_or("--url", from_environment("FIRSTCOME_URL", "http://127.0.0.1:8080")));
  api.admin_url_ =
      without_slash(words.get_or("--admin-url", from_environment("FIRSTCOME_ADMIN_URL", "http://127.0.0.1:8081")));
  auto token = admin_token(words);
  if (!token) return fail(std::move(token).error());
  api.admin_token_ = std::move(*token);
  return api;
}

std::vector<client::Header> Api::admin_headers() const {
  if (admin_token_.empty()) return {};
  return {{"Authorization", "Bearer " + admin_token_}};
}

Result<Told> Api::ask_public(std::string_view method, std::string_view path,
                             const std::vector<client::Header>& headers) {
  return ask(method, url_ + std::string(path), headers, {});
}

Result<Told> Api::ask_admin(std::string_view method, std::string_view path, const nlohmann::ordered_json& body) {
  auto headers = admin_headers();
  if (body.is_null()) return ask(method, admin_url_ + std::string(path), headers, {});
  headers.push_back({"Content-Type", "application/json"});
  std::string text;
  try {
    text = body.dump();
  } catch (const nlohmann::json::type_error&) {
    return fail(FaultKind::misconfigured, "what was typed is not UTF-8, so no server would take it");
  }
  return ask(method, admin_url_ + std::string(path), headers, text);
}

Result<Told> Api::ask(std::string_view method, const std::string& url, const std::vector<client::Header>& headers,
                      std::string_view body) {
  auto response = client_.request(method, url, headers, body);
  if (!response) return fail(response.error());
  Told told{.status = response->status, .body = {}, .text = response->body};
  told.body = nlohmann::ordered_json::parse(response->body, nullptr, false);
  if (told.body.is_discarded()) told.body = nullptr;
  return told;
}

std::vector<Argument> public_arguments() {
  return {{"--url", "URL", "the server's public listener (FIRSTCOME_URL, http://127.0.0.1:8080)"},
          {"--json", "", "print JSON"}};
}

std::vector<Argument> admin_arguments() {
  return {{"--admin-url", "URL", "the server's admin listener (FIRSTCOME_ADMIN_URL, http://127.0.0.1:8081)"},
          {"--admin-token-file", "FILE",
           "file with its token (FIRSTCOME_ADMIN_TOKEN_FILE, or the token in FIRSTCOME_ADMIN_TOKEN)"},
          {"--json", "", "print JSON"}};
}

std::vector<Argument> with(std::vector<Argument> first, std::vector<Argument> then) {
  for (auto& argument : then) first.push_back(std::move(argument));
  return first;
}

int tell_problem(const Words& words, const Told& told) {
  if (words.has("--json") && !told.body.is_null()) std::printf("%s\n", told.body.dump().c_str());
  const auto member = [&](const char* name) {
    return told.body.is_object() && told.body.contains(name) && told.body[name].is_string()
               ? told.body[name].get<std::string>()
               : std::string();
  };
  const std::string detail = member("detail").empty() ? member("title") : member("detail");
  const std::string hint = member("hint");
  std::fprintf(stderr, "firstcome: %s%s%s\n",
               detail.empty() ? ("the server answered " + std::to_string(told.status)).c_str() : detail.c_str(),
               hint.empty() ? "" : "\n  ", hint.c_str());
  return told.status == 503 ? exit_unreachable : exit_failed;
}

void print(const Words& words, const nlohmann::ordered_json& body, const std::string& text) {
  std::printf("%s\n", words.has("--json") ? body.dump().c_str() : text.c_str());
}

}  // namespace firstcome::cli
