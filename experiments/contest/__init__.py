"""Strategies against each other on the same networks, for `experiments.bench_agents`."""
