"""Vectors as small whole numbers, such that adding them up is exact.

One unit for each column, and for each row a power of two: value = unit * 2^e * q with q in -127..=127. A sum down a
column is a whole multiple of its unit below 2^24, which 32-bit floats hold exactly. So the sum does not depend on
order, padding, batch or processor: a text's pooled vector has the same bits everywhere.
"""

from dataclasses import dataclass

import numpy as np

INT8_MAX = 127
EXPONENT_MAX = 6
"""2^6: the rows with the smallest numbers still use a whole q. Larger would let sums of few tokens pass 2^24."""
SUMMANDS_MAX = 2**24 // (INT8_MAX * 2**EXPONENT_MAX)
"""2064: so many rows of the table can be added up exactly."""


@dataclass(frozen=True, slots=True)
class Stored:
    """`values` [rows, dimensions] int8, `factors` [rows] int8 (2^e), `units` [dimensions] f32: the smallest step."""

    values: np.ndarray
    factors: np.ndarray
    units: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> "Stored":
        """The nearest such numbers to `vectors` [rows, dimensions]; a row of zeros stays one."""
        columns = np.maximum(np.abs(vectors).max(axis=0, initial=0.0), 1e-30).astype(np.float64)
        units = (columns / (INT8_MAX * 2.0**EXPONENT_MAX)).astype(np.float32)
        steps = vectors / units
        largest = np.abs(steps).max(axis=1, initial=0.0)
        exponents = np.clip(np.ceil(np.log2(np.maximum(largest / INT8_MAX, 1e-30)) - 1e-6), 0, EXPONENT_MAX)
        values = np.clip(np.rint(steps / 2.0 ** exponents[:, None]), -INT8_MAX, INT8_MAX).astype(np.int8)
        return cls(values, (2**exponents).astype(np.int8), units)

    def vectors(self) -> np.ndarray:
        """[rows, dimensions] f32: what the numbers stand for."""
        return (self.values * self.factors[:, None].astype(np.float32)) * self.units
