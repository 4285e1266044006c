"""Call tokens: good for exactly one call, within a minute, in one spelling."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.crate.keys import SigningKey
from cinque.errors import Incompatible, Refused, Unauthenticated
from cinque.lib import base64url
from cinque.lib.canonical import canonical
from cinque.lib.digest import sha256_hex
from cinque.lib.ids import system_random
from cinque.wire.tokens import check_token, make_token, read_token, url_parts

KEY = SigningKey.from_private(bytes(range(32)))
OTHER = SigningKey.from_private(bytes(range(1, 33)))
NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
CALL: dict[str, Any] = {
    "method": "POST",
    "url": "https://hub.example:8443/tasks/7?wait=20",
    "content_type": "application/json",
    "body_digest": sha256_hex(b"{}"),
}
TOKEN = make_token(KEY, **CALL, now=NOW, random=system_random)


def refusal(token: str = TOKEN, public: str = KEY.public, now: datetime = NOW, **changes: Any) -> str:
    with pytest.raises(Unauthenticated) as refused:
        check_token(token, public, **{**CALL, **changes}, now=now)
    return refused.value.code


def test_the_call_it_was_made_for() -> None:
    claims = check_token(TOKEN, KEY.public, **CALL, now=NOW)
    assert claims == read_token(TOKEN)
    assert (claims.kid, claims.method, claims.scheme) == (KEY.id, "POST", "https")
    assert (claims.host, claims.path) == ("hub.example:8443", "/tasks/7?wait=20")
    assert claims.expires == NOW + timedelta(seconds=60)


def test_it_is_an_ordinary_jws() -> None:  # RFC 7515 section 5.2, by hand
    header, payload, signature = TOKEN.split(".")
    assert json.loads(base64url.decode(header)) == {"alg": "EdDSA", "kid": KEY.id, "typ": "cinque-call+jwt"}
    assert json.loads(base64url.decode(payload))["exp"] == int(NOW.timestamp()) + 60
    assert base64url.decode(signature) == KEY.sign(f"{header}.{payload}".encode())


def test_two_tokens_for_one_call_can_be_told_apart() -> None:
    again = make_token(KEY, **CALL, now=NOW, random=system_random)
    assert read_token(again).jti != read_token(TOKEN).jti


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"method": "GET"}, "method"),
        ({"method": "post"}, "method"),
        ({"url": "http://hub.example:8443/tasks/7?wait=20"}, "scheme"),
        ({"url": "https://bub.example:8443/tasks/7?wait=20"}, "host"),
        ({"url": "https://hub.example/tasks/7?wait=20"}, "host"),
        ({"url": "https://hub.example:8443/tasks/8?wait=20"}, "path"),
        ({"url": "https://hub.example:8443/tasks/7/?wait=20"}, "path"),
        ({"url": "https://hub.example:8443/tasks%2F7?wait=20"}, "path"),
        ({"url": "https://hub.example:8443/tasks/7?wait=21"}, "query"),
        ({"url": "https://hub.example:8443/tasks/7?wait=20&all=1"}, "query"),
        ({"url": "https://hub.example:8443/tasks/7"}, "query"),
        ({"url": "not an address"}, "address"),
        ({"content_type": "text/plain"}, "content type"),
        ({"content_type": ""}, "content type"),
        ({"body_digest": sha256_hex(b"{ }")}, "body"),
        ({"body_digest": ""}, "body"),
    ],
)
def test_each_binding_fails_alone(changes: dict[str, str], what: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        check_token(TOKEN, KEY.public, **{**CALL, **changes}, now=NOW)
    assert refused.value.code == "call-token-other-call"
    assert what in refused.value.sentence


@pytest.mark.parametrize(
    ("seconds", "code"), [(-31, "call-token-early"), (-30, ""), (0, ""), (59.9, ""), (60, "call-token-expired")]
)
def test_time(seconds: float, code: str) -> None:
    now = NOW + timedelta(seconds=seconds)
    if code:
        assert refusal(now=now) == code
    else:
        check_token(TOKEN, KEY.public, **CALL, now=now)


def forged(key: SigningKey = KEY, head: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token signed by hand, with these changes."""
    header, payload, _ = TOKEN.split(".")
    body = {**json.loads(base64url.decode(payload)), **claims}
    parts = [canonical(head or json.loads(base64url.decode(header))), canonical(body)]
    signed = ".".join(base64url.encode(part) for part in parts)
    return f"{signed}.{base64url.encode(key.sign(signed.encode()))}"


def test_forging_by_hand_works_at_all() -> None:
    check_token(forged(), KEY.public, **CALL, now=NOW)


ISSUED = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"exp": ISSUED + 61}, "call-token-life"),
        ({"exp": ISSUED}, "call-token-life"),
        ({"exp": ISSUED - 1}, "call-token-malformed"),
        ({"exp": 2**40}, "call-token-malformed"),
        ({"iat": -1}, "call-token-malformed"),
        ({"jti": ""}, "call-token-malformed"),
        ({"jti": "x" * 500}, "call-token-malformed"),
        ({"kid": KEY.id}, "call-token-malformed"),
        ({"more": 1}, "call-token-malformed"),
        ({"version": True}, "call-token-malformed"),
        ({"method": None}, "call-token-malformed"),
    ],
)
def test_a_caller_cannot_stretch_the_form(claims: dict[str, Any], code: str) -> None:
    assert refusal(forged(**claims)) == code


@pytest.mark.parametrize(
    "head",
    [
        {"alg": "none", "kid": KEY.id, "typ": "cinque-call+jwt"},
        {"alg": "HS256", "kid": KEY.id, "typ": "cinque-call+jwt"},
        {"alg": "EdDSA", "kid": KEY.id, "typ": "JWT"},
        {"alg": "EdDSA", "kid": KEY.id},
        {"alg": "EdDSA", "kid": "x", "typ": "cinque-call+jwt"},
        {"alg": "EdDSA", "kid": 7, "typ": "cinque-call+jwt"},
        {"alg": "EdDSA", "jwk": {}, "kid": KEY.id, "typ": "cinque-call+jwt"},
    ],
)
def test_the_header_is_no_choice(head: dict[str, Any]) -> None:
    assert refusal(forged(head=head)) == "call-token-malformed"


def test_another_version_is_said_in_words() -> None:
    with pytest.raises(Incompatible):
        read_token(forged(version=2))


def test_keys() -> None:
    assert refusal(public=OTHER.public) == "call-token-signature"
    assert refusal(forged(key=OTHER)) == "call-token-signature"  # names KEY, signed by OTHER
    assert refusal(forged(key=OTHER), public=OTHER.public) == "call-token-signature"  # and checked with OTHER's key


def test_no_token_without_signature() -> None:
    assert refusal(TOKEN.rpartition(".")[0] + ".") == "call-token-signature"
    assert refusal(TOKEN.rpartition(".")[0]) == "call-token-malformed"


def test_any_changed_character_is_refused() -> None:
    for place, character in enumerate(TOKEN):
        for other in ("A", "_", "=", "."):
            if other != character:
                with pytest.raises((Unauthenticated, Incompatible)):
                    check_token(TOKEN[:place] + other + TOKEN[place + 1 :], KEY.public, **CALL, now=NOW)


@pytest.mark.parametrize(
    "respell",
    [
        lambda body: json.dumps(body).encode(),
        lambda body: json.dumps(dict(reversed(body.items())), separators=(",", ":")).encode(),
        lambda body: canonical(body).replace(b'"method"', b'"method":"GET","method"'),
        lambda body: canonical(body) + b" ",
    ],
    ids=["spaces", "order", "a key twice", "a space after"],
)
def test_claims_have_one_spelling_even_when_signed(respell: Callable[[dict[str, Any]], bytes]) -> None:
    header, payload, _ = TOKEN.split(".")
    signed = f"{header}.{base64url.encode(respell(json.loads(base64url.decode(payload))))}"
    assert refusal(f"{signed}.{base64url.encode(KEY.sign(signed.encode()))}") == "call-token-malformed"


@pytest.mark.parametrize("token", [TOKEN + "=", TOKEN + ".x", " " + TOKEN, TOKEN + "\n", "", "..", "x" * 9000, "é.é.é"])
def test_tokens_have_one_spelling(token: str) -> None:
    refusal(token)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("HTTPS://Hub.Example:443", ("https", "hub.example", "/")),
        ("http://127.0.0.1:80/a?", ("http", "127.0.0.1", "/a")),
        ("http://[::1]:8000/a%20b?q=1?2", ("http", "[::1]:8000", "/a%20b?q=1?2")),
        ("https://hub.example:80/", ("https", "hub.example:80", "/")),
        ("https://hub.example?q=1", ("https", "hub.example", "/?q=1")),
    ],
)
def test_addresses_mean_the_same_on_both_sides(url: str, parts: tuple[str, str, str]) -> None:
    assert url_parts(url) == parts


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a/",
        "//a/",
        "https:///a",
        "https://me@a/",
        "https://a/#x",
        "https://a/ b",
        "https://a/é",
        "https://a/\n",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(Refused) as refused:
        url_parts(url)
    assert refused.value.code == "url-malformed"


def test_what_would_not_be_read_is_not_made() -> None:
    with pytest.raises(Refused) as refused:
        make_token(KEY, **{**CALL, "url": "https://a/" + "x" * 8000}, now=NOW, random=system_random)
    assert refused.value.code == "call-too-long"


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
part = st.text(max_size=20) | json_values.map(lambda value: base64url.encode(json.dumps(value).encode()))


@given(st.text(max_size=60) | st.tuples(st.just(TOKEN.split(".")[0]) | part, part, part).map(".".join))
def test_arbitrary_tokens_are_refused_and_nothing_else_happens(token: str) -> None:
    with pytest.raises((Unauthenticated, Incompatible)):
        check_token(token, KEY.public, **CALL, now=NOW)


@given(st.sampled_from(["method", "url", "content_type", "body_digest"]), st.text(max_size=30))
def test_arbitrary_calls_are_refused_and_nothing_else_happens(which: str, value: Any) -> None:
    if value != CALL[which]:
        refusal(**{which: value})


def test_checking_takes_well_under_a_millisecond() -> None:
    best = min(_timed() for _ in range(5))
    assert best < 1e-3


def _timed() -> float:
    begin = time.process_time()  # of this process alone: the machine may be busy
    for _ in range(20):
        check_token(TOKEN, KEY.public, **CALL, now=NOW)
    return (time.process_time() - begin) / 20
