"""Write the JSON schema of the settings, by which editors complete and check them."""

from mlops_assets.project import SCHEMA_FILE, json_schema

if __name__ == "__main__":
    SCHEMA_FILE.write_text(json_schema(), encoding="utf-8")
