"""What a database does to a writer: locks, deadlocks, refusals, lost answers, an older copy; and what an issuer does
that sleeps in the middle of its transaction."""

import re
import signal
import subprocess
import time

import felt
from lossy import LossyProxy
from process import Broken, wait_until
from scene import CAMPAIGN
from servers import USER

LOCK_S = 8  # longer than an issuer waits for a lock
LOST_COMMITS = 5


def lock_held(scene):
    count = felt.by_store(scene)
    session = scene.servers.sql_session(f"begin; select * from progress for update; select sleep({LOCK_S}); rollback",
                                        scene.database)
    session.wait(LOCK_S + 20)
    return count


def deadlock(scene):
    """Somebody locks the end of the coupons first and progress then; the issuer does it the other way round."""
    count = felt.by_store(scene)
    rounds = "".join(
        f"begin; select count(*) from coupon where campaign = '{CAMPAIGN}' for update; "
        f"select sleep(0.05); update progress set `rank` = `rank` where campaign = '{CAMPAIGN}'; rollback; "
        "select sleep(0.02); "
        for _ in range(25))
    session = scene.servers.sql_session(rounds, scene.database)
    said, _ = session.communicate(timeout=60)
    return lambda: count() + said.count("Deadlock")


def read_only(scene):
    count = felt.by_store(scene)
    scene.servers.sql("set global read_only = 1")
    time.sleep(2)
    scene.servers.sql("set global read_only = 0")
    return count


def disk_full(scene):
    """No file of the server may grow."""
    count = felt.by_store(scene)
    pid = str(scene.servers.pid("mariadb"))
    subprocess.run(["prlimit", "--pid", pid, "--fsize=4096:unlimited"], check=True)
    time.sleep(2)
    subprocess.run(["prlimit", "--pid", pid, "--fsize=unlimited:unlimited"], check=False)
    return count  # it may have ended, as on a real full disk: then it is started again


def connection_limit(scene):
    count = felt.by_store(scene)
    servers = scene.servers
    servers.sql(f"alter user {USER} with max_user_connections 1")
    kill_connections(servers)
    holder = subprocess.Popen(["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{servers.port('mariadb')}", f"-u{USER}",
                               "-e", "select sleep(2)"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    kill_connections(servers, "and command <> 'Query'")
    holder.wait()
    servers.sql(f"alter user {USER} with max_user_connections 0")
    return count


def kill_connections(servers, more=""):
    ids = servers.sql(f"select id from information_schema.processlist where user = '{USER}' {more}").split()
    for number in ids:
        servers.sql(f"kill {number}", check=False)


def prepare_lossy(scene):
    scene.lossy = LossyProxy(scene.servers.port("mariadb"))
    scene.stores = dict.fromkeys(("issuer-1", "issuer-2"), scene.lossy.number)


def answer_lost(scene):
    """The commit is done, and its answer never arrives: neither once more nor never may its coupons be written."""
    lossy, errors = scene.lossy, felt.by_store(scene)
    for _ in range(LOST_COMMITS):
        lossy.lose(1)
        wait_until(lambda: lossy.left == 0, 20, "the issuer commits")
        time.sleep(0.2)
    return lambda: lossy.lost if errors() else 0


def stopped_in_its_transaction(scene):
    """It is held up behind its fence, by somebody's lock on the coupons, and stopped there; then the lock is free. It
    wakes up when the spare has taken over, and may write nothing any more."""
    working = wait_until(scene.working_issuer, 10, "an issuer is at work")
    spare = scene.spare(working)
    session = scene.servers.sql_session(  # of the end of the table only: it waits for nobody, so there is no deadlock
        f"begin; select * from coupon force index (primary) where campaign = '{CAMPAIGN}' and `rank` > 1000000 for update; "
        "select sleep(1.8); rollback", scene.database)

    def transactions(state):
        time.sleep(0.15)  # InnoDB shows a copy, and makes a new one only when nobody has looked for 100 ms
        return int(scene.servers.sql("select count(*) from information_schema.innodb_trx where trx_rows_modified > 0 "
                                     f"and trx_state = '{state}'"))

    wait_until(lambda: transactions("LOCK WAIT"), 10, "the issuer waits in a transaction")
    working.send(signal.SIGSTOP)
    session.wait(20)
    if not transactions("RUNNING"):
        raise Broken("the issuer was not stopped in the middle of its transaction")
    wait_until(spare.at_work, 20, "the spare took over")
    rows = scene.rows()
    working.send(signal.SIGCONT)
    wait_until(lambda: not working.at_work(), 10, "who slept is a spare now")
    return felt.written_by_others(scene, rows)


def older_copy(scene):
    servers = scene.servers
    wait_until(lambda: scene.rows() > 50, 10, "there are coupons")
    copy = f"{scene.folder}/copy.sql"
    where = ["-h127.0.0.1", f"-P{servers.port('mariadb')}", "-uroot"]
    with open(copy, "wb") as file:
        subprocess.run(["mariadb-dump", "--no-defaults", *where, "--single-transaction", scene.database], stdout=file,
                       check=True)
    time.sleep(1)
    before = scene.rows()
    with open(copy, "rb") as file:
        subprocess.run(["mariadb", "--no-defaults", *where, scene.database], stdin=file, check=True)
    with open(copy, encoding="latin-1") as file:
        copied = re.findall(r"^INSERT INTO `coupon` VALUES\n?(.*?);$", file.read(), re.M | re.S)
    return lambda: before - sum(rows.count(f"('{CAMPAIGN}',") for rows in copied)


def poisoned(scene):
    """A row that the store refuses is parked, shown, mended and tried again: the tutorial's failed_event, done."""
    servers = scene.servers
    servers.sql("alter table coupon add constraint poison check (`rank` <> 1500)", scene.database)
    wait_until(lambda: scene.total("firstcome_coupons_parked") >= 1, 30, "the row is parked")
    servers.sql("alter table coupon drop constraint poison", scene.database)
    admin = wait_until(scene.working_issuer, 10, "an issuer is at work").url()
    listed = scene.run("parked", "list", "--admin-url", admin, codes=(0, 1))
    number = servers.sql(f"select number from {scene.database}.parked_entry limit 1")
    if "1500" not in listed:
        raise Broken(f"parked list says {listed}")
    scene.run("parked", "retry", number, "--admin-url", admin)
    return lambda: 1


PREPARE = {"mariadb: answer to a commit lost": prepare_lossy}
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
