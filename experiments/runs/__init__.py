"""Run folders: journal, results, resuming, failures."""
