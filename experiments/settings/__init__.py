"""The flags of every command as data classes, and the user code that a command names."""
