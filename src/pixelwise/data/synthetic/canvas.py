"""A picture and its mask, painted together from far to near through a pinhole camera."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

BACKGROUND, ROAD, BUILDING, VEGETATION, SKY = range(5)

Tint = tuple[float, float, float]
Place = tuple[float, float]

_SUPERSAMPLING = 2
_CAMERA_HEIGHT = 2.2  # metres, as all lengths of a scene


class Mood(NamedTuple):
    """Weather and time of day."""

    zenith: Tint
    horizon: Tint
    light: Tint  # factor on every colour
    haze: float  # per metre
    clouds: float  # share of the sky
    sun: float  # depth of shadows, 0..1


MOODS = (
    Mood((70, 125, 205), (175, 205, 235), (1.05, 1.02, 0.95), 0.003, 0.30, 0.50),  # clear
    Mood((150, 158, 168), (205, 208, 212), (0.90, 0.92, 0.96), 0.008, 0.85, 0.05),  # overcast
    Mood((95, 105, 160), (250, 190, 130), (1.10, 0.88, 0.70), 0.006, 0.45, 0.45),  # low sun
    Mood((52, 62, 108), (140, 130, 160), (0.60, 0.60, 0.74), 0.006, 0.40, 0.05),  # dusk
    Mood((190, 195, 200), (215, 218, 220), (0.88, 0.90, 0.92), 0.018, 0.30, 0.00),  # fog
    Mood((110, 160, 215), (225, 228, 225), (1.12, 1.08, 1.00), 0.008, 0.15, 0.60),  # noon
)
# Strength of fine and of coarse texture, by class.
_TEXTURE = {BACKGROUND: (0.05, 0.05), ROAD: (0.06, 0.05), BUILDING: (0.03, 0.05), VEGETATION: (0.10, 0.10)}


class Canvas:
    """What is painted; positions are (x to the right, y up, z ahead) in metres."""

    def __init__(self, generator: np.random.Generator, size: tuple[int, int]) -> None:
        self.random, self.size = generator, size
        self.width, self.height = (side * _SUPERSAMPLING for side in size)
        self.mood = MOODS[generator.integers(len(MOODS))]
        self._haze = self.mood.haze * generator.uniform(0.6, 1.4)
        self.image = Image.new("RGB", (self.width, self.height))
        self.mask = Image.new("L", (self.width, self.height), SKY)
        self._pen, self._mask_pen = ImageDraw.Draw(self.image), ImageDraw.Draw(self.mask)
        self.focal = self.width * generator.uniform(0.75, 1.1)
        self.vanishing = (
            self.width * generator.uniform(0.3, 0.7),
            self.height * generator.uniform(0.38, 0.55),
        )

    def project(self, x: float, y: float, z: float) -> Place:
        """Pixel of a point in space."""
        scale = self.focal / z
        return (self.vanishing[0] + x * scale, self.vanishing[1] + (_CAMERA_HEIGHT - y) * scale)

    def polygon(self, points: Sequence[Place], color: Tint, class_id: int, z: float) -> None:
        """Paint a polygon of pixels `z` metres away."""
        self._pen.polygon(points, fill=self.shade(color, z))
        self._mask_pen.polygon(points, fill=class_id)

    def shade(self, color: Tint, z: float) -> tuple[int, int, int]:
        """`color` in the light of the scene, seen through the haze of `z` metres."""
        clear = math.exp(-self._haze * z)
        far, light = self.mood.horizon, self.mood.light
        return (
            int(min(255, color[0] * light[0] * clear + far[0] * (1 - clear))),
            int(min(255, color[1] * light[1] * clear + far[1] * (1 - clear))),
            int(min(255, color[2] * light[2] * clear + far[2] * (1 - clear))),
        )

    def vary(self, color: Tint, amount: float) -> Tint:
        """A colour nearby."""
        shift, *own = self.random.normal(0, amount, 4).tolist()
        red, green, blue = (min(255.0, max(0.0, c + shift + each / 3)) for c, each in zip(color, own, strict=True))
        return (red, green, blue)

    def box(self, across: Place, up: Place, color: Tint, z: float) -> None:
        """Paint an upright rectangle of the class BACKGROUND that faces the camera."""
        corners = [(across[0], up[0]), (across[0], up[1]), (across[1], up[1]), (across[1], up[0])]
        self.polygon([self.project(a, b, z) for a, b in corners], color, BACKGROUND, z)

    def blob(self, centre: Place, radius: float, color: Tint, class_id: int, z: float) -> None:
        """Paint a round spot; `centre` and `radius` in pixels."""
        column, row = centre
        bounds = (column - radius, row - radius * 0.8, column + radius, row + radius * 0.8)
        self._pen.ellipse(bounds, fill=self.shade(color, z))
        self._mask_pen.ellipse(bounds, fill=class_id)

    def sky(self) -> None:
        """A gradient with clouds of smooth noise over the whole picture."""
        rows = np.linspace(0, self.height / self.vanishing[1], self.size[1], dtype=np.float32)
        fade = rows.clip(0, 1)[:, None, None] ** 1.3
        sky = (1 - fade) * np.array(self.mood.zenith) + fade * np.array(self.mood.horizon)
        field = sum(smooth_noise(self.random, self.size, cells) / cells for cells in (4, 9, 20))
        cover = np.clip((field - np.quantile(field, 1 - self.mood.clouds)) * 6, 0, 0.85)[..., None]
        white = np.array([250, 248, 245]) * np.clip(self.mood.light, 0, 1) * self.random.uniform(0.85, 1)
        pixels = Image.fromarray((sky * (1 - cover) + white * cover).clip(0, 255).astype(np.uint8))
        self.image.paste(pixels.resize((self.width, self.height), Image.Resampling.BILINEAR))

    def finished(self) -> tuple[Image.Image, Image.Image]:
        """The picture with texture, light and the camera's noise, and its mask, both at their final size."""
        mask = self.mask.resize(self.size, Image.Resampling.NEAREST)
        pixels = np.asarray(self.image.reduce(_SUPERSAMPLING), dtype=np.float32)
        ids = np.asarray(mask)
        fine = self.random.standard_normal(ids.shape, dtype=np.float32)
        coarse = smooth_noise(self.random, self.size, max(8, self.size[0] // 6))
        amounts = np.zeros((256, 2), dtype=np.float32)
        for class_id, strengths in _TEXTURE.items():
            amounts[class_id] = strengths
        factor = 1 + amounts[ids, 0] * fine + amounts[ids, 1] * coarse
        factor *= 1 + 0.08 * smooth_noise(self.random, self.size, 3)  # light is never even
        columns = np.linspace(-1, 1, ids.shape[1], dtype=np.float32)
        rows = np.linspace(-1, 1, ids.shape[0], dtype=np.float32)[:, None]
        factor *= 1.04 - self.random.uniform(0, 0.15) * (columns**2 + rows**2)
        cast = self.random.normal(1, 0.04, 3) * self.random.uniform(0.85, 1.12)
        pixels = pixels * (factor[..., None] * cast.astype(np.float32))
        pixels += self.random.uniform(1, 5) * self.random.standard_normal(pixels.shape, dtype=np.float32)
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), mask


def smooth_noise(generator: np.random.Generator, size: tuple[int, int], cells: int) -> npt.NDArray[np.float32]:
    """(height, width) noise of deviation about 1 whose spots are a `cells`-th of the width."""
    rows = max(2, round(cells * size[1] / size[0]))
    grid = generator.standard_normal((rows, max(2, cells)), dtype=np.float32)
    return np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC))
