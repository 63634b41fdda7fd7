"""The networks that people have, from five packages: what is seen, prunable and left of each."""
