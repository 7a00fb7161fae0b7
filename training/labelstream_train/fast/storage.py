"""Stores vectors as int8 such that their sums are exact.

Each column has a unit and each row a power of two: value = unit * 2^e * q with q in -127..=127. A sum down a column is
an integer multiple of its unit below 2^24, which 32-bit floats hold exactly. So the sum does not depend on order,
padding, batch or processor: a text's pooled vector has the same bits everywhere.
"""

from dataclasses import dataclass

import numpy as np

INT8_MAX = 127
EXPONENT_MAX = 6
"""Largest e. It keeps precision for rows of small numbers; with a larger one, sums of few tokens would exceed 2^24."""
SUMMANDS_MAX = 2**24 // (INT8_MAX * 2**EXPONENT_MAX)
"""2064: how many rows can be summed exactly."""


@dataclass(frozen=True, slots=True)
class Stored:
    """`values` [rows, dimensions] int8, `factors` [rows] int8 (2^e), `units` [dimensions] f32: the smallest step."""

    values: np.ndarray
    factors: np.ndarray
    units: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> "Stored":
        """The nearest stored values to `vectors` [rows, dimensions]; a zero row stays zero."""
        columns = np.maximum(np.abs(vectors).max(axis=0, initial=0.0), 1e-30).astype(np.float64)
        units = (columns / (INT8_MAX * 2.0**EXPONENT_MAX)).astype(np.float32)
        steps = vectors / units
        largest = np.abs(steps).max(axis=1, initial=0.0)
        exponents = np.clip(np.ceil(np.log2(np.maximum(largest / INT8_MAX, 1e-30)) - 1e-6), 0, EXPONENT_MAX)
        values = np.clip(np.rint(steps / 2.0 ** exponents[:, None]), -INT8_MAX, INT8_MAX).astype(np.int8)
        return cls(values, (2**exponents).astype(np.int8), units)

    def vectors(self) -> np.ndarray:
        """[rows, dimensions] f32: the stored values."""
        return (self.values * self.factors[:, None].astype(np.float32)) * self.units
