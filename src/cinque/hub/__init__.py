"""What only the hub decides."""
