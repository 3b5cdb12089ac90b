"""NannyML's or Evidently's monitors on the rows that run.py wrote. Runs in their environment.

python others.py nannyml FOLDER
"""

import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

DATE, TARGET, FORECAST = "date", "target", "forecast"

Found = Iterator[tuple[str, pd.Timestamp, str, str]]
"""Side, day, family and check of an alarm."""


class NannyML:
    """Its univariate and multivariate drift and its realized performance, as they are by default.

    `Jensen-Shannon` and the reconstruction error against the training window, MAE and RMSE against
    the days before it, limits three standard deviations of the reference's chunks away.
    """

    def __init__(self, learned: pd.DataFrame, history: pd.DataFrame) -> None:
        import nannyml as nml

        columns = [name for name in learned if name not in (DATE, TARGET)]
        inputs = [name for name in columns if name != FORECAST]
        self.monitors = []
        for side, chunks in (
            ("NannyML, daily chunks", {"chunk_period": "D"}),
            ("NannyML, default chunks", {}),
        ):
            stamped = {"timestamp_column_name": DATE, **chunks}
            drift = nml.UnivariateDriftCalculator(column_names=columns, **stamped)
            together = nml.DataReconstructionDriftCalculator(column_names=inputs, **stamped)
            performance = nml.PerformanceCalculator(
                metrics=["mae", "rmse"],
                y_true=TARGET,
                y_pred=FORECAST,
                problem_type="regression",
                **stamped,
            )
            self.monitors += [
                (side, "drift", drift.fit(learned)),
                (side, "drift", together.fit(learned)),
                (side, "performance", performance.fit(history)),
            ]

    def judge(self, rows: pd.DataFrame) -> Found:
        for side, family, monitor in self.monitors:
            found = monitor.calculate(rows).filter(period="analysis").to_df()
            ends = pd.to_datetime(
                found["chunk", "chunk", "end_date"]
                if found.columns.nlevels == 3
                else found["chunk", "end_date"]
            ).dt.normalize()
            for column in found.columns:
                if column[-1] == "alert":
                    for day in ends[found[column].fillna(False).astype(bool)]:
                        yield side, day, family, column[0]


class Evidently:
    """The tests of its drift preset and of its mean absolute error, as they are by default, by day.

    The tests are asked for without the report around them, which takes seconds a day for its
    charts; on the first day of the first stretch the report itself must say the same.
    """

    compared = False

    def __init__(self, learned: pd.DataFrame, history: pd.DataFrame) -> None:
        self.learned, self.history = learned, history
        self.columns = [name for name in learned if name not in (DATE, TARGET)]
        self.categorical = [name for name in self.columns if learned[name].dtype == object]
        self.usual = self._error(history)

    def judge(self, rows: pd.DataFrame) -> Found:
        for day, today in rows.groupby(DATE):
            drifted = [name for name in self.columns if self._drifted(today, name)]
            whole = len(drifted) / len(self.columns) >= 0.5
            worse = abs(self._error(today) - self.usual) > 0.1 * self.usual
            if not Evidently.compared:
                self._compare(today, {*drifted, *(["dataset"] if whole else [])}, worse)
                Evidently.compared = True
            for name in drifted:
                yield "Evidently, any column", day, "drift", name
            if whole:
                yield "Evidently, dataset", day, "drift", "dataset"
            if worse:
                for side in ("Evidently, any column", "Evidently, dataset"):
                    yield side, day, "performance", "mae"

    @staticmethod
    def _error(rows: pd.DataFrame) -> float:
        return float((rows[TARGET] - rows[FORECAST]).abs().mean())

    def _drifted(self, today: pd.DataFrame, name: str) -> bool:
        from evidently.legacy.calculations.stattests import get_stattest
        from evidently.legacy.core import ColumnType

        kind = ColumnType.Categorical if name in self.categorical else ColumnType.Numerical
        learned, recent = self.learned[name].dropna(), today[name].dropna()
        if recent.empty:  # of which its tests raise; the report leaves the column out
            return False
        test = get_stattest(learned, recent, kind, None)
        return bool(test(learned, recent, kind, None).drifted)

    def _compare(self, today: pd.DataFrame, drifted: set[str], worse: bool) -> None:
        """RuntimeError when the whole report of a day says otherwise."""
        from evidently import DataDefinition, Dataset, Regression, Report
        from evidently.metrics import MAE
        from evidently.presets import DataDriftPreset

        numerical = [name for name in self.columns if name not in self.categorical]
        inputs = DataDefinition(numerical_columns=numerical, categorical_columns=self.categorical)
        scored = DataDefinition(
            regression=[Regression(target=TARGET, prediction=FORECAST)],
            numerical_columns=[TARGET, FORECAST],
        )

        def failed(metric: object, definition: DataDefinition, learned: pd.DataFrame) -> list[str]:
            columns = self.columns if definition is inputs else [TARGET, FORECAST]
            current, reference = (
                Dataset.from_pandas(frame[columns], data_definition=definition)
                for frame in (today, learned)
            )
            tests = Report([metric], include_tests=True).run(current, reference).dict()["tests"]
            return [test["name"] for test in tests if test["status"].value == "FAIL"]

        names = failed(DataDriftPreset(), inputs, self.learned)
        said = {
            "dataset" if name.startswith("Share of Drifted") else name.rsplit(" ", 1)[-1]
            for name in names
        }
        if said != drifted or bool(failed(MAE(), scored, self.history)) != worse:
            raise RuntimeError(f"the report says {said}, its tests {drifted}, MAE {worse}")


MONITORS = {"nannyml": NannyML, "evidently": Evidently}


def main(name: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    os.environ |= {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}  # both would phone home
    monitors = MONITORS[name]
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        if (place / f"alarms {name}.parquet").exists():
            continue  # judged before the run was interrupted
        learned, history = (
            pd.read_parquet(place / f"{which}.parquet") for which in ("learned", "history")
        )
        monitor = monitors(learned, history)
        alarms = [
            (
                side,
                pd.Timestamp(place.name).date(),
                file.stem.removeprefix("case "),
                day.date(),
                family,
                check,
            )
            for file in sorted(place.glob("case *.parquet"))
            for side, day, family, check in monitor.judge(pd.read_parquet(file))
        ]
        columns = ["side", "start", "change", "day", "family", "check"]
        pd.DataFrame(alarms, columns=columns).to_parquet(place / f"alarms {name}.parquet")
        print(f"{name}: {place.name}, {len(alarms)} alarms", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
