"""What a database does to a writer: locks, deadlocks, refusals, lost answers, an older copy; and what an issuer does that
sleeps in the middle of its transaction."""

import signal
import subprocess
import time

from scene import CAMPAIGN, Broken, wait_until
from servers import USER, metric

LOCK_S = 8  # longer than an issuer waits for a lock


def store_faults(scene):
    """From now on: calls that failed, and transactions that were repeated."""
    names = ("firstcome_store_faults_total", "firstcome_store_repeats_total", "firstcome_store_connections_lost_total")
    before = sum(scene.total(name) for name in names)
    return lambda: sum(scene.total(name) for name in names) - before


def lock_held(scene):
    felt = store_faults(scene)
    session = scene.servers.sql_session(f"begin; select * from progress for update; select sleep({LOCK_S}); rollback",
                                        scene.database)
    session.wait(LOCK_S + 20)
    return felt


def deadlock(scene):
    """Somebody locks the end of the coupons first and progress then; the issuer does it the other way round."""
    felt = store_faults(scene)
    rounds = "".join(
        f"begin; select count(*) from coupon where campaign = '{CAMPAIGN}' for update; "
        f"select sleep(0.05); update progress set `rank` = `rank` where campaign = '{CAMPAIGN}'; rollback; select sleep(0.02); "
        for _ in range(25))
    session = scene.servers.sql_session(rounds, scene.database)
    said, _ = session.communicate(timeout=60)
    return lambda: felt() + said.count("Deadlock")


def read_only(scene):
    felt = store_faults(scene)
    scene.servers.sql("set global read_only = 1")
    time.sleep(2)
    scene.servers.sql("set global read_only = 0")
    return felt


def disk_full(scene):
    """No file of the server may grow."""
    felt = store_faults(scene)
    pid = str(scene.servers.pid("mariadb"))
    subprocess.run(["prlimit", "--pid", pid, "--fsize=4096:unlimited"], check=True)
    time.sleep(2)
    subprocess.run(["prlimit", "--pid", pid, "--fsize=unlimited:unlimited"], check=False)
    return felt  # it may have ended, as on a real full disk: then it is started again


def connection_limit(scene):
    felt = store_faults(scene)
    servers = scene.servers
    servers.sql(f"alter user {USER} with max_user_connections 1")
    kill_connections(servers)
    holder = subprocess.Popen(["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{servers.port('mariadb')}", f"-u{USER}",
                               "-e", "select sleep(2)"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    kill_connections(servers, "and command <> 'Query'")
    holder.wait()
    servers.sql(f"alter user {USER} with max_user_connections 0")
    return felt


def kill_connections(servers, more=""):
    ids = servers.sql(f"select id from information_schema.processlist where user = '{USER}' {more}").split()
    for number in ids:
        servers.sql(f"kill {number}", check=False)


def answer_lost(scene):
    """The commit is done, and its answer never arrives."""
    felt = store_faults(scene)
    links = ("mariadb-3", "mariadb-4")
    for _ in range(3):
        for link in links:
            scene.servers.half_open(link, ("downstream",))
        time.sleep(0.3)
        for link in links:
            scene.servers.cut(link)
        scene.servers.heal()
        time.sleep(0.5)
    return felt


def stopped_in_its_transaction(scene):
    """It wakes up again when the spare has taken over, and may write nothing any more."""
    working = scene.working_issuer()
    spare = scene.spare(working)
    end = time.monotonic() + 10
    while True:
        working.send(signal.SIGSTOP)
        if scene.servers.sql("select count(*) from information_schema.innodb_trx where trx_rows_modified > 0") != "0":
            break
        working.send(signal.SIGCONT)
        if time.monotonic() > end:
            raise Broken("the issuer was never met in the middle of a transaction")
        time.sleep(0.003)
    wait_until(spare.at_work, 20, "the spare took over")
    working.send(signal.SIGCONT)
    wait_until(lambda: not working.at_work(), 10, "who slept is a spare now")
    return lambda: 1


def older_copy(scene):
    servers = scene.servers
    wait_until(lambda: int(servers.sql(f"select count(*) from {scene.database}.coupon")) > 50, 10, "there are coupons")
    copy = f"{scene.folder}/copy.sql"
    where = ["-h127.0.0.1", f"-P{servers.port('mariadb')}", "-uroot"]
    with open(copy, "wb") as file:
        subprocess.run(["mariadb-dump", "--no-defaults", *where, "--single-transaction", scene.database], stdout=file,
                       check=True)
    time.sleep(1)
    before = int(servers.sql(f"select count(*) from {scene.database}.coupon"))
    with open(copy, "rb") as file:
        subprocess.run(["mariadb", "--no-defaults", *where, scene.database], stdin=file, check=True)
    with open(copy, encoding="utf-8", errors="replace") as file:
        copied = file.read().count("('" + CAMPAIGN + "',")
    return lambda: max(0, before - copied)


def poisoned(scene):
    """A row that the store refuses is parked, shown, mended and tried again: the tutorial's failed_event, done."""
    servers = scene.servers
    servers.sql("alter table coupon add constraint poison check (`rank` <> 1500)", scene.database)
    wait_until(lambda: scene.total("firstcome_coupons_parked") >= 1, 30, "the row is parked")
    servers.sql("alter table coupon drop constraint poison", scene.database)
    admin = scene.working_issuer().url()
    listed = scene.run("parked", "list", "--admin-url", admin, codes=(0, 1))
    number = servers.sql(f"select number from {scene.database}.parked_entry limit 1")
    if "1500" not in listed:
        raise Broken(f"parked list says {listed}")
    scene.run("parked", "retry", number, "--admin-url", admin)
    return lambda: 1


CELLS = {
    "mariadb: lock held": lock_held,
    "mariadb: deadlock": deadlock,
    "mariadb: read-only": read_only,
    "mariadb: disk full": disk_full,
    "mariadb: connection limit": connection_limit,
    "mariadb: answer to a commit lost": answer_lost,
    "mariadb: restored from an older copy": older_copy,
    "mariadb: a row refused, parked, retried": poisoned,
    "issuer: stopped in its transaction": stopped_in_its_transaction,
}
