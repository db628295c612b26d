"""Names in other languages than English, by every door."""

import csv

import numpy as np
import pytest
from choice_cases import chosen, points
from doors import verdicts

from curveclinic.intake.choosing import choose
from curveclinic.intake.languages import FOREIGN, plain
from curveclinic.intake.naming import parse
from curveclinic.intake.vocabulary import CADENCE, LOSS_WORDS, NEVER, NOISE, PARTS, SPLITS, tokens
from curveclinic.predict import predict_pathology
from curveclinic.readers import read_file

N = 60
EPOCHS = np.arange(N)
TRAIN = (2 * np.exp(-EPOCHS / 12) + 0.05).tolist()
VAL = (2 * np.exp(-EPOCHS / 10) + 0.5 + np.maximum(0, EPOCHS - 20) * 0.015).tolist()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pérdida_validación", ("loss", "val")), ("PerdaValidação", ("loss", "val")), ("PÉRDIDA", ("loss",)),
        ("Validierungs-Loss", ("val", "loss")), ("Trainingsverlust", ("train", "loss")),
        ("perte (entraînement)", ("loss", "train")), ("Loss di validazione", ("loss", "di", "val")),
        ("Потери на обучении", ("loss", "on", "train")), ("потери_вал", ("loss", "val")),
        ("训练集损失", ("train", "loss")), ("验证loss", ("val", "loss")), ("驗證準確率", ("val", "acc")),
        ("検証の損失", ("val", "の", "loss")), ("学習率", ("lr",)), ("学習損失", ("train", "loss")),
        ("훈련 손실", ("train", "loss")), ("검증정확도", ("val", "acc")), ("学習ロス", ("train", "loss")),
        ("クロスエントロピー", ("crossentropy",)), ("\uff36\uff21\uff2c loss", ("val", "loss")),
        ("图像loss", ("图像", "loss")), ("loss_größe", ("loss", "größe")), ("βLoss", ("β", "loss")),
        ("loss ↓", ("loss",)), ("Précision", ("precision",)), ("R²", ("r2",)), ("train_loss", ("train", "loss")),
    ],
)  # fmt: skip
def test_words_are_read_in_english_where_they_are_known(name, words):
    assert tokens(name) == words


def test_no_foreign_word_is_one_of_english_logs():
    known = SPLITS.keys() | LOSS_WORDS.keys() | NOISE | NEVER | PARTS | CADENCE.keys()
    assert known.isdisjoint(FOREIGN)
    assert all(word == plain(word).lower() for word in FOREIGN)


PAIRS = [
    ("loss_entrenamiento", "loss_validacion"), ("loss entrenamiento", "loss validación"),
    ("pérdida_entrenamiento", "pérdida_validación"), ("perdida", "perdida_val"), ("perda_treino", "perda_validacao"),
    ("perte_entrainement", "perte_validation"), ("Train-Loss", "Validierungs-Loss"),
    ("Trainingsverlust", "Validierungsverlust"), ("perdita_addestramento", "perdita_validazione"),
    ("потери", "потери_вал"), ("Потери (обучение)", "Потери (валидация)"), ("训练损失", "验证损失"),
    ("损失", "验证损失"), ("Perte d'entraînement", "Perte d'évaluation"),
    ("训练loss", "验证loss"), ("訓練集損失", "驗證集損失"), ("学習ロス", "検証ロス"), ("훈련 손실", "검증 손실"),
]  # fmt: skip


@pytest.mark.parametrize("val_first", [False, True])
@pytest.mark.parametrize("pair", PAIRS)
def test_both_sides_are_told_apart(pair, val_first, tmp_path):
    columns = dict(zip(pair, (TRAIN, VAL), strict=True))
    names = pair[::-1] if val_first else pair
    path = tmp_path / "log.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("epoch", *names), *zip(EPOCHS, *map(columns.get, names), strict=True)])
    (run,) = read_file(path)
    assert run.channels["train_loss"].values.tolist() == TRAIN
    assert run.channels["val_loss"].values.tolist() == VAL
    (found,) = predict_pathology(run).findings
    assert found.label == "overfitting"
    assert 20 <= found.onset <= 26


@pytest.mark.parametrize("pair", [("loss entrenamiento", "loss validación"), ("训练loss", "验证loss")])
def test_every_door_reads_them(pair, tmp_path):
    train, val = pair
    said = verdicts({val: VAL, train: TRAIN}, tmp_path)
    assert set(said.values()) == {("findings", ("overfitting",), f"train_loss <- {train}; val_loss <- {val}")}


def test_a_metric_and_a_test_set_are_read_in_other_languages():
    assert chosen(["训练损失", "测试损失", "训练准确率", "测试准确率", "学习率"]) == {
        "train_loss": "训练损失", "val_loss": "测试损失", "train_metric": "训练准确率", "val_metric": "测试准确率",
        "lr": "学习率",
    }  # fmt: skip
    assert parse("acurácia_teste").goal == "max"
    assert chosen(["训练分类损失", "训练总损失", "验证平均损失"]) == {
        "train_loss": "训练总损失",
        "val_loss": "验证平均损失",
    }


def test_losses_that_differ_in_unknown_words_alone_are_not_added_up():
    choice = choose({name: points([k, k]) for k, name in enumerate(("图像loss", "文本loss"), 1)})
    assert choice.channels["train_loss"][1].tolist() == [1.0, 1.0]
    assert choice.notes == (
        "losses that may be of different data are not added up: '图像loss', '文本loss'", "train_loss <- 图像loss",
    )  # fmt: skip
