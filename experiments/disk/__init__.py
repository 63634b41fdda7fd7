"""Files that survive a crash, locks, YAML, and what machine this is."""
