"""What a shell asks of the command itself: its version, and completion."""
