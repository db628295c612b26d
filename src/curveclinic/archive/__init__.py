"""Archives of any size: found, read once, judged by several processes, kept in a state file, written at the end.

    paths -> sources -> units of work -> workers -> tables of rows -> state -> OUT

`scan` and `index` differ in one function, that from runs to rows (in `units`).
"""
