"""The one door out: the only module of the house that opens an outbound connection.

Every call carries a token signed by the caller's own key and bound to what is called (wire/tokens.py). Plain http is
for loopback alone. A problem document that comes back is raised as the error it names.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx2

from cinque.crate.keys import SigningKey
from cinque.errors import BY_STATUS, CinqueError, Refused, Unavailable
from cinque.lib.canonical import canonical, strict_loads
from cinque.lib.clock import Clock, system_clock
from cinque.lib.digest import sha256_hex
from cinque.lib.ids import Random, system_random
from cinque.wire.messages import BODY_LIMIT, WIRE_HEADER, WIRE_VERSION
from cinque.wire.tokens import make_token

JSON = "application/json"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back of a call that succeeded."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as strict JSON."""
        return strict_loads(self.body, max_bytes=BODY_LIMIT)


class Transport(Protocol):
    """Carries one signed call; raises Unavailable when nobody answers."""

    @property
    def base(self) -> str: ...

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply: ...

    def close(self) -> None: ...


class Caller:
    """Signed calls to one service with one key. Threads may share it."""

    def __init__(
        self,
        transport: Transport,
        key: SigningKey | None,
        *,
        clock: Clock = system_clock,
        random: Random = system_random,
    ) -> None:
        self._transport = transport
        self._key = key
        self._clock = clock
        self._random = random

    @property
    def base(self) -> str:
        """The service's address."""
        return self._transport.base

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Reply:
        """The reply to one call; `body` is bytes, or a JSON value. Raises the error that a problem document names,
        and Unavailable when there is no answer within `timeout` seconds.
        """
        data = b"" if body is None else body if isinstance(body, bytes) else canonical(body)
        url = self._transport.base + path
        sent = {WIRE_HEADER: str(WIRE_VERSION), **(headers or {})}
        if data:
            sent["Content-Type"] = content_type
        if self._key is not None:
            token = make_token(
                self._key,
                method=method,
                url=url,
                content_type=content_type if data else "",
                body_digest=sha256_hex(data),
                now=self._clock(),
                random=self._random,
            )
            sent["Authorization"] = f"Bearer {token}"
        reply = self._transport.send(method, url, sent, data, timeout)
        if reply.status >= 400:
            raise problem(reply)
        return reply

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()


def connect(url: str, key: SigningKey | None, *, clock: Clock = system_clock, random: Random = system_random) -> Caller:
    """A caller over HTTP. Raises Refused for plain http to anything but loopback."""
    return Caller(HttpTransport(url), key, clock=clock, random=random)


class HttpTransport:
    """HTTP with kept-alive connections."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(
                "address", f"`{url}` is not an http or https address.", remedy="Give one like https://hub.example.org."
            )
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise Refused(
                "plain-http",
                "Plain http is allowed to this machine alone (loopback).",
                remedy="Use https for another host.",
            )
        self.base = url.rstrip("/")
        # No proxies and no redirects: a call goes where its token says or nowhere.
        self._client = httpx2.Client(
            trust_env=False, follow_redirects=False, limits=httpx2.Limits(max_keepalive_connections=16)
        )

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        """One exchange, tried once: a call carries a single-use token, and who calls decides whether to call again."""
        try:
            response = self._client.request(
                method, url, headers=dict(headers), content=body or None, timeout=httpx2.Timeout(timeout, connect=5.0)
            )
        except httpx2.TransportError as error:
            raise Unavailable(
                "no-answer", f"{urlsplit(url).netloc} does not answer.", remedy="Check that it runs and try again."
            ) from error
        return Reply(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()


Application = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[MutableMapping[str, Any]], Awaitable[None]]],
    Awaitable[None],
]


class LocalTransport:
    """The same calls into an ASGI application in this process: no socket, everything else as over HTTP.

    `loop` runs in a thread of its own and is shared by all services of one process.
    """

    def __init__(self, app: Application, loop: asyncio.AbstractEventLoop, base: str) -> None:
        self.base = base
        self._app = app
        self._loop = loop
        self._under_way: set[Future[Reply]] = set()

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        """One exchange with the application."""
        future = asyncio.run_coroutine_threadsafe(self._exchange(method, url, headers, body), self._loop)
        self._under_way.add(future)
        try:
            return future.result(timeout)
        except (FutureTimeout, CancelledError):
            future.cancel()
            raise Unavailable("no-answer", f"{self.base} does not answer.", remedy="Try again.") from None
        finally:
            self._under_way.discard(future)

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        parts = urlsplit(url)
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": parts.scheme,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(b"host", parts.netloc.encode()), (b"content-length", str(len(body)).encode())]
            + [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "client": ("127.0.0.1", 0),
            "server": (parts.hostname, parts.port or 80),
        }
        sent = False
        gone = asyncio.Event()
        status = 500
        answer_headers: dict[str, str] = {}
        chunks: list[bytes] = []

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await gone.wait()
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer_headers.update({k.decode().lower(): v.decode() for k, v in message["headers"]})
            elif message["type"] == "http.response.body":
                chunks.append(message.get("body", b""))

        try:
            await self._app(scope, receive, send)
        except Exception:
            if not chunks:  # once there is an answer, what went wrong is the service's own to log
                raise
        finally:
            gone.set()
        return Reply(status, answer_headers, b"".join(chunks))

    def close(self) -> None:
        """End what is under way, a long-poll say."""
        for future in list(self._under_way):
            future.cancel()


def local_loop(name: str = "cinque-local") -> asyncio.AbstractEventLoop:
    """A running event loop in a daemon thread, for LocalTransport; `call_soon_threadsafe(loop.stop)` ends it."""
    loop = asyncio.new_event_loop()

    def run() -> None:
        loop.run_forever()
        loop.close()

    threading.Thread(target=run, name=name, daemon=True).start()
    return loop


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


def problem(reply: Reply) -> CinqueError:
    """The error that an RFC 9457 document names. The other side is not trusted to write long or strange text."""
    cls = BY_STATUS.get(reply.status, Unavailable if reply.status >= 500 else Refused)
    try:
        document = json.loads(reply.body[:20_000])
        code, sentence = str(document["code"])[:80], str(document["detail"])[:4000]
        return cls(
            code, sentence, rule=str(document.get("rule", ""))[:200], remedy=str(document.get("remedy", ""))[:2000]
        )
    except (ValueError, KeyError, TypeError):
        return cls("http-error", f"The service answered with HTTP status {reply.status}.")
