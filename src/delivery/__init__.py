"""The delivery context."""
