"""What is to be forecast: a number, or one of some classes."""

from __future__ import annotations

from typing import Any

from mlops_assets.lazy import pd
from mlops_assets.ml.values import text_of
from mlops_assets.new.answers import Answers
from mlops_assets.new.inference.facts import (
    TARGET_NAMES,
    Facts,
    Target,
    UndecidableError,
    choose_target,
    target_candidates,
)
from mlops_assets.new.wishes import Wishes
from mlops_assets.resources.sources.samples import Sample

MOST_CLASSES = 20
POSITIVE = ("1", "true", "yes", "y", "t", "positive", "late", "fraud", "churned", "lost", "failed")


def find_target(
    sample: Sample, facts: dict[str, Facts], wishes: Wishes, answers: Answers
) -> Target:
    """The target, by flag, answer or what tells. UndecidableError when nothing does."""
    name, reason = _named(sample, facts, wishes, answers)
    fact = facts[name]
    if fact.distinct < 2:
        raise UndecidableError(f"the target {name!r} has no two values; nothing is to forecast")
    # text does not add up, nor do two values
    number = fact.number and fact.distinct > 2
    if wishes.task == "regression" or (wishes.task is None and number):
        if not fact.number:
            raise _not_numeric(name, facts)
        return Target(name, reason)
    labels = tuple(sorted(_texts(sample, name).dropna().unique()))
    if len(labels) > MOST_CLASSES:
        if not fact.number:
            raise _not_numeric(name, facts)
        raise UndecidableError(
            f"the target {name!r} has {len(labels)} values, more classes than {MOST_CLASSES}; "
            "leave out --task"
        )
    reason = f"{reason}; {len(labels)} labels are classes"
    if len(labels) > 2:
        if wishes.positive is not None:
            raise UndecidableError(
                f"--positive is for two labels, and {name!r} has {len(labels)}; leave it out"
            )
        return Target(name, reason, labels)
    return Target(name, reason, labels, _positive(sample, name, labels, wishes, answers))


def values_of(sample: Sample, target: Target) -> pd.Series[Any]:
    """The target of each row: numbers, 1 for the positive one of two classes, else labels."""
    raw = sample.frame[target.name]
    if not target.labels:
        return raw
    texts = _texts(sample, target.name)
    if target.positive is None:
        return texts
    numbers = (texts == target.positive).astype("float64")
    known: pd.Series[Any] = numbers.where(raw.notna())
    return known


def _named(
    sample: Sample, facts: dict[str, Facts], wishes: Wishes, answers: Answers
) -> tuple[str, str]:
    named = wishes.target
    for name, said in sample.repeated.items():
        if name == named or (named is None and name.lower() in TARGET_NAMES):
            raise UndecidableError(f"{said}; rename one, or name another --target")
    if named is not None:
        if named not in facts:
            known = ", ".join(facts)
            what = "holds dates" if named in sample.dates else "is no column"
            raise UndecidableError(f"the target {named!r} {what}; the columns are: {known}")
        return named, "as named"
    candidates = target_candidates(facts)
    if not candidates:
        raise UndecidableError(
            "no numeric target: no column holds numbers of more than two values; name a column of "
            f"classes with --target: {', '.join(facts)}"
        )
    found = choose_target(candidates)
    if found is not None and len(candidates) == 1:
        return found
    default, why = found or (None, "")
    chosen = answers.choose("--target", "Which column is to be forecast?", candidates, default, why)
    return (chosen, why) if chosen == default else (chosen, "as answered")


def _not_numeric(name: str, facts: dict[str, Facts]) -> UndecidableError:
    seen = ", ".join(map(repr, facts[name].common))
    others = ", ".join(target_candidates(facts)) or "none here, no column holds numbers that vary"
    return UndecidableError(
        f"the target {name!r} is not numeric: it holds {facts[name].distinct} texts such as "
        f"{seen}, too many for classes or none; name one of: {others}"
    )


def _texts(sample: Sample, name: str) -> pd.Series[Any]:
    """The labels of a column as its source gives them."""
    known = sample.frame[name]
    if name in sample.flags:
        return known.map({1.0: "true", 0.0: "false"})
    return known.map(text_of, na_action="ignore")


def _positive(
    sample: Sample, name: str, labels: tuple[str, ...], wishes: Wishes, answers: Answers
) -> str:
    """The label whose probability is forecast."""
    if wishes.positive is not None:
        if wishes.positive not in labels:
            raise UndecidableError(
                f"--positive {wishes.positive!r} is no label of {name!r}; they are: "
                f"{', '.join(labels)}"
            )
        return wishes.positive
    clued = [label for label in labels if label.lower() in POSITIVE]
    rare = str(_texts(sample, name).value_counts().index[-1])
    default, why = (clued[0], "by its name") if len(clued) == 1 else (rare, "the rarer one")
    return answers.choose(
        "--positive", f"The probability of which {name} is to be forecast?", labels, default, why
    )
