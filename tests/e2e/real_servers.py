"""The real servers of `./x servers up`, and a topic, a database and a prefix on them for one run of a test."""

import os
import subprocess
import time

import server

KAFKA, KAFKA_SECURE, MARIADB, REDIS, REDIS_TLS, TLS = (
    os.environ[name] for name in
    ("TEST_KAFKA", "TEST_KAFKA_SECURE", "TEST_MARIADB", "TEST_REDIS", "TEST_REDIS_TLS", "TEST_TLS"))
NAME = f"firstcome-e2e-{os.getpid()}-{int(time.time())}"
DATABASE = NAME.replace("-", "_")


def must(*arguments, **more):
    """Runs a command of the program, which must succeed, and returns what it printed."""
    ran = server.run(*arguments, **more)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def sql(text, database=DATABASE):
    host, port = MARIADB.split(":")
    ran = subprocess.run(["mariadb", "--no-defaults", f"-h{host}", f"-P{port}", "-uroot", "-N", "-B", "-e", text, database],
                         capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def redis(*words):
    host, port = REDIS.split(":")
    return subprocess.run(["redis-cli", "-h", host, "-p", port, *words], capture_output=True, text=True, check=True).stdout


def journal(topic=NAME, brokers=KAFKA):
    return f"kafka://{brokers}/{topic}"


def store(user="root", at=MARIADB, database=DATABASE):
    return f"mysql://{user}@{at}/{database}"


def make(*options):
    """The topic and the database; `options` of `topic create`."""
    sql(f"create database {DATABASE}", "mysql")
    must("topic", "create", "--journal", journal(), *options)
    must("store", "migrate", "--store", store())


def drop():
    sql(f"drop database {DATABASE}", "mysql")
