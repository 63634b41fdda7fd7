"""From settings to a problem, a strategy, a tuned network."""
