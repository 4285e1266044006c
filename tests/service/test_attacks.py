"""A hostile hub, a gate that lies in every field, a client that reaches for what is not its own. Each ends in refusal
or delay, and in nothing else: nothing runs that was not asked and agreed, no client believes what no TRE signed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cinque.client.request import Request as Asked
from cinque.crate import dsse
from cinque.crate.cards import issue_card, issue_person_card
from cinque.crate.keys import KeyRing, SigningKey
from cinque.crate.refusal import compose_refusal
from cinque.crate.request import read_request
from cinque.errors import CinqueError, Forbidden, Incompatible, NotFound, Refused, Unauthenticated
from cinque.federation.plan import ORCID
from cinque.lib.canonical import canonical
from cinque.lib.clock import rfc3339
from cinque.lib.digest import sha512_hex
from cinque.lib.parse import dump
from cinque.model.request import Audience
from cinque.wire.call import LocalTransport, Reply
from cinque.wire.messages import CANCEL_TYPE, SEALED_TYPE, Blob, Enrolment
from cinque.wire.sealing import seal
from tests.builders import a_tre
from tests.service.harness import LOOP, Hop, Send, Site, World, a_world, forger


def answering(path: str, change: Callable[[Any], Any], method: str = "GET") -> Any:
    """A hop on which replies to `path` are changed."""

    def tap(send: Send, how: str, where: str, body: Any, rest: dict[str, Any]) -> Reply:
        reply = send(how, where, body=body, **rest)
        if how != method or not where.startswith(path) or reply.status == 204:
            return reply
        changed = change(reply.body if path.startswith("/results") else reply.json())
        return replace(reply, body=changed if isinstance(changed, bytes) else canonical(changed))

    return tap


def ran(site: Site) -> tuple[Any, Any]:
    """How much was computed, and how often something was let run."""
    with site.enclave.database.read() as conn:
        rounds = conn.exec_driver_sql("SELECT count(*) FROM rounds").scalar()
        signed_off = conn.exec_driver_sql("SELECT count(*) FROM audit WHERE event = 'sign off'").scalar()
    return rounds, signed_off


# --------------------------------------------------------------------------------------------------------- the hub


def test_keys_are_never_learned_from_the_hub(north: World) -> None:
    """client.tres: the card is the pinned one, whatever the hub sends; a description counts by its signature alone."""
    other = a_tre("north")

    def swap(entries: Any) -> Any:
        entries.sort(key=lambda entry: str(entry["name"]) != "north")
        stranger = dict(entries[0]) | {"id": other.card.id, "name": "south", "card": other.envelope.decode()}
        forged = json.loads(entries[0]["description"])
        forged["signatures"][0]["sig"] = forged["signatures"][0]["sig"][::-1]
        mine = entries[0] | {"card": other.envelope.decode(), "description": canonical(forged).decode()}
        return [mine, stranger, *entries[1:]]

    north.hop().tap = answering("/tres", swap)
    known = north.client().tres(refresh=True)
    assert known["north"].card == north.sites["north"].card
    assert known["north"].description is None
    assert other.card.id not in {one.card.id for one in known.values()}


LIES: list[tuple[str, Callable[[Any, World], Any]]] = [
    ("another TRE's name for a task", lambda s, w: _task(s, tre="urn:cinque:tre:" + "A" * 43)),
    ("a state that there is not", lambda s, w: _task(s, state="published")),
    ("a time that is none", lambda s, w: _task(s, seen="at noon", state="offered", results=[])),
    ("released, and nothing to show", lambda s, w: _task(s, results=[])),
    ("a result that is not there", lambda s, w: _task(s, results=[{"digest": "0" * 128, "size": 9}])),
    ("a digest that is none", lambda s, w: _task(s, results=[{"digest": "../../keys.json", "size": 9}])),
    ("other bytes under a digest", lambda s, w: _task(s, results=[dump(Blob.of(b"x")) | {"digest": "0" * 128}])),
    ("no task at all", lambda s, w: s | {"tasks": []}),
    ("another request", lambda s, w: s | {"id": "urn:uuid:00000000-0000-4000-8000-000000000000"}),
    ("a field too many", lambda s, w: s | {"trust": "me"}),
    ("a version of text", lambda s, w: s | {"version": "9"}),
]


def _task(status: Any, **changes: Any) -> Any:
    return status | {"tasks": [status["tasks"][0] | changes]}


@pytest.mark.parametrize("lie", [row[1] for row in LIES], ids=[row[0] for row in LIES])
def test_a_hub_that_lies_about_a_status_gives_no_answer(shared: World, lie: Callable[[Any, World], Any]) -> None:
    asked = shared.ask()
    shared.run()
    shared.hop().tap = answering("/requests/", lambda status: lie(status, shared))
    try:
        answer = shared.answer(asked)
    except CinqueError:
        return
    finally:
        shared.hop().tap = None
    # Not refused as a whole: then it is the TRE's own signed word, or the TRE is named as missing.
    assert (answer.values or {"people": 600})["people"] == 600
    assert {*answer.answered, *(m.tre for m in answer.missing)} == {"north"}


def _swapped(world: World, asked: Asked, name: str, data: bytes) -> str:
    """What the client says when `data` comes as the result of a TRE, with its status or when it is fetched; the code
    under which that TRE is missing.
    """
    digest = sha512_hex(data)
    (code,) = {_swapped_as(world, asked, name, digest, data, blob) for blob in (Blob(digest, 9), Blob.of(data))}
    return code


def _swapped_as(world: World, asked: Asked, name: str, digest: str, data: bytes, blob: Blob) -> str:

    def tap(send: Send, how: str, where: str, body: Any, rest: dict[str, Any]) -> Reply:
        if where.startswith("/results/" + digest):
            return Reply(200, {}, data)
        reply = send(how, where, body=body, **rest)
        if how == "GET" and where.startswith("/requests/") and reply.status == 200:
            status = reply.json()
            for task in status["tasks"]:
                if task["tre"] == world.sites[name].card.id:
                    task |= {"results": [dump(blob)], "state": "released"}
            return replace(reply, body=canonical(status))
        return reply

    world.hop().tap = tap
    try:
        answer = world.answer(asked)
    finally:
        world.hop().tap = None
    assert name not in answer.answered
    return next(missing.code for missing in answer.missing if missing.tre == name)


def results(world: World, request: str) -> dict[str, bytes]:
    """TRE name -> the sealed bytes that the hub keeps."""
    status = world.client().status(request)
    assert status is not None
    names = {site.card.id: name for name, site in world.sites.items()}
    return {names[t.tre]: world.hub.files.get(t.results[0].digest) for t in status.tasks if t.results}


def test_results_cannot_be_swapped_altered_or_forged(world: World) -> None:
    one, two = world.ask(tres=["north", "south"]), world.ask(tres=["north", "south"], where="age >= 40")
    world.run()
    first, second = results(world, one.id), results(world, two.id)
    # Of another request: sealed under that request's id, as the context of HPKE.
    assert _swapped(world, one, "north", second["north"]) == "sealed-altered"
    # Of the same request, another TRE: the signed statement names the TRE (client._checked).
    assert _swapped(world, one, "north", first["south"]) == "answers-another"
    # Altered bytes, and bytes that are no seal.
    altered = first["north"][:-1] + bytes([first["north"][-1] ^ 1])
    assert _swapped(world, one, "north", altered) == "sealed-altered"
    assert _swapped(world, one, "north", b"") == "sealed-malformed"
    # Sealed well, and signed by nobody whom the client pinned, or by the gate, or by another TRE.
    request = read_request(one.folder.read("request.zip") or b"")
    site = world.sites["north"]
    context, key = one.id.encode(), (world.card().open,)
    about: dict[str, Any] = {"code": "x", "sentence": "Said by a liar.", "now": world.time(), "task": site.task(one.id)}
    gate = KeyRing.load(site.home / "gate" / "keys.json", None)
    other = KeyRing.load(world.sites["south"].home / "enclave" / "keys.json", None)
    for signer, outcome, code in (
        (gate.sign("record"), "withheld", "gate-signed-release"),
        (gate.sign("transport"), "withheld", "signature-signer"),
        (other.sign("release"), "refused", "signature-signer"),
        (KeyRing.new({"k": "sign"}).sign("k"), "refused", "signature-signer"),
    ):
        crate = compose_refusal(request, site.card, signer, outcome=outcome, **about)  # type: ignore[arg-type]
        found = _swapped(world, one, "north", seal(crate, key, context))
        assert found == code or (code == "signature-signer" and found.startswith("signature"))
    # And the truth is still there afterwards.
    assert (world.answer(one).values or {})["people"] == 1050


def test_a_forged_cancel_stops_nothing(north: World) -> None:
    """intake.cancel: only the requester's own signature, for this request."""
    site = north.sites["north"]
    site.say(dataset={"openness": "sensitive"})
    asked, other = north.ask(), north.ask(where="age >= 40")
    north.run()

    def cancel(request: str, key: SigningKey) -> str:
        body = {"type": CANCEL_TYPE, "version": 1, "request": request, "issued": rfc3339(north.time())}
        return dsse.seal_envelope(CANCEL_TYPE, canonical(body), key).decode()

    hub = KeyRing.load(north.root / "hub" / "keys" / "hub.json", None)
    mine = north.ring("researcher")
    forged = {
        "by the hub": cancel(asked.id, hub.sign("receipt")),
        "by another researcher": cancel(asked.id, north.ring("eve").sign("sign")),
        "forged": cancel(asked.id, forger(mine.sign("sign"))),
        "by the key for calls": cancel(asked.id, mine.sign("call")),
        "of another request": cancel(other.id, mine.sign("sign")),
        "not signed": "{}",
        "nothing": "",
        "another document of the person's": json.dumps({"payload": "", "payloadType": CANCEL_TYPE, "signatures": []}),
    }
    for what, envelope in forged.items():
        item = {
            "id": f"cancel/{what}",
            "kind": "cancel",
            "task": site.task(asked.id),
            "body": {"cancel": envelope},
            "blobs": [],
            "fence": 1,
            "lease_until": "0",
        }
        with pytest.raises(CinqueError):
            site.give(item)
        assert site.states(asked.id)[2] == "in review", what
    item = item | {"id": "real", "body": {"cancel": cancel(asked.id, mine.sign("sign"))}}
    site.give(item)
    assert site.states(asked.id)[2] == "cancelled"
    assert site.states(other.id)[2] == "in review"


def test_a_hub_that_talks_nonsense_only_delays(north: World) -> None:
    site = north.sites["north"]
    asked = north.ask()
    for reply in (b"", b"[]", b"{", b'{"items": [{}]}', b'{"items": 3}', b'{"items": [], "more": 1}'):
        site.to_hub.tap = lambda send, how, where, body, rest, said=reply: (
            Reply(200, {}, said) if "lease" in where else send(how, where, body=body, **rest)
        )
        with pytest.raises(CinqueError):
            site.poll_hub()
    site.to_hub.tap = None
    north.run()
    assert (north.answer(asked).values or {})["people"] == 600


# ------------------------------------------------------------------------------------------------- a gate that lies


def _record(item: Any, record: str) -> Any:
    return item | {"body": {"record": record}}


def _blob(data: bytes) -> Any:
    return dump(Blob.of(data))


# What the gate makes of an item on its way to the enclave, given another request's item.
DOWNWARD: list[tuple[str, Callable[[Any, Any, World], Any]]] = [
    ("another task", lambda i, o, w: i | {"task": o["task"]}),
    ("a task nobody asked", lambda i, o, w: i | {"task": "urn:uuid:00000000-0000-4000-8000-000000000000"}),
    ("a task that is a path", lambda i, o, w: i | {"task": "../../../../etc/cron.d/x"}),
    ("an empty task", lambda i, o, w: i | {"task": ""}),
    ("no record", lambda i, o, w: i | {"body": {}}),
    ("a record of another type", lambda i, o, w: i | {"body": {"record": ["x"]}}),
    ("a record that is text", lambda i, o, w: _record(i, "all is well")),
    ("another request's record", lambda i, o, w: _record(i, o["body"]["record"])),
    ("a record signed by the transport key", lambda i, o, w: _record(i, _resigned(i, w))),
    ("another request's bytes", lambda i, o, w: i | {"blobs": o["blobs"]}),
    ("no bytes", lambda i, o, w: i | {"blobs": []}),
    ("empty bytes", lambda i, o, w: i | {"blobs": [_blob(b"")]}),
    ("both requests' bytes", lambda i, o, w: i | {"blobs": [*i["blobs"], *o["blobs"]]}),
    ("bytes under another digest", lambda i, o, w: i | {"blobs": [i["blobs"][0] | {"digest": "0" * 128}]}),
    ("a request of its own making", lambda i, o, w: i | {"blobs": [_blob(_own(w))]}),
    ("a request signed by another person", lambda i, o, w: i | {"blobs": [_blob(w.packet("eve"))]}),
    ("a forged signature", lambda i, o, w: i | _own_record(w, w.packet(key=forger(w.ring("researcher").sign("sign"))))),
    ("its own request, its own record", lambda i, o, w: i | _own_record(w, _own(w))),
    ("another task, its own record", lambda i, o, w: i | _own_record(w, w.packet(), o["task"])),
    ("another TRE's request, its own record", lambda i, o, w: i | _own_record(w, _elsewhere(w))),
    ("a stranger's request, its own record", lambda i, o, w: i | _own_record(w, w.packet("mallory"))),
    ("another kind: round", lambda i, o, w: i | {"kind": "round"}),
    ("another kind: cancel", lambda i, o, w: i | {"kind": "cancel"}),
    ("another kind: receipt", lambda i, o, w: i | {"kind": "receipt"}),
    ("a kind there is not", lambda i, o, w: i | {"kind": "run"}),
    ("a field too many", lambda i, o, w: i | {"approved": True}),
    ("a fence of text", lambda i, o, w: i | {"fence": "1"}),
]


def _resigned(item: Any, world: World) -> str:
    ring = KeyRing.load(world.sites["north"].home / "gate" / "keys.json", None)
    envelope = json.loads(item["body"]["record"])
    import base64

    payload = base64.b64decode(envelope["payload"])
    return dsse.seal_envelope(envelope["payloadType"], payload, ring.sign("transport")).decode()


def _own_record(world: World, packet: bytes, task: str = "") -> Any:
    return world.sites["north"].item(packet, task)


def _elsewhere(world: World) -> bytes:
    return world.packet(audience=(Audience("urn:cinque:tre:" + "A" * 43, "nowhere"),))


def _own(world: World) -> bytes:
    return world.packet(key=KeyRing.load(world.sites["north"].home / "gate" / "keys.json", None).sign("record"))


@pytest.mark.parametrize("lie", [row[1] for row in DOWNWARD], ids=[row[0] for row in DOWNWARD])
def test_nothing_a_gate_says_makes_the_enclave_run_what_was_not_asked(
    shared: World, lie: Callable[[Any, Any, World], Any]
) -> None:
    """custody.open_packet, custody.gate_record, custody.examine: every check is repeated from the bytes."""
    site = shared.sites["north"]
    shared.submit(shared.packet())
    shared.submit(shared.packet(parameters={"where": "age >= 40"}))
    site.poll_hub()
    before = ran(site)
    released = len(site.releases())

    def tap(send: Send, how: str, where: str, body: Any, rest: dict[str, Any]) -> Reply:
        reply = send(how, where, body=body, **rest)
        if "lease" not in where or len(items := reply.json()["items"]) != 2:
            return reply
        return replace(reply, body=canonical({"items": [lie(items[0], items[1], shared)]}))

    site.to_gate.tap = tap
    try:
        shared.run()
    finally:
        site.to_gate.tap = None
    assert ran(site) == before
    with site.enclave.database.read() as conn:
        states = {row.id: row.state for row in conn.exec_driver_sql("SELECT id, state FROM tasks")}
    assert all(states[task] == "refused" for task, _, _, _ in site.releases()[released:])
    assert all(path.name.startswith(("released-", "refused-")) for path in (site.home / "enclave").glob("crates/*"))


# What the gate makes of a return on its way to the hub; what the client then makes of it.
UPWARD: list[tuple[str, Callable[[Any, World], Any]]] = [
    ("steps that nobody took", lambda m, w: m | {"steps": [{"step": "release", "role": "enclave", "at": _now(w)}]}),
    ("a role that there is not", lambda m, w: m | {"steps": [{"step": "refuse", "role": "king", "at": _now(w)}]}),
    ("a time that is none", lambda m, w: m | {"steps": [{"step": "refuse", "role": "gate", "at": "now"}]}),
    ("a time without a zone", lambda m, w: m | {"steps": [{"step": "refuse", "role": "gate", "at": "2026-11-23"}]}),
    ("a step of the researcher", lambda m, w: m | {"steps": [{"step": "cancel", "role": "researcher", "at": _now(w)}]}),
    ("no blob", lambda m, w: m | {"blob": None}),
    ("no release statement", lambda m, w: m | {"release": None}),
    ("bytes of its own", lambda m, w: m | {"blob": _blob(b"what I like")}),
    ("a size of its own", lambda m, w: m | {"blob": m["blob"] | {"size": 1}}),
    ("a digest of its own", lambda m, w: m | {"blob": m["blob"] | {"digest": "0" * 128}}),
    ("a round instead of an end", lambda m, w: m | {"kind": "round"}),
    ("a description instead of an end", lambda m, w: m | {"kind": "description"}),
    ("another TRE's task", lambda m, w: m | {"task": w.sites["south"].task(w.latest)}),
    ("a task that there is not", lambda m, w: m | {"task": "urn:uuid:00000000-0000-4000-8000-000000000000"}),
]


def _now(world: World) -> str:
    return rfc3339(world.time())


@pytest.fixture(scope="module")
def pair(template: Path, place: Path) -> Iterator[World]:
    with a_world(template, Path(tempfile.mkdtemp(dir=place)) / "world", ("north", "south")) as found:
        yield found


@pytest.mark.parametrize("lie", [row[1] for row in UPWARD], ids=[row[0] for row in UPWARD])
def test_no_client_believes_what_the_enclave_did_not_sign(pair: World, lie: Callable[[Any, World], Any]) -> None:
    asked = pair.ask(tres=["north", "south"])

    def tap(send: Send, how: str, where: str, body: Any, rest: dict[str, Any]) -> Reply:
        if where == "/relay/returns" and body["kind"] == "end":
            body = lie(body, pair)
        return send(how, where, body=body, **rest)

    pair.sites["north"].to_hub.tap = tap
    pair.errors.clear()
    pair.run()
    pair.sites["north"].to_hub.tap = None
    answer = pair.answer(asked)
    assert "south" in answer.answered  # whatever north's gate does, south's answer stands
    assert pair.sites["south"].states(asked.id)[0] == "released"
    people = (answer.values or {})["people"]
    assert people == (1050 if "north" in answer.answered else 450)
    assert not any(error.code == "internal" for error in pair.errors)
    assert not any(event == "unforeseen" for event, _ in pair.events)


# What would leave the enclave by the gate's last check, which needs no key to read.
OUTGOING: list[tuple[str, Callable[[Any, World], Any], str]] = [
    ("unsigned", lambda m, w: m | {"release": None}, ""),
    ("signed by another", lambda m, w: m | {"release": _sealed(m, w, KeyRing.new({"k": "sign"}).sign("k"))}, ""),
    ("signed by the gate", lambda m, w: m | {"release": _sealed(m, w, _gate_key(w))}, ""),
    ("of another task", lambda m, w: m | {"release": _sealed(m, w, task="urn:uuid:x")}, "not-what-was-signed"),
    ("of another TRE", lambda m, w: m | {"release": _sealed(m, w, tre="urn:cinque:tre:x")}, "not-what-was-signed"),
    ("of another kind", lambda m, w: m | {"release": _sealed(m, w, kind="round")}, "not-what-was-signed"),
    ("of another size", lambda m, w: m | {"release": _sealed(m, w, size=1)}, "not-what-was-signed"),
    ("other bytes", lambda m, w: m | {"blob": _blob(b"plain")}, "digest-mismatch"),
    ("no bytes", lambda m, w: m | {"blob": None}, "nothing-sealed"),
]


def _gate_key(world: World) -> SigningKey:
    return KeyRing.load(world.sites["north"].home / "gate" / "keys.json", None).sign("record")


def _sealed(message: Any, world: World, key: SigningKey | None = None, **changes: Any) -> str:
    import base64

    site = world.sites["north"]
    key = key or KeyRing.load(site.home / "enclave" / "keys.json", None).sign("release")
    said = json.loads(base64.b64decode(json.loads(message["release"])["payload"]))
    return dsse.seal_envelope(SEALED_TYPE, canonical(said | changes), key).decode()


@pytest.mark.parametrize(("change", "code"), [row[1:] for row in OUTGOING], ids=[row[0] for row in OUTGOING])
def test_nothing_leaves_by_the_gate_that_the_enclave_did_not_sign(
    shared: World, change: Callable[[Any, World], Any], code: str
) -> None:
    """gate._check_outgoing, line by line."""
    site = shared.sites["north"]
    asked = shared.ask()
    seen: list[str] = []

    def tap(send: Send, how: str, where: str, body: Any, rest: dict[str, Any]) -> Reply:
        if where != "/relay/returns" or body["task"] != site.task(asked.id) or body["kind"] != "end":
            return send(how, where, body=body, **rest)
        with pytest.raises(CinqueError) as refused:
            send(how, where, body=change(body, shared), **rest)
        seen.append(refused.value.code)
        return send(how, where, body=body, **rest)

    site.to_gate.tap = tap
    try:
        for _ in range(3):
            for act in (site.poll_hub, site.poll_gate, site.work, site.send_to_gate, site.send_to_hub):
                act()
    finally:
        site.to_gate.tap = None
    assert len(seen) == 1
    assert not code or seen == [code]
    shared.run()
    assert (shared.answer(asked).values or {})["people"] == 600


# ------------------------------------------------------------------------------------------------------ the client


def test_nobody_reaches_what_is_anothers(north: World) -> None:
    asked = north.ask()
    north.run()
    status = asked.status()
    digest = status.tasks[0].results[0].digest
    eve = north.hop("eve")
    for method, path, error in (
        ("GET", f"/requests/{asked.id}", NotFound),
        ("GET", f"/results/{digest}", NotFound),
        ("POST", f"/requests/{asked.id}/cancel", NotFound),
        ("POST", "/relay/lease", Forbidden),
        ("POST", "/relay/returns", Forbidden),
        ("GET", f"/relay/blobs/{digest}", Forbidden),
        ("PUT", f"/relay/blobs/{digest}", Forbidden),
    ):
        body: Any = None
        if path.endswith("cancel"):
            cancel = {"type": CANCEL_TYPE, "version": 1, "request": asked.id, "issued": rfc3339(north.time())}
            body = dsse.seal_envelope(CANCEL_TYPE, canonical(cancel), north.ring("eve").sign("sign"))
        if path.endswith("returns"):
            body = {"id": "x", "kind": "status", "task": status.tasks[0].task, "steps": []}
        with pytest.raises(error):
            eve.call(method, path, body=body)
    assert eve.call("GET", "/requests").json() == []
    gate = north.sites["north"].to_hub
    for method, path in (("GET", "/requests"), ("GET", f"/results/{digest}"), ("POST", "/requests")):
        with pytest.raises(Forbidden):
            gate.call(method, path, body=north.packet() if method == "POST" else None)


def test_a_gate_that_repeats_anothers_result_does_not_take_it_away(world: World) -> None:
    """hub.result: whoever else sent the same bytes, the person whom they answer may fetch them."""
    theirs = world.submit(world.packet("eve", tres=["south"], project_id="other-project"), "eve")
    world.sites["south"].poll_hub()
    asked = world.ask(tres=["north"])
    site = world.sites["south"]
    stolen: list[Any] = []

    def tap(send: Send, how: str, where: str, body: Any, rest: dict[str, Any]) -> Reply:
        if where == "/relay/returns" and body["kind"] == "end":
            stolen.append(body["blob"])
        return send(how, where, body=body, **rest)

    world.sites["north"].to_hub.tap = tap
    mine = {"id": "x", "kind": "end", "task": site.task(theirs), "steps": [], "release": "{}"}
    site.to_hub.down = True
    world.run()
    site.to_hub.down = False
    site.to_hub.call("POST", "/relay/returns", body=mine | {"blob": stolen[0]})
    assert (world.answer(asked).values or {})["people"] == 600
    with world.hub.database.write() as conn:  # as if the thief had been first
        conn.exec_driver_sql("UPDATE results SET seq = 100 + seq WHERE release != '{}'")
    asked.folder.crate("north").unlink()
    assert (world.answer(asked).values or {})["people"] == 600


def test_a_call_counts_once_for_what_it_says(north: World) -> None:
    """wire/receive.identify: token, body, replay; each by the service's own store."""
    hop = north.hop()
    sent: list[tuple[Any, ...]] = []
    transport = hop._transport
    real = transport.send

    def listen(*args: Any) -> Reply:
        sent.append(args)
        return real(*args)

    transport.send = listen  # type: ignore[assignment, method-assign]
    hop.call("GET", "/requests")
    method, url, headers, body, timeout = sent[0]
    base = url.removesuffix("/requests")

    def status_of(*args: Any) -> tuple[int, str]:
        reply = real(*args)
        return reply.status, json.loads(reply.body)["code"]

    assert status_of(method, url, headers, body, timeout) == (401, "token-replayed")
    north.time.forward(seconds=61)
    assert status_of(method, url, headers, body, timeout) == (401, "call-token-expired")
    north.time.forward(seconds=-61)
    without = {k: v for k, v in headers.items() if k != "Authorization"}
    assert status_of(method, url, without, body, timeout) == (401, "no-token")
    assert status_of(method, url, headers | {"Cinque-Wire": "2"}, body, timeout) == (426, "wire-version")
    assert status_of(method, url, without | {"Authorization": "Bearer x.y.z"}, body, timeout)[0] == 401
    for path in ("/tres", "/requests?x=1"):
        assert status_of(method, base + path, headers, body, timeout) == (401, "call-token-other-call")
    assert status_of("POST", url, headers, body, timeout) == (401, "call-token-other-call")
    assert status_of(method, url, headers, b"more", timeout) == (401, "call-token-other-call")


def test_another_version_is_told_so_in_words(north: World) -> None:
    with pytest.raises(Incompatible) as refused:
        north.hop().call("GET", "/requests", headers={"Cinque-Wire": "2"})
    assert "version 1" in refused.value.sentence
    assert refused.value.remedy


def test_who_calls_with_a_key_for_something_else_is_unknown(north: World) -> None:
    for person, use in (("researcher", "sign"), ("eve", "sign")):
        hop = north.hub_caller(north.ring(person).sign(use))
        with pytest.raises(Unauthenticated) as refused:
            hop.call("GET", "/requests")
        assert refused.value.code == "unknown-key"
    site = north.sites["north"]
    ring = KeyRing.load(site.home / "enclave" / "keys.json", None)
    for key in (ring.sign("release"), KeyRing.load(site.home / "gate" / "keys.json", None).sign("transport")):
        transport = LocalTransport(site.gate_up.app, LOOP(), "http://north.localhost")
        with pytest.raises(Unauthenticated):
            Hop(transport, key, clock=north.time).call("POST", "/relay/lease", body={})


# --------------------------------------------------------------------------------------------------------- enrolment


def _renewed(world: World, serial: int = 2) -> tuple[KeyRing, bytes]:
    """The researcher's next card: a new key for calls, signed with the key that the old card names."""
    old, ring = world.card(), world.ring("researcher")
    new = KeyRing.new({"call": "sign"})
    card = replace(old, call=new.public("call"), serial=serial)
    return new, issue_card(card, ring.sign("sign"))


def test_a_renewed_card_ends_the_old_key(north: World) -> None:
    """hub.enrol: what the hub remembers of a key ends with its card."""
    hop = north.hop()
    hop.call("GET", "/requests")
    new, card = _renewed(north)
    token = north.hub.roster.invite("renewal")
    north.hub_caller(None).call("POST", "/enrol", body=dump(Enrolment(token, card.decode())))
    with pytest.raises(Unauthenticated):
        hop.call("GET", "/requests")
    assert north.hub_caller(new.sign("call")).call("GET", "/requests").json() == []


def test_enrolment_that_is_refused(north: World) -> None:
    caller = north.hub_caller(None)

    def enrol(token: str, card: bytes) -> str:
        with pytest.raises(CinqueError) as refused:
            caller.call("POST", "/enrol", body=dump(Enrolment(token, card.decode())))
        assert refused.value.status < 500
        return refused.value.code

    _, renewed = _renewed(north)
    assert enrol("no such token", renewed) == "token-refused"
    used = north.hub.roster.invite("x")
    caller.call("POST", "/enrol", body=dump(Enrolment(used, renewed.decode())))
    assert enrol(used, _renewed(north, 3)[1]) == "token-refused"
    late = north.hub.roster.invite("x")
    north.time.forward(days=7, seconds=1)
    assert enrol(late, _renewed(north, 3)[1]) == "token-refused"
    # Another's card, or another's key for calls, on a card that is signed well.
    ring = KeyRing.new({"sign": "sign", "open": "open", "call": "sign"})
    about: dict[str, Any] = {"name": "Mallory", "affiliation_name": "x", "valid_from": north.time().date(), "serial": 9}
    assert enrol(north.hub.roster.invite("x"), issue_person_card(ring, id=ORCID, affiliation_ror="", **about)) != ""
    thief = replace(north.card(), id="urn:uuid:11111111-1111-4111-8111-111111111111", sign=ring.public("sign"))
    thief = replace(thief, open=ring.public("open"), call=north.card("eve").call)
    assert enrol(north.hub.roster.invite("x"), issue_card(thief, ring.sign("sign"))) == "call-key-taken"
    hub = (north.root / "hub" / "hub.card.json").read_bytes()
    assert enrol(north.hub.roster.invite("x"), hub) == "card-kind"
    assert north.hop("eve").call("GET", "/requests").json() == []


def test_a_cancel_in_anothers_name_is_refused_by_the_hub(north: World) -> None:
    asked = north.ask()
    body = {"type": CANCEL_TYPE, "version": 1, "request": asked.id, "issued": rfc3339(north.time())}
    for key, request in (
        (north.ring("eve").sign("sign"), asked.id),
        (north.ring("researcher").sign("call"), asked.id),
        (north.ring("researcher").sign("sign"), "urn:uuid:00000000-0000-4000-8000-000000000000"),
    ):
        envelope = dsse.seal_envelope(CANCEL_TYPE, canonical(body | {"request": request}), key)
        with pytest.raises(Refused):
            north.hop().call("POST", f"/requests/{asked.id}/cancel", body=envelope)
    north.time.forward(seconds=timedelta(seconds=1).seconds)
    north.run()
    assert (north.answer(asked).values or {})["people"] == 600
