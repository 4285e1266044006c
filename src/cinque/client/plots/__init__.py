"""Pictures of answers: matplotlib figures without global state, legible in print and for the colour-blind."""
