"""Training the segmenter: on many rough masks, on the few drawn by hand, on what it then says of all other fields."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
from sklearn.model_selection import StratifiedKFold

from smear.images import list_images, read_image
from smear.imaging.cell_detection import find_cells
from smear.imaging.contours import log_odds, log_odds_planes
from smear.imaging.masking import SCALE_BAR_BOX
from smear.imaging.resampling import FIELD_SIZE, ModelFrame, to_frame_scale, to_model_scale, to_tensor
from smear.imaging.stain_normalization import otsu_mask
from smear.imaging.tiling import stitch, tile, tile_origins, whole_strides
from smear.metrics import dice, match_objects
from smear.progress import progress
from train.data import augmentation
from train.data.masks import BG, CELL, CYTO, IGNORE, NUC, PIXEL_SIZE_UM, Masked, MaskedBatches, drawn, foreign, rendered
from train.fitting.calibration import softmax
from train.fitting.training_loop import fit_once
from train.networks import architectures, losses
from train.networks.backbone import load_imagenet

ROUGH_EPOCHS, DRAWN_EPOCHS, TAUGHT_EPOCHS, STEPS, BATCH = 5, 4, 5, 100, 16
ROUGH_RATE, DRAWN_RATE = 1.5e-3, 7e-4
DRAWN_STRENGTH = 0.4  # of the stain's variation in the later stages: at 1.0 pale cytoplasm is lost in tinted glass
WORST_SHARE = 0.2  # of the thresholded masks of a class, by contrast, left out: the threshold found nothing there
RING_PX = 4  # around a thresholded cell nothing is said: a threshold stops short of pale cytoplasm
FOLDS = 4  # of the drawn masks: every fold leaves two fields of each class out
FOREIGN_SHARES = {"zheng_dataset1": 0.10, "zheng_dataset2": 0.10, "bccd": 0.12, "sigtuple": 0.08}
DRAWN_SHARE, BENIGN_SHARE, OWN_SHARE = 0.6, 0.3, 0.8  # the benign fields hold the most kinds of cell
SYNTHETIC_FIELDS, SYNTHETIC_SEED = 300, 10_000
PALETTE_EVERY = 7  # of our fields one gives its palette
LABELLED_EVERY = 3  # of our fields without a drawn mask one is labelled by the model; of the benign ones each
SURELY_GROUND, SURELY_CELL, SURELY_NUCLEUS = 0.7, 0.35, 0.8  # what the model labels; in between it says nothing


def thresholded(root: Path, left_out: set[str]) -> list[Masked]:
    """Return fields of `root`/taleqani with Otsu masks on Lab a*, but for names `left_out` and the worst fifth."""
    kept: list[Masked] = []
    for folder in sorted((root / "taleqani" / "Original").iterdir()):
        ranked = []
        for path in list_images(folder):
            if path.stem in left_out:
                continue
            image = read_image(path)
            cell = otsu_mask(image)
            around = cv2.dilate(cell.astype(np.uint8), _disc(RING_PX)) > 0
            codes = np.select([cell, around], [CELL, IGNORE], BG).astype(np.uint8)
            codes[-SCALE_BAR_BOX[1] :, -SCALE_BAR_BOX[0] :] = IGNORE
            ranked.append((_contrast(image, codes == CELL), Masked(path.stem, folder.name, image, codes, (0.8, 1.25))))
        ranked.sort(key=lambda row: row[0])
        kept += [masked for _, masked in ranked[int(len(ranked) * WORST_SHARE) :]]
    return kept


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _contrast(image: np.ndarray, cell: np.ndarray) -> float:
    red_green = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 1].astype(np.float32)
    if not cell.any() or cell.all():
        return 0.0
    inside, outside = red_green[cell], red_green[~cell]
    return float((inside.mean() - outside.mean()) / (inside.std() + outside.std() + 1.0))


def rough_pools(root: Path) -> list[tuple[list[Masked], float]]:
    """Return what the first stage learns from: no drawn mask, and no picture that has one."""
    names = {masked.name for masked in drawn(root)}
    return [
        (thresholded(root, names), 0.45),
        (rendered(SYNTHETIC_FIELDS, SYNTHETIC_SEED), 0.1),
        *_foreign_pools(root, 1.0),
    ]


def drawn_pools(root: Path, fields: Sequence[Masked]) -> list[tuple[list[Masked], float]]:
    """Return what the second stage learns from: the drawn masks `fields`, foreign and synthetic fields."""
    return [
        ([masked for masked in fields if masked.source != "Benign"], DRAWN_SHARE),
        ([masked for masked in fields if masked.source == "Benign"], BENIGN_SHARE),
        (rendered(SYNTHETIC_FIELDS, SYNTHETIC_SEED), 0.15),
        *_foreign_pools(root, 1.0),
    ]


def _foreign_pools(root: Path, share: float) -> list[tuple[list[Masked], float]]:
    return [(foreign(root, source, held_out=False), part * share) for source, part in FOREIGN_SHARES.items()]


def folds(fields: list[Masked]) -> list[tuple[list[Masked], list[Masked]]]:
    """Split the drawn masks into `FOLDS` (train, test) pairs, every class in each."""
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    classes = [masked.source for masked in fields]
    return [
        ([fields[i] for i in train], [fields[i] for i in test])
        for train, test in splitter.split(np.zeros(len(fields)), classes)
    ]


def fit_rough(
    name: str, root: Path, out: Path, *, weights: str = "imagenet", epochs: int = ROUGH_EPOCHS, resume: bool = False
) -> keras.Model:
    """Fit the segmenter called `name` on rough masks and save it as `out`/model.keras.

    `weights` is what `unet_light` starts from: "imagenet" or "none".
    """

    def start() -> keras.Model:
        model = build(name)
        if name == "unet_light" and weights == "imagenet":
            load_imagenet(model)
        return model

    return fit_once(
        start, lambda: MaskedBatches(rough_pools(root), STEPS, BATCH, seed=1), loss_of(name), out,
        epochs=epochs, rate=ROUGH_RATE, resume=resume,
    )  # fmt: skip


def fit_drawn(
    start: Path,
    root: Path,
    fields: Sequence[Masked],
    out: Path,
    *,
    own: Callable[[], list[Masked]] = list,
    epochs: int = DRAWN_EPOCHS,
    resume: bool = False,
) -> keras.Model:
    """Go on from the model saved at `start` with the drawn masks `fields`; save it as `out`/model.keras.

    `own` gives fields that a model labelled, see `label_own`; it is called only where there is something to fit.
    """
    model = keras.models.load_model(start, compile=False)

    def batches() -> MaskedBatches:
        pools = [*drawn_pools(root, fields), (own(), OWN_SHARE)]
        return MaskedBatches(pools, STEPS, BATCH, seed=2, strength=DRAWN_STRENGTH, palettes=palettes(root))

    return fit_once(lambda: model, batches, loss_of(model.name), out, epochs=epochs, rate=DRAWN_RATE, resume=resume)


def fit_taught(
    rough: Path,
    root: Path,
    fields: Sequence[Masked],
    out: Path,
    *,
    epochs: int = DRAWN_EPOCHS,
    taught_epochs: int = TAUGHT_EPOCHS,
    resume: bool = False,
) -> keras.Model:
    """Fit a teacher on the drawn masks `fields`, let it label our other fields, and fit the model on both.

    Both begin at `rough`. Self-training: 32 drawn fields show too few kinds of cell (Xie et al. 2020, "Self-training
    with noisy student improves ImageNet classification"). Saves `out`/teacher/model.keras and `out`/model.keras.
    """
    if resume and (out / "model.keras").exists():
        return keras.models.load_model(out / "model.keras", compile=False)
    teacher = fit_drawn(rough, root, fields, out / "teacher", epochs=epochs, resume=resume)
    return fit_drawn(
        rough, root, fields, out, own=lambda: label_own(teacher, root), epochs=taught_epochs, resume=resume
    )


def label_own(model: keras.Model, root: Path) -> list[Masked]:
    """Return our fields without a drawn mask as `model` sees them, the mean of four turned and mirrored views.

    Where it is not sure, and in the corner of the scale bar, a pixel is coded IGNORE.
    """
    names = {masked.name for masked in drawn(root)}
    labelled = []
    for folder in sorted((root / "taleqani" / "Original").iterdir()):
        paths = list_images(folder)[:: 1 if folder.name == "Benign" else LABELLED_EVERY]
        for path in progress([path for path in paths if path.stem not in names], f"Labelling {folder.name}"):
            view = to_model_scale(read_image(path))
            if view.pixels.shape[:2] == (FIELD_SIZE, FIELD_SIZE):
                labelled.append(Masked(path.stem, folder.name, view.pixels, _codes(model, view.pixels), (0.8, 1.25)))
    return labelled


def _codes(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Return codes uint8 (h, w) of RGB uint8 (h, w, 3)."""
    views = np.concatenate([to_tensor(_turned(pixels, k)) for k in range(4)])
    ground, cytoplasm, nucleus = np.mean(
        [_turned(p, k, back=True) for k, p in enumerate(_probabilities(model, views))], axis=0
    ).transpose(2, 0, 1)
    cell = ground < SURELY_CELL
    share = nucleus / (nucleus + cytoplasm + 1e-6)
    sure = [ground > SURELY_GROUND, cell & (share > SURELY_NUCLEUS), cell & (share < 1 - SURELY_NUCLEUS), cell]
    codes = np.select(sure, [BG, NUC, CYTO, CELL], IGNORE).astype(np.uint8)
    codes[-SCALE_BAR_BOX[1] :, -SCALE_BAR_BOX[0] :] = IGNORE
    return codes


def _turned(image: np.ndarray, times: int, back: bool = False) -> np.ndarray:
    """Turn (h, w, c) by `times` right angles, and mirror it if that is odd; or `back` again."""
    if back:
        return np.rot90(image[:, ::-1] if times % 2 else image, -times)
    turned = np.rot90(image, times)
    return turned[:, ::-1] if times % 2 else turned


def palettes(root: Path) -> list[augmentation.Palette]:
    """Return the palettes of every few of our fields."""
    paths = [path for folder in sorted((root / "taleqani" / "Original").iterdir()) for path in list_images(folder)]
    return [augmentation.palette_of(read_image(path)) for path in paths[::PALETTE_EVERY]]


def build(name: str) -> keras.Model:
    """Return a fresh segmenter by name: "unet" (the paper's) or "unet_light"."""
    return {"unet": architectures.unet, "unet_light": architectures.unet_light}[name]()


def loss_of(name: str) -> object:
    """Return the mask loss that fits the output of the segmenter called `name`."""
    return losses.mask_loss_of_softmax if name == "unet" else losses.mask_loss


Segment = Callable[[ModelFrame], np.ndarray]


def segment_with(model: keras.Model) -> Segment:
    """Return a function from a view to what `model` says of it, tile by tile, as the device does.

    That is float32 (h, w, 3), one place for each stride of the model.
    """
    stride = model.input_shape[1] // model.output_shape[1]

    def segment(view: ModelFrame) -> np.ndarray:
        pixels = whole_strides(view.pixels, stride)
        origins = tile_origins(*pixels.shape[:2], stride=stride)
        tensors = np.concatenate([to_tensor(tile(pixels, origin)) for origin in origins])
        return stitch(list(_at_stride(model, tensors)), origins, pixels.shape[:2], stride)

    return segment


def _at_stride(model: keras.Model, tensors: np.ndarray) -> np.ndarray:
    out = np.asarray(model.predict_on_batch(tensors), np.float32)
    return out if model.name == "unet" else softmax(out)


def _probabilities(model: keras.Model, tensors: np.ndarray) -> np.ndarray:
    """Return probabilities at the size of `tensors`."""
    maps = _at_stride(model, tensors)
    return np.stack([cv2.resize(one, tensors.shape[2:0:-1], interpolation=cv2.INTER_LINEAR) for one in maps])


@dataclass(frozen=True, slots=True)
class Score:
    """Dice of one picture; `nucleus` and `objects` are None where nobody drew them."""

    name: str
    source: str
    cell: float
    nucleus: float | None
    objects: tuple[int, int, int] | None = None  # matched, drawn, found; see smear.metrics.match_objects


def score(model: keras.Model, fields: list[Masked]) -> list[Score]:
    """Score `model` on `fields`, each brought to the models' scale first."""
    segment = segment_with(model)
    return [_score_one(segment, masked) for masked in fields]


def cells_of(segment: Segment, view: ModelFrame) -> np.ndarray:
    """Return bool (H, W) of the frame: what `segment` takes for cell."""
    return _in_frame(segment(view), view)[0]


def _in_frame(answer: np.ndarray, view: ModelFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return bool (H, W) of the frame twice: what `answer`, on its grid, takes for cell, and for nucleus in a cell."""
    ground, lean = log_odds_planes(answer)
    odds, lean = (to_frame_scale(plane[..., np.newaxis], view)[..., 0] for plane in (log_odds(ground), lean))
    return odds < 0, (odds < 0) & (lean >= 0)


def _score_one(segment: Segment, masked: Masked) -> Score:
    view = to_model_scale(masked.image, PIXEL_SIZE_UM.get(masked.source))
    answer = segment(view)
    cell, nuclear = _in_frame(answer, view)
    known = masked.codes != IGNORE
    nucleus = objects = None
    if (masked.codes == NUC).any():
        nucleus = dice(nuclear & known, masked.codes == NUC)
    if masked.objects is not None:
        objects = match_objects(masked.objects, _known(find_cells(answer, view).labels, known))
    whole = dice(cell & known, (masked.codes != BG) & known)
    return Score(masked.name, masked.source, whole, nucleus, objects)


def _known(labels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the label map without objects that lie for the most part where bool `known` is False."""
    sizes = np.bincount(labels.ravel())
    seen = np.bincount(labels[known], minlength=len(sizes))
    return np.where((2 * seen >= sizes)[labels] & known, labels, 0)
