"""The seal of a stored file: the SHA-256 of its path and content, which the file itself carries.

So a file that has changed, ends early, or lies where another belongs is noticed without asking for
anything but itself. It stays what it is for other readers: a Parquet file has its seal between the
last column and the footer, where none of them looks, JSON as a first key, the others as a comment.
Files of versions that knew no seals carry none.
"""

from __future__ import annotations

import hashlib
import re

SEAL = re.compile(rb"[0-9a-f]{64}")
HEX = 64
MARK = b"seal of mlops_assets: "
PARQUET, PARQUET_END = ".parquet", 8  # the length of the footer, then the name of the format
JSON = ".json"
# at the beginning of a file, so that one which ends early still has it
AROUND = {
    JSON: (b'{"seal": "', b'",'),
    ".yaml": (b"# seal: ", b"\n"),
    ".txt": (b"# seal: ", b"\n"),
}


def digest(path: str, content: bytes) -> str:
    """What a file with this content is sealed with at this path of a storage."""
    return hashlib.sha256(path.encode() + b"\0" + content).hexdigest()


def sealed(path: str, content: bytes, seal: str) -> bytes:
    """The content with a seal, where its format has a place for one."""
    ending = _ending(path)
    if ending == PARQUET:
        footer = len(content) - PARQUET_END - int.from_bytes(content[-8:-4], "little")
        if not content.endswith(b"PAR1") or footer < 4:
            return content
        return content[:footer] + MARK + seal.encode() + content[footer:]
    if ending not in AROUND or (ending == JSON and not _takes_a_key(content)):
        return content
    before, after = AROUND[ending]
    return before + seal.encode() + after + content[ending == JSON :]


def unsealed(path: str, data: bytes) -> tuple[bytes, str]:
    """The content of a file, and the seal that it carries; empty where it has none."""
    ending = _ending(path)
    before, after = (MARK, b"") if ending == PARQUET else AROUND.get(ending, (b"", b""))
    at = data.rfind(before) if ending == PARQUET else 0
    start, end = at + len(before), at + len(before) + HEX
    if not before or at < 0:
        return data, ""
    is_seal = bool(SEAL.fullmatch(data[start:end]))
    if data[at:start] != before or data[end : end + len(after)] != after:
        return data, "no seal" if is_seal else ""  # a mark that was damaged
    if not is_seal:
        return data, "no seal"
    content = data[:at] + (b"{" if ending == JSON else b"") + data[end + len(after) :]
    return content, data[start:end].decode()


def _ending(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


def _takes_a_key(content: bytes) -> bool:
    """Whether it is a JSON object that is not empty."""
    return content[:1] == b"{" and content[1:].lstrip()[:1] == b'"'
