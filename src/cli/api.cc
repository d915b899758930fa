#include "cli/api.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>

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

/// What to do about a problem, by its type, for somebody who types commands: the server's own hints are for programs.
std::optional<std::string> hint_of(std::string_view type) {
  static const std::map<std::string_view, std::string_view> hints{
      {"bad-campaign-id", ""},
      {"bad-field", "Nothing was changed."},
      {"bad-json", "Nothing was changed."},
      {"campaign-exists", "Use another id, or change it with firstcome campaign raise, pause, resume or close."},
      {"changed-meanwhile", "Look with firstcome campaign show, and give the command again if you still want it."},
      {"foreign-host",
       "Name localhost, 127.0.0.1 or [::1] in --admin-url, or start the server with --admin-token-file."},
      {"no-campaign", "firstcome campaign list shows those that there are."},
      {"no-route", "Does --url name a public listener, and --admin-url an admin one?"},
      {"no-store", "Name the admin listener of an issuer in --admin-url, at work or spare."},
      {"no-token", "Give the server's with --admin-token-file FILE, or in FIRSTCOME_ADMIN_TOKEN."},
      {"not-open", "Ask again when it opens: firstcome campaign show says when."},
      {"not-parked", "firstcome parked list shows those that are."},
      {"paused", "Ask again later: no place is lost or given meanwhile."},
      {"unavailable", "Ask again in a moment: it is safe, whatever became of this one."},
      {"wrong-token", "Give the server's with --admin-token-file FILE, or in FIRSTCOME_ADMIN_TOKEN."},
  };
  constexpr std::string_view folder = "/problems/";
  if (!type.starts_with(folder)) return {};
  const auto found = hints.find(type.substr(folder.size()));
  return found == hints.end() ? std::nullopt : std::optional(std::string(found->second));
}

}  // namespace

Api Api::of_public(const Words& words) {
  Api api;
  api.url_ = without_slash(words.get_or("--url", from_environment("FIRSTCOME_URL", "http://127.0.0.1:8080")));
  api.admin_url_ =
      without_slash(words.get_or("--admin-url", from_environment("FIRSTCOME_ADMIN_URL", "http://127.0.0.1:8081")));
  return api;
}

Result<Api> Api::of_admin(const Words& words) {
  Api api = of_public(words);
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
  const std::string hint = hint_of(member("type")).value_or(member("hint"));
  std::fprintf(stderr, "firstcome: %s%s%s\n",
               detail.empty() ? ("the server answered " + std::to_string(told.status)).c_str() : detail.c_str(),
               hint.empty() ? "" : "\n  ", hint.c_str());
  return told.status == 503 ? exit_unreachable : exit_failed;
}

void print(const Words& words, const nlohmann::ordered_json& body, const std::string& text) {
  std::printf("%s\n", words.has("--json") ? body.dump().c_str() : text.c_str());
}

}  // namespace firstcome::cli
