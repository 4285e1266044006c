"""The enclave's own loop: late reports, what waited too long, and word to the hub when the TRE's say changes."""

from __future__ import annotations

import threading

from cinque.crate import dsse
from cinque.enclave.service import Enclave
from cinque.lib.canonical import canonical
from cinque.lib.clock import rfc3339
from cinque.lib.digest import sha256_hex
from cinque.lib.parse import dump
from cinque.relay import store as relay
from cinque.wire.messages import DESCRIPTION_TYPE, Description, Return

LATE = 1.0  # seconds after which a step is reported by itself, if no end has told of it
SELDOM = 60.0


class Housekeeping:
    """`tick` looks at what is due; it wakes at once when a task is taken up, else seldom."""

    def __init__(self, enclave: Enclave) -> None:
        self._enclave = enclave
        self._woken = threading.Event()
        self._described = ""
        self._looked = 0.0

    def wake(self) -> None:
        """A task was taken up, or the service stops."""
        self._woken.set()

    def tick(self) -> None:
        """Report what is late; every minute also end what waited too long and describe the TRE anew if it changed."""
        now = self._enclave.clock().timestamp()
        if now - self._looked > SELDOM:
            self._looked = now
            self._enclave.expire()
            self.describe()
        late = self._enclave.report_late(LATE)
        self._woken.wait(LATE if late else SELDOM)
        self._woken.clear()

    def describe(self) -> None:
        """Tell the hub, signed, what may be asked here: dictionaries, analyses, the appetite; no count."""
        enclave = self._enclave
        say = enclave.say
        approved = {name.partition("@")[0] for agreement in say.agreements for name in agreement.analyses}
        datasets = tuple(dataset.dictionary() for dataset in say.datasets)
        found = Description(
            DESCRIPTION_TYPE,
            1,
            enclave.card.id,
            rfc3339(enclave.clock()),
            dump(say.appetite),
            datasets,
            tuple(sorted(approved)),
        )
        body = dump(found)
        mark = sha256_hex(canonical(body | {"at": ""}))
        if mark == self._described:
            return
        envelope = dsse.seal_envelope(DESCRIPTION_TYPE, canonical(body), enclave.ring.sign("release"))
        message = Return(f"description/{mark}/{rfc3339(enclave.clock())}", "description", "", (), envelope.decode())
        with enclave.database.write() as conn:
            relay.send(conn, enclave.tables, message.id, dump(message))
        self._described = mark
        enclave.on_outgoing()
