"""Crowds: each keeps a `firstcome rush` running on one campaign, wave after wave, until it is told to end."""

import dataclasses
import json
import subprocess
import time

from server import Broken

WAVE_S_MIN, WAVE_S_MAX = 2, 15
SECONDS_MAX = 600  # of one wave, whatever happens


@dataclasses.dataclass
class Wave:
    history: str
    report: str
    planned_end: float
    process: subprocess.Popen


class Crowd:
    """`repeat`: this fraction of a wave's users asks on two connections. `overlap`: this fraction of a wave are
    users of the wave before, asked for by another process."""

    def __init__(self, program, url, folder, campaign, prefix, rate, seed, repeat=0.0, overlap=0.0):
        self.program, self.url, self.folder = program, url, folder
        self.campaign, self.prefix, self.rate, self.seed = campaign, prefix, rate, seed
        self.repeat, self.overlap = repeat, overlap
        self.waves, self.next_first = [], 1

    def tend(self, seconds):
        """Starts the next wave, of about so many seconds, when the present one has arrived."""
        self.check()
        if self.waves and time.monotonic() < self.waves[-1].planned_end:
            return
        seconds = min(max(seconds, WAVE_S_MIN), WAVE_S_MAX)
        users = max(1, int(seconds * self.rate / (1 + self.repeat)))
        first = max(1, self.next_first - int(users * self.overlap))
        self.next_first = first + users
        self.rush(self.prefix, users, first, seconds, "--rate", str(self.rate), "--repeat", str(self.repeat))

    def rush(self, prefix, users, first, seconds, *more):
        name = f"{self.folder}/{prefix}-{len(self.waves)}"
        wave = Wave(f"{name}.history", f"{name}.json", time.monotonic() + seconds, None)
        with open(wave.report, "wb") as report, open(f"{name}.log", "wb") as log:
            wave.process = subprocess.Popen(
                [self.program, "rush", self.campaign, "--url", self.url, "--persist", "--json", "--users", str(users),
                 "--user-prefix", prefix, "--user-first", str(first), "--history", wave.history,
                 "--seed", str(self.seed + len(self.waves)), "--connections", "48", "--retry-after-ms-max", "200",
                 "--seconds-max", str(SECONDS_MAX), *more],
                stdin=subprocess.DEVNULL, stdout=report, stderr=log)
        self.waves.append(wave)

    def check(self):
        """A rush ends with 0, or never: everybody had a final answer, and saw no promise broken."""
        for wave in self.waves:
            code = wave.process.poll()
            if code not in (None, 0):
                raise Broken(f"the rush with history {wave.history} ended with {code}: {self._why(wave)}")

    @staticmethod
    def _why(wave):
        try:
            with open(wave.report, encoding="utf-8") as file:
                report = json.load(file)
            return json.dumps({key: report[key] for key in ("ending", "users_without_final", "broken_sentences")
                               if key in report})
        except (OSError, ValueError):
            with open(wave.report.replace(".json", ".log"), encoding="utf-8") as file:
                return file.read()[-500:]

    def finish(self, deadline):
        for wave in self.waves:
            try:
                wave.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise Broken(f"some users of {wave.history} never had a final answer") from None
        self.check()

    def histories(self):
        return [wave.history for wave in self.waves]

    def close(self):
        for wave in self.waves:
            if wave.process.poll() is None:
                wave.process.kill()
                wave.process.wait()
