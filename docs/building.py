"""Has the docs' site show the pages of the repository where they lie, so that their links hold."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

SHOWN = (
    *("*.md", "data/*.md", "benchmarks/**/*.md", "examples/*.md"),
    *("docs/**/*.md", "docs/*.png", "docs/*.svg", "docs/*.css"),
    *("project.yaml", "examples/*.ipynb", "examples/*/project.yaml"),  # which pages link to
)
DECISIONS = "Decisions"


def on_config(config: MkDocsConfig) -> None:
    """Every decision is in the navigation, in order."""
    [decisions] = [part[DECISIONS] for part in config.nav or () if DECISIONS in part]
    folder = Path(config.docs_dir, "decisions")
    decisions += [f"docs/decisions/{file.name}" for file in sorted(folder.glob("[0-9]*.md"))]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    root = Path(config.docs_dir).parent
    names = [str(file.relative_to(root)) for shown in SHOWN for file in root.glob(shown)]
    ours = [File.generated(config, name, abs_src_path=str(root / name)) for name in sorted(names)]
    theirs = [file for file in files if file.src_dir != config.docs_dir]
    return Files([*theirs, *ours])
