"""The release of Cinque that this is: what every record of what ran names."""

from typing import Final

VERSION: Final = "0.1.0"
