"""Wrong refusals and wrong acceptances of new versions, beside those of a fixed share.

Versions that are equal to the one in service, or truly worse, are judged on a holdout: how often is
each refused, by the project's rule and by the usual one, a loss of more than the tolerance above?
On plain days, and with one or two holidays on which the new version alone errs by three times the
usual loss of a day more than it does otherwise. Prints Markdown tables.

Losses of days are those of `switching.py`: there the noise of a version has a standard deviation
of 9 % of the loss of a day, which is that between different models of the sample, on its 226 rows a
day. Between versions of one model that follow each other it is 4 % at the median of 25. On nine
rows a day, drawn from these, it is 13 % at the median of all models, and 18 % of `hist_boosting`:
the last table, in which such few rows speak.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from benchmarks.switching import AUTOCORRELATIONS, MAE, OWN_SD, Floats, simulate
from mlops_assets.ml.selection.acceptance import not_surely_worse
from mlops_assets.ml.selection.gate import Paired
from mlops_assets.project.sections import AcceptanceSettings

DAYS = (7, 14, 28)
WORSE = (0.0, 0.05, 0.1, 0.2, 0.4, 1.0)
NINE_SERIES_SD = 0.18
NOISES = (*((OWN_SD, correlation) for correlation in AUTOCORRELATIONS), (NINE_SERIES_SD, 0.15))
HOLIDAYS = (0, 1, 2)
ON_HOLIDAYS = 3.0  # times the usual loss of a day, on top of it
TOLERANCE = AcceptanceSettings().tolerance


def refused(in_service: Floats, version: Floats) -> tuple[bool, bool]:
    """Whether a version is refused, by daily losses: by the project's rule, and by the share."""
    dates = np.arange(len(version)).astype("datetime64[D]")
    window = Paired(MAE, dates, np.zeros(len(version)), (in_service, version))
    found = not_surely_worse(window, "the one in service", tolerance=TOLERANCE)
    return not found.passed, bool(version.mean() > (1 + TOLERANCE) * in_service.mean())


def rates(
    holdouts: int, days: int, worse: float, own_sd: float, autocorrelation: float, holidays: int
) -> tuple[float, float]:
    """The shares of holdouts on which a version is refused: by the rule, and by the share."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(holdouts):
        in_service, [version] = simulate(random, days, -worse, autocorrelation, own_sd=own_sd)
        version[random.permutation(days)[:holidays]] += ON_HOLIDAYS
        found.append(refused(in_service, version))
    by_rule, by_share = np.mean(found, axis=0)
    return float(by_rule), float(by_share)


def table(holdouts: int, own_sd: float, autocorrelation: float) -> Sequence[str]:
    lines = [
        "| the new version is | holidays "
        + "".join(f"| {days} days: refused | by the share " for days in DAYS)
        + "|",
        "|---|---:|" + "---:|" * 2 * len(DAYS),
    ]
    for holidays in HOLIDAYS:
        for worse in WORSE:
            cells = [f"worse by {worse:.0%}" if worse else "equal", str(holidays)]
            for days in DAYS:
                found = rates(holdouts, days, worse, own_sd, autocorrelation, holidays)
                cells += [f"{share:.1%}" for share in found]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--holdouts", type=int, default=4000, help="of each kind (default 4000)")
    args = parser.parse_args()
    for own_sd, autocorrelation in NOISES:
        print(f"Noise of {own_sd:.0%} of the loss of a day, autocorrelation {autocorrelation:g}:\n")
        print("\n".join(table(args.holdouts, own_sd, autocorrelation)))
        print(flush=True)


if __name__ == "__main__":
    main()
