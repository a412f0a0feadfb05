"""One street scene: a road between houses and trees, with what stands and lies about."""

import itertools
import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from pixelwise.data.synthetic.canvas import BACKGROUND, BUILDING, ROAD, VEGETATION, Canvas, Place, Tint

_NEAREST, _FARTHEST = 2.0, 140.0  # metres

# Colours overlap between classes on purpose: grey houses and roads, green and blue-grey walls, red leaves.
_WALLS: tuple[Tint, ...] = (
    (165, 92, 72), (196, 174, 140), (150, 150, 148), (118, 122, 126), (205, 200, 188), (140, 158, 122),
    (122, 140, 162), (190, 146, 96), (98, 84, 78), (214, 190, 150),
)  # fmt: skip
_LEAVES: tuple[Tint, ...] = (
    (62, 98, 44), (84, 116, 52), (50, 82, 54), (108, 124, 60), (172, 104, 44), (150, 66, 44), (176, 150, 62)
)  # fmt: skip
_CARS: tuple[Tint, ...] = (
    (180, 40, 36), (225, 225, 222), (40, 44, 52), (60, 84, 140), (140, 144, 148), (70, 104, 78),
    (196, 160, 60),
)  # fmt: skip
_GROUNDS: tuple[Tint, ...] = ((158, 150, 142), (140, 140, 140), (170, 152, 126), (126, 114, 98))


def draw_scene(generator: np.random.Generator, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """An RGB image and an "L" mask of class ids, both of `size` (width, height)."""
    canvas = Canvas(generator, size)
    street = _Street(canvas)
    canvas.sky()
    street.ground()
    for draw in street.things():
        draw()
    return canvas.finished()


class _Street:
    """The layout of a street, and how its parts are painted; lengths in metres."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas, self.random = canvas, canvas.random
        self.road_sides = (-self.random.uniform(2.8, 4.4), self.random.uniform(2.8, 4.4))
        self.walls = tuple(side + math.copysign(self.random.uniform(5, 9), side) for side in self.road_sides)

    def ground(self) -> None:
        """Distant silhouettes, pavement with joints, the road with its markings, and shadows on both."""
        self._skyline()
        ground = self.canvas.vary(_GROUNDS[self.random.integers(len(_GROUNDS))], 8)
        asphalt = self.canvas.vary((88, 89, 93) if self.random.random() < 0.7 else (116, 108, 100), 12)
        for near, far in strips(_NEAREST, 400, 1.3):
            self._slab(-400, 400, (near, far), ground, BACKGROUND)
            self._slab(*self.road_sides, (near, far), asphalt, ROAD)
            for side in self.road_sides:  # the kerb
                kerb = (ground[0] * 1.12, ground[1] * 1.12, ground[2] * 1.12)
                self._slab(side, side + math.copysign(0.25, side), (near, far), kerb, BACKGROUND)
        joint = self.canvas.vary(ground, 3)
        for z in np.arange(_NEAREST, 30, 1.5):
            for side, wall in zip(self.road_sides, self.walls, strict=True):
                dark = (joint[0] * 0.85, joint[1] * 0.85, joint[2] * 0.85)
                self._slab(min(side, wall), max(side, wall), (z, z + 0.06), dark, BACKGROUND)
        self._markings(asphalt)
        self._shadows()

    def things(self) -> list[Callable[[], None]]:
        """What stands on the ground, farthest first, as functions that paint it."""
        placed: list[tuple[float, Callable[[], None]]] = []
        for side, wall in zip(self.road_sides, self.walls, strict=True):
            placed += self._houses(wall)
            for _ in range(self.random.integers(1, 5)):
                z, x = self._depth(), side + (wall - side) * self.random.uniform(0.2, 0.9)
                placed.append((z, lambda x=x, z=z: self._tree(x, z)))  # type: ignore[misc]
            for _ in range(self.random.integers(0, 4)):
                z, x = self._depth(), side + (wall - side) * self.random.uniform(0.3, 1.0)
                placed.append((z, lambda x=x, z=z: self._bush(x, z)))  # type: ignore[misc]
            for _ in range(self.random.integers(0, 2)):
                z, x = self._depth(), side * self.random.uniform(1.02, 1.15)
                placed.append((z, lambda x=x, z=z: self._pole(x, z)))  # type: ignore[misc]
            for _ in range(self.random.integers(0, 3)):
                z, x = self.random.uniform(7, 45), side - math.copysign(1.1, side)
                placed.append((z, lambda x=x, z=z: self._car(x, z)))  # type: ignore[misc]
        return [draw for _, draw in sorted(placed, key=lambda item: -item[0])]

    def _depth(self) -> float:
        """Uniform in log z: near things are large and should not hide all the others."""
        return float(math.exp(self.random.uniform(math.log(6), math.log(40))))

    def _slab(self, left: float, right: float, depths: tuple[float, float], color: Tint, class_id: int) -> None:
        near, far = depths
        corners = [(left, near), (right, near), (right, far), (left, far)]
        self.canvas.polygon([self.canvas.project(x, 0, z) for x, z in corners], color, class_id, (near + far) / 2)

    def _skyline(self) -> None:
        """Far houses and woods, half lost in the haze."""
        x = -120.0
        while x < 120:
            width, is_wood = self.random.uniform(8, 22), self.random.random() < 0.45
            if is_wood:
                leaves = self.canvas.vary(_LEAVES[self.random.integers(4)], 8)
                self._crown((x + width / 2, self.random.uniform(1, 4), _FARTHEST), width * 0.7, leaves, 60)
            else:
                wall = self.canvas.vary(_WALLS[self.random.integers(len(_WALLS))], 8)
                top = self.random.uniform(5, 26)
                corners = [(x, 0), (x, top), (x + width, top), (x + width, 0)]
                self.canvas.polygon(
                    [self.canvas.project(a, b, _FARTHEST) for a, b in corners], wall, BUILDING, _FARTHEST
                )
            x += width * self.random.uniform(0.7, 1.3)

    def _markings(self, asphalt: Tint) -> None:
        """Repairs, wheel tracks and paint: all of it road."""
        left, right = self.road_sides
        for _ in range(self.random.integers(0, 4)):
            x, z = self.random.uniform(left, right - 1.5), self.random.uniform(3, 30)
            self._slab(x, x + 1.5, (z, z + self.random.uniform(1, 5)), self.canvas.vary(asphalt, 14), ROAD)
        paint = self.canvas.vary((215, 212, 200), 10)
        middle = (left + right) / 2
        for z in np.arange(_NEAREST, 80, 7.0) + self.random.uniform(0, 5):
            self._slab(middle - 0.08, middle + 0.08, (z, z + 3), paint, ROAD)
        if self.random.random() < 0.5:
            for near, far in strips(_NEAREST, 90, 1.5):
                self._slab(left + 0.25, left + 0.37, (near, far), paint, ROAD)
                self._slab(right - 0.37, right - 0.25, (near, far), paint, ROAD)
        if self.random.random() < 0.3:
            z = self.random.uniform(6, 18)
            for x in np.arange(left + 0.3, right - 0.6, 1.0):
                self._slab(x, x + 0.5, (z, z + 3), paint, ROAD)

    def _shadows(self) -> None:
        """Darker ground beside one row of houses and under the trees."""
        if not self.canvas.mood.sun:
            return
        shade = Image.new("L", self.canvas.image.size, 255)
        pen, dark = ImageDraw.Draw(shade), round(255 * (1 - self.canvas.mood.sun))
        wall = self.walls[self.random.integers(2)]
        for near, far in strips(_NEAREST, 90, 1.4):
            reach = wall - math.copysign(self.random.uniform(1, 8), wall)
            corners = [(wall, near), (reach, near), (reach, far), (wall, far)]
            pen.polygon([self.canvas.project(x, 0, z) for x, z in corners], fill=dark)
        for _ in range(self.random.integers(2, 7)):
            x, z, radius = self.random.uniform(-7, 7), self._depth(), self.random.uniform(0.8, 2.5)
            column, half_width = self.canvas.project(x, 0, z)[0], radius * self.canvas.focal / z
            rows = [self.canvas.project(x, 0, depth)[1] for depth in (z + radius, z - radius)]
            pen.ellipse((column - half_width, rows[0], column + half_width, rows[1]), fill=dark)
        horizon = math.ceil(self.canvas.vanishing[1])
        pen.rectangle((0, 0, self.canvas.width, horizon), fill=255)
        shade = shade.filter(ImageFilter.BoxBlur(1.5))
        self.canvas.image.paste(ImageChops.multiply(self.canvas.image, Image.merge("RGB", (shade, shade, shade))))

    def _houses(self, wall: float) -> list[tuple[float, Callable[[], None]]]:
        placed: list[tuple[float, Callable[[], None]]] = []
        z = self.random.uniform(2, 9)
        while z < 110:
            length, top = self.random.uniform(6, 16), self.random.uniform(4, 17)
            if self.random.random() < 0.85:
                setback = wall + math.copysign(self.random.uniform(0, 2), wall)
                house = (setback, top, z, z + length)
                placed.append((z + length / 2, lambda house=house: self._house(*house)))  # type: ignore[misc]
            z += length + (self.random.uniform(2, 9) if self.random.random() < 0.35 else 0)
        return placed

    def _house(self, x: float, top: float, near: float, far: float) -> None:
        """The wall along the street, the one that faces us, and windows in both."""
        color = self.canvas.vary(_WALLS[self.random.integers(len(_WALLS))], 14)
        glass = self.canvas.vary((70, 80, 95) if self.random.random() < 0.7 else (180, 200, 220), 15)
        back = x + math.copysign(9, x)
        panes = [self.canvas.vary(glass, 6) for _ in range(5)]
        sides: list[tuple[Callable[[float, float], Place], float, float]] = [
            (lambda u, y: self.canvas.project(x + u * (back - x), y, near), near, 0.82),
            (lambda u, y: self.canvas.project(x, y, near + u * (far - near)), (near + far) / 2, 1.0),
        ]
        for place, z, brightness in sides:
            wall = (color[0] * brightness, color[1] * brightness, color[2] * brightness)
            self.canvas.polygon([place(0, 0), place(0, top), place(1, top), place(1, 0)], wall, BUILDING, z)
            edge = (wall[0] * 0.75, wall[1] * 0.75, wall[2] * 0.75)
            self.canvas.polygon(
                [place(0, top), place(0, top - 0.4), place(1, top - 0.4), place(1, top)], edge, BUILDING, z
            )
            for u, pane in zip((0.06, 0.25, 0.43, 0.62, 0.8), panes, strict=True):
                for y in np.arange(1, top - 2, 3.0).tolist():
                    corners = [(u, y), (u, y + 1.6), (u + 0.11, y + 1.6), (u + 0.11, y)]
                    self.canvas.polygon([place(*corner) for corner in corners], pane, BUILDING, z)

    def _tree(self, x: float, z: float) -> None:
        height, width = self.random.uniform(4, 10), self.random.uniform(0.15, 0.35)
        bark = self.canvas.vary((84, 68, 54), 10)
        trunk = [
            (x - width, 0.0),
            (x - width / 2, height * 0.7),
            (x + width / 2, height * 0.7),
            (x + width, 0.0),
        ]
        self.canvas.polygon([self.canvas.project(a, b, z) for a, b in trunk], bark, VEGETATION, z)
        leaves = self.canvas.vary(_LEAVES[self.random.integers(len(_LEAVES))], 12)
        self._crown((x, height * 0.72, z), height * self.random.uniform(0.28, 0.45), leaves, 160)

    def _bush(self, x: float, z: float) -> None:
        leaves = self.canvas.vary(_LEAVES[self.random.integers(len(_LEAVES))], 12)
        radius = self.random.uniform(0.4, 0.9)
        for _ in range(self.random.integers(1, 4)):
            self._crown((x, radius * 0.8, z), radius, leaves, 50)
            x += radius * self.random.uniform(0.8, 1.4)

    def _crown(self, centre: tuple[float, float, float], radius: float, color: Tint, count: int) -> None:
        """Clumps of leaves, dark ones below and behind, lit ones above."""
        x, y, z = centre
        scale = radius * self.canvas.focal / z
        count = min(count, 30 + int(scale))  # far crowns need fewer clumps
        spots = self.random.normal(0, 0.36, (count, 2)).clip(-0.7, 0.7)
        light = self.random.normal(0, 0.16, count) + np.linspace(0.6, 1.15, count) + spots[:, 1] * 0.25
        clumps = self.random.uniform(0.14, 0.28, count) * scale
        column, row = self.canvas.project(x, y, z)
        for (across, up), lit, clump in zip(spots.tolist(), light.tolist(), clumps.tolist(), strict=True):
            place = (column + across * scale, row - up * scale)
            leaves = (color[0] * lit, color[1] * lit, color[2] * lit)
            self.canvas.blob(place, clump, leaves, VEGETATION, z)

    def _pole(self, x: float, z: float) -> None:
        color, height = self.canvas.vary((90, 92, 94), 20), self.random.uniform(2.5, 6)
        self.canvas.box((x - 0.1, x + 0.1), (0, height), color, z)
        if self.random.random() < 0.6:
            sign = self.canvas.vary(_CARS[self.random.integers(len(_CARS))], 12)
            self.canvas.box((x - 0.4, x + 0.4), (height - 0.8, height), sign, z)

    def _car(self, x: float, z: float) -> None:
        color = self.canvas.vary(_CARS[self.random.integers(len(_CARS))], 12)
        dark, glass = (25.0, 25.0, 28.0), self.canvas.vary((80, 90, 100), 12)
        self.canvas.box((x - 0.9, x + 0.9), (0.0, 0.5), dark, z)
        self.canvas.box((x - 0.9, x + 0.9), (0.3, 0.95), color, z)
        cabin = [(x - 0.8, 0.95), (x - 0.62, 1.5), (x + 0.62, 1.5), (x + 0.8, 0.95)]
        self.canvas.polygon([self.canvas.project(a, b, z) for a, b in cabin], color, BACKGROUND, z)
        window = [(x - 0.68, 0.98), (x - 0.55, 1.4), (x + 0.55, 1.4), (x + 0.68, 0.98)]
        self.canvas.polygon([self.canvas.project(a, b, z) for a, b in window], glass, BACKGROUND, z)
        for light in (x - 0.75, x + 0.5):
            self.canvas.box((light, light + 0.25), (0.6, 0.8), (210, 60, 50), z)


def strips(near: float, far: float, ratio: float) -> list[tuple[float, float]]:
    """Depth intervals that grow by `ratio`, so that haze changes along the ground."""
    ends = [near]
    while ends[-1] < far:
        ends.append(min(far, ends[-1] * ratio))
    return list(itertools.pairwise(ends))[::-1]
