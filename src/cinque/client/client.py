"""Ask many TREs one question, wait, and combine: the researcher's side of the road.

Keys come from the pinned members file, never from the hub. What comes back is opened, verified against the pinned
cards and kept unchanged; the answer is worked out here by the analysis's own `advance`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cinque.analyses import package, registry
from cinque.client.answer import Answer, compose
from cinque.client.arguments import check_levels, nearest, typed
from cinque.client.home import ClientHome, RequestFolder
from cinque.client.kinds import KINDS
from cinque.client.known import Known, description
from cinque.client.request import Request
from cinque.crate import dsse
from cinque.crate.answer import Asked, Missing, Received, read_asked, read_member
from cinque.crate.cards import Members, PersonCard
from cinque.crate.keys import KeyRing
from cinque.crate.release import verify_release
from cinque.crate.request import Question, compose_request
from cinque.errors import NotFound, Refused
from cinque.lib.canonical import canonical
from cinque.lib.clock import Clock, parse_rfc3339, rfc3339, system_clock
from cinque.lib.digest import sha512_hex
from cinque.lib.ids import Random, system_random
from cinque.lib.parse import dump, parse_strict
from cinque.model.datasets import Dictionary
from cinque.model.lifecycle import State
from cinque.model.request import Audience, task_id
from cinque.wire.call import Caller, Reply, connect
from cinque.wire.messages import (
    BODY_LIMIT,
    CANCEL_TYPE,
    CancelStatement,
    RequestStatus,
    TaskStatus,
    checked,
)
from cinque.wire.sealing import unseal


class Client:
    """A person's connection to a federation. Everything it learns is kept in the home folder."""

    def __init__(
        self,
        home: ClientHome,
        hub: Caller,
        ring: KeyRing,
        *,
        clock: Clock = system_clock,
        random: Random = system_random,
    ) -> None:
        self.home = home
        self.card: PersonCard = home.card()
        self.members: Members = home.members()
        self.settings = home.settings()
        self._hub = hub
        self._ring = ring
        self._clock = clock
        self._random = random
        self._known: dict[str, Known] = {}

    @staticmethod
    def open(home: ClientHome, passphrase: bytes | None = None, hub_url: str = "") -> Client:
        """The client of a home folder, over HTTP."""
        ring = home.ring(passphrase)
        return Client(home, connect(hub_url or home.settings().hub, ring.sign("call")), ring)

    def close(self) -> None:
        """Drop the connection."""
        self._hub.close()

    # --- who is there ----------------------------------------------------------------------------------------------

    def tres(self, *, refresh: bool = False) -> dict[str, Known]:
        """Name -> what is known of each enrolled TRE whose card is pinned. A description counts only when that card's
        release key signed it.
        """
        if refresh or not self._known:
            for entry in self._hub.call("GET", "/tres").json():
                try:
                    card = self.members.tre(entry["id"])
                except NotFound:
                    continue  # not pinned here: never asked
                self._known[card.name] = Known(card, description(card, entry.get("description")), entry.get("seen"))
        return dict(sorted(self._known.items()))

    def wait_described(self, dataset: str, seconds: float = 20.0) -> None:
        """Wait until every pinned TRE has told the hub what may be asked there, or the time is over."""
        deadline = time.monotonic() + seconds
        while len(self.dictionary(dataset)) < len(self.tres()) and time.monotonic() < deadline:
            time.sleep(0.05)  # only at the start of a federation: nobody waits for descriptions later
            self.tres(refresh=True)

    def dictionary(self, dataset: str, tres: Sequence[str] | None = None) -> dict[str, Dictionary]:
        """TRE name -> dictionary of a dataset, of those that have it."""
        found: dict[str, Dictionary] = {}
        for name, known in self.tres().items():
            if known.description is not None and (tres is None or name in tres):
                found.update((name, d) for d in known.description.datasets if d.dataset == dataset)
        return found

    # --- asking ----------------------------------------------------------------------------------------------------

    def ask(
        self,
        analysis: str,
        parameters: Mapping[str, Any],
        *,
        dataset: str = "",
        project: str = "",
        tres: Sequence[str] | None = None,
        title: str = "",
        accept_for: timedelta = timedelta(days=7),
    ) -> Request:
        """Sign a question and hand it to the hub. Raises Refused, before anything is sent, for an unknown TRE or
        analysis, and for columns and filters that do not fit the dictionaries of the TREs asked.
        """
        chosen = registry.get(analysis)
        given = {name: value for name, value in parameters.items() if value is not None}
        asked = typed(chosen, given)
        dataset = dataset or self.settings.dataset
        project = project or self.settings.project
        if not dataset or not project:
            what = "dataset" if not dataset else "project"
            raise Refused(
                f"no-{what}", f"The question names no {what}.", remedy=f"Name it, or set `{what}` in client.toml."
            )
        audience = self._audience(tres)
        dictionaries = self._described(dataset, audience)
        text = title or question_text(analysis, given, dataset)
        if chosen.agree is not None:
            if not dictionaries:
                raise Refused(
                    "no-dictionary",
                    f"None of the TREs asked has said what dataset `{dataset}` holds, so its levels cannot be agreed.",
                    remedy="Check the dataset's name, or ask again once a TRE that has it is online.",
                )
            asked = chosen.agree(asked, dictionaries)
            given = {name: value for name, value in dump(asked).items() if value is not None}
        for dictionary in dictionaries.values():
            chosen.check(asked, dictionary)
        check_levels(given.get("where"), list(dictionaries.values()))
        now = self._clock()
        question = Question(
            title=text,
            description=f"{chosen.title}. Dataset `{dataset}`, project `{project}`.",
            requester=self.card,
            project_id=project,
            project_name=project,
            dataset=dataset,
            analysis=chosen.name,
            analysis_version=chosen.version,
            analysis_digest=package.digest(package.package(chosen)),
            package=package.package(chosen),
            parameters=given,
            audience=audience,
            accept_until=now + accept_for,
            reply_to=(self.card.open,),
            max_rounds=chosen.rounds,
        )
        packet = compose_request(question, self._ring.sign("sign"), now=now, random=self._random)
        asked = read_asked(packet)
        folder = self.home.new_request(asked.request.statement.id)
        note = {
            "title": text,
            "analysis": chosen.name,
            "dataset": dataset,
            "project": project,
            "asked": rfc3339(now),
            "tres": {a.id: a.name for a in audience},
        }
        folder.write("question.json", canonical(note))
        folder.write("request.zip", packet)
        return self.submit(folder)

    def submit(self, folder: RequestFolder) -> Request:
        """Hand a signed question in; the same one again is the same question."""
        packet = folder.read("request.zip") or b""
        headers = {"Idempotency-Key": sha512_hex(packet)[:64]}
        receipt = self._hub.call("POST", "/requests", body=packet, content_type="application/zip", headers=headers).body
        folder.write("receipt.json", receipt)
        return Request(self, folder)

    def _described(self, dataset: str, audience: Sequence[Audience]) -> dict[str, Dictionary]:
        """As `dictionary`. Raises Refused where every TRE asked has said what it has, and none has this dataset."""
        names = [one.name for one in audience]
        found = self.dictionary(dataset, names)
        said = [self.tres()[name].description for name in names]
        if not found and None not in said:
            others = dict.fromkeys(d.dataset for each in said if each is not None for d in each.datasets)
            raise Refused(
                "unknown-dataset",
                f"None of the TREs asked has a dataset `{dataset}`.",
                remedy=nearest(dataset, others, "They have"),
            )
        return found

    def _audience(self, tres: Sequence[str] | None) -> tuple[Audience, ...]:
        known = self.tres()
        given = [tres] if isinstance(tres, str) else tres
        names = list(known) if given is None else list(dict.fromkeys(given))
        if not names:
            raise Refused(
                "no-tres",
                "No TRE is enrolled whose card is pinned here.",
                remedy="Pin cards: `cinque connect --members FILE`.",
            )
        for name in names:
            if name not in known:
                try:
                    self.members.tre_by_name(name)
                except NotFound as unknown:
                    raise NotFound(
                        unknown.code,
                        f"There is no TRE `{name}` whose card is pinned here.",
                        remedy=nearest(name, known, "Pinned and enrolled are"),
                    ) from None
                raise Refused("tre-not-enrolled", f"`{name}` is not enrolled at this hub.")
        return tuple(Audience(known[name].card.id, name) for name in names)

    def request(self, request: str) -> Request:
        """A request asked earlier, by this or another process, on this or another day."""
        return Request(self, self.home.request(request))

    # --- what comes back -------------------------------------------------------------------------------------------

    def status(
        self, request: str, *, newer_than: int = 0, wait: float = 0.0, settled: bool = False
    ) -> RequestStatus | None:
        """How a request stands, as the hub was told; None when nothing is newer, or not yet `settled` where that is
        asked for: every task ended or waiting for a person. A settled status brings the results along.
        """
        path = f"/requests/{request}?newer_than={newer_than}&wait={wait:g}"
        path += "&settled=true&results=true" if settled else ""
        reply = self._hub.call("GET", path, timeout=wait + 15)
        return self._status(reply, request) if reply.status != 204 else None

    def _status(self, reply: Reply, request: str) -> RequestStatus:
        """What the hub says, when it is about what was asked: every TRE's task, once, in a state that there is."""
        status = parse_strict(RequestStatus, reply.body, "A request's status", max_bytes=BODY_LIMIT)
        try:
            tres = self.home.request(request).note()["tres"]
        except NotFound:  # asked from another home: nothing here to compare with
            return status
        asked = {(tre, task_id(request, tre)) for tre in tres}
        try:
            fits = status.id == request and {(task.tre, task.task) for task in status.tasks} == asked
            for task in status.tasks:
                State(task.state)
                fits = fits and (task.seen is None or parse_rfc3339(task.seen) is not None)
        except ValueError:
            fits = False
        if not fits or len(status.tasks) != len(asked):
            raise Refused(
                "hub-status",
                "What the hub says of this request does not fit what was asked.",
                remedy="Ask the hub's operator; what TREs have answered so far is kept.",
            )
        return status

    def fetch(self, folder: RequestFolder, asked: Asked, task: TaskStatus, name: str) -> Received | None:
        """The crate that ended a task: opened, verified with the pinned card, kept unchanged. None when none came."""
        place = folder.crate(name)
        if place.exists():
            return self._checked(place.read_bytes(), asked, task)
        for blob in task.results:
            sealed = blob.data()
            if sealed is None:
                sealed = checked(self._hub.call("GET", f"/results/{blob.digest}", timeout=120).body, blob.digest)
            received = self._checked(unseal(sealed, self._ring.open("open"), folder.id.encode()), asked, task)
            folder.write(f"crates/{name}.zip", received.packed)
            return received
        return None

    def _checked(self, data: bytes, asked: Asked, task: TaskStatus) -> Received:
        received = read_member(data)
        verify_release(received.crate, self.members)
        said = received.crate.statement
        if said.tre != task.tre or said.request_digest != asked.request.digest:
            raise Refused("answers-another", "A crate came back that answers another question, or is another TRE's.")
        return received

    def compose(
        self, folder: RequestFolder, asked: Asked, crates: Mapping[str, Received], missing: tuple[Missing, ...]
    ) -> Answer:
        """The answer from what was received, kept as a crate of the person's own."""
        return compose(
            folder,
            asked,
            crates,
            missing,
            person=self.card,
            key=self._ring.sign("sign"),
            now=self._clock(),
            random=self._random,
            kind=KINDS.get(asked.request.statement.analysis, Answer),
        )

    def cancel(self, request: str) -> RequestStatus:
        """Stop a request, with the person's own signature: a hub alone cannot."""
        statement = CancelStatement(CANCEL_TYPE, 1, request, rfc3339(self._clock()))
        envelope = dsse.seal_envelope(CANCEL_TYPE, canonical(dump(statement)), self._ring.sign("sign"))
        reply = self._hub.call("POST", f"/requests/{request}/cancel", body=envelope)
        return self._status(reply, request)

    def now(self) -> datetime:
        """The client's clock."""
        return self._clock()


MANY = 12  # values of a list up to which a title names them all


def question_text(analysis: str, parameters: Mapping[str, Any], dataset: str) -> str:
    """The question in one line, for titles and lists."""
    parts = [f"{name}={_plain(value)}" for name, value in parameters.items()]
    return f"{analysis}({', '.join(parts)}) of {dataset}"


def _plain(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return str(value)
    if len(value) > MANY:
        return f"{_plain(value[0])} … {_plain(value[-1])} ({len(value)} values)"
    return ", ".join(map(str, value))
