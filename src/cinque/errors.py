"""Every exception that Cinque raises on purpose.

    CinqueError                 anything below; carries code, sentence, rule, remedy
    ├── Refused                 a check said no                       422   (malformed input, policy, a wrong state)
    │   ├── Unauthenticated     who calls is not known                401
    │   ├── Forbidden           who calls may not do this             403
    │   ├── NotFound            no such thing for this caller         404
    │   ├── Conflict            another step came first               409
    │   ├── TooMany             more than there is place for          429
    │   └── Incompatible        the other side speaks another version 426
    ├── Unreadable              bytes that are not what they claim    400   (a file on disk, an argument)
    └── Unavailable             the other side did not answer         503   (try again)

A sentence says what was refused, why, and what to do next. It may leave a TRE, so it never holds a value from a data
row, nor a path inside a TRE.
"""

from __future__ import annotations


class CinqueError(Exception):
    """Base of all; `code` is stable and for machines, `sentence` is for people."""

    status = 500
    title = "Something went wrong"

    def __init__(self, code: str, sentence: str, *, rule: str = "", remedy: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.rule = rule
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".strip() + f" [{self.code}]"

    def to_dict(self) -> dict[str, object]:
        """RFC 9457 problem details: type, title, status, detail and our code, rule, remedy."""
        problem: dict[str, object] = {
            "type": f"urn:cinque:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.sentence,
            "code": self.code,
        }
        if self.rule:
            problem["rule"] = self.rule
        if self.remedy:
            problem["remedy"] = self.remedy
        return problem


class Refused(CinqueError):
    """A check said no."""

    status = 422
    title = "Refused"


class Unauthenticated(Refused):
    """The caller could not be identified."""

    status = 401
    title = "Not identified"


class Forbidden(Refused):
    """The caller is known and may not do this."""

    status = 403
    title = "Not allowed"


class NotFound(Refused):
    """There is no such thing, or none that this caller may see."""

    status = 404
    title = "Not found"


class Conflict(Refused):
    """Another step was committed first, or this one does not follow from the present state."""

    status = 409
    title = "Conflict"


class TooMany(Refused):
    """More callers, bytes or requests than there is place for."""

    status = 429
    title = "Too many"


class Incompatible(Refused):
    """The other side speaks another version of the protocol."""

    status = 426
    title = "Incompatible version"


class Unreadable(CinqueError):
    """Bytes or arguments that are not what they claim to be."""

    status = 400
    title = "Unreadable"


class Unavailable(CinqueError):
    """The other side did not answer; the same call may be made again."""

    status = 503
    title = "Unavailable"


BY_STATUS: dict[int, type[CinqueError]] = {
    cls.status: cls
    for cls in (Refused, Unauthenticated, Forbidden, NotFound, Conflict, TooMany, Incompatible, Unreadable, Unavailable)
}
