"""What of the source could not be read, and with which day that was told."""

import json
from collections.abc import Iterable

from mlops_assets.resources.layout import LEFT_OUT
from mlops_assets.resources.storage import Storage, StorageError


class LeftOutStore:
    """Each message with the day that told it, so that it is told once."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def told(self, messages: Iterable[str], newest: str) -> dict[str, list[str]]:
        """The messages of the source as it is now by the day that tells them, new ones `newest`.

        Those that are no more are forgotten.
        """
        try:
            before = dict(json.loads(self.storage.read(LEFT_OUT)))
        except (FileNotFoundError, StorageError, ValueError, TypeError):
            before = {}  # they are told again
        now = {message: str(before.get(message, newest)) for message in messages}
        if now != before:
            self.storage.write(LEFT_OUT, json.dumps(now, indent=0).encode())
        told: dict[str, list[str]] = {}
        for message, day in now.items():
            told.setdefault(day, []).append(message)
        return told
