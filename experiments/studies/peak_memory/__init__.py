"""The cost `memory` beside what runtimes really take, on networks that others made."""
