"""The encoding of a text file: UTF-8 unless the user names another; errors name the line.

Reading never continues with a guessed encoding: a wrong guess would train on broken words. The error names the likely
encoding and the flag that reads it.
"""

import codecs
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 16
_WIDE = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
         (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
"""Longer byte order marks first: UTF-32's starts with UTF-16's."""
_UNUSED_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"


def wide(head: bytes) -> str | None:
    """UTF-16 or UTF-32 if a file starts with its byte order mark, or with the zero bytes of UTF-16; else None."""
    for mark, name in _WIDE:
        if head.startswith(mark):
            return name
    if len(head) >= 4 and head[1] == head[3] == 0 != head[0]:
        return "utf-16-le"
    return "utf-16-be" if len(head) >= 4 and head[0] == head[2] == 0 != head[1] else None


def advice(encoding: str) -> str:
    """What to do with a file in another encoding."""
    return f"use --encoding {encoding}, or convert it: iconv -f {encoding} -t utf-8"


def fault(stream: BinaryIO, path: Path, encoding: str | None) -> str:
    """Where a file breaks its encoding, as a fragment that starts with FILE:LINE."""
    decoder, line = codecs.getincrementaldecoder(encoding or "utf-8")(), 1
    while chunk := stream.read(CHUNK_BYTES):
        try:
            line += decoder.decode(chunk).count("\n")
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding or "utf-8", errors="replace")
            what = f"{path}:{line + before.count(chr(10))}: byte 0x{error.object[error.start]:02X} is not "
            what += (encoding or "UTF-8").upper()
            return what + ("" if encoding else f"; {_guess(error.object[error.start :])}")
    return f"{path}:{line}: the file ends in the middle of a character in {(encoding or 'UTF-8').upper()}"


def _guess(rest: bytes) -> str:
    """Guesses cp1252, the most common code page of Windows programs, if the bytes allow it."""
    if any(each in _UNUSED_IN_CP1252 for each in rest):
        return "save it as UTF-8, or name its encoding with --encoding"
    return f"it may be cp1252, which Windows programs write: {advice('cp1252')}"
