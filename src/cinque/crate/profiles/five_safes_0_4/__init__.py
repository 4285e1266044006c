"""Five Safes RO-Crate 0.4: every requirement that a machine can test, by its number."""
