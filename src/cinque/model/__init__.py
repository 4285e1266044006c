"""The nouns and their rules, pure: people, projects, agreements, datasets, requests, the life cycle."""

from typing import Any, Final

# Read by cinque.lib.parse (pydantic's name for it): a value closed to unknown fields. Plain data, so no import here.
CLOSED: Final[Any] = {"extra": "forbid", "strict": True}
