"""Ours against other people's pruning, at equal measured time and with equal fine-tuning."""
