"""What can happen to a topic and its brokers."""

import subprocess
import time

from scene import CAMPAIGN, Broken, wait_until


def operate(scene, *words):
    subprocess.run([scene.operator, *words], stdin=subprocess.DEVNULL, check=True, timeout=60)


def leader_killed(scene):
    """And comes back later."""
    name = scene.leader()
    scene.servers.kill(name)
    time.sleep(4)
    scene.servers.up(name)
    return scene.disturbed


def two_of_three_down(scene):
    two = scene.brokers[:2]
    for name in two:
        scene.servers.kill(name)
    time.sleep(2)
    scene.servers.up(*two)
    return scene.disturbed


def partitions_added(scene):
    operate(scene, "add-partitions", scene.address(), scene.topic, "5")
    return lambda: 5


def delivered_twice(scene):
    """The last messages once more, byte by byte."""
    copies = scene.read_messages(200)
    for number, body in enumerate(copies):
        with open(f"{scene.folder}/copy-{number}", "wb") as file:
            file.write(body)
    names = [f"{scene.folder}/copy-{number}" for number in range(len(copies))]
    subprocess.run(["kcat", "-P", "-b", scene.address(), "-t", scene.topic, "-p", "0", *names], check=True,
                   stdin=subprocess.DEVNULL)
    return lambda: len(copies)


def poison(scene):
    names = []
    for number, body in enumerate((b"{\"user\": \"somebody\"}", b"F", b"FC", b"\0" * 1000)):
        names.append(f"{scene.folder}/poison-{number}")
        with open(names[-1], "wb") as file:
            file.write(body)
    subprocess.run(["kcat", "-P", "-b", scene.address(), "-t", scene.topic, "-p", "0", *names], check=True,
                   stdin=subprocess.DEVNULL)
    return lambda: scene.total("firstcome_journal_skipped_total")


def producer_breaks(scene):
    """The brokers' sequence is broken, which only another producer heals. In the middle of it the campaign is paused, and
    resumed."""
    scene.api_1.kill()
    scene.api_1.start({"FIRSTCOME_FAILPOINT": "journal.producer_breaks:20"})
    scene.api_1.await_ready()
    wait_until(lambda: scene.api_1.metric("firstcome_journal_producers_total") > 0, 20, "the producer broke")
    return lambda: scene.api_1.metric("firstcome_journal_producers_total")


def paused_while_a_producer_restarts(scene):
    felt = producer_breaks(scene)
    scene.run("campaign", "pause", CAMPAIGN, "--admin-url", scene.api_1.url())
    time.sleep(0.5)
    scene.run("campaign", "resume", CAMPAIGN, "--admin-url", scene.api_2.url())
    return felt


def made_anew(scene):
    """Deleted, and there again under its name: no process may answer from it."""
    operate(scene, "delete", scene.address(), scene.topic)
    wait_until(lambda: scene.created_anew(), 20, "the topic is there again")
    for process in scene.processes.values():
        wait_until(lambda one=process: one.process.poll() is not None, 90, f"{process.name} ends")
        if "is not the one that was read" not in process.last_words():
            raise Broken(f"{process.name} does not say why it ended: {process.last_words()}")
    issuer = scene.issuer_1
    issuer.start()
    wait_until(lambda: issuer.process.poll() is not None, 30, "the issuer refuses the other journal")
    # Those who had not noticed yet may have written into it before its installation record.
    said = issuer.last_words()
    if "belongs to journal" not in said and "is no installation record" not in said:
        raise Broken(f"the issuer does not say what is wrong: {issuer.last_words()}")
    return lambda: 1


OF_THREE = {"kafka: leader of three killed", "kafka: two of three down"}
CELLS = {
    "kafka: leader of three killed": leader_killed,
    "kafka: two of three down": two_of_three_down,
    "kafka: partitions added": partitions_added,
    "kafka: messages delivered twice": delivered_twice,
    "kafka: messages that are no entries": poison,
    "kafka: a producer breaks": producer_breaks,
    "kafka: pause and resume while a producer restarts": paused_while_a_producer_restarts,
    "kafka: topic deleted and made anew": made_anew,
}
