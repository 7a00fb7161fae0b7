"""The encoding of a text file: UTF-8 unless the user says otherwise, and a sentence with the line where it is not.

Nothing is guessed and read on: a wrong guess would train on broken words. What looks like another encoding is named,
with the flag that reads it.
"""

import codecs
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 16
_WIDE = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
         (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
"""The longer byte order marks first: that of UTF-32 begins with that of UTF-16."""
_UNUSED_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"


def wide(head: bytes) -> str | None:
    """The encoding of two or four bytes a character that a file begins in, by its byte order mark or its zeros."""
    for mark, name in _WIDE:
        if head.startswith(mark):
            return name
    if len(head) >= 4 and head[1] == head[3] == 0 != head[0]:
        return "utf-16-le"
    return "utf-16-be" if len(head) >= 4 and head[0] == head[2] == 0 != head[1] else None


def advice(encoding: str) -> str:
    """How to go on with a file in another encoding."""
    return f"give --encoding {encoding}, or convert it: iconv -f {encoding} -t utf-8"


def fault(stream: BinaryIO, path: Path, encoding: str | None) -> str:
    """Where a file is not of its encoding, as a fragment that begins with FILE:LINE."""
    decoder, line = codecs.getincrementaldecoder(encoding or "utf-8")(), 1
    while chunk := stream.read(CHUNK_BYTES):
        try:
            line += decoder.decode(chunk).count("\n")
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding or "utf-8", errors="replace")
            what = f"{path}:{line + before.count(chr(10))}: byte 0x{error.object[error.start]:02X} is not "
            what += (encoding or "UTF-8").upper()
            return what + ("" if encoding else f"; {_guess(error.object[error.start :])}")
    return f"{path}:{line}: the file ends within a character of {(encoding or 'UTF-8').upper()}"


def _guess(rest: bytes) -> str:
    """Windows programs save in the code page of their country, and cp1252 is that of most."""
    if any(each in _UNUSED_IN_CP1252 for each in rest):
        return "save it as UTF-8, or give its encoding by --encoding"
    return f"it may be cp1252, as Windows programs write it: {advice('cp1252')}"
