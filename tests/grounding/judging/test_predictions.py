"""Arrays that cannot be meant: each is told in a sentence."""

from typing import Any

import numpy as np
import pytest
from predicted import IMAGES, PUZZLES, SYMBOLS, predicted, without

from groundcheck.datasets.errors import UnknownNameError, UsageError
from groundcheck.grounding import score


def changed(name: str, place: Any, value: float, *, soft: bool = True) -> dict[str, Any]:
    arrays = predicted(soft=soft)
    array = np.array(arrays[name], dtype=np.float64)
    array[place] = value
    return {**arrays, name: array}


GIVEN = np.tile([True, True, False], (PUZZLES, 1))


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        # Names.
        ({}, "seed 0 holds no arrays"),
        ({**predicted(), "solutions": [1]}, "seed 0: unknown array `solutions`: did you mean `solution`"),
        ({**predicted(), "xyzzy": [1]}, "unknown array `xyzzy`: known are true, symbols"),
        (without(predicted(), "true"), "no array `true`: \\(images,\\) the symbol that each image shows"),
        (without(predicted(), "beliefs"), "neither `symbols` nor `beliefs`"),
        ({**predicted(), "symbols": np.zeros(IMAGES)}, "both `symbols` and `beliefs`"),
        (without(predicted(), "answers"), "no array `answers`"),
        (without(predicted(), "given"), "no array `given`"),
        (without(predicted(), "solution"), "no array `solution`"),
        (without(predicted(), "image"), "no array `image`"),
        # Shapes.
        ({**predicted(), "true": np.zeros((IMAGES, 1))}, r"`true` is of shape \(400, 1\); it is \(images,\)"),
        ({**predicted(), "beliefs": np.full((399, SYMBOLS), 0.2)}, r"`beliefs` is of shape \(399, 5\)"),
        ({**predicted(), "beliefs": np.zeros(IMAGES)}, r"`beliefs` is of shape \(400,\)"),
        ({**predicted(soft=False), "symbols": np.zeros(3)}, r"`symbols` is of shape \(3,\)"),
        ({**predicted(), "solution": np.zeros(PUZZLES)}, r"`solution` is of shape \(200,\)"),
        ({**predicted(), "given": GIVEN.T}, r"`given` is of shape \(3, 200\), and `solution` of \(200, 3\)"),
        ({**predicted(), "image": np.zeros((PUZZLES, 2))}, r"`image` is of shape \(200, 2\)"),
        ({**predicted(), "answers": np.zeros(PUZZLES)}, r"`answers` is of shape \(200,\)"),
        ({**predicted(), "answers": np.zeros((PUZZLES, 4))}, r"`answers` is of shape \(200, 4\)"),
        ({**predicted(), "true": []}, "`true` is empty"),
        ({**predicted(), "true": [[1], [1, 2]]}, "`true` is no array"),
        # Numbers.
        ({**predicted(), "true": np.array(["a"] * IMAGES)}, "`true` holds values of type <U1"),
        ({**predicted(), "true": np.array([object()] * IMAGES)}, "`true` holds Python objects"),
        (changed("beliefs", (3, 1), np.nan), r"`beliefs` holds nan at \[3, 1\]: every image has to be read"),
        (changed("beliefs", (3, 1), -4.0), r"`beliefs` holds -4 at \[3, 1\].*take a softmax"),
        (changed("beliefs", (3, 1), np.inf), r"`beliefs` holds inf at \[3, 1\]"),
        (changed("true", 7, SYMBOLS), r"`true` holds the symbol 5 at \[7\], and the symbols are 0 to 4"),
        (changed("true", 7, -1), r"`true` holds -1 at \[7\], and it should hold whole numbers from 0 on"),
        (changed("true", 7, 0.5), r"`true` holds 0.5 at \[7\]"),
        (changed("true", 7, np.nan), r"`true` holds nan at \[7\]"),
        (changed("symbols", 7, -1, soft=False), r"`symbols` holds -1 at \[7\]"),
        (changed("solution", (2, 2), -1), r"`solution` holds -1 at \[2, 2\]"),
        (changed("answers", (2, 2), -2), r"`answers` holds -2 at \[2, 2\]"),
        (changed("given", (2, 2), 2), r"`given` holds 2 at \[2, 2\], and it should hold truth values"),
        ({**predicted(), "given": np.ones_like(GIVEN)}, "`given` marks every variable"),
        ({**predicted(), "answers": np.full((PUZZLES, 3, 3), 1 / 3)}, "`answers` are about the"),
        ({**predicted(), "answers": np.full((PUZZLES, 3, 9), 3.0)}, "`answers` holds 3 at .*take a softmax"),
        # The half that is fitted on.
        ({**predicted(), "fit": np.zeros(IMAGES)}, "`fit` marks none of the images: .* nothing to be fitted"),
        ({**predicted(), "fit": np.ones(IMAGES)}, "`fit` marks all of the images: nothing is left to score"),
        ({**predicted(), "fit": np.zeros(3)}, r"`fit` is of shape \(3,\)"),
        ({"true": [1], "symbols": [1]}, "1 image: a half to fit on"),
        # Which image stands where.
        (changed("image", (0, 2), 5), r"`image` holds 5 at \[0, 2\], which is no given"),
        (changed("image", (0, 0), IMAGES), r"`image` holds 400 at \[0, 0\], and there are 400 images"),
        (changed("image", (0, 0), -2), r"`image` holds -2 at \[0, 0\]"),
        ({**predicted(), "image": np.full((PUZZLES, 3), -1)}, "`image` names no image at any given"),
        ({**without(predicted(), "true", "beliefs")}, "`image` names images, and there are none"),
        ({**predicted(), "true": (predicted()["true"] + 1) % SYMBOLS}, "the image that stands there shows"),
    ],
)  # fmt: skip
def test_one_sentence(arrays: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told) as raised:
        score(arrays)
    assert "\n" not in str(raised.value)


def test_a_typo_is_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean `beliefs`"):
        score({**without(predicted(), "beliefs"), "belief": 1})


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (
            {**predicted(1), "beliefs": np.full((IMAGES, 6), 1 / 6)},
            r"`beliefs` is \(images, 5\) in seed 0 and \(images, 6\) in seed 1",
        ),
        (predicted(1, soft=False), "seed 0 has `beliefs` and seed 1 has not"),
        (
            without(predicted(1), "solution", "given", "answers", "image"),
            "seed 0 has `answers` and seed 1 has not",
        ),
        (predicted(0), "seed 0 and seed 1 hold the same predictions: every seed counts once"),
        (without(predicted(1), "true", "beliefs", "image"), "seed 0 has `beliefs` and seed 1 has not"),
    ],
)  # fmt: skip
def test_seeds_that_disagree(second: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        score(predicted(0), second)


def test_seeds_may_mark_their_halves_and_have_their_own_test_sets() -> None:
    marked = {**predicted(1), "fit": np.arange(IMAGES) % 2}
    fewer = {name: array[:100] for name, array in without(predicted(2), "true", "beliefs").items()}
    score(predicted(0), marked, {**fewer, "true": predicted(2)["true"], "beliefs": predicted(2)["beliefs"]})
