"""One field, from pixels to an image of numbered cells, by Smearscope and by the programs that others use for it.

Run by `benchmarks.worker`, each in an interpreter that has its own program and, but for ours, nothing of Smearscope.
Where the weights of a network are not on this machine its shape is filled with random ones, which take as long; as
what it answers is then no cell, its last step works on the answer that a perfect network would give.
"""

import os
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Request = dict[str, Any]
"""What the worker was asked to open: "threads"; "fields", an .npy file of RGB uint8 (n, H, W, 3) at 0.5 µm a pixel;
"cells", one of uint16 (n, H, W) with the number of the cell drawn at each pixel. Ours: "bundle", "level", "runtime"."""
Image = NDArray[Any]

NUCLEUS_PX = 8  # between the centres of two nuclei at least; the smallest blasts have 12 µm, 24 pixels, across
MIN_PX = 100  # a fifth of the smallest blast; platelets are smaller
STARDIST = {"n_rays": 32, "grid": (2, 2), "n_channel_in": 3, "axes": "YXC"}  # of its model 2D_versatile_he
THRESHOLDS = {"prob_thresh": 0.69, "nms_thresh": 0.3}  # of the same
RANDOM = "random weights: time only"


def smearscope(request: Request) -> Iterator[Any]:
    """Open our segmenter and the splitting and measuring of cells that follows it."""
    from smear.bundle.folder import load_bundle
    from smear.imaging.cell_detection import find_cells
    from smear.imaging.field_of_view import hide_outside, without_rim
    from smear.imaging.resampling import to_model_scale
    from smear.inference.pipeline import Pipeline
    from smear.inference.segmentation import segment

    yield
    bundle = load_bundle(Path(request["bundle"]))
    model = Pipeline(bundle, request["level"], request["runtime"], request["threads"]).segmenter

    def cells(image: Image) -> Image:
        view = without_rim(to_model_scale(image))
        return find_cells(hide_outside(segment(view, model, bundle.manifest.segmenter), view), view).labels

    yield from _timed(request, cells, "smearscope")


def scikit_image(request: Request) -> Iterator[Any]:
    """Open a watershed of nuclei: a threshold of their stain, the distance to its edge, and a basin for each peak."""
    from scipy.ndimage import binary_fill_holes, distance_transform_edt
    from skimage.feature import peak_local_max
    from skimage.filters import gaussian, threshold_multiotsu
    from skimage.morphology import remove_small_objects
    from skimage.segmentation import watershed

    yield

    def cells(image: Image) -> Image:
        most, least = image.max(axis=2), image.min(axis=2)
        saturation = gaussian(1 - np.float32(least) / np.maximum(most, 1), 1)
        least_of_nuclei = threshold_multiotsu(saturation, 3)[1]  # of glass, red cells and nuclei
        nuclei = remove_small_objects(binary_fill_holes(saturation > least_of_nuclei), max_size=MIN_PX)
        distance = gaussian(distance_transform_edt(nuclei), 2)
        markers = np.zeros(nuclei.shape, np.int32)
        peaks = peak_local_max(distance, min_distance=NUCLEUS_PX, labels=np.int32(nuclei))
        markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        return np.asarray(watershed(-distance, markers, mask=nuclei))

    yield from _timed(request, cells, "scikit-image")


def cellpose(request: Request) -> Iterator[Any]:
    """Open Cellpose 3 with the network cyto3, each field one tile at the scale that the network was trained for."""
    import torch

    torch.set_num_threads(request["threads"])
    from cellpose import dynamics, models

    yield
    known = (models.MODEL_DIR / "cyto3").is_file()
    # Its own default, layers of MKL-DNN, takes 1.2 times as long as channels last.
    model = models.CellposeModel(gpu=False, model_type="cyto3" if known else None, mkldnn=False)
    model.net.to(memory_format=torch.channels_last)
    drawn = dynamics.labels_to_flows([*np.load(request["cells"])], device=model.device)
    perfect = cycle([(5 * flows[2:4], np.float32(10 * flows[1] - 5)) for flows in drawn])
    best = {"channels": [0, 0], "batch_size": 1, "diameter": 30, "bsize": 256}  # 224 pixels and its border, in one tile

    @torch.inference_mode()  # type: ignore[untyped-decorator, unused-ignore]
    def cells(image: Image) -> Image:
        found: Image = model.eval(image, compute_masks=known, **best)[0]
        return found if known else dynamics.resize_and_compute_masks(*next(perfect), min_size=15, device=model.device)

    yield from _timed(request, cells, "cellpose", known)


def stardist(request: Request) -> Iterator[Any]:
    """Open StarDist with the network of its model for stained tissue."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"  # it was written for Keras 2
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(request["threads"])
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    from csbdeep.utils import normalize
    from stardist import edt_prob, non_maximum_suppression, polygons_to_label, star_dist
    from stardist.models import Config2D, StarDist2D

    yield
    known = Path.home().joinpath(".keras", "models", "StarDist2D", "2D_versatile_he").is_dir()
    model = StarDist2D.from_pretrained("2D_versatile_he") if known else StarDist2D(Config2D(**STARDIST), basedir=None)
    drawn, grid = np.load(request["cells"]), STARDIST["grid"]
    perfect = cycle([(star_dist(each, STARDIST["n_rays"], grid=grid), edt_prob(each)[::2, ::2]) for each in drawn])

    def cells(image: Image) -> Image:
        picture = normalize(image, 1, 99.8)
        if known:
            return np.asarray(model.predict_instances(picture)[0])
        model.predict(picture)
        points, chance, reach = non_maximum_suppression(*next(perfect), grid=grid, **THRESHOLDS)
        return np.asarray(polygons_to_label(reach, points, image.shape[:2], chance))

    yield from _timed(request, cells, "stardist", known)


def _timed(request: Request, segment: Callable[[Image], Image], distribution: str, known: bool = True) -> Iterator[Any]:
    """Yield the rest of an opening: the step over the fields in turn, and the facts."""
    fields = np.load(request["fields"])
    turn = cycle(fields)
    yield
    yield lambda: segment(next(turn))
    found = sum(int(segment(image).max()) for image in fields) if known else None
    yield {"version": version(distribution), "weights": "" if known else RANDOM, "cells": found}


ENGINES = {"smearscope": smearscope, "scikit-image": scikit_image, "stardist": stardist, "cellpose": cellpose}
"""Each opens as `benchmarks.worker.Opening` says; the name is that of its distribution and of its environment."""
