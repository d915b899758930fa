"""The proof at the end: `firstcome verify`, a recount that shares no code with it, and mistakes that both must see."""

import bisect
import collections
import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess

from server import Broken

VERIFY_S_MAX = 300
PROMISE_BROKEN = 4  # verify's exit code


def verify(program, data, histories):
    """What it prints as JSON; Broken unless it is exact."""
    command = [program, "verify", "--data", data, "--json"]
    for history in histories:
        command += ["--history", history]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=VERIFY_S_MAX)
    if ran.returncode not in (0, PROMISE_BROKEN):
        raise Broken(f"verify ended with {ran.returncode}: {ran.stderr}{ran.stdout[-2000:]}", ran.returncode)
    report = json.loads(ran.stdout)
    if ran.returncode == PROMISE_BROKEN or not report["exact"]:
        failures = [check for check in report["checks"] if not check["ok"]]
        raise Broken(f"verify ended with {ran.returncode}: {json.dumps(failures, indent=1)}", ran.returncode)
    return report


def bytes_of(folder):
    """A sum of every file, to see that a look changed nothing."""
    sums = {}
    for name in sorted(os.listdir(folder)):
        with open(f"{folder}/{name}", "rb") as file:
            sums[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def all_attempts(histories):
    for history in histories:
        with open(history, "rb") as file:
            yield from file


class Calls:
    """When the attempts were called that had no answer."""

    def __init__(self, histories, campaigns):
        cut = [json.loads(line) for line in all_attempts(histories) if b'"answer":"cut"' in line]
        self.times = sorted(told["call_us"] for told in cut if told["campaign"] in campaigns)

    def between(self, after_us, until_us):
        return bisect.bisect_right(self.times, until_us) - bisect.bisect_right(self.times, after_us)


def coupons_of(data):
    """{campaign: {rank: (user, code)}} as any SQLite shows them, of a stopped server's folder, which is not touched."""
    rows = collections.defaultdict(dict)
    with contextlib.closing(sqlite3.connect(f"file:{data}/store.db?mode=ro&immutable=1", uri=True)) as store:
        for campaign, rank, user, code in store.execute("SELECT campaign, rank, user, code FROM coupon"):
            rows[campaign][rank] = (user.decode("ascii"), code)
    return rows


def recount(coupons, histories, campaigns):
    """Of coupons_of() a folder, or of any other store's. Every coupon is there, those who were told that they won have them and nobody
    else, who was told sold_out has none but by a raise. Returns how many won, and how many were left with sold_out."""
    holders = {}
    for campaign in campaigns:
        held = coupons[campaign.id]
        if sorted(held) != list(range(1, campaign.quota + 1)):
            raise Broken(f"recount: {campaign.id} should have ranks 1 to {campaign.quota}, and has {len(held)} coupons")
        holders[campaign.id] = {user: (rank, code) for rank, (user, code) in held.items()}
        if len(holders[campaign.id]) != campaign.quota:
            raise Broken(f"recount: somebody has two coupons of {campaign.id}")
    won, sold_out, attempts = collections.defaultdict(set), set(), 0
    for line in all_attempts(histories):
        attempts += 1
        if b'"answer":"won"' not in line and b'"answer":"sold_out"' not in line:
            continue
        told = json.loads(line)
        holds = holders[told["campaign"]].get(told["user"])
        if told["answer"] == "won":
            won[told["campaign"]].add(told["user"])
            if holds != (told["rank"], told["code"]):
                raise Broken(f"recount: told {told}, and the store has {holds}")
        else:
            sold_out.add((told["campaign"], told["user"]))
            if holds and holds[0] <= told["quota"]:
                raise Broken(f"recount: told {told}, and the store has {holds}")
    for campaign in campaigns:
        # Told sold_out at the seal, with a ticket in flight that a raise let win: he never asked again.
        untold = holders[campaign.id].keys() - won[campaign.id]
        untold = {user for user in untold if (campaign.id, user) not in sold_out}
        if untold:
            raise Broken(f"recount: {len(untold)} users hold a coupon of {campaign.id} and were never told: {untold}")
    winners = sum(campaign.quota for campaign in campaigns)
    losers = sum(1 for campaign, user in sold_out if user not in holders[campaign])
    return {"attempts": attempts, "winners": winners, "sold_out": losers}


def prove(program, data, histories, campaigns):
    """The whole of it. Every campaign is sealed, and its coupons are all written."""
    report = verify(program, data, histories)
    for campaign in campaigns:
        found = next(one for one in report["campaigns"] if one["campaign"] == campaign.id)
        full = {"quota": campaign.quota, "coupons": campaign.quota, "winners": campaign.quota}
        expected = {**full, "owed": 0, "parked": 0, "sealed": True}
        if not expected.items() <= found.items():
            raise Broken(f"verify says {found}, and it should be {expected}")
    counts = recount(coupons_of(data), histories, campaigns)
    counts["checked"] = sum(check["checked"] for check in report["checks"])
    return counts


# Mistakes, one each. They return the histories that are to be looked at then.

def remove_row(data, histories, dice):
    with contextlib.closing(sqlite3.connect(f"{data}/store.db")) as store:
        campaign, rank = dice.choice(store.execute("SELECT campaign, rank FROM coupon").fetchall())
        store.execute("DELETE FROM coupon WHERE campaign = ? AND rank = ?", (campaign, rank))
        store.commit()
    return histories


def forge_won(data, histories, dice):
    """A client was told another code than the one that the journal has."""
    forged = next(one for one in histories if any(b'"answer":"won"' in line for line in all_attempts([one])))
    lines = list(all_attempts([forged]))
    number = dice.choice([number for number, line in enumerate(lines) if b'"answer":"won"' in line])
    told = json.loads(lines[number])
    told["code"] = told["code"][1:] + told["code"][:1]
    lines[number] = json.dumps(told, separators=(",", ":")).encode() + b"\n"
    with open(f"{data}.forged", "wb") as file:
        file.writelines(lines)
    return [file.name if one == forged else one for one in histories]


MISTAKES = {"row": remove_row, "history": forge_won}


def copied(data, folder):
    """Another folder of the same bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(data, f"{folder}/data")


def prove_not_blind(program, data, histories, campaigns, folder, dice):
    """Each mistake, made in a copy, must be seen by verify, which ends with 4 then, and by the recount."""
    for name, make in MISTAKES.items():
        spoilt = copied(data, folder)
        spoilt_histories = make(spoilt, histories, dice)
        for look, code in ((lambda: verify(program, spoilt, spoilt_histories), PROMISE_BROKEN),
                           (lambda: recount(coupons_of(spoilt), spoilt_histories, campaigns), None)):
            try:
                look()
            except Broken as broken:
                if broken.code == code:
                    continue
                raise Broken(f"the mistake '{name}' in {folder} was not seen as one: {broken}") from None
            raise Broken(f"the proof is blind: the mistake '{name}' in {folder} went unseen")
    shutil.rmtree(folder)
