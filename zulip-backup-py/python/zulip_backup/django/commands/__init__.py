"""The commands, to be imported."""
