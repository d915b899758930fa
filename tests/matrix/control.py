"""The cell without a fault, which shows that the others can fail: nothing is felt by any of their counters; and when
all is exact, verify sees each mistake that is made in the store or in the history."""

import random
import time

import felt
import proof
from process import Broken

PAUSE_S = 2.5
TRIES = 3  # a machine that stands still for a second is felt, too
COUNTERS = (felt.by_users, felt.by_gate, felt.by_store, felt.by_issuer)
RANK = 777
PROGRESS = "progress is ahead"
OF_VERIFY_ONLY = {PROGRESS}

# What is done to the store, and undone.
MISTAKES = {
    "a coupon is gone": ("create table kept as select * from coupon where `rank` = {rank}; "
                         "delete from coupon where `rank` = {rank}",
                         "insert into coupon select * from kept; drop table kept"),
    "a coupon has another code": ("update coupon set code = concat(substr(code, 2), left(code, 1)) "
                                  "where `rank` = {rank}",
                                  "update coupon set code = concat(right(code, 1), left(code, length(code) - 1)) "
                                  "where `rank` = {rank}"),
    "a coupon is another user's": ("update coupon set user = 'nobody' where `rank` = {rank}",
                                   "update coupon set user = '{user}' where `rank` = {rank}"),
    PROGRESS: ("update progress set position = position + 1", "update progress set position = position - 1"),
}


def must_see(scene, mistake, history):
    """By verify; what a client can see, by the recount too."""
    for look in (scene.verify, scene.recount):
        try:
            look(history)
        except Broken as seen:
            if not str(seen).startswith(("verify: ", "recount: ")):
                raise
        else:
            if look == scene.verify or mistake not in OF_VERIFY_ONLY:
                raise Broken(f"the proof is blind: {mistake}, and {look.__name__} says that all is exact")


def show_mistakes(scene):
    user = scene.servers.sql(f"select user from coupon where `rank` = {RANK}", scene.database)
    for mistake, (do, undo) in MISTAKES.items():
        scene.servers.sql(do.format(rank=RANK), scene.database)
        must_see(scene, mistake, scene.history)
        scene.servers.sql(undo.format(rank=RANK, user=user), scene.database)
    forged, = proof.forge_won(scene.history, [scene.history], random.Random(RANK))
    must_see(scene, "the history is forged", forged)
    scene.verify(scene.history)
    return len(MISTAKES) + 1


def nothing(scene):
    counts = {counter.__name__: counter(scene) for counter in COUNTERS}
    time.sleep(PAUSE_S)
    scene.late_coupons = felt.late_coupons(scene)

    def mistakes_seen():
        wrong = {name: count() for name, count in counts.items() if count()}
        if wrong:
            raise Broken(f"nothing happened, and yet it was felt: {wrong}")
        return show_mistakes(scene)
    return mistakes_seen


CELLS = {"nothing, then five mistakes": nothing}
