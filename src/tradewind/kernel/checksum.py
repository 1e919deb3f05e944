"""CRC-32 (IEEE 802.3, the one of zlib) fed byte by byte or digit by digit, for venues that prove their books with it.

Start with `CRC32_START`, feed, and take `crc32_final`. The running value is the plain register, 0 <= crc < 2^32, in int64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import called, compiled

CRC32_START = 0xFFFFFFFF
_POLYNOMIAL = 0xEDB88320  # reflected
_TEN_15 = 10**15  # 15 decimal digits fit one word of 4-bit digits
_ZERO = 48  # the byte "0"


def _steps() -> NDArray[np.int64]:
    """Shape (256,): what each low byte of the register contributes."""
    table = np.zeros(256, np.int64)
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ _POLYNOMIAL if crc & 1 else crc >> 1
        table[byte] = crc
    return table


_STEPS = _steps()


@compiled
def crc32_step(crc: int, byte: int) -> int:
    """The register after one more byte (0 to 255)."""
    return (crc >> 8) ^ int(_STEPS[(crc ^ byte) & 255])


@compiled
def crc32_final(crc: int) -> int:
    """The checksum a register stands for."""
    return crc ^ CRC32_START


@compiled
def _digits(crc: int, value: int, count: int) -> int:
    """The register after the decimal digits of 0 <= value < 10^15, padded with zeros in front to at least `count`."""
    packed, n = 0, 0
    while value > 0 or n < count:
        rest = value // 10
        packed = (packed << 4) | (value - rest * 10)
        value = rest
        n += 1
    for _ in range(n):
        crc = crc32_step(crc, _ZERO + (packed & 15))
        packed >>= 4
    return crc


@called
def crc32_decimal(crc: int, value: int) -> int:
    """The register after the decimal digits of `value`, most significant first, no sign and no leading zeros.

    0 and negative values feed nothing: a venue that strips leading zeros strips those of a zero altogether.
    """
    crc, value = int(crc), int(value)
    if value < _TEN_15:
        return _digits(crc, value, 0)
    return _digits(_digits(crc, value // _TEN_15, 0), value % _TEN_15, 15)
