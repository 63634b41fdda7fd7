"""Every benchmark whose figures stand in docs/: a file or folder each."""
