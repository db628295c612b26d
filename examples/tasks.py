"""Small data sets for the example runs: scikit-learn's bundled ones, character text and generated data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor


@dataclass(frozen=True)
class Task:
    """Inputs and targets, split into train and val."""

    x_train: Tensor
    y_train: Tensor
    x_val: Tensor
    y_val: Tensor


def split(x: Tensor, y: Tensor, *, n_train: int, n_val: int, seed: int) -> Task:
    """Draws disjoint train and val sets at random."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    train, val = order[:n_train], order[n_train : n_train + n_val]
    return Task(x[train], y[train], x[val], y[val])


def digits(*, n_train: int = 1200, n_val: int = 500, seed: int = 0) -> Task:
    """8 x 8 images of ten digits, scaled to [0, 1]."""
    data = datasets.load_digits()
    x = torch.tensor(data.data / 16.0, dtype=torch.float32).reshape(-1, 1, 8, 8)
    return split(x, torch.tensor(data.target), n_train=n_train, n_val=n_val, seed=seed)


def wine(*, seed: int = 0) -> Task:
    """Three wines from 13 standardised measurements."""
    data = datasets.load_wine()
    return split(_standardised(data.data), torch.tensor(data.target), n_train=120, n_val=58, seed=seed)


def breast_cancer(*, n_train: int = 400, seed: int = 0) -> Task:
    """Benign or malignant from 30 standardised measurements."""
    data = datasets.load_breast_cancer()
    return split(_standardised(data.data), torch.tensor(data.target), n_train=n_train, n_val=160, seed=seed)


def friedman(*, seed: int = 0) -> Task:
    """Friedman's first regression function, ten inputs of which five matter, with noise."""
    x, y = datasets.make_friedman1(n_samples=1500, noise=1.0, random_state=seed)
    return split(_standardised(x), _standardised(y[:, None]), n_train=1000, n_val=500, seed=seed)


def linear(*, seed: int = 0) -> Task:
    """Twenty inputs, a noisy linear target."""
    x, y = datasets.make_regression(n_samples=1500, n_features=20, n_informative=12, noise=60.0, random_state=seed)
    return split(_standardised(x), _standardised(y[:, None]), n_train=1000, n_val=500, seed=seed)


def rings(*, seed: int = 0) -> Task:
    """Two noisy rings, one inside the other: no straight line separates them."""
    x, y = datasets.make_circles(n_samples=900, noise=0.12, factor=0.45, random_state=seed)
    shift = np.array([0.25, 0.15]) * (2 * y[:, None] - 1)  # leaves a linear model a little to learn
    return split(torch.tensor(x + shift, dtype=torch.float32), torch.tensor(y), n_train=600, n_val=300, seed=seed)


def text(*, window: int = 32, seed: int = 0) -> tuple[Task, int]:
    """Windows of the data sets' own English descriptions, next character as target, and the alphabet size."""
    loaders = (datasets.load_digits, datasets.load_wine, datasets.load_breast_cancer, datasets.load_diabetes)
    corpus = "".join(loader().DESCR for loader in (*loaders, datasets.load_iris, datasets.load_linnerud)).lower()
    alphabet = sorted(set(corpus))
    codes = torch.tensor([alphabet.index(c) for c in corpus])
    windows = codes[: (len(codes) - 1) // window * window + 1].unfold(0, window + 1, window)  # (N, window + 1)
    n_train = int(0.85 * len(windows))
    x, y = windows[:, :-1].contiguous(), windows[:, 1:].contiguous()
    return split(x, y, n_train=n_train, n_val=len(windows) - n_train, seed=seed), len(alphabet)


def modular_addition(*, modulus: int, n_train: int, seed: int = 0) -> Task:
    """All pairs (a, b) as two one-hot vectors, (a + b) mod p as target."""
    a, b = torch.meshgrid(torch.arange(modulus), torch.arange(modulus), indexing="ij")
    pairs = torch.stack([a.flatten(), b.flatten()], dim=1)
    x = torch.nn.functional.one_hot(pairs, modulus).flatten(1).float()  # (p * p, 2 p)
    return split(x, pairs.sum(1) % modulus, n_train=n_train, n_val=len(pairs) - n_train, seed=seed)


def adding_problem(*, length: int, seed: int = 0) -> Task:
    """Sequences of (number, marker); the target is the sum of the two marked numbers."""
    rng = np.random.default_rng(seed)
    x = np.zeros((1200, length, 2), dtype=np.float32)
    x[:, :, 0] = rng.uniform(0, 1, (1200, length))
    for row in x:
        row[rng.choice(length, 2, replace=False), 1] = 1.0
    y = (x[:, :, 0] * x[:, :, 1]).sum(1, keepdims=True)
    return split(torch.tensor(x), torch.tensor(y), n_train=1000, n_val=200, seed=seed)


def shapes(*, n_train: int = 600, n_val: int = 200, seed: int = 0) -> Task:
    """16 x 16 images with one box, frame or cross; targets are class and the four distances from the centre."""
    rng = np.random.default_rng(seed)
    drawn = [_shape(rng) for _ in range(n_train + n_val)]
    x = torch.tensor(np.stack([image for image, _ in drawn]))[:, None]
    y = torch.tensor(np.array([target for _, target in drawn], dtype=np.float32))
    return split(x, y, n_train=n_train, n_val=n_val, seed=seed)


def _shape(rng: np.random.Generator) -> tuple[np.ndarray, list[float]]:
    image = rng.normal(0, 0.35, (16, 16)).astype(np.float32)
    left, top, right, bottom = (int(v) for v in rng.integers(1, 8, 4))
    rows, columns = slice(8 - top, 8 + bottom), slice(8 - left, 8 + right)
    kind = int(rng.integers(3))
    if kind == 2:
        image[rows, 8] += 1.0
        image[8, columns] += 1.0
    else:
        image[rows, columns] += 1.0
    if kind == 1:
        image[9 - top : 7 + bottom, 9 - left : 7 + right] -= 1.0
    return image, [kind, left, top, right, bottom]


def with_label_noise(task: Task, *, share: float, num_classes: int, seed: int) -> Task:
    """The task with a share of its training labels drawn at random."""
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.rand(len(task.y_train), generator=generator) < share
    drawn = torch.randint(num_classes, task.y_train.shape, generator=generator)
    return replace(task, y_train=torch.where(wrong, drawn, task.y_train))


def sorted_by_class(task: Task) -> Task:
    """The task with its training set in the order of the labels, as files in class folders come."""
    order = torch.argsort(task.y_train, stable=True)
    return replace(task, x_train=task.x_train[order], y_train=task.y_train[order])


def _standardised(values: np.ndarray) -> Tensor:
    return torch.tensor((values - values.mean(0)) / values.std(0), dtype=torch.float32)
