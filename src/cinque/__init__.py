"""One question to many Trusted Research Environments, one answer."""

__version__ = "0.1.0"
