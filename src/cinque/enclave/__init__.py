"""What only a TRE's enclave decides."""
