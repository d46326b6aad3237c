import itertools

import cv2
import numpy as np
import pytest

from device.counting.cell_classes import DEFAULT_CLASSES, CellClass
from device.counting.class_colours import UNCLASSIFIED, class_colours

# How linear RGB looks without one kind of cone, after Machado, Oliveira and Fernandes (2009), severity 1.
BLINDNESS = {
    "none": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("kind", BLINDNESS)
def test_the_colours_of_the_default_classes_differ_for_everybody(kind):
    rgb = np.array([*class_colours(DEFAULT_CLASSES).values()]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(BLINDNESS[kind]).T, 0, 1)
    seen = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = cv2.cvtColor(seen[np.newaxis].astype(np.float32), cv2.COLOR_RGB2LAB)[0]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2)) > 10  # CIE76; 2.3 is just noticeable


def test_a_class_beyond_the_palette_has_a_colour_again():
    colours = class_colours([CellClass(f"class {number}", "a") for number in range(11)])
    assert colours["class 10"] == colours["class 0"] != colours[UNCLASSIFIED]
