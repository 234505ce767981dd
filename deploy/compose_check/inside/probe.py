"""Runs inside a container and says what the container can reach; standard library, and psycopg where there is one.

Argument: a JSON list of probes [kind, argument …]. Answers with a JSON list, one word or two for each. `closed` and
`asked for a password` mean that somebody was there: only `no such name`, `no route` and `no answer` are no way.
"""

import errno
import json
import os
import socket
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SECONDS = 8.0
HTTP_SECONDS = 60.0  # a first request may have to wait for what the server loads late
_REFUSED = {
    errno.ENOENT: "missing",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.EROFS: "read-only",
    errno.ECONNREFUSED: "closed",
    errno.ENETUNREACH: "no route",
    errno.EHOSTUNREACH: "no route",
}


def connect(host: str, port: str) -> str:
    """Whether somebody answers there."""
    with socket.create_connection((host, int(port)), timeout=SECONDS):
        return "reached"


def read(path: str) -> str:
    """Whether a file can be read."""
    with Path(path).open("rb") as file:
        file.read(1)
    return "read"


def write(path: str) -> str:
    """Whether a file can be opened for writing; its content stays."""
    with Path(path).open("ab"):
        return "written"


def variable(name: str) -> str:
    """Whether an environment variable is set."""
    return "set" if name in os.environ else "missing"


def http(url: str) -> str:
    """The status of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=HTTP_SECONDS) as answer:  # noqa: S310 - an address of reaches.py
            return str(answer.status)
    except urllib.error.HTTPError as refused:
        return str(refused.code)


def redis(credential: str) -> str:
    """PING with the password of a broker's address, or with `none`."""
    said, password = b"", ""
    if credential != "none":
        password = Path(f"/run/secrets/{credential}").read_text().split("@")[0].rpartition(":")[2]
    with socket.create_connection(("redis", 6379), timeout=SECONDS) as connection:
        connection.sendall((f"AUTH {password}\r\n" if password else "").encode() + b"PING\r\n")
        while said.count(b"\r\n") < (2 if password else 1):
            said += connection.recv(1000)
    return "done" if b"+PONG" in said else "asked for a password"


def sql(credential: str, database: str, statement: str) -> str:
    """One statement in a transaction that is rolled back."""
    import psycopg

    try:
        with psycopg.connect(_dsn(credential), dbname=database, connect_timeout=10) as connection:
            connection.execute(statement.encode())
            connection.rollback()
            return "done"
    except psycopg.errors.InsufficientPrivilege:
        return "denied"
    except psycopg.OperationalError as refused:
        return "denied" if "permission denied for database" in str(refused) else f"failed: {refused}"


def _dsn(credential: str) -> str:
    """Either a DSN as Airflow is given it, or the connection `ledger` of a worker's connection file."""
    content = Path(f"/run/secrets/{credential}").read_text().strip()
    if credential.endswith(".json"):
        ledger = json.loads(content)["ledger"]
        return f"host={ledger['host']} user={ledger['login']} password={ledger['password']}"
    return content.replace("+psycopg2", "", 1)


KINDS = {each.__name__: each for each in (connect, read, write, variable, http, redis, sql)}


def answer(probe: list[str]) -> str:
    """One probe; a refusal is an answer too."""
    try:
        return KINDS[probe[0]](*probe[1:])
    except socket.gaierror:
        return "no such name"
    except TimeoutError:
        return "no answer"
    except urllib.error.URLError as unreachable:
        return f"failed: {unreachable.reason}"
    except OSError as refused:
        return _REFUSED.get(refused.errno, f"failed: {refused}")


if __name__ == "__main__":
    with ThreadPoolExecutor(max_workers=24) as pool:
        print(json.dumps(list(pool.map(answer, json.loads(sys.argv[1])))))
