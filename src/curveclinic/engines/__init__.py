"""Scans on a cluster: Ray or Spark instead of processes of this machine.

    sources -> shards (a list of paths each) -> read, scored and written by workers -> a folder of Parquet files

`ray_engine` and `spark_engine` have one function each that does shards anywhere, `run`, and one that scores a table
the engine holds already: `ray_engine.score_dataset`, `spark_engine.score_dataframe`.
"""
