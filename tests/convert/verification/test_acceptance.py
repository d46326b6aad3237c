import pytest

from convert.verification.acceptance import Limits, read_limits, rejection_reason
from convert.verification.parity import Difference
from smear.bundle.manifest import Figure
from smear.errors import ConversionError


def figures(accuracy, dice=None):
    found = {"accuracy": Figure(value=accuracy, split="validation", n=500)}
    return found | ({"dice": Figure(value=dice, split="drawn", n=32)} if dice is not None else {})


def agreeing(share, level="int8", fault=""):
    return Difference("segmenter", level, "ai-edge-litert", share, 0.1, 0.01, 200, fault)


LIMIT = Limits().int8


def test_a_level_within_its_limits_ships():
    assert rejection_reason("int8", LIMIT, figures(0.95, 0.96), figures(0.945, 0.95), [agreeing(0.98)]) is None


@pytest.mark.parametrize(
    ("measured", "difference", "reason"),
    [
        (figures(0.944, 0.96), agreeing(0.99), "accuracy 0.9440 is 0.0060 below"),
        (figures(0.95, 0.94), agreeing(0.99), "dice 0.9400 is 0.0200 below"),
        (figures(0.95, 0.96), agreeing(0.97), "segmenter agrees with Keras in 0.9700"),
        (figures(0.95, 0.96), agreeing(float("nan")), "segmenter agrees with Keras in nan"),
        (figures(0.95, 0.96), agreeing(0.0, fault="no such operator"), "does not run with ai-edge-litert"),
    ],
)
def test_a_level_outside_a_limit_is_left_out_with_the_figure(measured, difference, reason):
    assert reason in rejection_reason("int8", LIMIT, figures(0.95, 0.96), measured, [difference])


def test_differences_of_another_level_do_not_count():
    assert rejection_reason("int8", LIMIT, figures(0.95), figures(0.95), [agreeing(0.1, level="dynamic")]) is None


def test_a_level_that_is_better_than_float32_ships():
    assert rejection_reason("int8", LIMIT, figures(0.90), figures(0.95), []) is None


def test_limits_are_read_from_toml(tmp_path):
    file = tmp_path / "limits.toml"
    file.write_text("[int8]\naccuracy_loss = 0.1\n")

    limits = read_limits(file)

    assert limits.int8.accuracy_loss == 0.1
    assert limits.int8.agreement == LIMIT.agreement
    assert limits.float32 == Limits().float32


@pytest.mark.parametrize("text", ["[int9]\n", "[int8]\nloss = 1\n", "[int8]\naccuracy_loss = -1\n", "int8"])
def test_wrong_limits_are_refused_with_the_file(tmp_path, text):
    file = tmp_path / "limits.toml"
    file.write_text(text)

    with pytest.raises(ConversionError, match=r"limits\.toml"):
        read_limits(file)
