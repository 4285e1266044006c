"""The TRE's say as values: people, projects, agreements (contracts.md section 3). The enclave reads its folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Literal

from cinque.model import CLOSED
from cinque.model.request import AnswerMode


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody the TRE knows. `card`: file name of the person's card, whose fingerprint the operator compared by
    another channel. `roles`: what they may do here. `training_until`: last day on which their training counts.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    name: str
    card: str
    roles: tuple[Literal["researcher", "operator", "checker"], ...] = ("researcher",)
    training_until: date | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """A project and its people (ids). Valid on every day from `valid_from` to `valid_until`, both included."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    name: str
    people: tuple[str, ...]
    valid_from: date
    valid_until: date
    local_id: str = ""
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """Standing permission: which analyses a project may run on which data, and how much of it without a person.

    `analyses`: `name`, `name@version` or `name@version sha256:…`; `columns`: None for every usable column;
    `sign_off`: whether a fitting request starts by itself; `release`: whether an output may leave by itself (only
    where the dataset is declared synthetic or public); `max_rounds`: rounds of one question.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    version: str
    project: str
    datasets: tuple[str, ...]
    analyses: tuple[str, ...]
    lawful_basis: str
    valid_from: date
    valid_until: date
    columns: tuple[str, ...] | None = None
    modes: tuple[AnswerMode, ...] = ("open",)
    sign_off: Literal["automatic", "person"] = "person"
    release: Literal["automatic", "person"] = "person"
    max_rounds: int = 1
    title: str = ""
    revoked: bool = False
