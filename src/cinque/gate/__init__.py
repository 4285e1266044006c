"""What only a TRE's gate decides."""
