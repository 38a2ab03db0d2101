"""Arrow's variable-length values as numpy sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


def layout(array: pa.Array[Any]) -> tuple[Numbers, Numbers, Bytes]:
    """Of a (large_)binary array: where each value begins, how long it is (0 for null), and the
    bytes of all."""
    width = np.int64 if pa.types.is_large_binary(array.type) else np.int32
    _, offset_buffer, data_buffer = array.buffers()
    data = np.frombuffer(data_buffer or b"", np.uint8)
    if offset_buffer is None or not len(array):
        nothing = np.zeros(len(array), dtype=np.int64)
        return nothing, nothing, data
    raw_offsets = np.frombuffer(offset_buffer, width)
    offsets = raw_offsets[array.offset : array.offset + len(array) + 1].astype(np.int64)
    lengths = np.diff(offsets)
    if array.null_count:
        lengths[np.asarray(array.is_null())] = 0
    return offsets[:-1], lengths, data
