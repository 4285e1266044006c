"""Five Safes RO-Crate: bytes to typed things and back."""
