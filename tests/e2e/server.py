"""A real `firstcome serve` in a fresh folder, on ports that the system chose."""

import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import wire

FIRSTCOME = os.environ.get("FIRSTCOME", "firstcome")
START_S_MAX = 30  # sanitizer builds are slow
STOP_S_MAX = 30


def wait_for(what, condition, seconds=START_S_MAX):
    """Waits until condition() is true and returns what it returned. Who is not answered asks again: a server at its limit
    closes what it accepts."""
    end, last = time.monotonic() + seconds, None
    while True:
        try:
            if value := condition():
                return value
        except OSError as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what}{f' ({last!r})' if last else ''}")
        time.sleep(0.01)


def run(*arguments, stdin="", seconds=60, environment=None):
    """Runs one command of the program to its end."""
    return subprocess.run(
        [FIRSTCOME, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=seconds,
        env={**os.environ, **(environment or {})},
    )


class Server:
    """Use as `with Server(...) as server:`; leaving stops it by SIGTERM and asserts that it exits with 0."""

    def __init__(self, *options, folder=None, environment=None, settings=None, limits=None,
                 is_ready=True):
        self.own_folder = None if folder else tempfile.mkdtemp(prefix="firstcome-e2e-")
        self.folder = pathlib.Path(folder or self.own_folder)
        self.data = self.folder / "data"
        self.options, self.environment, self.limits = list(options), environment or {}, limits or {}
        if settings is not None:
            config = self.folder / "firstcome.toml"
            config.write_text(settings)
            self.options += ["--config", str(config)]
        self.serves = "issuer" not in self.options  # users; an issuer has operators only
        self.is_ready = is_ready  # soon after it has said where it listens
        self.process, self.lines, self.port, self.admin_port = None, [], None, None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.kill()
            self.clean()
            raise

    def __exit__(self, kind, *_):
        try:
            if self.process and kind is None:
                code = self.stop()
                assert code == 0, f"exit code {code}:\n{self.text()}"
        finally:
            self.kill()
            self.clean()

    def start(self):
        self.lines, self.port, self.admin_port = [], None, None
        command = [FIRSTCOME, "serve", "--data", str(self.data), *self.options]
        for flag in ("--listen", "--admin-listen"):
            if flag not in self.options:
                command += [flag, "127.0.0.1:0"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **self.environment}, preexec_fn=self._limit,
        )
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        wait_for("the server said where it listens", lambda: self.admin_port or self.process.poll() is not None)
        if self.process.poll() is not None:
            self.reader.join()
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.text()}")
        if self.is_ready:
            wait_for("/readyz is 200", lambda: self.admin("GET", "/readyz").status == 200)
        return self

    def _limit(self):
        for what, most in self.limits.items():
            resource.setrlimit(what, (most, most))

    def _read(self, stream):
        for line in stream:
            self.lines.append(line.rstrip("\n"))
            if self.admin_port is None:
                # "listens on http://127.0.0.1:8080", then the admin one
                ports = re.findall(r"http://(?:127\.0\.0\.1|\[::1\]):(\d+)", "\n".join(self.lines))
                distinct = list(dict.fromkeys(ports))
                if len(distinct) >= (2 if self.serves else 1):
                    self.port, self.admin_port = int(distinct[0]), int(distinct[-1])

    def text(self):
        return "\n".join(self.lines)

    def stop(self):
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_S_MAX)
        self.reader.join()
        return code

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process:
            self.process.stdout.close()

    def clean(self):
        if self.own_folder:
            shutil.rmtree(self.own_folder, ignore_errors=True)

    # Requests on fresh connections.

    def get(self, target, **options):
        return wire.request(self.port, "GET", target, **options)

    def claim(self, campaign, user):
        return wire.request(self.port, "POST", f"/v1/campaigns/{campaign}/claims", headers={"X-User": user})

    def admin(self, method, target, body=None, **options):
        return wire.request(self.admin_port, method, target, body=body, admin=True, **options)

    def create(self, campaign, quota, **more):
        answer = self.admin("POST", "/v1/campaigns", {"id": campaign, "quota": quota, **more})
        assert answer.status == 201, f"{answer.status} {answer.body}"
        return answer

    def urls(self):
        return ["--url", f"http://127.0.0.1:{self.port}", "--admin-url", f"http://127.0.0.1:{self.admin_port}"]

    def command(self, *arguments, **options):
        """Runs a command of the program that asks this server."""
        return run(*arguments, *self.urls(), **options)
