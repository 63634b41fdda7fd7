"""Searches for tasks beside the classification of images: `python -m experiments.studies.tasks`."""
