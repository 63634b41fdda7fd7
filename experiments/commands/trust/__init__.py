"""How far the search's score may be trusted: `amc trust`."""
