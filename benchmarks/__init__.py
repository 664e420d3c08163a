"""What is fast, measured, with the command that measures it."""
