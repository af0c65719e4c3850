"""What both sides generate alike: libs/statistics/src/numerics/random.ts is the same generator."""

import json
from pathlib import Path

MASK = 0xFFFFFFFF


class Random:
    """Mulberry32: uniform numbers in [0, 1) with 32 bits each."""

    def __init__(self, seed):
        self.state = seed & MASK

    def next(self):
        self.state = (self.state + 0x6D2B79F5) & MASK
        t = self.state
        t = ((t ^ (t >> 15)) * (t | 1)) & MASK
        t = (t ^ ((t + (((t ^ (t >> 7)) * (t | 61)) & MASK)) & MASK)) & MASK
        return (t ^ (t >> 14)) / 4294967296

    def below(self, bound):
        return int(self.next() * bound)

    def sample(self, population, count):
        """As random.Random.sample(range(n), count), by Fisher-Yates from the front."""
        numbers = list(population)
        for i in range(count):
            j = i + self.below(len(numbers) - i)
            numbers[i], numbers[j] = numbers[j], numbers[i]
        return numbers[:count]


def normals(seed, count, mean=0.0, deviation=1.0, digits=None):
    """Roughly normal: the sum of twelve uniform numbers - 6, so that no rounding of a logarithm differs."""
    random = Random(seed)
    values = []
    for _ in range(count):
        total = 0.0
        for _ in range(12):
            total += random.next()
        value = mean + deviation * (total - 6)
        values.append(value if digits is None else int(value * 10**digits) / 10**digits)
    return values


def uniforms(seed, count):
    random = Random(seed)
    return [random.next() for _ in range(count)]


def plain(value):
    """JSON without numpy's types; infinities and NaN as words."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "NaN" if value != value else ("Infinity" if value > 0 else "-Infinity")
    return value


def write(name, data):
    target = Path(__file__).parent / f"golden-{name}.json"
    target.write_text(json.dumps(plain(data), separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size} bytes")
