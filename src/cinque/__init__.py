"""One question to many Trusted Research Environments, one answer."""
