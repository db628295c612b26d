"""From what loggers and callers hold to a `Run`: names understood, axes joined, channels chosen."""
