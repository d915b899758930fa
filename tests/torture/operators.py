"""The operator who goes on through all kills: creates the campaigns, and raises quotas before they run out."""

import dataclasses
import http.client
import json
import threading
import time

TIMEOUT_S = 2
ROUND_S = 0.1
CREATE_S_MAX = 30


@dataclasses.dataclass
class Campaign:
    id: str
    quota: int
    step: int = 0  # raised by this much when fewer than half of it are left; 0: not by itself
    promise: str = "journal"
    issue_rate: int = 0  # coupons per second; 0: as fast as it goes
    raises: int = 0


class Unreachable(Exception):
    """The server is down, or cannot decide now."""


def ask(port, method, target, body=None):
    """Status and JSON of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request(method, target, body=None if body is None else json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == 503:
            raise Unreachable(text)
        return answer.status, json.loads(text)
    except (OSError, http.client.HTTPException) as fault:
        raise Unreachable(fault) from None
    finally:
        connection.close()


def ask_until(deadline, *request):
    """ask() of a server that nobody kills: again while it cannot decide, as when it has just become ready."""
    while True:
        try:
            return ask(*request)
        except Unreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(ROUND_S)


class Operator:
    def __init__(self, server, campaigns):
        self.server, self.campaigns = server, campaigns
        self.fault, self.wanted = None, {}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def create(self):
        """Safe to repeat; asked until the answer is there."""
        deadline = time.monotonic() + CREATE_S_MAX
        for campaign in self.campaigns:
            status, body = ask_until(deadline, self.server.admin_port, "POST", "/v1/campaigns",
                                     {"id": campaign.id, "quota": campaign.quota, "issue_rate": campaign.issue_rate,
                                      "promise": campaign.promise})
            if status not in (200, 201):
                raise RuntimeError(f"creating {campaign.id} got {status} {body}")

    def start(self):
        self.thread.start()

    def stop(self):
        self.stopping.set()
        if self.thread.is_alive():
            self.thread.join()

    def raise_once(self, campaign, quota):
        self.wanted[campaign.id] = quota

    def _run(self):
        while not self.stopping.wait(ROUND_S):
            for campaign in self.campaigns:
                try:
                    self._look_after(campaign)
                except Unreachable:
                    pass  # the next round asks again
                except Exception as fault:  # the main thread raises it
                    self.fault = fault
                    return

    def _look_after(self, campaign):
        status, body = ask(self.server.port, "GET", f"/v1/campaigns/{campaign.id}")
        if status != 200:
            raise RuntimeError(f"campaign {campaign.id} got {status} {body}")
        if body["quota"] < campaign.quota:
            raise RuntimeError(f"a quota of {campaign.quota} was acknowledged, and now it is {body['quota']}")
        campaign.quota = body["quota"]
        wanted = self.wanted.get(campaign.id, 0)
        if campaign.step and body["remaining"] < campaign.step // 2:
            wanted = campaign.quota + campaign.step
        if wanted <= campaign.quota:
            return
        status, body = ask(self.server.admin_port, "PATCH", f"/v1/campaigns/{campaign.id}", {"quota": wanted})
        if status != 200:
            raise RuntimeError(f"raising {campaign.id} to {wanted} got {status} {body}")
        campaign.quota = wanted
        campaign.raises += 1
