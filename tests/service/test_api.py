"""Any call whatever, to any route of the three services, by anybody: no 500, one shape of error, nothing inner."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinque.crate.keys import KeyRing
from cinque.errors import CinqueError, Refused
from cinque.lib.digest import sha256_hex
from cinque.lib.ids import system_random
from cinque.wire.call import LocalTransport, Reply
from cinque.wire.messages import WIRE_HEADER
from cinque.wire.tokens import make_token
from tests.service.harness import LOOP, SECRET, World

SERVICES = ("hub", "gate", "enclave")
UUID = "urn:uuid:00000000-0000-4000-8000-000000000000"
INNER = re.compile(r"/(home|tmp|dev|root|var|work)/|\.sqlite|\.py\b|Traceback|sqlalchemy|<class|0x[0-9a-f]{6}")

words = st.sampled_from(["", UUID, "0" * 128, "..", "%00", "%2e%2e", "-1", "1e9", "nan", "é", "x" * 300, "null"])
segment = words | st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)
leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words | st.text(max_size=8)
keys = st.sampled_from(
    ["id", "kind", "task", "steps", "release", "blob", "item", "fence", "token", "card", "step", "role", "at", "sig"]
)
value = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6), max_leaves=12
)
a_return = st.fixed_dictionaries(
    {
        "id": st.text(max_size=5),
        "kind": st.sampled_from(["status", "round", "end", "description"]),
        "task": words,
        "steps": st.lists(
            st.fixed_dictionaries({"step": words, "role": words | st.just("gate"), "at": words}), max_size=2
        ),
        "release": st.none() | words,
        "blob": st.none()
        | st.fixed_dictionaries({"digest": words, "size": st.integers(), "inline": st.none() | words}),
    }
)
envelope = st.fixed_dictionaries(
    {
        "payload": words,
        "payloadType": words,
        "signatures": st.lists(st.fixed_dictionaries({"keyid": words, "sig": words})),
    }
)
body = st.just(b"") | st.binary(max_size=40) | (value | a_return | envelope).map(lambda v: json.dumps(v).encode())
headers = st.dictionaries(
    st.sampled_from(["Idempotency-Key", "Content-Type", "Accept", "X-Forwarded-Host"]),
    st.text(st.characters(codec="ascii", categories=("L", "N", "P")), max_size=250),
    max_size=2,
)


def application(world: World, service: str) -> Any:
    site = world.sites["north"]
    return {"hub": world.hub_up, "gate": site.gate_up, "enclave": site.enclave_up}[service].app


def routes(world: World, service: str) -> list[tuple[str, str]]:
    paths = application(world, service).openapi()["paths"]
    return sorted((method.upper(), path) for path, methods in paths.items() for method in methods)


def callers(world: World, service: str) -> dict[str, Any]:
    """Who may call, and keys for it: a person, a gate, an enclave, a stranger, nobody."""
    home = world.sites["north"].home
    return {
        "hub": [
            world.ring("researcher").sign("call"),
            KeyRing.load(home / "gate" / "keys.json", None).sign("transport"),
        ],
        "gate": [KeyRing.load(home / "enclave" / "keys.json", None).sign("call")],
        "enclave": [world.ring("ben").sign("call"), world.ring("eve").sign("call")],
    } | {"nobody": [None, world.ring("mallory").sign("sign")]}


def call(world: World, service: str, key: Any, method: str, path: str, data: bytes, more: dict[str, str]) -> Reply:
    transport = LocalTransport(application(world, service), LOOP(), f"http://{service}.localhost")
    url = transport.base + path
    sent = {WIRE_HEADER: "1", "Content-Type": "application/json"} | more
    if key is not None:
        token = make_token(
            key,
            method=method,
            url=url,
            content_type=sent["Content-Type"] if data else "",
            body_digest=sha256_hex(data),
            now=world.time(),
            random=system_random,
        )
        sent["Authorization"] = f"Bearer {token}"
    return transport.send(method, url, sent, data, 20)


def well_formed(reply: Reply) -> None:
    assert reply.status < 500, reply.body[:300]
    text = reply.body.decode("utf-8", "replace")
    if reply.status >= 400:
        assert reply.headers["content-type"] == "application/problem+json"
        found = json.loads(reply.body)
        assert found["status"] == reply.status
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", found["code"])
        assert found["type"] == f"urn:cinque:problem:{found['code']}"
        assert found["title"]
        assert len(found["detail"]) > 8
        assert not INNER.search(text), text
    assert SECRET not in text


@pytest.mark.parametrize("service", SERVICES)
def test_no_call_whatever_breaks_a_service(shared: World, service: str) -> None:
    found = routes(shared, service)
    keys = callers(shared, service)
    shared.ask()
    shared.run()

    @settings(max_examples=200, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def any_call(data: st.DataObject) -> None:
        method, path = data.draw(st.sampled_from(found))
        for name in re.findall(r"\{(\w+)\}", path):
            path = path.replace("{" + name + "}", data.draw(segment))
        if data.draw(st.booleans()):
            path += "?" + data.draw(st.sampled_from(["wait", "newer_than", "open_only", "x"])) + "=" + data.draw(words)
        if data.draw(st.integers(0, 9)) == 0:
            method = data.draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]))
        if "wait=" in path:
            path = path.replace("wait=1e9", "wait=0").replace("wait=-1", "wait=-2")
        key = data.draw(st.sampled_from([*keys[service], *keys["nobody"]] + keys[service] * 4))
        try:
            reply = call(shared, service, key, method, path.replace("é", "%C3%A9"), data.draw(body), data.draw(headers))
        except Refused:  # an address for which our own side makes no token
            return
        if method != "HEAD":
            well_formed(reply)

    any_call()
    assert [event for event, _ in shared.events if event == "unforeseen"] == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_but_health_and_enrolment_wants_a_token(shared: World, service: str) -> None:
    for method, path in routes(shared, service):
        path = re.sub(r"\{\w+\}", "0" * 128, path)
        reply = call(shared, service, None, method, path, b"", {})
        well_formed(reply)
        if path == "/health":
            assert reply.status == 200
        elif path == "/enrol":
            assert reply.status in (400, 422)
        else:
            assert (reply.status, json.loads(reply.body)["code"]) == (401, "no-token")


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_not_there_is_said_in_the_same_form(shared: World, service: str) -> None:
    for method, path, status in (("GET", "/nowhere", 404), ("DELETE", "/health", 405), ("GET", "/docs", 404)):
        reply = call(shared, service, None, method, path, b"", {})
        assert reply.status == status
        well_formed(reply)


@pytest.mark.parametrize("service", SERVICES)
def test_state_is_never_changed_by_a_get(shared: World, service: str) -> None:
    for method, path in routes(shared, service):
        verb = path.rpartition("/")[2]
        assert method != "GET" or verb not in ("lease", "settle", "heartbeat", "returns", "cancel", "decide", "enrol")


def test_what_nobody_foresaw_says_nothing_of_itself(north: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError(f"{SECRET} in /tmp/inner/path.py")

    monkeypatch.setattr(north.hub, "requests", broken)
    with pytest.raises(CinqueError) as refused:
        north.hop().call("GET", "/requests")
    assert refused.value.code == "internal"
    assert SECRET not in str(refused.value)
    assert "path" not in str(refused.value)
    assert [about["error"] for event, about in north.events if event == "unforeseen"] == ["RuntimeError"]
