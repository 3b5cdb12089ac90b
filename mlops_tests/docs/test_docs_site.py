"""The docs as a site: it builds strictly, loads nothing from elsewhere, reads as on GitHub."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from mlops_tests.small import REPOSITORY

pytest.importorskip("material", reason="the extra docs is not installed: make docs")
commonmark = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
TAGS = re.compile(r"<(li|ol|ul|table|tr|pre|h2|h3|img|blockquote|strong|em)[ >/]")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def pages() -> list[Path]:
    return [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]


def test_every_page_of_the_docs_is_in_it_as_on_github(site: Path) -> None:
    for page in pages():
        name = page.relative_to(REPOSITORY).with_suffix(".html")
        text = (site / str(name).replace("README", "index")).read_text(encoding="utf-8")
        article = text[text.index("<article") : text.index("</article>")]
        there = commonmark.render(page.read_text(encoding="utf-8"))
        assert Counter(TAGS.findall(article)) == Counter(TAGS.findall(there)), page


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)\b[^>]*\bsrc=\"?([^\" >]+)", text)
        loaded += re.findall(r"<link\b[^>]*rel=\"?(?:stylesheet|icon)[^>]*", text)
        assert loaded
        assert [one for one in loaded if re.search(r"(https?:)?//", one)] == [], page
    styles = [sheet.read_text(encoding="utf-8") for sheet in site.rglob("*.css")]
    assert styles
    assert [sheet for sheet in styles if re.search(r"@import|url\(['\"]?(https?:)?//", sheet)] == []


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "docs" / "decisions").mkdir(parents=True)
    for name in ("mkdocs.yml", "docs/building.py"):
        (tmp_path / name).write_text((REPOSITORY / name).read_text(encoding="utf-8"))
    (tmp_path / "README.md").write_text("# One\n\n[lost](docs/two.md#no-such-part)\n")
    (tmp_path / "docs" / "two.md").write_text("# Two\n")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "not contain an anchor '#no-such-part'" in done.stderr
