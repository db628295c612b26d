"""The example runs' trainings: one function each, data to `History`."""

from __future__ import annotations

from functools import partial

import criteria
import nets
import tasks
import torch
from fitting import History, Plan, cosine, fit, linear, ramp, two_drops, warmup_linear
from torch import Tensor, nn


def digits_cnn() -> History:
    """Healthy: small CNN, SGD with momentum, two drops of the learning rate."""
    torch.manual_seed(0)
    plan = Plan(epochs=40, batch=32, lr=0.01, optimizer="sgd", momentum=0.9, weight_decay=5e-3, schedule=two_drops)
    return fit(nets.cnn(width=8, outputs=10, side=8), tasks.digits(n_train=1200), criteria.classification, plan)


def wine_mlp() -> History:
    """Healthy: a small network on scaled inputs, cosine decay."""
    torch.manual_seed(1)
    plan = Plan(epochs=60, batch=16, lr=0.05, optimizer="sgd", momentum=0.5, weight_decay=0.02, schedule=cosine)
    return fit(nets.mlp(13, 16, 3), tasks.wine(seed=5), criteria.classification, plan)


def cancer_mlp() -> History:
    """Healthy: SGD with strong weight decay settles, train and val together."""
    torch.manual_seed(2)
    plan = Plan(epochs=80, batch=32, lr=0.05, optimizer="sgd", weight_decay=0.02)
    return fit(nets.mlp(30, 16, 2), tasks.breast_cancer(seed=2), criteria.classification, plan)


def digits_transformer() -> History:
    """Healthy: warm-up and linear decay, gradient clipping, evaluation every 50 steps."""
    torch.manual_seed(8)
    plan = Plan(epochs=26, batch=32, lr=1e-3, weight_decay=0.3, schedule=warmup_linear, clip=1.0, eval_every=50)
    net = nets.RowTransformer(side=8, width=16, outputs=10)
    return fit(net, tasks.digits(n_train=1280, seed=8), criteria.classification, plan, seed=8)


def text_gru() -> History:
    """Healthy: character model with dropout and cosine decay, stopped while it still generalises."""
    torch.manual_seed(4)
    task, alphabet = tasks.text(seed=4)
    plan = Plan(epochs=20, batch=16, lr=4e-3, schedule=cosine, clip=1.0)
    return fit(nets.CharGRU(alphabet, width=32), task, criteria.classification, plan)


def friedman_noisy_sgd() -> History:
    """Healthy: raw batch losses of small batches, noisy but falling and settling."""
    torch.manual_seed(5)
    plan = Plan(epochs=16, batch=8, lr=0.02, optimizer="sgd", schedule=cosine, eval_every=50)
    return fit(nets.mlp(10, 32, 1, act=nn.Tanh), tasks.friedman(seed=5), criteria.regression, plan)


def shapes_detector() -> History:
    """Healthy: detector with three loss parts; the augmentation ends ten epochs before the run does."""
    torch.manual_seed(6)
    schedule = partial(linear, floor=0.01)
    plan = Plan(epochs=40, batch=32, lr=3e-4, weight_decay=0.05, schedule=schedule, augment=_noise_until_late)
    return fit(nets.detector(), tasks.shapes(n_train=2000, seed=6), criteria.detection, plan)


def _noise_until_late(x: Tensor, progress: float) -> Tensor:
    """Adds noise, until ten of forty epochs are left."""
    return x if progress >= 30 / 40 else x + 0.3 * torch.randn_like(x)


def linear_sweep(lr: float) -> History:
    """One member of a sweep over the learning rate of plain SGD on a linear model."""
    torch.manual_seed(7)
    plan = Plan(epochs=60, batch=50, lr=lr, optimizer="sgd")
    return fit(nets.mlp(20, 1), tasks.linear(seed=7), criteria.regression, plan)


def digits_overfit() -> History:
    """Overfitting: 150 images, a fifth of them with random labels, a wide network."""
    torch.manual_seed(8)
    task = tasks.with_label_noise(tasks.digits(n_train=150, seed=8), share=0.2, num_classes=10, seed=8)
    return fit(nets.mlp(64, 256, 256, 10), task, criteria.classification, Plan(epochs=120, batch=32, lr=1e-3))


def cancer_dropout() -> History:
    """Validation below train: dropout of 60 % is on in training only."""
    torch.manual_seed(9)
    plan = Plan(epochs=30, batch=32, lr=1e-3, weight_decay=0.1)
    net = nets.mlp(30, 64, 64, 2, dropout=0.6)
    return fit(net, tasks.breast_cancer(seed=9), criteria.classification, plan)


def digits_high_lr() -> History:
    """Oscillation: full batches at a learning rate beyond the edge of stability."""
    torch.manual_seed(10)
    plan = Plan(epochs=150, batch=1200, lr=1.8, optimizer="sgd")
    return fit(nets.mlp(64, 32, 10), tasks.digits(seed=10), criteria.classification, plan)


def digits_lr_ramp() -> History:
    """Divergence: the learning rate climbs until the network is thrown back to chance and stays there."""
    torch.manual_seed(11)
    plan = Plan(epochs=30, batch=32, lr=0.5, optimizer="sgd", momentum=0.9, schedule=ramp)
    return fit(nets.mlp(64, 48, 48, 10), tasks.digits(seed=11), criteria.classification, plan)


def cancer_log_zero() -> History:
    """Not finite: a hand-written cross-entropy takes the logarithm of zero as soon as the network is sure."""
    torch.manual_seed(11)
    plan = Plan(epochs=60, batch=32, lr=0.05, optimizer="sgd", momentum=0.9)
    return fit(nets.mlp(30, 16, 1), tasks.breast_cancer(seed=11), criteria.careless_cross_entropy, plan)


def digits_dead_relu() -> History:
    """Not learning: no hidden unit ever fires, and classes of equal size leave the output bias nothing to learn."""
    torch.manual_seed(12)
    net = nets.dead_relu(nets.mlp(64, 64, 64, 10))
    plan = Plan(epochs=30, batch=32, lr=0.01, optimizer="sgd", momentum=0.9)
    return fit(net, tasks.digits(seed=12), criteria.classification, plan)


def rings_linear() -> History:
    """Underfitting: a linear model cannot separate rings."""
    torch.manual_seed(13)
    plan = Plan(epochs=100, batch=60, lr=0.1, optimizer="sgd", weight_decay=1e-3)
    return fit(nets.silent_output(nets.mlp(2, 2)), tasks.rings(seed=13), criteria.classification, plan)


def digits_unshuffled() -> History:
    """Periodic loss: batches come in the order of the labels, every epoch anew."""
    torch.manual_seed(14)
    task = tasks.sorted_by_class(tasks.digits(n_train=1200, seed=14))
    plan = Plan(epochs=16, batch=20, lr=0.02, optimizer="sgd", shuffle=False)
    return fit(nets.mlp(64, 32, 10), task, criteria.classification, plan)


def cancer_tiny_val() -> History:
    """Noisy validation: every evaluation sees 12 patients, drawn anew."""
    torch.manual_seed(15)
    plan = Plan(epochs=80, batch=32, lr=0.02, optimizer="sgd", momentum=0.9, weight_decay=0.01, val_sample=12)
    return fit(nets.mlp(30, 16, 2), tasks.breast_cancer(seed=15), criteria.classification, plan)


def digits_deep_sigmoid() -> History:
    """Slow start: three saturating layers pass hardly any gradient until the first one moves."""
    torch.manual_seed(16)
    plan = Plan(epochs=50, batch=32, lr=1e-3, weight_decay=0.02, schedule=cosine)
    return fit(nets.mlp(64, 48, 48, 48, 10, act=nn.Sigmoid), tasks.digits(seed=16), criteria.classification, plan)


def adding_rnn() -> History:
    """Exploding gradients: a plain ReLU recurrence over 50 steps, started at the identity, no clipping."""
    torch.manual_seed(17)
    plan = Plan(epochs=30, batch=20, lr=1e-3, eval_every=50)
    return fit(nets.IdentityRNN(width=32), tasks.adding_problem(length=50, seed=17), criteria.regression, plan)


def modular_grokking() -> History:
    """Delayed generalisation: modular addition from a large initialisation, full batches, weight decay."""
    torch.manual_seed(18)
    task = tasks.modular_addition(modulus=37, n_train=950, seed=18)
    plan = Plan(epochs=2000, batch=950, lr=0.01, weight_decay=1.0, eval_every=10)
    return fit(nets.scaled(nets.mlp(74, 128, 37), 6.0), task, criteria.classification, plan)


def text_transformer_low_lr() -> History:
    """Undertrained: a learning rate far too low for so few steps."""
    torch.manual_seed(19)
    task, alphabet = tasks.text(seed=19)
    net = nets.CharTransformer(alphabet, width=32, window=32)
    plan = Plan(epochs=12, batch=16, lr=6e-5, clip=1.0, eval_every=50)
    return fit(net, task, criteria.classification, plan)


def digits_random_labels() -> History:
    """No generalisation: the labels are random."""
    torch.manual_seed(20)
    task = tasks.with_label_noise(tasks.digits(n_train=400, seed=20), share=1.0, num_classes=10, seed=20)
    return fit(nets.mlp(64, 128, 10), task, criteria.classification, Plan(epochs=80, batch=32, lr=1e-3))


def digits_loud_output() -> History:
    """High initial loss: the output layer starts 100 times too large."""
    torch.manual_seed(21)
    net = nets.mlp(64, 32, 10)
    nets.scaled(net[-1], 100.0)
    plan = Plan(epochs=12, batch=32, lr=0.003, optimizer="sgd", momentum=0.9, weight_decay=0.01, schedule=cosine)
    return fit(net, tasks.digits(seed=21), criteria.classification, plan)
