"""Record batches out of an Arrow IPC stream whose bytes come in pieces, without waiting for any.

pyarrow reads streams from files, which wait. So bytes are collected here until a message is whole, and
pyarrow's reader is asked only when all that it will read is there.

Spec: the encapsulated message format of Arrow, and FlatBuffers for the head of a message.
SPDX-License-Identifier: Apache-2.0
"""
from __future__ import annotations

import io
import struct
from typing import Any, Iterator, Optional, Tuple

import pyarrow
import pyarrow.ipc

_PREFIX = 8
_CONTINUATION = 0xFFFFFFFF
_RECORD_BATCH = 3
# The fields of the table Message, by their place.
_HEADER_TYPE, _BODY_LENGTH = 1, 3


class _Messages(io.RawIOBase):
    """The messages that are whole, as a file."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def readable(self) -> bool:
        return True

    def add(self, message: bytes) -> None:
        self._bytes += message

    def readinto(self, target: Any) -> int:
        size = min(len(target), len(self._bytes))
        target[:size] = self._bytes[:size]
        del self._bytes[:size]
        return size


def _field(metadata: memoryview, table: int, number: int, form: str) -> int:
    """A number in a table of FlatBuffers; 0 where it is left out, as its default is."""
    vtable = table - struct.unpack_from("<i", metadata, table)[0]
    place = 4 + 2 * number
    if vtable < 0 or place + 2 > struct.unpack_from("<H", metadata, vtable)[0]:
        return 0
    offset = struct.unpack_from("<H", metadata, vtable + place)[0]
    return struct.unpack_from(form, metadata, table + offset)[0] if offset else 0


def _describe(metadata: memoryview) -> Tuple[int, int]:
    """What kind of message it is, and the size of its body."""
    try:
        table = struct.unpack_from("<I", metadata, 0)[0]
        kind, size = _field(metadata, table, _HEADER_TYPE, "<B"), _field(metadata, table, _BODY_LENGTH, "<q")
    except struct.error as error:
        raise pyarrow.ArrowInvalid(f"the head of a message is cut: {error}") from error
    if size < 0:
        raise pyarrow.ArrowInvalid(f"a message has a body of {size} bytes")
    return kind, size


class BatchDecoder:
    """Takes bytes, gives the batches that they complete."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._message: Optional[Tuple[int, int]] = None  # its kind, and its size with its head
        self._messages = _Messages()
        self._reader: Any = None
        self._is_over = False

    def feed(self, piece: bytes) -> Iterator[pyarrow.RecordBatch]:
        self._pending += piece
        while not self._is_over and self._look():
            kind, size = self._message
            if len(self._pending) < size:
                return
            self._messages.add(self._pending[:size])
            del self._pending[:size]
            self._message = None
            if self._reader is None:
                self._reader = pyarrow.ipc.open_stream(self._messages)
            elif kind == _RECORD_BATCH:
                yield self._reader.read_next_batch()

    def finish(self) -> None:
        """No more bytes come."""
        if self._reader is None or (self._pending and not self._is_over):
            raise pyarrow.ArrowInvalid("it ends inside of a message")

    def _look(self) -> bool:
        """Whether the size of the next message is known."""
        if self._message:
            return True
        if len(self._pending) < _PREFIX:
            return False
        mark, size = struct.unpack_from("<Ii", self._pending)
        if mark != _CONTINUATION or size < 0:
            raise pyarrow.ArrowInvalid("a message does not begin as it has to")
        if size == 0:
            self._is_over = True
            return False
        end = _PREFIX + size
        if len(self._pending) < end:
            return False
        kind, body = _describe(memoryview(bytes(self._pending[_PREFIX:end])))
        self._message = (kind, end + body)
        return True
