// Each layer of settings goes over the one below, says where a value came from, and names the place of a mistake.
#include "settings/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace firstcome {
namespace {

class SettingsTest : public testing::Test {
 protected:
  std::string file(const std::string& content) {
    const std::string path = testing::TempDir() + "firstcome-" + std::to_string(getpid()) + ".toml";
    std::ofstream(path) << content;
    return path;
  }
  std::string fault(const std::string& content) {
    const auto loaded = load_settings(file(content), {}, {});
    return loaded ? "no fault" : loaded.error().what;
  }
};

TEST_F(SettingsTest, flags_go_over_environment_over_file_over_defaults) {
  const auto path = file(
      "listen = \"127.0.0.1:1\"\nwait_ms_max = 100\nissue_rate = 0.5\nidentity_trusted = [\"10.0.0.0/8\", \"::1\"]\n");
  const auto loaded =
      load_settings(path, {{"FIRSTCOME_LISTEN", "127.0.0.1:2"}, {"FIRSTCOME_WAIT_MS_MAX", "200"}, {"PATH", "x"}},
                    {{"listen", "127.0.0.1:3"}});
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(loaded->settings.listen.port, 3);
  EXPECT_EQ(loaded->settings.wait_ms_max, Millis(200));
  EXPECT_EQ(loaded->settings.issue_rate, 0.5);
  EXPECT_EQ(loaded->settings.identity_trusted, (std::vector<std::string>{"10.0.0.0/8", "::1"}));
  EXPECT_EQ(loaded->origin.at("listen"), "--listen");
  EXPECT_EQ(loaded->origin.at("wait_ms_max"), "FIRSTCOME_WAIT_MS_MAX");
  EXPECT_EQ(loaded->origin.at("issue_rate"), path + ":3:14");
  EXPECT_EQ(loaded->origin.at("data"), "default");
}

TEST_F(SettingsTest, a_mistake_in_a_file_is_named_with_line_column_and_the_nearest_name) {
  EXPECT_NE(fault("\nlisten = ").find(".toml:2:"), std::string::npos);
  EXPECT_NE(fault("\nlisen = \"x\"\n").find(".toml:2:1: unknown setting \"lisen\"; did you mean listen?"),
            std::string::npos);
  EXPECT_NE(fault("wait_ms_max = -1\n").find(".toml:1:15: \"-1\" is not a number from 1 to 60000"), std::string::npos);
  EXPECT_NE(fault("wait_ms_max = [[1]]\n").find(".toml:1:15"), std::string::npos);
  EXPECT_NE(fault("listen = \"nowhere\"\n").find("write 127.0.0.1:8080"), std::string::npos);
  const auto folder = load_settings(testing::TempDir(), {}, {});
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().what.find("is no file"), std::string::npos);
  EXPECT_NE(fault("admin_token = \"secret\"\n").find("admin_token_file"), std::string::npos);
  EXPECT_EQ(fault("admin_token = \"hunter2\"\n").find("hunter2"), std::string::npos) << "no secret in an error";
}

TEST_F(SettingsTest, a_secret_among_the_journals_options_is_refused_and_not_repeated) {
  for (const std::string key : {"sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem",
                                "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config"}) {
    const auto said = fault("journal_options = [\"security.protocol=ssl\", \"" + key + "=hunter2\"]\n");
    EXPECT_NE(said.find(key + " is a secret"), std::string::npos) << said;
    EXPECT_EQ(said.find("hunter2"), std::string::npos) << said;
  }
  EXPECT_EQ(fault("journal_options = [\"sasl.username=x\", \"hunter2\"]\n").find("hunter2"), std::string::npos);
  EXPECT_EQ(fault("journal_options = [\"ssl.ca.location=ca.pem\"]\n"), "no fault");
}

TEST_F(SettingsTest, a_password_in_a_url_is_refused_and_not_repeated) {
  for (const std::string url : {"mysql://root:hunter2@db:3306/f", "mysql://root:1234/hunter2@db:3306/f",
                                "mysql://root@db:3306/f?password=hunter2"}) {
    Settings settings;
    settings.store = url;
    const auto read = parse_store_url(settings);
    ASSERT_FALSE(read) << url;
    EXPECT_EQ(read.error().what.find("hunter2"), std::string::npos) << read.error().what;
  }
}

TEST_F(SettingsTest, a_rate_keeps_all_its_digits) {
  const auto loaded = load_settings(file("issue_rate = 2500.125\nissue_rate_total = 1234567.5\n"), {}, {});
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(loaded->settings.issue_rate, 2500.125);
  EXPECT_EQ(loaded->settings.issue_rate_total, 1234567.5);
}

TEST_F(SettingsTest, a_token_goes_over_a_token_file_that_a_lower_layer_names) {
  const std::string token_file = testing::TempDir() + "firstcome-token-" + std::to_string(getpid());
  std::ofstream(token_file, std::ios::binary) << "of-the-file\r\n";
  const auto config = file("admin_token_file = \"" + token_file + "\"\n");
  EXPECT_EQ(load_settings(config, {}, {})->settings.admin_token, "of-the-file");
  const auto rotated = load_settings(config, {{"FIRSTCOME_ADMIN_TOKEN", "newer"}}, {});
  EXPECT_EQ(rotated->settings.admin_token, "newer");
  EXPECT_EQ(rotated->origin.at("admin_token"), "FIRSTCOME_ADMIN_TOKEN");
  const auto flag = load_settings({}, {{"FIRSTCOME_ADMIN_TOKEN", "newer"}}, {{"admin_token_file", token_file}});
  EXPECT_EQ(flag->settings.admin_token, "of-the-file");
  EXPECT_EQ(flag->origin.at("admin_token"), "admin_token_file " + token_file);
  const auto both =
      load_settings({}, {{"FIRSTCOME_ADMIN_TOKEN", "newer"}, {"FIRSTCOME_ADMIN_TOKEN_FILE", token_file}}, {});
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().what, "FIRSTCOME_ADMIN_TOKEN and FIRSTCOME_ADMIN_TOKEN_FILE are both set: unset one of them");
  const auto empty = load_settings({}, {{"FIRSTCOME_ADMIN_TOKEN", ""}, {"FIRSTCOME_ADMIN_TOKEN_FILE", token_file}}, {});
  ASSERT_TRUE(empty) << empty.error().what;
  EXPECT_EQ(empty->settings.admin_token, "of-the-file");
}

TEST_F(SettingsTest, an_unknown_variable_is_refused) {
  const auto loaded = load_settings({}, {{"FIRSTCOME_LISTN", "x"}}, {});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().what, "FIRSTCOME_LISTN: unknown variable; did you mean FIRSTCOME_LISTEN?");
}

TEST_F(SettingsTest, every_setting_shows_what_it_was_set_to) {
  Settings settings;
  for (const auto& setting : all_settings()) {
    const std::string shown = setting.show(settings);
    if (!shown.empty()) EXPECT_TRUE(setting.set(settings, shown)) << setting.name << " = " << shown;
    EXPECT_EQ(setting.show(settings), shown) << setting.name;
  }
}

TEST_F(SettingsTest, an_open_listener_needs_an_identity_and_an_open_admin_listener_a_token) {
  Settings settings;
  EXPECT_TRUE(check_settings(settings));
  settings.listen.host = "0.0.0.0";
  EXPECT_NE(check_settings(settings).error().what.find("--identity"), std::string::npos);
  settings.identity = "header:X-User";
  EXPECT_TRUE(check_settings(settings));
  settings.admin_listen.host = "0.0.0.0";
  EXPECT_NE(check_settings(settings).error().what.find("--admin-token-file"), std::string::npos);
  settings.admin_token = "secret";
  EXPECT_TRUE(check_settings(settings));
}

TEST_F(SettingsTest, addresses) {
  EXPECT_EQ(parse_address("[::1]:80")->text(), "[::1]:80");
  EXPECT_TRUE(parse_address("localhost:0")->is_loopback());
  for (const char* text :
       {"", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "host.name:80", "10.0.0.0/8:80"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

}  // namespace
}  // namespace firstcome
