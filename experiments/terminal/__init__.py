"""What a person reads while a command works: formats, progress, Ctrl-C."""
