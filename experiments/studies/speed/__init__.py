"""How fast a search is, where its time and memory go, and whether its fast path is right."""
