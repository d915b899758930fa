"""Whether a fault was felt: by users, by the gate's or the store's adapters, by an issuer. Each returns, when the fault
begins, what is called at the end for a number; where nothing happens all of them say 0 (control.py)."""

CUT_S = 3  # how long a user waits for an answer (scene.py)
SLOW_S = 1
SLOW_MIN, BYPASSED_MIN = 10, 100  # a loaded machine makes a few users wait, and pass a gate by, without any fault
OWED_S = 1
GATE = ("firstcome_gate_bypasses_total", "firstcome_gate_faults_total")
STORE = ("firstcome_store_faults_total", "firstcome_store_repeats_total", "firstcome_store_connections_lost_total")


def by_users(scene):
    """Attempts in the time of the fault that were cut, told to ask again, or took longer than a second; and connections
    that were refused: a cut may meet a moment without an attempt on its way."""
    def count():
        began, ended = scene.fault_us
        refused, slow = scene.report()["connections_refused"], 0
        for one in scene.attempts():
            returned = one.get("return_us") or one["call_us"] + CUT_S * 1_000_000
            if one["call_us"] > ended or returned < began:
                continue
            refused += one["answer"] in ("cut", "fault")
            waited_s = (returned - one["call_us"]) / 1_000_000
            slow += one["answer"] == "pending" or (one["answer"] == "won" and waited_s > SLOW_S)
        return refused + (slow if slow >= SLOW_MIN else 0)
    return count


def more_of(scene, names):
    """By how much these metrics have grown; a process that was started again begins at 0."""
    before = {name: {one: process.metric(name) for one, process in scene.living()} for name in names}

    def count():
        grown = 0
        for name in names:
            for one, process in scene.living():
                value, old = process.metric(name), before[name].get(one, 0)
                grown += value - old if value >= old else value
        return grown
    return count


def by_gate(scene):
    """Claims that went on without the gate, and servers of it that went away."""
    more = more_of(scene, GATE)
    return lambda: count if (count := more()) >= BYPASSED_MIN else 0


def by_store(scene):
    """Calls of the store that failed, and transactions that were repeated."""
    return more_of(scene, STORE)


def by_issuer(scene):
    """As by_store(); or the coupons are late, at the end of the fault."""
    failed = by_store(scene)
    return lambda: failed() + scene.late_coupons


def late_coupons(scene):
    """How many the issuer at work owes, if it owes some for longer than it ever should."""
    issuer = scene.working_issuer()
    if issuer is None or issuer.metric("firstcome_coupons_owed_seconds") < OWED_S:
        return 0
    return issuer.metric("firstcome_coupons_owed")


def written_by_others(scene, rows):
    """Coupons that were left to write when an issuer was killed or stopped, at so many rows."""
    return lambda: scene.quota - rows


def too_many_tickets(scene):
    """Tickets beyond the quota: what the gate let through too many."""
    return lambda: max(0, scene.tickets() - scene.quota)
