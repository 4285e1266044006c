"""Five Safes RO-Crate 1.0, working draft: the checks that words cannot say, its representations told apart."""
