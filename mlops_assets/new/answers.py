"""Questions, and where their answers come from: flags, a person, or what was inferred."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from mlops_assets.new.inference.facts import UndecidableError


class UnansweredError(ValueError):
    """Nobody is there to be asked what nothing tells; `Answers.missing` has the flag."""


@dataclass
class Answers:
    """Asks on the terminal, unless every inferred answer is to be taken or nobody is there."""

    yes: bool
    """Whether every inferred answer is taken."""
    interactive: bool
    read: Callable[[str], str] = input
    told: TextIO = field(default_factory=lambda: sys.stderr)
    missing: list[str] = field(default_factory=list)
    """The flags that would have answered what nobody was there to be asked."""

    def choose(
        self, flag: str, question: str, options: Sequence[str], default: str | None, why: str = ""
    ) -> str:
        """One of the options, the default if every inferred answer is to be taken.

        UndecidableError when there is none; UnansweredError when nobody is there besides.
        """
        if default is None and self.yes:
            listed = ", ".join(options)
            raise UndecidableError(f"{question} Nothing tells; name it with {flag}: {listed}")
        if self._unasked(f"{flag} {default or ' or '.join(options)}"):
            if default is None:
                raise UnansweredError(question)
            return default
        hint = f" [{default}]" if default is not None else ""
        reason = f" ({why})" if why else ""
        while True:
            print(f"{question} One of: {', '.join(options)}.{reason}", file=self.told)
            answer = self.read(f"{flag}{hint}: ").strip() or default
            if answer is not None and answer in options:
                return answer
            print(f"{answer!r} is none of them.", file=self.told)

    def yes_or_no(self, flag: str, question: str) -> bool:
        """Whether it is so; by default it is."""
        if self._unasked(f"--{flag} or --no-{flag}"):
            return True
        while True:
            answer = self.read(f"{question} [yes]: ").strip().lower() or "yes"
            if answer in ("yes", "y", "no", "n"):
                return answer.startswith("y")
            print(f"{answer!r} is neither yes nor no.", file=self.told)

    def text(self, flag: str, question: str, default: str, check: Callable[[str], object]) -> str:
        """A text that `check` takes without a ValueError."""
        if self._unasked(f"{flag} {default}"):
            return default
        while True:
            answer = self.read(f"{question} {flag} [{default}]: ").strip() or default
            try:
                check(answer)
            except ValueError as error:
                print(error, file=self.told)
            else:
                return answer

    def several(self, flag: str, question: str, options: Sequence[str]) -> list[str]:
        """Any of the options, separated by commas; none by default."""
        if self._unasked(f'{flag} ""'):
            return []
        while True:
            print(f"{question} Any of: {', '.join(options)}.", file=self.told)
            answer = names_in(self.read(f"{flag} [none]: "))
            strange = [name for name in answer if name not in options]
            if not strange:
                return answer
            print(f"{strange[0]!r} is none of them.", file=self.told)

    def _unasked(self, flags: str) -> bool:
        """Whether nobody is asked; the flags that would have answered are kept where one should."""
        self.missing += [flags] * (not self.yes and not self.interactive)
        return self.yes or not self.interactive


def names_in(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
