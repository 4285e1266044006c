"""A process that writes COUNT times or without end and prints each committed head: `writer.py URL NAME [COUNT]`."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from cinque.storage.database import open_database
from tests.storage.example import METADATA, NEW, save

url, name, *count = sys.argv[1:]
db = open_database(url, METADATA, NEW)
for number in range(int(count[0])) if count else itertools.count():
    sys.stdout.write(save(db, f"{name}-{number}") + "\n")
    sys.stdout.flush()
