"""How well criteria foretell what removing a unit does."""
