"""Words for train, validation, test, loss and accuracy in other languages than English; data and two functions."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WORDS: Final = {
    "train": (
        "entrenamiento entreno treino treinamento entraînement apprentissage trainings addestramento allenamento "
        "trainingsdaten обучение обучения обучении обучающая обучающей обучающем обучающие "
        "тренировка тренировки тренировке тренировочная тренировочной тренировочном "
        "训练 训练集 訓練 訓練集 学習 トレーニング 훈련 학습"
    ),
    "val": (
        "validación validação validierung validierungs validazione "
        "validierungsdaten вал валидация валидации валидационная валидационной валидационном валидационные "
        "验证 验证集 驗證 驗證集 検証 バリデーション 검증"
    ),
    "test": (
        "prueba teste testdaten тест тесте тестовая тестовой тестовом тестовые 测试 测试集 測試 測試集 テスト 테스트"
    ),
    "loss": (
        "pérdida pérdidas perda perdas perte pertes verlust perdita perdite потери потеря потерь лосс "
        "损失 損失 ロス 손실"
    ),
    "acc": (
        "exactitud acurácia exactitude genauigkeit accuratezza точность точности "
        "准确率 正确率 精度 準確率 正確率 正解率 정확도"
    ),
    "error": "ошибка ошибки",
    "epoch": "эпоха эпохи эпохе 轮次 エポック 에폭 에포크",
    "on": "на",
    "set": "выборка выборке набор наборе",
    "cls": "分类 分類",
    "reg": "回归 回歸 回帰",
    "seg": "分割",
    "total": "总 總 合計 전체",
    "average": "平均 평균",
    "lr": "学习率 學習率 学習率 학습률",
    "crossentropy": "交叉熵 交差エントロピー クロスエントロピー 교차엔트로피",
}
"""English word -> words of Spanish, Portuguese, French, German, Italian, Russian, Chinese, Japanese and Korean.

Words that without their accents are English ones, as `évaluation` and `precisión` are, need no place here.
"""

ELIDED: Final = re.compile(r"[dlDL]['\u2019](?<!\w\w.)(?=\w)")
"""What French puts before a word, `perte d'entraînement`: no discriminator.

Where a letter is looked for first, a search takes a tenth of the time.
"""

_OFTEN_ELIDED: Final = ("d'", "l'", "d\u2019", "l\u2019")
"""For a quick look whether there is any."""

_MARKS: Final = re.compile("[\u0300-\u036f]")
"""Accents, apart from their letters."""

_BEYOND_LATIN: Final = re.compile("[^\u0000-\u024f]+")
"""Letters of other scripts in a row; what stands beside them without a blank is another word."""


def plain(text: str) -> str:
    """Returns a text without accents, its wide letters and digits as narrow ones."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _MARKS.sub("", unicodedata.normalize("NFKD", text)))


FOREIGN: Final = {plain(word): english for english, words in _WORDS.items() for word in words.split()}
"""Word, small and without accents -> the English one."""

_UNSPACED: Final = re.compile("|".join(sorted((word for word in FOREIGN if word >= "\u3000"), key=len, reverse=True)))
"""Words of languages that put no blank between two of them, the longest first."""


def spaced(text: str) -> str:
    """Returns a text with blanks around its words in other scripts than the Latin one, wide letters as narrow ones."""
    return _BEYOND_LATIN.sub(_parted, unicodedata.normalize("NFKC", text))


def _parted(run: re.Match[str]) -> str:
    return " " + _UNSPACED.sub(r" \g<0> ", run[0]) + " "


_LETTERS_BEYOND: Final = re.compile("[^\\W\\d_\u0000-\u024f]+")


def in_english(text: str) -> str:
    """Returns a text with words in other scripts than the Latin one in English, as far as each of a run is known.

    French articles that are tied to a word are left out.

    `训练损失：0.5` gives `train loss:0.5`; `最佳损失` (the best loss) stays, for one of its words has no place here.
    """
    if text.isascii():
        return text
    if any(mark in text for mark in _OFTEN_ELIDED):
        text = ELIDED.sub("", text)
    return _LETTERS_BEYOND.sub(_translated, text.replace("\uff1a", ":"))


def _translated(run: re.Match[str]) -> str:
    word = plain(run[0].lower())
    known = FOREIGN.get(word)
    words = [known] if known else [FOREIGN[part] for part in _UNSPACED.findall(word)]
    if not words or (not known and _UNSPACED.sub("", word)):
        return run[0]
    text, start, end = run.string, *run.span()
    before = " " if text[start - 1 : start].isalnum() else ""
    return before + " ".join(words) + (" " if text[end : end + 1].isalnum() else "")
