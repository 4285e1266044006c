"""The gate over HTTP, for its enclave alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI

from cinque.gate.service import Gate
from cinque.relay.api import relay_router
from cinque.wire.receive import application, identify


def build(
    gate: Gate, use_once: Callable[[str, str, datetime], bool], on_error: Callable[[BaseException], None]
) -> FastAPI:
    """The gate's application."""
    app = application("Cinque gate", on_error=on_error)
    app.include_router(relay_router(gate, identify(gate.public_key, use_once, gate.clock)))

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok", "service": "gate"}

    return app
