"""What only real processes and real sockets show: waiting, stopping, who may call, and what the logs give away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cinque.client.answer import CountAnswer
from cinque.crate.keys import KeyRing
from cinque.errors import CinqueError, Refused, Unavailable
from cinque.lib.clock import system_clock
from cinque.lib.digest import sha256_hex
from cinque.lib.ids import system_random
from cinque.wire.call import HttpTransport, connect, free_ports
from cinque.wire.messages import WIRE_HEADER, WIRE_VERSION
from cinque.wire.tokens import make_token
from tests.system.small import TOWNS, Small, people, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SOON = 2.0  # seconds; a fixed sleep or a poll that was not woken takes longer
FAR = 20.0


def counted(fed: Small, timeout: float = 60) -> CountAnswer:
    answer = fed.client.ask("count", {"where": "smoker"}).answer(timeout)
    assert isinstance(answer, CountAnswer)
    return answer


def expected(fed: Small) -> int:
    return sum(people(name, smoker=True) for name in fed.names)


def command(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cinque.cli", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )


# --- waiting ----


def test_work_wakes_the_gate_that_waits_for_it(fed: Small) -> None:
    """With the gate's own key: the call returns when work appears, not before and not at the end of its wait."""
    fed.service("north-gate").stop()
    key = KeyRing.load(fed.written.tre("north") / "gate" / "keys.json", None).sign("transport")
    caller = connect(fed.client.settings.hub, key)
    try:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(
                lambda: (caller.call("POST", f"/relay/lease?wait={FAR:g}", body={}).json(), time.monotonic())
            )
            time.sleep(1.0)
            assert not waiting.done()
            request = fed.client.ask("count", {"where": "smoker"}, tres=["north"])
            asked = time.monotonic()
            lease, woken = waiting.result(FAR)
    finally:
        caller.close()
        fed.restart("north-gate")
    assert [item["kind"] for item in lease["items"]] == ["request"]
    assert woken - asked < SOON
    answer = request.answer(60)  # the gate that starts anew is given what the caller above took and dropped
    assert answer.answered == ("north",)


def test_a_change_wakes_the_researcher_who_waits_for_it(fed: Small) -> None:
    fed.service("north-enclave").stop()
    request = fed.client.ask("count", {"where": "smoker"}, tres=["north"])
    with ThreadPoolExecutor(1) as pool:
        version = until(lambda: leased(fed, request.id), "the gate has it")
        waiting = pool.submit(lambda: (fed.client.status(request.id, newer_than=version, wait=FAR), time.monotonic()))
        time.sleep(0.5)
        assert not waiting.done()
        fed.restart("north-enclave")
        status, woken = waiting.result(FAR + 10)
    seen = time.monotonic()
    assert status is not None
    assert status.version > version
    assert seen - woken < SOON
    assert request.answer(30).answered == ("north",)


def leased(fed: Small, request: str) -> int:
    status = fed.client.status(request)
    return status.version if status is not None and status.tasks[0].state == "leased" else 0


def test_a_warm_question_takes_no_fixed_sleep(fed: Small) -> None:
    counted(fed)
    times = []
    for _ in range(5):
        started = time.monotonic()
        assert counted(fed).people == expected(fed)
        times.append(time.monotonic() - started)
    assert min(times) < SOON


# --- somebody is not there ----


def test_a_hub_that_is_down_is_said_in_words(fed: Small) -> None:
    fed.service("hub").stop()
    try:
        with pytest.raises(Unavailable) as told:
            fed.client.ask("count", {"where": "smoker"})
        assert told.value.code == "no-answer"
        assert "does not answer" in told.value.sentence
        done = command("ask", "count", "--where", "smoker", "--home", str(fed.written.researcher))
        assert done.returncode != 0
        assert "does not answer" in done.stderr
        assert "no-answer" in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        fed.restart("hub")
    assert counted(fed).people == expected(fed)


def test_a_gate_restarts_while_its_enclave_polls(fed: Small) -> None:
    before = fed.service("north-enclave").pid
    for _ in range(2):
        fed.service("north-gate").stop()
        fed.restart("north-gate")
        assert counted(fed).people == expected(fed)
    assert fed.service("north-enclave").pid == before


def test_a_hub_restarts_while_gates_poll(fed: Small) -> None:
    fed.service("hub").stop()
    time.sleep(1.0)
    fed.restart("hub")
    assert counted(fed).people == expected(fed)


# --- stopping ----


@pytest.mark.parametrize("name", ["hub", "north-gate", "north-enclave"])
def test_it_stops_within_seconds_though_long_polls_are_open(fed: Small, name: str) -> None:
    service = fed.service(name)
    request = fed.client.ask("count", {"where": "smoker"})
    request.answer(60)
    status = request.status()

    def wait() -> None:
        try:
            fed.client.status(request.id, newer_than=status.version, wait=6)
        except CinqueError:
            return  # the hub went away

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)
    started = time.monotonic()
    os.kill(service.pid, signal.SIGTERM)
    until(lambda: not service.pid, f"{name} has ended", 15)
    seconds = time.monotonic() - started
    fed.restart(name)
    waiting.join(FAR + 5)
    assert seconds < 5
    assert last_word(service.log) == ["stopped", "ready"]  # it ended by itself, and was started again


def last_word(log: Path) -> list[str]:
    events = [json.loads(line)["event"] for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    return [event for event in events if event in ("ready", "stopped")][-2:]


@pytest.mark.parametrize("name", ["hub", "north-gate", "north-enclave"])
def test_a_second_process_on_the_same_home_is_refused(fed: Small, name: str) -> None:
    """A service has its home to itself, also on another port; the first one goes on."""
    kind = name.rpartition("-")[2]
    home = fed.written.hub if name == "hub" else fed.written.tre("north")
    done = command(kind, "run", str(home), "--port", str(free_ports(1)[0]))
    assert done.returncode != 0
    assert "already-running" in done.stderr
    assert "Traceback" not in done.stderr
    assert counted(fed).people == expected(fed)


# --- who may call ----


def sent(
    fed: Small, *, signed: dict[str, Any] | None = None, token: str | None = None, **actual: Any
) -> tuple[int, str]:
    """Status and code of a call to the hub whose token was signed for something else."""
    hub = fed.client.settings.hub
    call = {"method": "GET", "url": f"{hub}/requests", "content_type": "", "body_digest": sha256_hex(b"")}
    key = fed.client.home.ring().sign("call")
    if not token:
        token = make_token(key, **{**call, **(signed or {})}, now=system_clock(), random=system_random)
    headers = {WIRE_HEADER: str(WIRE_VERSION), "Authorization": f"Bearer {token}"}
    transport = HttpTransport(hub)
    try:
        reply = transport.send("GET", call["url"], headers, b"", 10)
    finally:
        transport.close()
    body = json.loads(reply.body)
    return reply.status, body["code"] if isinstance(body, dict) else ""


def test_a_token_for_another_call_is_refused(fed: Small) -> None:
    hub = fed.client.settings.hub
    port = urlsplit(hub).port
    assert sent(fed) == (200, "")
    for signed in (
        {"url": f"https://127.0.0.1:{port}/requests"},  # scheme
        {"url": f"http://localhost:{port}/requests"},  # host
        {"url": "http://127.0.0.1:1/requests"},  # port
        {"url": f"{hub}/tres"},  # path
        {"url": f"{hub}/requests?wait=1"},  # query
        {"method": "POST"},
        {"body_digest": sha256_hex(b"something")},
    ):
        assert sent(fed, signed=signed) == (401, "call-token-other-call"), signed


def test_a_token_serves_once_and_for_a_minute(fed: Small) -> None:
    hub = fed.client.settings.hub
    key = fed.client.home.ring().sign("call")
    call = {"method": "GET", "url": f"{hub}/requests", "content_type": "", "body_digest": sha256_hex(b"")}
    token = make_token(key, **call, now=system_clock(), random=system_random)
    assert sent(fed, token=token) == (200, "")
    assert sent(fed, token=token) == (401, "token-replayed")
    old = make_token(key, **call, now=system_clock() - timedelta(seconds=61), random=system_random)
    assert sent(fed, token=old) == (401, "call-token-expired")


def test_a_token_that_served_before_a_crash_does_not_serve_after_it(fed: Small) -> None:
    hub = fed.client.settings.hub
    key = fed.client.home.ring().sign("call")
    call = {"method": "GET", "url": f"{hub}/requests", "content_type": "", "body_digest": sha256_hex(b"")}
    token = make_token(key, **call, now=system_clock(), random=system_random)
    assert sent(fed, token=token) == (200, "")
    fed.service("hub").kill()
    fed.restart("hub")
    assert sent(fed, token=token) == (401, "token-replayed")


@pytest.mark.parametrize(
    ("service", "keys", "job", "path"),
    [
        ("hub", "tres/north/enclave/keys.json", "call", "/tres"),  # an enclave never speaks to the hub
        ("hub", "tres/north/gate/keys.json", "record", "/tres"),  # a key does one job
        ("hub", "keys.json", "sign", "/tres"),
        ("north-gate", "keys.json", "call", "/relay/lease"),  # the hub's people do not reach into a TRE
        ("north-gate", "hub/keys/hub.json", "call", "/relay/lease"),
        ("north-gate", "tres/south/enclave/keys.json", "call", "/relay/lease"),
        ("north-gate", "tres/north/enclave/keys.json", "release", "/relay/lease"),
        ("north-enclave", "tres/north/gate/keys.json", "transport", "/tasks"),
        ("north-enclave", "keys.json", "call", "/tasks"),  # the researcher is known there, and is not staff
    ],
)
def test_a_key_opens_only_its_own_door(fed: Small, service: str, keys: str, job: str, path: str) -> None:
    key = KeyRing.load(fed.written.root / keys, None).sign(job)
    caller = connect(address(fed, service), key)
    try:
        with pytest.raises(Refused) as refused:
            caller.call("GET" if path != "/relay/lease" else "POST", path)
    finally:
        caller.close()
    assert refused.value.status in (401, 403)


def address(fed: Small, name: str) -> str:
    """Where a service listens, as its log says."""
    ready = [line for line in fed.service(name).log.read_text("utf-8").splitlines() if '"ready"' in line][-1]
    return f"http://127.0.0.1:{json.loads(ready)['port']}"


@pytest.mark.parametrize("url", ["http://192.0.2.1:8700", "http://hub.example.org", "http://127.0.0.1.example.org"])
def test_plain_http_leaves_this_machine_never(fed: Small, url: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        connect(url, None)
    assert refused.value.code == "plain-http"
    home = tmp_path / "home"
    home.mkdir()
    for name in ("keys.json", "person.card.json", "members.json"):
        (home / name).write_bytes((fed.written.researcher / name).read_bytes())
        (home / name).chmod(0o600)
    (home / "client.toml").write_text(f'hub = "{url}"\nproject = "first-project"\ndataset = "people"\n', "utf-8")
    done = command("ask", "count", "--home", str(home))
    assert done.returncode != 0
    assert "plain-http" in done.stderr


# --- the last word: what the logs hold ----


def test_no_log_holds_a_payload_a_value_or_a_key(fed: Small) -> None:
    """Over all that the tests above did, a refusal and a failure of the data's making included."""
    fed.client.ask("count", {"where": f"town == '{TOWNS[0]}'"}).answer(60)
    fed.client.ask("summary", {"variable": "age", "by": ["town"]}).answer(60)
    fed.client.ask("count", {}, project="no-such-project").answer(60)
    spoil(fed, "north")
    answer = fed.client.ask("summary", {"variable": "age"}, tres=["north"]).answer(60)
    assert answer.answered == ()
    said = fed.logs()
    assert '"ready"' in said  # logs there are
    for value in (*TOWNS, "Quarrel-5512", "smoker", "town", "parquet"):
        assert value not in said, value
    for keys in (*fed.written.root.rglob("keys.json"), fed.written.hub / "keys" / "hub.json"):
        for secret in secrets(json.loads(keys.read_text("utf-8"))):
            assert secret not in said


def secrets(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [s for inner in value.values() for s in secrets(inner)]
    if isinstance(value, list):
        return [s for inner in value for s in secrets(inner)]
    return [value] if isinstance(value, str) and len(value) >= 40 else []


def spoil(fed: Small, name: str) -> None:
    """The data are no longer as declared: a level that nobody declared, in a file of the wrong types."""
    import pyarrow as pa

    from cinque.federation.tables import write_parquet

    fed.service(f"{name}-enclave").stop()
    towns = ["Quarrel-5512"] * 40
    table = pa.table({"id": list(range(40)), "town": towns, "smoker": [True] * 40, "age": towns})
    write_parquet(table, fed.written.tre(name) / "tre" / "data" / "people.parquet")
    fed.restart(f"{name}-enclave")
