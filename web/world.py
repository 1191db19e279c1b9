"""The world as SVG text: countries by their two letters, darker where there is more.

Outlines and names are those of the package ``countryinfo`` (MIT); a point is left out where the
line without it stays within `_NEAR` of the drawing. Countries too small for an outline are dots.
The projection is Robinson's, from his table (1974), linear between its rows.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from web.axes import number
from web.drawing import escaped, hint, num
from web.outlines import MORE

WIDTH, HEIGHT = 720.0, 309.0
_NEAR = 0.6
_SMALL = 2.5
_VISIBLE = 7.0
_SOUTH = -58.0  # of what is drawn: nobody computes on Antarctica's ice
_SHADES = 5

Point = tuple[float, float]
Ring = list[Point]

# Robinson's table: for each five degrees of latitude the length and the distance of the parallel.
_LENGTHS = (
    *(1.0, 0.9986, 0.9954, 0.99, 0.9822, 0.973, 0.96, 0.9427, 0.9216, 0.8962),
    *(0.8679, 0.835, 0.7986, 0.7597, 0.7186, 0.6732, 0.6213, 0.5722, 0.5322),
)
_HEIGHTS = (
    *(0.0, 0.062, 0.124, 0.186, 0.248, 0.31, 0.372, 0.434, 0.4958, 0.5571),
    *(0.6176, 0.6769, 0.7346, 0.7903, 0.8435, 0.8936, 0.9394, 0.9761, 1.0),
)


@dataclass(frozen=True)
class Country:
    """A country: its name, its outline as a path, its middle, and whether it is hard to see."""

    name: str
    path: str
    middle: Point
    small: bool


def world(values: Mapping[str, int], *, title: str = "Machines by country", unit: str = "") -> str:
    """A map of values by country (ISO 3166 letters); those of no known country are left out."""
    known = countries()
    found = {code.upper(): value for code, value in values.items() if value > 0}
    found = {code: value for code, value in found.items() if code in known}
    ranked = sorted(found.items(), key=lambda one: (-one[1], known[one[0]].name))
    said = "; ".join(f"{known[code].name} {number(value)}" for code, value in ranked[:20])
    more = f"; and {len(ranked) - 20} more" if len(ranked) > 20 else ""
    told = f"{title}: {said or 'nothing yet'}{more}."
    top = max(found.values(), default=1)
    marked = "".join(
        f'<path class="v{_shade(value, top)}" d="{_drawn(known[code])}">'
        f"{hint(f'{known[code].name}: {number(value)} {unit}'.rstrip())}</path>"
        for code, value in reversed(ranked)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot world" role="img"'
        f' viewBox="0 0 {num(WIDTH)} {num(HEIGHT)}" aria-label="{escaped(told)}">'
        f'<path class="land" d="{_land()}"/>{marked}</svg>'
    )


def name_of(code: str) -> str:
    """The name of a country by its two letters; the letters where they are of no country."""
    found = countries().get(code.upper())
    return found.name if found else code


def _shade(value: int, top: int) -> int:
    """From 1 to `_SHADES`, by the logarithm of the value."""
    if top <= 1:
        return _SHADES
    return 1 + round((_SHADES - 1) * math.log(value) / math.log(top))


def _drawn(country: Country) -> str:
    """Its outline, with a dot on it if it is small."""
    if not country.small:
        return country.path
    x, y = country.middle
    return f"{country.path}M{num(x - 3)} {num(y)}a3 3 0 1 0 6 0a3 3 0 1 0-6 0z"


@functools.cache
def _land() -> str:
    rest = "".join(_path(_thinned(_ring(points))) for code, _, points in MORE if not code)
    return rest + "".join(country.path for country in countries().values())


@functools.cache
def countries() -> Mapping[str, Country]:
    """All countries by their two letters."""
    found = {}
    folder = resources.files("countryinfo").joinpath("data")
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if not file.name.endswith(".json"):
            continue
        facts = json.loads(file.read_text(encoding="utf-8"))
        code = str(facts.get("ISO", {}).get("alpha2", "")).upper()
        if code and code != "AQ" and facts.get("latlng"):
            lat, lon = facts["latlng"]
            rings = list(_rings(facts))
            path = "".join(_path(_thinned(ring)) for ring in rings)
            small = all(_across(ring) < _VISIBLE for ring in rings)
            found[code] = Country(facts["name"], path, _placed(lon, lat), small)
    for code, name, points in MORE:
        ring = _ring(points)
        if code:
            small = _across(ring) < _VISIBLE
            found[code] = Country(name, _path(_thinned(ring)), _middle(ring), small)
    return found


def _ring(points: str) -> Ring:
    """A ring of `MORE` on the drawing."""
    pairs = (each.split(",") for each in points.split())
    return [_placed(float(lon), float(lat)) for lon, lat in pairs]


def _rings(facts: Mapping[str, Any]) -> Iterator[Ring]:
    """The outer rings of a country's outline, on the drawing, without those too small to see."""
    for feature in (facts.get("geoJSON") or {}).get("features", []):
        shape = feature["geometry"]
        many = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
        for polygon in many:
            ring = [_placed(lon, lat) for lon, lat in polygon[0]]
            if _across(ring) >= _SMALL:
                yield ring


def _middle(ring: Ring) -> Point:
    return sum(x for x, _ in ring) / len(ring), sum(y for _, y in ring) / len(ring)


def _across(ring: Ring) -> float:
    """How wide or high it is, whichever is more."""
    xs, ys = [x for x, _ in ring], [y for _, y in ring]
    return max(max(xs) - min(xs), max(ys) - min(ys))


def _placed(lon: float, lat: float) -> Point:
    """Where a place is on the drawing."""
    lat = max(_SOUTH, min(90.0, lat))
    row = min(int(abs(lat) // 5), len(_LENGTHS) - 2)
    part = abs(lat) / 5 - row
    length = _LENGTHS[row] + part * (_LENGTHS[row + 1] - _LENGTHS[row])
    height = _HEIGHTS[row] + part * (_HEIGHTS[row + 1] - _HEIGHTS[row])
    # Robinson: x = 0.8487 R lon length, y = 1.3523 R height.
    scale = WIDTH / (2 * math.pi * 0.8487)
    x = WIDTH / 2 + 0.8487 * scale * math.radians(lon) * length
    y = 1.3523 * scale * (1.0 - math.copysign(height, lat))
    return x, y


def _thinned(ring: Ring) -> Ring:
    """The ring without points that it hardly needs (Douglas and Peucker, 1973)."""
    if len(ring) < 4:
        return ring
    kept = {0, len(ring) - 1}
    todo = [(0, len(ring) - 1)]
    while todo:
        first, last = todo.pop()
        far, most = first, 0.0
        for place in range(first + 1, last):
            off = _distance(ring[place], ring[first], ring[last])
            if off > most:
                far, most = place, off
        if most > _NEAR:
            kept.add(far)
            todo += [(first, far), (far, last)]
    return [ring[place] for place in sorted(kept)]


def _distance(point: Point, one: Point, other: Point) -> float:
    """Of a point from the line between two others; from the one if they are the same."""
    dx, dy = other[0] - one[0], other[1] - one[1]
    along = math.hypot(dx, dy)
    if along < 1e-9:
        return math.hypot(point[0] - one[0], point[1] - one[1])
    return abs(dx * (point[1] - one[1]) - dy * (point[0] - one[0])) / along


def _path(ring: Ring) -> str:
    """A closed path in steps from point to point, in halves of a unit."""
    if len(ring) < 4:
        return ""
    spots = [(round(2 * x), round(2 * y)) for x, y in ring[:-1]]
    parts = [f"M{num(spots[0][0] / 2)} {num(spots[0][1] / 2)}l"]
    for (ax, ay), (bx, by) in itertools.pairwise(spots):
        if (ax, ay) != (bx, by):
            parts.append(f"{_half(bx - ax, ' ')}{_half(by - ay, ' ')}")
    return "".join(parts).replace("l ", "l") + "z"


def _half(halves: int, before: str) -> str:
    """Half of a number, as short as it can stand after another."""
    text = num(halves / 2)
    if abs(halves) == 1:
        text = text.replace("0.", ".")
    return text if text.startswith("-") else before + text
