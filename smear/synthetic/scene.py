"""The objects of a scene and where they lie, in micrometres, drawn from one random generator."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smear.synthetic.recipes import CellKind, Recipe

STEPS = 256  # samples of an outline; a step is 0.15 µm on a blast, below any pixel worth simulating
FIELD_AREA_UM2 = 112.0 * 112.0  # of the data set's fields, for which recipes count
_RED_RADIUS_UM = 3.6  # 7.2 µm: median red cell of the data set at 0.5 µm a pixel
_HARMONICS = np.arange(2, 8)
_ANGLES = (np.arange(STEPS) * (2 * math.pi / STEPS)).astype(np.float32)
_BASIS = np.concatenate([np.cos(np.outer(_HARMONICS, _ANGLES)), np.sin(np.outer(_HARMONICS, _ANGLES))]).astype(
    np.float32
)
_FALL = np.tile(1.0 / (_HARMONICS - 1.0), 2)  # an outline is smooth: higher harmonics are weaker

Box = tuple[float, float, float, float]
"""x, y, width, height in micrometres."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What all fields of one slide share beside the stain: how thick it is spread and how the red cells dried."""

    red_share: float  # 0 to 1 between the fewest and the most red cells of the recipe
    pallor: float  # depth of the pale centre
    pallor_radius: float  # relative to the cell
    pallor_edge: float  # softness of its rim
    crenated: float  # share of red cells with spikes
    rouleaux: float  # chance that a red cell lies against the one before
    red_blur_um: float  # red cells dry at another height than leukocytes, and are then out of focus
    precipitate: float  # mean number of patches of stain precipitate
    leukocyte_share: float


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """A closed outline: radius as a function of the angle, relative to `radius_um`."""

    x: float
    y: float
    radius_um: float
    outline: NDArray[np.float32]  # (STEPS,)


@dataclass(frozen=True, slots=True, eq=False)
class Red:
    """A red cell."""

    body: Blob
    amount: float
    pallor: float


@dataclass(frozen=True, slots=True, eq=False)
class Leukocyte:
    """A white cell; `nucleus` holds one blob a lobe, their centres on the slide."""

    body: Blob
    nucleus: tuple[Blob, ...]
    nucleoli: tuple[tuple[float, float, float], ...]  # x, y, radius
    kind: CellKind
    amount: float
    texture: tuple[float, float, float]  # place in the noise bank and rotation


@dataclass(frozen=True, slots=True, eq=False)
class Smear:
    """A smudge cell, platelet or grain: no leukocyte, background in the mask."""

    body: Blob
    dyes: tuple[float, float, float]  # azure, chromatin, eosin
    ragged: float  # 0: even; 1: torn
    texture: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """All objects of one box, in drawing order."""

    reds: tuple[Red, ...] = ()
    smears: tuple[Smear, ...] = ()
    leukocytes: tuple[Leukocyte, ...] = ()


def draw_look(rng: np.random.Generator) -> Look:
    """Return how one slide was spread."""
    return Look(
        red_share=rng.random(),
        pallor=rng.uniform(0.05, 0.9),
        pallor_radius=rng.uniform(0.36, 0.55),
        pallor_edge=rng.uniform(0.12, 0.4),
        crenated=rng.choice([0.02, 0.3, 0.8], p=[0.6, 0.25, 0.15]),
        rouleaux=rng.uniform(0.15, 0.75),
        red_blur_um=rng.choice([0.0, 0.5], p=[0.7, 0.3]) * rng.random(),
        precipitate=rng.choice([0.0, 3.0], p=[0.75, 0.25]) * rng.random(),
        leukocyte_share=rng.random() ** 1.5,
    )


def outlines(rng: np.random.Generator, irregularity: float, count: int) -> NDArray[np.float32]:
    """Return float32 (count, STEPS): relative radii of rounded shapes with the area of the unit disc."""
    waves = (rng.normal(0.0, irregularity, (count, 2 * len(_HARMONICS))) * _FALL).astype(np.float32)
    # einsum, not @: on a busy machine the threads of BLAS cost more than this product.
    return _unit_area(1.0 + np.einsum("nk,ks->ns", waves, _BASIS))


def outline(rng: np.random.Generator, irregularity: float) -> NDArray[np.float32]:
    """Return one of `outlines`, float32 (STEPS,)."""
    shape: NDArray[np.float32] = outlines(rng, irregularity, 1)[0]
    return shape


def _crenate(rng: np.random.Generator, shape: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `shape` with the 9 to 14 blunt spikes of an echinocyte."""
    spikes, height, turn = int(rng.integers(9, 15)), rng.uniform(0.08, 0.2), rng.uniform(0, 2 * math.pi)
    uneven = _ANGLES + rng.normal(0.0, 0.12) * np.sin(3 * _ANGLES + turn)
    return _unit_area(shape + height * np.abs(np.cos(0.5 * spikes * uneven + turn)) ** 3)


def _unit_area(shapes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(shapes / np.sqrt(np.mean(shapes**2, axis=-1, keepdims=True)), np.float32)


def _texture(rng: np.random.Generator) -> tuple[float, float, float]:
    return rng.uniform(0, 60), rng.uniform(0, 60), rng.uniform(0, 2 * math.pi)


def _leukocyte(rng: np.random.Generator, kind: CellKind, x: float, y: float, radius: float) -> Leukocyte:
    """Draw one cell of `kind`; its nucleus lies to one side, so that the cytoplasm shows as a crescent."""
    body = Blob(x, y, radius, outline(rng, kind.irregularity))
    lobes = int(rng.integers(kind.lobes[0], kind.lobes[1] + 1))
    nucleus_radius = radius * math.sqrt(rng.uniform(*kind.nc_ratio))
    turn = rng.uniform(0, 2 * math.pi)
    nucleus: list[Blob] = []
    if lobes == 1:
        slack = (radius - nucleus_radius) * rng.uniform(0.3, 1.0)
        shape = 0.6 * body.outline + 0.4 * outline(rng, 0.05)
        nucleus.append(Blob(x + slack * math.cos(turn), y + slack * math.sin(turn), nucleus_radius, shape))
    for lobe in range(lobes if lobes > 1 else 0):
        # Lobes sit on an arc, like a horseshoe; together they keep the area of one nucleus.
        angle, reach = turn + 1.15 * (lobe - (lobes - 1) / 2) * (3.4 / lobes), 0.45 * radius
        lobe_radius = nucleus_radius * math.sqrt(1.15 / lobes) * rng.uniform(0.85, 1.05)
        nucleus.append(Blob(x + reach * math.cos(angle), y + reach * math.sin(angle), lobe_radius, outline(rng, 0.08)))
    nucleoli = []
    for _ in range(int(rng.integers(kind.nucleoli[0], kind.nucleoli[1] + 1))):
        angle, reach = rng.uniform(0, 2 * math.pi), nucleus[0].radius_um * 0.6 * math.sqrt(rng.random())
        centre = nucleus[0].x + reach * math.cos(angle), nucleus[0].y + reach * math.sin(angle)
        nucleoli.append((*centre, rng.uniform(0.5, 1.0)))
    return Leukocyte(body, tuple(nucleus), tuple(nucleoli), kind, rng.uniform(*kind.amount), _texture(rng))


def _place_leukocytes(rng: np.random.Generator, recipe: Recipe, box: Box, count: int) -> list[Leukocyte]:
    """Put `count` cells with their centres inside `box`; they touch, but hardly cover each other."""
    shares = np.array([share for _, share in recipe.kinds])
    placed: list[Leukocyte] = []
    for _ in range(count):
        kind = recipe.kinds[int(rng.choice(len(shares), p=shares / shares.sum()))][0]
        mean, deviation = kind.diameter_um
        radius = 0.5 * float(np.clip(rng.normal(mean, deviation), mean - 2 * deviation, mean + 2.5 * deviation))
        inset_x, inset_y = (min(0.7 * radius, 0.4 * side) for side in box[2:])
        for _attempt in range(30):
            x = box[0] + rng.uniform(inset_x, box[2] - inset_x)
            y = box[1] + rng.uniform(inset_y, box[3] - inset_y)
            if placed and rng.random() < recipe.clustering:
                near, angle = placed[int(rng.integers(len(placed)))].body, rng.uniform(0, 2 * math.pi)
                reach = (near.radius_um + radius) * rng.uniform(0.96, 1.1)
                x = float(np.clip(near.x + reach * math.cos(angle), box[0] + inset_x, box[0] + box[2] - inset_x))
                y = float(np.clip(near.y + reach * math.sin(angle), box[1] + inset_y, box[1] + box[3] - inset_y))
            others = [cell.body for cell in placed]
            if all(math.hypot(x - o.x, y - o.y) > 0.93 * (o.radius_um + radius) for o in others):
                break
        placed.append(_leukocyte(rng, kind, x, y, radius))
    return placed


def _place_reds(rng: np.random.Generator, look: Look, box: Box, count: int, taken: list[Blob]) -> list[Red]:
    """Scatter red cells, singly and in rouleaux; leukocytes push them aside."""
    placed: list[Red] = []
    obstacles = np.array([(o.x, o.y, o.radius_um) for o in taken]).reshape(-1, 3)
    radii = _RED_RADIUS_UM * np.clip(rng.normal(1.0, 0.07, count), 0.75, 1.3)
    shapes = outlines(rng, 0.045, count)
    amounts = np.clip(rng.normal(0.95, 0.17, count), 0.5, 1.5)
    pallors = look.pallor * np.clip(rng.normal(0.8, 0.4, count), 0.0, 1.1)
    linked, crenated = rng.random(count) < look.rouleaux, rng.random(count) < look.crenated
    x = y = heading = 0.0
    for radius, shape, amount, pallor, link, spiked in zip(
        radii.tolist(), shapes, amounts.tolist(), pallors.tolist(), linked, crenated, strict=True
    ):
        astray = max(abs(x - box[0] - box[2] / 2) - box[2] / 2, abs(y - box[1] - box[3] / 2) - box[3] / 2)
        if link and placed and astray < _RED_RADIUS_UM:
            heading += rng.normal(0.0, 0.6)
            reach = radius * rng.uniform(1.2, 2.1)
            x, y = x + reach * math.cos(heading), y + reach * math.sin(heading)
        else:
            x, y = box[0] + rng.uniform(0, box[2]), box[1] + rng.uniform(0, box[3])
            heading = rng.uniform(0, 2 * math.pi)
        gaps = np.hypot(obstacles[:, 0] - x, obstacles[:, 1] - y) - obstacles[:, 2]
        if (gaps > 0.55 * radius).all():
            body = Blob(x, y, radius, _crenate(rng, shape) if spiked else shape)
            placed.append(Red(body, amount, 0.4 * pallor if spiked else pallor))
    return placed


def _place_smears(rng: np.random.Generator, recipe: Recipe, look: Look, box: Box, scale: float) -> list[Smear]:
    """Scatter smudge cells, platelets and stain precipitate."""

    def somewhere() -> tuple[float, float]:
        return box[0] + rng.uniform(0, box[2]), box[1] + rng.uniform(0, box[3])

    placed: list[Smear] = []
    for _ in range(rng.poisson(recipe.smudges * scale)):
        body = Blob(*somewhere(), rng.uniform(6.5, 11.0), outline(rng, 0.13))
        dyes = (0.0, rng.uniform(0.05, 0.3), rng.uniform(0.5, 1.1))
        placed.append(Smear(body, dyes, rng.uniform(0.4, 1.0), _texture(rng)))
    for _ in range(rng.poisson(4.0 * scale)):
        body = Blob(*somewhere(), rng.uniform(0.7, 1.5), outline(rng, 0.12))
        placed.append(Smear(body, (0.25, rng.uniform(0.3, 0.7), 0.3), 0.5, _texture(rng)))
    for _ in range(rng.poisson(look.precipitate * scale)):
        x, y = somewhere()
        grains = zip(*rng.normal(0.0, 3.0, (2, 24)), rng.gamma(2.0, 0.25, 24), outlines(rng, 0.15, 24), strict=True)
        for dx, dy, radius, grain in grains:
            placed.append(Smear(Blob(x + dx, y + dy, radius, grain), (0.3, 1.1, 0.0), 0.0, (0.0, 0.0, 0.0)))
    return placed


def populate(rng: np.random.Generator, recipe: Recipe, look: Look, box: Box, leukocytes: int | None = None) -> Scene:
    """Fill `box`; without a number of `leukocytes` it is drawn for the area of the box."""
    scale = box[2] * box[3] / FIELD_AREA_UM2
    if leukocytes is None:
        low, high = recipe.leukocytes
        leukocytes = int(rng.poisson((low + (high - low) * look.leukocyte_share) * scale))
    cells = _place_leukocytes(rng, recipe, box, leukocytes)
    reds = round((recipe.reds[0] + (recipe.reds[1] - recipe.reds[0]) * look.red_share) * scale)
    taken = [cell.body for cell in cells]
    return Scene(
        tuple(_place_reds(rng, look, box, reds, taken)),
        tuple(_place_smears(rng, recipe, look, box, scale)),
        tuple(cells),
    )


def merge(scenes: list[Scene]) -> Scene:
    """Return one scene that draws `scenes` in their order, layer by layer."""
    return Scene(
        tuple(red for scene in scenes for red in scene.reds),
        tuple(smear for scene in scenes for smear in scene.smears),
        tuple(cell for scene in scenes for cell in scene.leukocytes),
    )
