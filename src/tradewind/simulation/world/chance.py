"""Randomness of a world: Marsaglia's xorshift with 128 bits of state (J. Stat. Softw. 8/14, 2003), in signed integers.

Everything drawn comes from the two words in the state, so a state's bytes decide all that follows.
"""

from __future__ import annotations

from typing import Any

from tradewind.kernel import maths
from tradewind.kernel.jit import called, compiled

_LOW_41 = (1 << 41) - 1
_LOW_46 = (1 << 46) - 1
_LOW_53 = (1 << 53) - 1
_LOW_59 = (1 << 59) - 1
_TWO_53 = 1.0 / (1 << 53)


def seed_words(seed: int) -> tuple[int, int]:
    """Two signed words, never both zero, from any integer (finalizer of splitmix64)."""
    words = []
    for step in (1, 2):
        z = (seed + step * 0x9E3779B97F4A7C15) % (1 << 64)
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % (1 << 64)
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % (1 << 64)
        z ^= z >> 31
        words.append(z - (1 << 64) if z >> 63 else z)
    return (words[0] or 1, words[1])


@compiled
def word(s: Any) -> int:
    """The next 64 bits; shifts are made logical by masks, because the words are signed."""
    a, b = s.rng0, s.rng1
    s.rng0 = b
    a ^= a << 23
    a ^= b ^ ((a >> 18) & _LOW_46) ^ ((b >> 5) & _LOW_59)
    s.rng1 = a
    return a


@called
def uniform(s: Any) -> float:
    """In (0, 1), both ends excluded."""
    x = word(s)
    return (((x ^ ((x >> 23) & _LOW_41)) >> 11 & _LOW_53) + 0.5) * _TWO_53


@called
def below(s: Any, n: int) -> int:
    """An integer in [0, n)."""
    return min(int(uniform(s) * n), n - 1)


@called
def normal(s: Any) -> float:
    """Standard normal, by the polar method; every second value waits in the state."""
    if s.has_spare:
        s.has_spare = 0
        return s.spare
    while True:
        x, y = 2.0 * uniform(s) - 1.0, 2.0 * uniform(s) - 1.0
        r = x * x + y * y
        if 0.0 < r < 1.0:
            break
    scale = maths.sqrt(-2.0 * maths.log(r) / r)
    s.spare, s.has_spare = y * scale, 1
    return x * scale


@called
def exponential(s: Any) -> float:
    """Exponential of mean 1."""
    return -maths.log(uniform(s))


@called
def pick(s: Any, n: int) -> int:
    """An index below n >= 1, leaning towards 0: where a book is busiest."""
    u = uniform(s)
    return min(int(u * u * n), n - 1)
