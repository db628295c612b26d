"""Real dynamics: thousands of tiny networks trained at once with known faults, logged and labelled like drawn runs.

    python -m curveclinic.synth.simulate --runs 5000 --out cache.parquet --workers 2
    python -m curveclinic.synth --simulated cache.parquet --label oscillation --sheet out.png
    python train.py --simulated cache.parquet --share 0.3

From a seed to labelled logs: `groups` draws a net, a task and a fault for every replica; `recipe` holds their numbers;
`data` makes the samples; `trainer` trains all replicas of a group by batched products; `bookkeeping` puts in what is
wrong with a log rather than with a training; `record` keeps it all as Parquet. `stream.Simulations` reads that cache
and draws logs from it, another one every time: `views` finds the level without noise, `writing` does what loggers do,
`parts` measures the textures, and `truth.judge` labels them by the same definitions as drawn runs.

Only nets, tasks, data, trainer, groups and shards import torch; drawing from a cache does not.

A new fault is one entry of `faults.FAULTS`: its cause, a small function (rng, n) -> recipe fields that it replaces (or
factors on them), and the nets and tasks that it fits. Draw strengths from hardly visible to gross; labels are measured,
never assigned. What no field of `recipe.Recipe` can say yet needs one there, with its harmless value in
`recipe._plain`, and a line where it acts: `data` for samples, `trainer` for steps and losses. A mistake of the log is a
function in `bookkeeping` and a name in `recipe.BOOKS`.

A new task is one entry of `tasks.TASKS`: a function (generator, replicas, samples) -> inputs and targets, which draws
one distribution a replica, its number of classes (0 for a regression) and its kind, which says which nets take it. A
new net is one entry of `nets.NETS`: its tensors and a forward pass with a leading replica axis. Look at the result with
`--sheet` and `--family "net x task x fault"` (or a cause) before a network is trained on it.
"""
