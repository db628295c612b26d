"""Trains curveclinic's network on synthetic runs and writes `weights/`.

    python train.py                 # drawn runs only, about 43 minutes on 2 CPU cores
    python train.py --quick         # under 3 minutes, to see that everything works
    python train.py --resume        # goes on from the last checkpoint, e.g. in slices: --minutes 8
    python train.py --start weights --lr 3e-4    # trains the shipped network further, on a generator that has changed
    python train.py --simulated cache.parquet --share 0.3   # with logs of simulated trainings among the drawn ones

The story: workers draw labelled runs and encode them; a growing pool of them feeds the network; at the end the
probabilities are calibrated on families of runs that the training never saw, and the ONNX file is checked against
torch before `weights/` is touched. Nothing here ever reads a real log.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import quantize
from curveclinic.deciding.sidecar import ONNX_NAME, SIDECAR_NAME, read_sidecar
from curveclinic.labels import LABELS
from curveclinic.measuring.quantities import Measured
from curveclinic.model.blocks import Blocks, paired, tensors
from curveclinic.model.calibrate import calibrate, probabilities
from curveclinic.model.encoder import BINS, ENCODER_VERSION, TENSOR_CHANNELS, encode_measured, to_shares
from curveclinic.model.evaluation import logits_of, macro_f1, measured
from curveclinic.model.export import write_weights
from curveclinic.model.features import FEATURE_NAMES
from curveclinic.model.network import Calibrated, Committee, CurveNet, Shape, parameters_of
from curveclinic.model.training import Batch, Training
from curveclinic.model.warm_start import keep, warm_start
from curveclinic.ragged import IntArray
from curveclinic.records import joined
from curveclinic.synth.families import TRENDS
from curveclinic.synth.generate import BLOCK, Sample, generate
from curveclinic.synth.logger import Logged
from curveclinic.synth.prefix import tell_early
from curveclinic.synth.retold import retell
from curveclinic.synth.simulate.stream import Simulations, judge_simulated
from curveclinic.synth.truth import Truth, judge

HELD_OUT = (
    "overfit_after_drop", "warmup_start", "slow_turn", "cut_short", "resumed", "val_wobble",
)  # fmt: skip
"""Families no training run is drawn from: evaluation and calibration use them beside fresh runs of the others."""

SEEN = tuple(name for name in TRENDS if name not in HELD_OUT)
MAX_POINTS = 4000
"""Longest run drawn: the encoder puts any length on 128 bins, longer runs only take longer to draw."""

TWINS = 0.25
"""Runs told another way, thinned or with a trace of noise, for every run drawn."""

EARLY = 0.25
"""Runs told up to some step, for every run drawn: a prefix of a run is a run."""

LR = 3e-3
"""Peak learning rate of a training from scratch."""

SHAPE = Shape(len(TENSOR_CHANNELS), len(FEATURE_NAMES))

Labelled = tuple[Measured, Truth, IntArray]
"""Runs as measured, what they show, and (n,) distance of a twin to the row of its full log; see `Blocks.partner`."""

_BEGINNING: dict[str, Any] = {"step": 0, "seconds": 0.0, "runs": 0, "slice": 0}
"""What a training has behind it before its first step."""

_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    TextColumn("loss {task.fields[loss]:.4f}  held-out macro-F1 {task.fields[f1]:.3f}"),
    TimeRemainingColumn(),
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """One training run.

    Attributes:
        seed: of everything.
        minutes: wall-clock budget of the training loop; the learning rate follows it.
        pool: runs kept for training.
        warm: runs to wait for before the first step.
        batch: runs a step.
        lr: peak learning rate.
        reuse: most times a run may be drawn on average; keeps fast machines from overfitting the pool.
        workers: processes that draw runs.
        held_out: runs for calibration and evaluation.
        device: torch device.
        simulated: cache of simulated trainings, or a folder of caches, or None.
        share: of the blocks that come from it.
        start: folder of weights to begin with, or None.
        member: which network of a committee to begin with; None where there is but one.
        keep: share of these weights in the result, which lies so far back on the way from them.
    """

    seed: int
    minutes: float
    pool: int = 200_000
    warm: int = 40_000
    batch: int = 512
    lr: float = LR
    reuse: float = 8.0
    workers: int
    held_out: int = 65_536
    device: str
    simulated: str | None = None
    share: float = 0.0
    start: str | None = None
    member: int | None = None
    keep: float = 0.0


def draw(seed: tuple[int, ...], count: int, trends: tuple[str, ...], *, retold: bool = False) -> Blocks:
    """Draws, labels and encodes runs; when retold, their twins and prefixes follow."""
    sample = generate(seed, count, trends=trends, max_points=MAX_POINTS)
    parts = [as_drawn(sample), *(told_again(seed, sample, judge) if retold else ())]
    return joined([blocks_of(*part) for part in parts])


def draw_simulated(seed: tuple[int, ...], count: int, simulations: Simulations) -> Blocks:
    """The same from simulated trainings, families held out excepted."""
    sample = simulations.draw(seed, count, families=simulations.seen)
    return joined([blocks_of(*part) for part in (as_drawn(sample), *told_again(seed, sample, judge_simulated))])


def as_drawn(sample: Sample) -> Labelled:
    """Labelled runs as they are."""
    return sample.seen, sample.truth, np.zeros(sample.batch.size, dtype=np.int64)


def told_again(seed: tuple[int, ...], sample: Sample, label: Callable[[Logged, Measured], Truth]) -> Iterator[Labelled]:
    """Yields the twins of labelled runs, with the distance to the row of the full log, and then prefixes of them."""
    count = sample.batch.size
    rng = np.random.default_rng((*seed, 1))
    rows, seen, truth = retell(rng, sample.seen, sample.truth, int(TWINS * count))
    yield seen, truth, rows - count - np.arange(len(rows))
    _, seen, truth = tell_early(rng, sample.logged, int(EARLY * count), label)
    yield seen, truth, np.zeros(len(truth.target), dtype=np.int64)


def blocks_of(seen: Measured, truth: Truth, partner: IntArray) -> Blocks:
    """Encodes labelled runs; the tensor is stored in half precision."""
    coded = encode_measured(seen)
    to_the_end = np.isnan(truth.end) & ~np.isnan(truth.onset)
    ends = np.where(to_the_end, coded.stop[:, None], truth.end)
    spans = [to_shares(steps, coded.start, coded.stop) for steps in (truth.onset, ends)]
    spans[1] = np.maximum(*spans)  # where all is one point, no share of the run lies beyond it
    return Blocks(
        coded.tensor.astype(np.float16),
        coded.features,
        truth.target.astype(np.float32),
        truth.weight.astype(np.float32),
        truth.severe.astype(np.float32),
        np.stack(spans, axis=2).astype(np.float32),
        partner.astype(np.int32),
    )


def _worker(
    seed: int, index: int, stride: int, first: int, simulated: str | None, share: float, out: mp.Queue[Blocks]
) -> None:
    torch.set_num_threads(1)
    simulations = Simulations.read(Path(simulated)) if simulated else None
    number = first * stride + index
    while True:
        place = (seed, 1, number)
        if simulations and np.random.default_rng((*place, 2)).random() < share:
            out.put(draw_simulated(place, BLOCK, simulations))
        else:
            out.put(draw(place, BLOCK, SEEN, retold=True))
        number += stride


class Pool:
    """The most recent runs, filled by worker processes."""

    def __init__(self, config: Config, first: int) -> None:
        label = (len(LABELS),)
        shapes = ((len(TENSOR_CHANNELS), BINS), (len(FEATURE_NAMES),), label, label, label, (*label, 2), ())
        rows = BLOCK + int(TWINS * BLOCK) + int(EARLY * BLOCK)
        kinds = (np.float32,) * 6 + (np.int32,)
        # whole blocks only: a twin and its full log are overwritten together
        capacity = config.pool // rows * rows
        self.data = Blocks(*(np.zeros((capacity, *shape), kind) for shape, kind in zip(shapes, kinds, strict=True)))
        self.drawn = 0
        context = mp.get_context("spawn")
        self._queue: Any = context.Queue(maxsize=4)
        self._workers = [
            context.Process(
                target=_worker,
                args=(config.seed, i, config.workers, first, config.simulated, config.share, self._queue),
                daemon=True,
            )
            for i in range(config.workers)
        ]
        for worker in self._workers:
            worker.start()

    @property
    def size(self) -> int:
        """Runs to choose from."""
        return min(self.drawn, len(self.data.target))

    def collect(self, *, wait: bool) -> None:
        """Takes what the workers have ready; with wait, at least one block."""
        while True:
            try:
                block = self._queue.get(timeout=120) if wait else self._queue.get_nowait()
            except queue.Empty:
                if wait:
                    raise RuntimeError("no worker delivered a block within two minutes") from None
                return
            place = (self.drawn + np.arange(len(block.target))) % len(self.data.target)
            for name in vars(self.data):
                getattr(self.data, name)[place] = getattr(block, name)
            self.drawn += len(block.target)
            wait = False

    def close(self) -> None:
        """Stops the workers."""
        for worker in self._workers:
            worker.terminate()


def batches(pool: Pool, config: Config, rng: np.random.Generator) -> Iterator[tuple[Batch, torch.Tensor]]:
    """Endless random batches from the pool, which keeps filling meanwhile, and their pairs; see `paired`."""
    used = 0
    while True:
        pool.collect(wait=used > config.reuse * pool.drawn)
        rows, pairs = paired(pool.data, np.sort(rng.integers(0, pool.size, config.batch)))
        used += len(rows)
        yield tensors(pool.data, rows, config.device), torch.from_numpy(pairs).to(config.device)


def train(config: Config, folder: Path, *, resume: bool, minutes_now: float) -> tuple[CurveNet, dict[str, Any]]:
    """Trains for the budget, or for this slice of it; returns the averaged network and its recipe."""
    torch.manual_seed(config.seed)
    training, state = Training(SHAPE, lr=config.lr, device=config.device), dict(_BEGINNING)
    checkpoint = folder / "checkpoint.pt"
    if resume and checkpoint.exists():
        state = training.load(checkpoint, config.device)
    elif config.start:
        state |= start_from(training, config)
    held = draw((config.seed, 2, 0), min(config.held_out, 4096), tuple(TRENDS))
    pool = Pool(config, state["slice"] * 100_000)
    rng = np.random.default_rng((config.seed, 3, state["slice"]))
    while pool.drawn < config.warm:
        pool.collect(wait=True)
    began, before = time.monotonic(), state["seconds"]
    with Progress(*_COLUMNS) as bar:
        task = bar.add_task("drawing", total=config.minutes * 60, loss=float("nan"), f1=float("nan"))
        smooth, shown = None, 0.0
        for batch in batches(pool, config, rng):
            seconds = before + time.monotonic() - began
            done = min(seconds / (config.minutes * 60), 1.0)
            loss = training.step(*batch, done)
            smooth = loss if smooth is None else 0.99 * smooth + 0.01 * loss
            if seconds - shown > 30 or done >= 1:
                shown, f1 = seconds, macro_f1(training.result, held, config.device)
                bar.update(task, description=f"step {training.steps}", f1=f1)
            bar.update(task, completed=seconds, loss=smooth)
            if done >= 1 or time.monotonic() - began > minutes_now * 60:
                break
        state |= {"step": training.steps, "seconds": before + time.monotonic() - began, "slice": state["slice"] + 1}
        state["runs"] += pool.drawn
    pool.close()
    folder.mkdir(parents=True, exist_ok=True)
    training.save(checkpoint, state)
    if config.start and config.keep:
        begun = Training(SHAPE, lr=config.lr, device=config.device)
        start_from(begun, config)
        keep(training.result, begun.result, config.keep)
    recipe = {**vars(config), **state, **_about(training.net, config, state)}
    return training.result, recipe | {key: state[key] + more for key, more in state.get("earlier", {}).items()}


def start_from(training: Training, config: Config) -> dict[str, Any]:
    """Begins with the weights of a folder; returns what the training has behind it, and which slice of runs follows.

    Raises:
        ValueError: they read other inputs than this encoder writes, or belong to another network.
    """
    folder = Path(str(config.start))
    sidecar = read_sidecar(folder / SIDECAR_NAME)
    found = sidecar.encoder_version, sidecar.labels, sidecar.tensor_channels, sidecar.feature_names
    if found != (ENCODER_VERSION, LABELS, TENSOR_CHANNELS, FEATURE_NAMES):
        raise ValueError(
            f"{folder}: found weights of encoder {sidecar.encoder_version}, expected {ENCODER_VERSION} with the same "
            "labels, channels and features; train without --start"
        )
    warm_start(training.net, folder / ONNX_NAME, some_tensors(config.seed), config.member)
    training.result.load_state_dict(training.net.state_dict())
    before = sidecar.recipe if config.member is None else sidecar.recipe["members"][config.member]
    return {"slice": before["slice"], "earlier": {key: before[key] for key in ("step", "seconds", "runs")}}


def some_tensors(seed: int) -> torch.Tensor:
    """Encoded runs that tell what a network's convolutions give."""
    return torch.from_numpy(draw((seed, 6, 0), 2048, SEEN).tensor).float()


def _about(net: CurveNet, config: Config, state: dict[str, Any]) -> dict[str, Any]:
    return {
        "simulated": Path(config.simulated).name if config.simulated else None,
        "start": Path(config.start).name if config.start else None,
        "finished": state["seconds"] >= 0.99 * config.minutes * 60,
        "parameters": parameters_of(net),
        "held_out_families": list(HELD_OUT),
        "torch": torch.__version__,
    }


def evaluate(
    net: CurveNet | Committee, config: Config
) -> tuple[dict[str, Any], dict[str, tuple[float, float]], dict[str, float]]:
    """Calibrates on one half of unseen runs (held-out families among them), measures on the other."""
    trends, count = (tuple(TRENDS), HELD_OUT), max(config.held_out // BLOCK, 4)
    unseen = [draw((config.seed, 4, k), BLOCK, trends[k % 2]) for k in range(count)]
    fit, test = joined(unseen[: count // 2]), joined(unseen[count // 2 :])
    logits, _ = logits_of(net, fit, config.device)
    calibration, thresholds = calibrate(logits, fit.target, fit.weight)
    logits, spans = logits_of(net, test, config.device)
    probability = probabilities(logits, calibration)
    report = {"runs": len(test.target), "calibration_runs": config.held_out // 2}
    return report | measured(probability, spans, test, thresholds), calibration, thresholds


def publish(net: CurveNet | Committee, config: Config, recipe: Mapping[str, Any], folder: Path) -> None:
    """Calibrates and measures a trained network on runs that it never saw, and writes the weights of a folder."""
    report, calibration, thresholds = evaluate(net, config)
    print(json.dumps(report, indent=1))
    net = net.to("cpu")
    scale, shift = (torch.tensor([calibration[label][k] for label in LABELS], dtype=torch.float32) for k in (0, 1))
    sidecar = {
        "encoder_version": ENCODER_VERSION,
        "labels": LABELS,
        "tensor_channels": TENSOR_CHANNELS,
        "feature_names": FEATURE_NAMES,
        "bins": BINS,
        "thresholds": thresholds,
        "calibration": calibration,
        "decided_by_rule": ["non_finite"],
        "recipe": recipe,
        "scores": report,
    }
    probe = draw((config.seed, 5, 0), 256, tuple(TRENDS))
    check = (probe.tensor.astype(np.float32), probe.features)
    worst = write_weights(Calibrated(net, scale, shift), folder, sidecar, check)
    print(f"wrote {folder}; torch and onnxruntime differ by {worst:.1e}")
    quantize.add_int8(folder, config.seed)


def main() -> None:
    """Reads the command line and tells the story."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small training that only shows that everything works")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--minutes", type=float, default=None, help="length of this slice (default: the whole budget)")
    parser.add_argument("--budget", type=float, default=40.0, help="minutes of the whole training loop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", help="folder of weights to begin with, for instance weights")
    parser.add_argument("--member", type=int, help="which network of a committee to begin with, from 0")
    parser.add_argument("--keep", type=float, default=0.0, help="share of the weights of --start in the result")
    parser.add_argument("--lr", type=float, default=LR, help="peak learning rate; with --start a tenth will do")
    parser.add_argument(
        "--workers", type=int, default=max((os.cpu_count() or 2) - 1, 1), help="processes that draw runs"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights", help="folder for the weights")
    parser.add_argument("--checkpoints", type=Path, default=Path("runs/train"), help="folder for checkpoints")
    parser.add_argument(
        "--simulated", help="cache that `python -m curveclinic.synth.simulate` wrote, or a folder of such caches"
    )
    parser.add_argument("--share", type=float, default=0.3, help="share of blocks drawn from that cache")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = Config(
        seed=args.seed,
        minutes=args.budget,
        workers=args.workers,
        device=args.device,
        simulated=args.simulated,
        share=args.share,
        lr=args.lr,
        start=args.start,
        member=args.member,
        keep=args.keep,
    )
    if args.quick:
        config = replace(config, minutes=1.2, pool=20_000, warm=4_000, batch=256, reuse=20.0, held_out=4_096)
    net, recipe = train(config, args.checkpoints, resume=args.resume, minutes_now=args.minutes or config.minutes)
    if not recipe["finished"]:
        seconds = recipe["seconds"] - recipe.get("earlier", _BEGINNING)["seconds"]
        print(f"{seconds / 60:.1f} of {config.minutes:g} minutes done; go on with --resume")
        return
    publish(net, config, recipe, args.out)
    print(f"after {recipe['seconds'] / 60:.1f} minutes of training")


if __name__ == "__main__":
    main()
