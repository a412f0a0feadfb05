"""Drawn people with their body parts labelled as CIHP labels them, so that the notebook runs anywhere, offline.

The folders are those of CIHP's archive: Training/Images, Training/Category_ids, and the same below Validation.
"""

import itertools
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Point = tuple[float, float]
Color = tuple[int, int, int]

# The ids of CIHP that are drawn; left and right are the person's own.
HAT, HAIR, GLOVE, SUNGLASSES, UPPER, DRESS, COAT, SOCKS, PANTS, SKIN = range(1, 11)
SCARF, SKIRT, FACE, LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG, LEFT_SHOE, RIGHT_SHOE = range(11, 20)

_PAIRS = {LEFT_ARM: RIGHT_ARM, LEFT_LEG: RIGHT_LEG, LEFT_SHOE: RIGHT_SHOE}
_SKINS: tuple[Color, ...] = ((241, 206, 181), (214, 166, 130), (158, 108, 77), (96, 62, 44))
_HAIRS: tuple[Color, ...] = ((30, 24, 22), (84, 56, 36), (150, 106, 60), (206, 178, 120), (150, 150, 150))
_WOVEN = (HAT, UPPER, DRESS, COAT, SCARF, SKIRT)
_HEADS_TALL = 7.5


class Pen:
    """Draws each shape twice: in a colour on the picture and as a class id on the mask.

    Points are in heads, x to the image's right and y down, from the middle of the person's hips.
    """

    def __init__(self, picture: Image.Image, mask: Image.Image, *, hips: Point, head: float, lean: float) -> None:
        self._picture, self._mask = ImageDraw.Draw(picture), ImageDraw.Draw(mask)
        self._hips, self._head, self._turn = hips, head, (math.cos(lean), math.sin(lean))

    def polygon(self, class_id: int, color: Color, points: list[Point]) -> None:
        """A filled polygon."""
        placed = [self._place(point) for point in points]
        self._picture.polygon(placed, fill=color)
        self._mask.polygon(placed, fill=class_id)

    def ellipse(self, class_id: int, color: Color, middle: Point, radii: Point) -> None:
        """A filled ellipse."""
        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        self.polygon(
            class_id, color, [(middle[0] + radii[0] * math.cos(a), middle[1] + radii[1] * math.sin(a)) for a in angles]
        )

    def limb(self, class_id: int, color: Color, joints: list[Point], width: float) -> None:
        """Thick lines from joint to joint with round ends."""
        for (x0, y0), (x1, y1) in itertools.pairwise(joints):
            length = math.hypot(x1 - x0, y1 - y0)
            across, down = (y1 - y0) / length * width / 2, (x0 - x1) / length * width / 2
            corners = [(x0 + across, y0 + down), (x1 + across, y1 + down)]
            self.polygon(class_id, color, [*corners, (x1 - across, y1 - down), (x0 - across, y0 - down)])
        for joint in joints:
            self.ellipse(class_id, color, joint, (width / 2, width / 2))

    def _place(self, point: Point) -> Point:
        (x, y), (cosine, sine) = point, self._turn
        return (
            self._hips[0] + self._head * (x * cosine - y * sine),
            self._hips[1] + self._head * (x * sine + y * cosine),
        )


def draw_people(root: Path, *, num_train: int, num_validation: int, size: tuple[int, int], seed: int = 0) -> None:
    """Write people with their masks below `root`, in CIHP's folders; `size` is (width, height) in pixels."""
    for split, (name, count) in enumerate({"Training": num_train, "Validation": num_validation}.items()):
        images, masks = root / name / "Images", root / name / "Category_ids"
        images.mkdir(parents=True)
        masks.mkdir()
        for i in range(count):
            image, mask = draw_picture((seed, split, i), size)
            image.save(images / f"{i:07}.jpg", quality=92)
            mask.save(masks / f"{i:07}.png")


def draw_picture(key: tuple[int, ...], size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """An RGB picture of one to three people and its mask, mode "L" with the class ids; a pure function of `key`."""
    generator = np.random.default_rng(key)
    width, height = size
    picture, mask = _background(generator, size), Image.new("L", size, 0)
    number = int(generator.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))
    # Far people first: the near ones stand before them.
    for tall in sorted(generator.uniform(0.45, 0.95, number) * height / number**0.3):
        x, feet = generator.uniform(0.2, 0.8) * width, min(0.98 * height, generator.uniform(0.85, 1.0) * height)
        head = tall / _HEADS_TALL
        lean = math.radians(generator.normal(0, 4))
        pen = Pen(picture, mask, hips=(x, feet - 3.8 * head), head=head, lean=lean)
        _person(pen, generator)
    return _textured(picture, mask, generator), mask


def _person(pen: Pen, generator: np.random.Generator) -> None:
    """One person in random clothes and pose, from the feet up, what hides drawn after what is hidden."""
    skin = _SKINS[generator.integers(len(_SKINS))]
    hair = _HAIRS[generator.integers(len(_HAIRS))]
    is_facing = generator.random() < 0.75
    outfit = str(generator.choice(["pants", "skirt", "dress"], p=[0.6, 0.2, 0.2]))
    _legs(pen, generator, skin=skin, outfit=outfit, is_facing=is_facing)
    sleeves = bool(generator.random() < 0.5)
    top, cloth = (DRESS if outfit == "dress" else UPPER), _cloth(generator)
    if generator.random() < 0.2:
        top, sleeves = COAT, True
    _arms(pen, generator, skin=skin, sleeve=(top, cloth) if sleeves else None, is_facing=is_facing)
    hem = {UPPER: 0.1, COAT: 1.0, DRESS: 1.3}[top]
    flare = 0.62 if hem > 0.5 else 0.5
    pen.polygon(SKIN, skin, [(-0.2, -2.9), (0.2, -2.9), (0.25, -2.3), (-0.25, -2.3)])
    pen.polygon(top, cloth, [(-0.3, -2.6), (0.3, -2.6), (0.72, -2.4), (0.5, -0.8), (flare, hem), (-flare, hem),
                             (-0.5, -0.8), (-0.72, -2.4)])  # fmt: skip
    if is_facing and top != COAT:
        pen.ellipse(SKIN, skin, (0, -2.6), (0.22, 0.22))
    if generator.random() < 0.12:
        pen.ellipse(SCARF, _cloth(generator), (0, -2.62), (0.42, 0.2))
    _head(pen, generator, skin=skin, hair=hair, is_facing=is_facing)


def _legs(pen: Pen, generator: np.random.Generator, *, skin: Color, outfit: str, is_facing: bool) -> None:
    cloth, shoe, socks = _cloth(generator), _cloth(generator), bool(generator.random() < 0.25)
    for side in (-1, 1):  # of the image
        spread = side * generator.uniform(0.25, 0.75)
        hip, knee, foot = (0.26 * side, -0.1), (0.27 * side + 0.4 * spread, 1.7), (0.2 * side + spread, 3.5)
        leg = _of_side(LEFT_LEG, side, is_facing=is_facing)
        pen.limb(PANTS if outfit == "pants" else leg, cloth if outfit == "pants" else skin, [hip, knee, foot], 0.46)
        if socks:
            pen.limb(SOCKS, (225, 225, 220), [(foot[0] - 0.1 * spread, 3.1), foot], 0.4)
        pen.ellipse(_of_side(LEFT_SHOE, side, is_facing=is_facing), shoe, (foot[0] + 0.12 * side, 3.65), (0.36, 0.18))
    if outfit == "skirt":
        length = generator.uniform(0.9, 1.6)
        pen.polygon(SKIRT, cloth, [(-0.48, -0.8), (0.48, -0.8), (0.8, length), (-0.8, length)])
    elif outfit == "pants":
        pen.polygon(PANTS, cloth, [(-0.48, -0.8), (0.48, -0.8), (0.46, 0.3), (-0.46, 0.3)])


def _arms(
    pen: Pen, generator: np.random.Generator, *, skin: Color, sleeve: tuple[int, Color] | None, is_facing: bool
) -> None:
    gloves = bool(generator.random() < 0.12)
    for side in (-1, 1):
        raised = generator.uniform(math.radians(10), math.radians(110))
        bent = raised + generator.uniform(-0.9, 0.9)
        shoulder = (0.62 * side, -2.3)
        elbow = (shoulder[0] + side * 1.1 * math.sin(raised), shoulder[1] + 1.1 * math.cos(raised))
        hand = (elbow[0] + side * 1.1 * math.sin(bent), elbow[1] + 1.1 * math.cos(bent))
        pen.limb(_of_side(LEFT_ARM, side, is_facing=is_facing), skin, [shoulder, elbow, hand], 0.32)
        if sleeve:
            wrist = (0.3 * elbow[0] + 0.7 * hand[0], 0.3 * elbow[1] + 0.7 * hand[1])
            pen.limb(*sleeve, [shoulder, elbow, wrist], 0.4)
        if gloves:
            pen.ellipse(GLOVE, (60, 50, 50), hand, (0.24, 0.24))


def _head(pen: Pen, generator: np.random.Generator, *, skin: Color, hair: Color, is_facing: bool) -> None:
    is_long = bool(generator.random() < 0.45)
    pen.ellipse(HAIR, hair, (0, -3.4 + 0.2 * is_long), (0.48, 0.58 + 0.25 * is_long))
    if is_facing:
        pen.ellipse(FACE, skin, (0, -3.28), (0.36, 0.46))
        if generator.random() < 0.2:
            pen.polygon(SUNGLASSES, (20, 20, 24), [(-0.34, -3.42), (0.34, -3.42), (0.3, -3.2), (-0.3, -3.2)])
        else:
            for side in (-1, 1):  # the eyes belong to the face
                pen.ellipse(FACE, (40, 34, 30), (0.14 * side, -3.34), (0.05, 0.04))
    if generator.random() < 0.25:
        cloth = _cloth(generator)
        pen.polygon(HAT, cloth, [(-0.66, -3.62), (0.66, -3.62), (0.66, -3.74), (-0.66, -3.74)])
        pen.polygon(HAT, cloth, [(-0.42, -3.7), (0.42, -3.7), (0.34, -4.15), (-0.34, -4.15)])


def _of_side(left: int, side: int, *, is_facing: bool) -> int:
    """The left or right part at `side` of the image; who faces us has the left hand at the image's right."""
    return left if (side == 1) == is_facing else _PAIRS[left]


def _cloth(generator: np.random.Generator) -> Color:
    red, green, blue = generator.integers(20, 236, 3).tolist()
    return red, green, blue


def _background(generator: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A wall with some things on it and a floor."""
    width, height = size
    picture = Image.new("RGB", size, _cloth(generator))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(generator.integers(2, 7))):
        x, y = generator.uniform(-0.1, 0.9) * width, generator.uniform(-0.1, 0.6) * height
        corner = x + generator.uniform(0.05, 0.4) * width, y + generator.uniform(0.1, 0.5) * height
        draw.rectangle((x, y, *corner), fill=_cloth(generator))
    draw.rectangle((0, generator.uniform(0.7, 0.85) * height, width, height), fill=_cloth(generator))
    return picture.filter(ImageFilter.GaussianBlur(height / 100))


def _textured(picture: Image.Image, mask: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Woven patterns on some clothes, light from one side and the grain of a camera."""
    pixels, class_ids = np.asarray(picture, dtype=np.float64), np.asarray(mask)
    rows, columns = np.indices(class_ids.shape)
    light = 1 + generator.uniform(-0.25, 0.25) * (columns / class_ids.shape[1] - 0.5)
    for class_id in _WOVEN:
        angle, period, depth = generator.uniform(0, np.pi), generator.uniform(3, 9), generator.uniform(0, 0.25)
        waves = np.sin(2 * np.pi / period * (columns * math.cos(angle) + rows * math.sin(angle)))
        light = np.where(class_ids == class_id, light * (1 + depth * waves), light)
    grain = generator.normal(0, 6, pixels.shape)
    return Image.fromarray((pixels * light[..., None] + grain).clip(0, 255).astype(np.uint8))
