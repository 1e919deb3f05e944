"""CRC-32 over the decimal digits of many numbers, eight bytes a step: the rim's own way to a checksum over a book's text.

It shares no code with the machine's (`kernel.checksum`), which goes digit by digit: each bears witness to the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tradewind.kernel.jit import compiled

START = 0xFFFFFFFF
_POLYNOMIAL = 0xEDB88320  # reflected
_EIGHT = 10**8


def _tables() -> NDArray[np.int64]:
    """Shape (8, 256): what a byte contributes that stands k bytes before the end of a step."""
    tables = np.zeros((8, 256), np.int64)
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ _POLYNOMIAL if crc & 1 else crc >> 1
        tables[0, byte] = crc
    for k in range(1, 8):
        for byte in range(256):
            crc = int(tables[k - 1, byte])
            tables[k, byte] = (crc >> 8) ^ int(tables[0, crc & 255])
    return tables


_TABLES = _tables()


@compiled
def _step(crc: int, word: int) -> int:
    """The register after eight bytes, the first lowest in `word`."""
    low = (crc ^ word) & 0xFFFFFFFF
    high = (word >> 32) & 0xFFFFFFFF
    return int(
        _TABLES[7, low & 255] ^ _TABLES[6, (low >> 8) & 255] ^ _TABLES[5, (low >> 16) & 255] ^ _TABLES[4, low >> 24]
        ^ _TABLES[3, high & 255] ^ _TABLES[2, (high >> 8) & 255] ^ _TABLES[1, (high >> 16) & 255] ^ _TABLES[0, high >> 24]
    )  # fmt: skip


@compiled
def _eight(value: int) -> int:
    """The eight digits of 0 <= value < 10^8, one a byte, the first lowest."""
    high = value // 10_000
    pair = high | ((value - high * 10_000) << 32)
    hundreds = ((pair * 10_486) >> 20) & 0x0000007F0000007F
    pair = hundreds | ((pair - hundreds * 100) << 16)
    tens = ((pair * 103) >> 10) & 0x000F000F000F000F
    return tens | ((pair - tens * 10) << 8)


@compiled
def _append(crc: int, waiting: int, filled: int, word: int, count: int) -> tuple[int, int, int]:
    """`count` bytes of `word` behind the `filled` bytes that wait for a step; what waits has zeros above."""
    joined = waiting | (word << (8 * filled))
    if filled + count < 8:
        return crc, joined, filled + count
    rest = word >> (8 * (8 - filled)) if filled > 0 else 0
    return _step(crc, joined), rest, filled + count - 8


@compiled
def _first(crc: int, waiting: int, filled: int, value: int) -> tuple[int, int, int]:
    """The digits of 0 < value < 10^8, no zeros in front."""
    word = _eight(value)
    count = 8
    while word & 255 == 0:
        word >>= 8
        count -= 1
    return _append(crc, waiting, filled, word + (0x3030303030303030 >> (64 - 8 * count)), count)


@compiled
def _more(crc: int, waiting: int, filled: int, value: int) -> tuple[int, int, int]:
    """All eight digits of 0 <= value < 10^8."""
    return _append(crc, waiting, filled, _eight(value) + 0x3030303030303030, 8)


@compiled
def feed(crc: int, waiting: int, filled: int, value: int) -> tuple[int, int, int]:
    """(register, waiting bytes, how many) after the digits of `value`, no zeros in front; 0 and less feed nothing."""
    crc, waiting, filled, value = int(crc), int(waiting), int(filled), int(value)
    if value <= 0:
        return crc, waiting, filled
    if value < _EIGHT:
        return _first(crc, waiting, filled, value)
    high = value // _EIGHT
    low = value - high * _EIGHT
    if high < _EIGHT:
        crc, waiting, filled = _first(crc, waiting, filled, high)
        return _more(crc, waiting, filled, low)
    top = high // _EIGHT
    crc, waiting, filled = _first(crc, waiting, filled, top)
    crc, waiting, filled = _more(crc, waiting, filled, high - top * _EIGHT)
    return _more(crc, waiting, filled, low)


@compiled
def finish(crc: int, waiting: int, filled: int) -> int:
    """The checksum after the last bytes."""
    for _ in range(filled):
        crc = (crc >> 8) ^ int(_TABLES[0, (crc ^ waiting) & 255])
        waiting >>= 8
    return crc ^ START
