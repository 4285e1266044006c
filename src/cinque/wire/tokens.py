"""Call tokens: one scheme on all hops (contracts.md section 1).

A JWS in compact form (RFC 7515, EdDSA of RFC 8037) that is good for one call within 60 seconds: it names the method,
the scheme, the host, the path with its query, the content type and the SHA-256 of the body. Header and claims are
canonical JSON and the algorithm is not a choice, so a token has one text. A token seen twice is the service's to
refuse: it keeps `Claims.jti` of each `Claims.kid` until `Claims.expires`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from cinque.crate.keys import SigningKey, key_id, verify_signature
from cinque.errors import Incompatible, Refused, Unauthenticated
from cinque.lib import base64url
from cinque.lib.canonical import canonical, strict_loads
from cinque.lib.ids import Random
from cinque.lib.parse import parse
from cinque.model import CLOSED

TOKEN_TYPE = "cinque-call+jwt"  # noqa: S105, a media type and no secret
VERSION = 1
LIFE = 60  # seconds
AHEAD = 30  # seconds by which the caller's clock may be ahead of ours
MAX_CHARACTERS = 8192

_URL = re.compile(r"(?i:(https?))://([^/?#@\s]+)(/[^?#]*)?(?:\?([^#]*))?")
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{43}")
_JTI = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. `kid`: id of the caller's key; `path`: with the query; `body`: SHA-256 (hex); `iat`, `exp`:
    seconds since 1970; `jti`: 128 random bits.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    kid: str
    version: int
    method: str
    scheme: str
    host: str
    path: str
    content_type: str
    body: str
    iat: int
    exp: int
    jti: str

    @property
    def expires(self) -> datetime:
        """The moment from which the token is refused."""
        return datetime.fromtimestamp(self.exp, UTC)


def url_parts(url: str) -> tuple[str, str, str]:
    """(scheme, host, path with query) as a token names them: lower-case scheme and host, no default port, no empty
    query, `/` for an empty path. Raises Refused("url-malformed") for another scheme, a user name, anything unencoded.
    """
    match = _URL.fullmatch(url) if url.isascii() and url.isprintable() and " " not in url else None
    if match is None:
        raise Refused("url-malformed", "The address of a call is not an http or https address in encoded form.")
    scheme, host, path, query = match[1].lower(), match[2].lower(), match[3] or "/", match[4]
    host = host.removesuffix(":80" if scheme == "http" else ":443")
    return scheme, host, f"{path}?{query}" if query else path


def make_token(
    key: SigningKey, *, method: str, url: str, content_type: str, body_digest: str, now: datetime, random: Random
) -> str:
    """The token for one call. `content_type`: "" without a body; `body_digest`: SHA-256 (hex), of b"" without a body.

    Raises Refused("url-malformed"), and Refused("call-too-long") for what `read_token` would not take.
    """
    scheme, host, path = url_parts(url)
    issued = int(now.timestamp())
    claims = {
        "version": VERSION,
        "method": method,
        "scheme": scheme,
        "host": host,
        "path": path,
        "content_type": content_type,
        "body": body_digest,
        "iat": issued,
        "exp": issued + LIFE,
        "jti": base64url.encode(random(16)),
    }
    signed = f"{_header(key.id)}.{base64url.encode(canonical(claims))}"
    token = f"{signed}.{base64url.encode(key.sign(signed.encode('ascii')))}"
    if len(token) > MAX_CHARACTERS:
        raise Refused("call-too-long", "The address of a call is too long.", remedy="Send the query in the body.")
    return token


def read_token(token: str) -> Claims:
    """What the token says, unproven: for looking up the public key of `kid`. Raises Unauthenticated with
    `call-token-malformed` and, for a token of another version, Incompatible with `call-token-version`.
    """
    return _read(token)[0]


def check_token(
    token: str, public: str, *, method: str, url: str, content_type: str, body_digest: str, now: datetime
) -> Claims:
    """The claims, when the key `public` signed this token for this call and the time is right.

    Raises Unauthenticated with `call-token-signature`, `call-token-other-call`, `call-token-expired`,
    `call-token-early`, `call-token-life`, or as `read_token` does. `url` is the address as the service was called.
    """
    claims, signed, signature = _read(token)
    # The signature first: before it holds, nothing in the token is worth an answer of its own.
    if claims.kid != key_id("Ed25519", public) or not verify_signature(public, signature, signed):
        raise Unauthenticated("call-token-signature", "The call's token is not signed by the key that it names.")
    try:
        scheme, host, path = url_parts(url)
    except Refused as error:
        raise _other("address") from error
    for what, claimed, actual in (
        ("method", claims.method, method),
        ("scheme", claims.scheme, scheme),
        ("host", claims.host, host),
        ("path or query", claims.path, path),
        ("content type", claims.content_type, content_type),
        ("body", claims.body, body_digest),
    ):
        if claimed != actual:
            raise _other(what)
    if not 0 < claims.exp - claims.iat <= LIFE:
        raise Unauthenticated("call-token-life", f"The call's token asks for another life than {LIFE} seconds.")
    at = now.timestamp()
    if at >= claims.exp:
        raise Unauthenticated("call-token-expired", "The call's token has expired.", remedy=_CLOCKS)
    if claims.iat > at + AHEAD:
        raise Unauthenticated("call-token-early", "The call's token is from the future.", remedy=_CLOCKS)
    return claims


_CLOCKS = "Call again; if it persists, set the clocks of both machines (NTP)."


def _header(key: str) -> str:
    return base64url.encode(b'{"alg":"EdDSA","kid":"%b","typ":"%b"}' % (key.encode(), TOKEN_TYPE.encode()))


def _read(token: str) -> tuple[Claims, bytes, bytes]:
    if len(token) > MAX_CHARACTERS or token.count(".") != 2:
        raise _malformed()
    header, payload, signature = token.split(".")
    try:
        head, body = strict_loads(base64url.decode(header)), strict_loads(base64url.decode(payload))
        if not isinstance(head, dict) or not isinstance(body, dict):
            raise _malformed()
        kid = head.get("kid")
        # The only header there is: no other algorithm, type or field is ever looked at.
        if not (isinstance(kid, str) and _KEY_ID.fullmatch(kid) and header == _header(kid)):
            raise _malformed()
        if canonical(body) != base64url.decode(payload) or "kid" in body:
            raise _malformed()
        if body.get("version") != VERSION:
            raise Incompatible(
                "call-token-version", "The call's token is of a version unknown here.", remedy="Upgrade Cinque."
            )
        claims = parse(Claims, {**body, "kid": kid}, "The call's token", code="call-token-malformed")
        if not _JTI.fullmatch(claims.jti) or not 0 <= claims.iat <= claims.exp <= 2**36:
            raise _malformed()
        return claims, f"{header}.{payload}".encode("ascii"), base64url.decode(signature)
    except (Unauthenticated, Incompatible):
        raise
    except (Refused, ValueError) as error:
        raise _malformed() from error


def _malformed() -> Unauthenticated:
    return Unauthenticated("call-token-malformed", "The call's token is not in its form.", remedy="Make a new call.")


def _other(what: str) -> Unauthenticated:
    return Unauthenticated(
        "call-token-other-call",
        f"The call's token was signed for another call: its {what} differs.",
        remedy="Call again; if it persists, check the address you call and any proxy that rewrites calls.",
    )
