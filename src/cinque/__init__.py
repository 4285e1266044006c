"""One question to many Trusted Research Environments, one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cinque.lib.version import VERSION as __version__

if TYPE_CHECKING:
    from cinque.client.connection import connect as connect
    from cinque.client.synthesis import synthesise as meta
    from cinque.federation.local import Federation as Federation

__all__ = ["Federation", "__version__", "connect", "meta"]


def __getattr__(name: str) -> Any:
    # Looked up when used: `import cinque` and the command line stay light.
    if name == "Federation":
        from cinque.federation.local import Federation

        return Federation
    if name == "connect":
        from cinque.client.connection import connect

        return connect
    if name == "meta":
        from cinque.client.synthesis import synthesise

        return synthesise
    raise AttributeError(f"cinque has no `{name}`")
