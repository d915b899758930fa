"""Clocks and operators."""

import os
import signal
import time

import felt
from process import wait_until
from scene import CAMPAIGN

MINUTES_AHEAD = 5
RAISED_BY = 300


def prepare_closing(scene):
    """By the clock that is ahead the campaign is over."""
    closes_at = time.gmtime(time.time() + 60 * MINUTES_AHEAD / 2)
    scene.campaign_words = ["--closes-at", time.strftime("%Y-%m-%dT%H:%M:%SZ", closes_at)]


def clock_ahead(scene):
    """One api believes that it is five minutes later. It says so, answers nobody but winners, and closes nothing."""
    api, count = scene.api_2, felt.by_users(scene)
    api.kill()
    api.start({"LD_PRELOAD": os.environ["CLOCK_AHEAD"], "CLOCK_AHEAD_S": str(60 * MINUTES_AHEAD)})
    wait_until(lambda: "clock" in api.why_not_ready(), 20, "the api notices that its clock is off")
    time.sleep(1)
    api.kill()
    api.start()
    return count


def raised_while_stopped(scene):
    scene.api_1.send(signal.SIGSTOP)
    scene.run("campaign", "raise", CAMPAIGN, "--quota", str(scene.quota + RAISED_BY), "--admin-url", scene.api_2.url())
    scene.quota += RAISED_BY
    time.sleep(3)
    scene.api_1.send(signal.SIGCONT)
    wait_until(lambda: scene.api_1.metric("firstcome_places") == scene.quota, 10, "who slept knows the raise")
    return felt.by_users(scene)


PREPARE = {"api: clock 5 minutes ahead": prepare_closing}
CELLS = {
    "api: clock 5 minutes ahead": clock_ahead,
    "api: stopped while the quota is raised": raised_while_stopped,
}
