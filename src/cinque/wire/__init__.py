"""What crosses a wall: versioned messages, call signing, sealing, and the one door out."""
