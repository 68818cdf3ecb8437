"""The maps context."""
