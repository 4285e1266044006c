"""Five Safes RO-Crate 1.0, working draft: an activity record written, and 0.4 crates converted to it. It may change."""
