"""Types of the arrays that the localization works on."""

import numpy as np

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Integers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Booleans = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
Texts = np.ndarray[tuple[int, ...], np.dtype[np.object_]]
