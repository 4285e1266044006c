"""The other end of a call: who calls is found from the token, and every error leaves as one problem document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cinque.errors import CinqueError, Incompatible, TooMany, Unauthenticated
from cinque.lib.clock import Clock
from cinque.lib.digest import sha256_hex
from cinque.wire.messages import BODY_LIMIT, WIRE_HEADER, WIRE_VERSION
from cinque.wire.tokens import check_token, read_token

PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Call:
    """An identified call: the id of the key that signed it, and its body."""

    key: str
    body: bytes


# The public key for a key id (None: not known here), and whether a token's id is used for the first time.
PublicKey = Callable[[str], str | None]
UseOnce = Callable[[str, str, datetime], bool]


# Says who calls, or raises Unauthenticated. It asks the store, so it is called in a worker thread, once.
Identify = Callable[[], Call]


def identify(public_key: PublicKey, use_once: UseOnce, clock: Clock) -> Callable[[Request], Awaitable[Identify]]:
    """A FastAPI dependency for routes that must know who calls. They get nothing of the call, neither key nor body,
    but through the function that identifies it, which runs in the same thread as what they go on to do.
    """

    async def dependency(request: Request) -> Identify:
        same_version(request)
        return partial(_identify, request, await read_body(request))

    def _identify(request: Request, body: bytes) -> Call:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("no-token", "This call carries no token.", remedy="Sign it with an enrolled key.")
        claimed = read_token(token)
        public = public_key(claimed.kid)
        if public is None:
            raise Unauthenticated(
                "unknown-key", "The key that signed this call is not enrolled here.", remedy="Enrol first."
            )
        claims = check_token(
            token,
            public,
            method=request.method,
            url=_url(request),
            content_type=request.headers.get("content-type", "") if body else "",
            body_digest=sha256_hex(body),
            now=clock(),
        )
        if not use_once(claims.kid, claims.jti, claims.expires):
            raise Unauthenticated("token-replayed", "This call was made before.", remedy="Make a new call.")
        return Call(claims.kid, body)

    return dependency


def _url(request: Request) -> str:
    host = request.headers.get("host", "")
    query = request.scope["query_string"].decode("latin-1")
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return f"{request.url.scheme}://{host}{raw.decode('latin-1')}" + (f"?{query}" if query else "")


def same_version(request: Request) -> None:
    """Incompatible, in words, when the caller speaks another version of the protocol."""
    if request.headers.get(WIRE_HEADER, "") != str(WIRE_VERSION):
        raise Incompatible(
            "wire-version",
            f"This service speaks version {WIRE_VERSION} of the protocol; the call is of another version.",
            remedy="Bring both sides to the same release of Cinque.",
        )


async def read_body(request: Request) -> bytes:
    """The whole body; TooMany past the limit, before it is held."""
    size = 0
    chunks: list[bytes] = []
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_LIMIT:
            raise TooMany("body-too-large", f"A call may carry at most {BODY_LIMIT} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def application(title: str, *, on_error: Callable[[BaseException], None]) -> FastAPI:
    """A FastAPI application with the house's one shape of error; no pages that pull scripts.

    `on_error` is told of what nobody foresaw; the caller only learns that it happened.
    """
    app = FastAPI(title=title, docs_url=None, redoc_url=None)

    @app.exception_handler(CinqueError)
    def known(_: Request, error: CinqueError) -> Response:
        return respond(error)

    @app.exception_handler(RequestValidationError)
    def malformed(_: Request, __: Exception) -> Response:
        return respond(CinqueError("malformed", "The call is not in its form."), 422)

    @app.exception_handler(HTTPException)
    def http(_: Request, error: HTTPException) -> Response:
        return respond(CinqueError("http", str(error.detail)), error.status_code)

    @app.exception_handler(Exception)
    def unforeseen(_: Request, error: Exception) -> Response:
        on_error(error)
        return respond(
            CinqueError("internal", "Something went wrong on this side.", remedy="Try again, or tell the operator.")
        )

    return app


def respond(error: CinqueError, status: int | None = None) -> Response:
    """RFC 9457 problem document."""
    document: dict[str, Any] = error.to_dict()
    if status is not None:
        document["status"] = status
    return JSONResponse(document, status_code=status or error.status, media_type=PROBLEM)
