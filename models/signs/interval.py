"""95 % intervals of a share and of the difference of two shares, on few cases.

Sources: Wilson, JASA 22 (1927); Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
"""

from __future__ import annotations

import math

Z95 = 1.959964
Interval = tuple[float, float]


def wilson(share: float, n: float) -> Interval:
    """Wilson's 95 % interval of a share seen on `n` cases, which need not be whole."""
    middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)) / (1 + Z95**2 / n)
    # At the ends the bound is the share itself, but for rounding.
    return 0.0 if share <= 0 else max(0.0, middle - half), 1.0 if share >= 1 else min(1.0, middle + half)


def newcombe(first: tuple[int, int], n_first: float, second: tuple[int, int], n_second: float) -> Interval:
    """Newcombe's 95 % interval of the difference of two shares (failed, all), each seen on `n` effective cases."""
    p, q = first[0] / first[1], second[0] / second[1]
    (p_low, p_high), (q_low, q_high) = wilson(p, n_first), wilson(q, n_second)
    return p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)
