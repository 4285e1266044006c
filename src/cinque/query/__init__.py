"""Where a question meets data: the Source protocol and its engines; expressions as SQL."""
