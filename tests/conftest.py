"""What every test shares: how hypothesis searches."""

from __future__ import annotations

from hypothesis import settings

# Two busy cores make any single example slow now and then; the timeout a test, in pyproject.toml, catches what hangs.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")
