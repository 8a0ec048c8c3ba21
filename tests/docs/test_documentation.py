"""What the documentation says is true: every example runs, every command is described, every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from store.settings import Settings
from tests.docs.reference import TARGET, reference

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLE = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if EXAMPLE.search(page.read_text())], ids=lambda page: page.name
)
def test_every_example_runs(page: Path, new_settings: Callable[[], Settings], tmp_path: Path) -> None:
    settings = new_settings()
    assert settings.database_url is not None
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    script = "set -euo pipefail\n" + "\n".join(EXAMPLE.findall(page.read_text()))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DATABASE_URL": settings.database_url,
        "PROVENARIUM_LEDGER": settings.ledger,
        "PROVENARIUM_KEYS": str(tmp_path / "keys"),
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert done.stderr == ""


def test_the_command_page_is_the_commands_own_help() -> None:
    assert TARGET.read_text(encoding="utf-8") == reference(), "run: python -m tests.docs.reference"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        assert (page.parent / link).exists(), link


def test_every_setting_is_described() -> None:
    described = (ROOT / "docs" / "running.md").read_text()
    for name in re.findall(r"``([A-Z_]+)``", sys.modules["store.settings"].__doc__ or ""):
        assert name in described, name


def test_the_architecture_page_names_every_folder() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    folders = {line.split("/")[0] for line in tracked.splitlines() if "/" in line}
    for folder in folders:
        assert f"`{folder}/" in text, folder
