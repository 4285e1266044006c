"""What a service signs for a return that it took: the digest of what is sealed, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cinque.crate import dsse
from cinque.crate.keys import SigningKey
from cinque.lib.canonical import canonical
from cinque.lib.clock import rfc3339
from cinque.wire.messages import Return

RECEIPT_TYPE: Final = "https://w3id.org/cinque/statement/receipt"


def receipt(message: Return, key: SigningKey, at: datetime) -> bytes:
    """The signed receipt of a return, as an envelope."""
    body = {
        "type": RECEIPT_TYPE,
        "version": 1,
        "return": message.id,
        "task": message.task,
        "sealed": message.blob.digest if message.blob else None,
        "at": rfc3339(at),
    }
    return dsse.seal_envelope(RECEIPT_TYPE, canonical(body), key)
