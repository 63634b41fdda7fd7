"""Predicted against measured latency, of our networks and of those that others made."""
