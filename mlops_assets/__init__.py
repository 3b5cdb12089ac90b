"""Daily retail demand forecasts as Dagster assets."""
