"""The command line as a person calls it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lims import records  # noqa: F401 - every table
from lims.base.metadata import Model
from lims.cli import COMMANDS
from tests.programs import lims


def by_a_person(*args: str, data: Path) -> subprocess.CompletedProcess[str]:
    """A whole start, imports and all. `args` as `lims` takes them, or as `python` does: -c and code."""
    return subprocess.run(
        [sys.executable, *(args if args[0] == "-c" else ("-m", "lims", *args))],
        env={**os.environ, "LIMS_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


#: Both in one start. The grants first: to help, every command is imported.
GRANTS_AND_HELP = """
from lims.cli import group
group.main(["audit", "grants", "lims_web"], standalone_mode=False)
print("Commands of lims:")
group.main(["--help"], standalone_mode=False)
"""


def test_fresh_start_grants_rights_on_every_table_and_help_names_every_command(tmp_path: Path) -> None:
    found = by_a_person("-c", GRANTS_AND_HELP, data=tmp_path)
    assert found.returncode == 0, found.stderr
    grants, _, help_of_lims = found.stdout.partition("Commands of lims:")
    named = set(re.findall(r"^  ([a-z][a-z-]*)  +\S", help_of_lims, re.MULTILINE))
    assert named == set(COMMANDS)
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"[a-z-]+", readme.partition("## Command line")[2].partition("\n## ")[0]))
    assert named - told == set()
    tables = sorted(Model.metadata.tables)
    assert len(tables) > 80
    assert [name for name in tables if f" ON {name} TO lims_web;" not in grants] == []


def test_init_twice_is_harmless_and_the_template_imports_and_again_changes_nothing(tmp_path: Path) -> None:
    assert by_a_person("init", data=tmp_path).returncode == 0
    assert lims("init", data=tmp_path).returncode == 0
    template = Path(__file__).parents[2] / "import_templates" / "history.csv"
    dry = lims("import", "history", str(template), "--dry-run", data=tmp_path)
    assert "1 mixes, 3 specimen strengths" in dry.stdout
    first = lims("import", "history", str(template), data=tmp_path)
    assert "1 mixes, 3 specimen strengths" in first.stdout
    second = lims("import", "history", str(template), data=tmp_path)
    assert second.returncode == 0
    assert "nothing was changed" in second.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [("LIMS_PORT", "seventy"), ("LIMS_TIMEZONE", "Mars/Base"), ("LIMS_PLAN_AGES_DAYS", "3,x")],
)
def test_wrong_setting_ends_with_a_sentence_and_no_traceback(tmp_path: Path, name: str, value: str) -> None:
    found = lims("init", data=tmp_path, **{name: value})
    assert found.returncode == 2
    assert name in found.stderr
    assert "Traceback" not in found.stderr


def test_import_of_a_damaged_file_is_refused_with_a_sentence(initialised: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"\x00\xff\xfe nonsense")
    data = tmp_path / "data"
    shutil.copytree(initialised, data)
    found = lims("import", "history", str(bad), data=data)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    odd = tmp_path / "customers.csv"
    odd.write_text("code,name,kind\nK-1,Works,pyramid\n", encoding="utf-8")
    tried = lims("import", "customers", str(odd), "--dry-run", data=data)
    assert (tried.returncode, "pyramid" in tried.stderr) == (2, True)


NOWHERE = "postgresql+psycopg://lims:hunter22@127.0.0.1:1/none"


@pytest.mark.parametrize(
    ("args", "url", "returned", "said"),
    [
        (("check",), "nosuch://lims:hunter22@h/x", 2, "LIMS_DATABASE_URL"),
        (("init",), "postgresql://lims:hunter22@h/x", 2, "LIMS_DATABASE_URL"),
        (("init",), "postgresql+psycopg://lims:hunter22@h:port/x", 2, "LIMS_DATABASE_URL"),
        (("move", "--to", "postgresql+psycopg://lims:hunter22@h:port/x"), "", 2, "--to"),
        (("init",), NOWHERE, 2, "cannot be reached"),
        (("upgrade",), NOWHERE, 2, "cannot be reached"),
        (("move", "--to", NOWHERE), "", 3, "is away"),
        (("audit", "verify"), NOWHERE, 3, "away"),
    ],
)
def test_address_that_leads_nowhere_ends_with_a_sentence_without_its_password(
    initialised: Path, tmp_path: Path, args: tuple[str, ...], url: str, returned: int, said: str
) -> None:
    data = tmp_path / "data"
    shutil.copytree(initialised, data)
    found = lims(*args, data=data, LIMS_DATABASE_URL=url)
    assert said in found.stderr, found.stderr
    assert found.returncode == returned
    assert "Traceback" not in found.stderr
    assert "hunter22" not in found.stderr


def test_file_that_cannot_be_read_ends_with_a_sentence(initialised: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(initialised, data)
    (data / "secret.key").write_bytes(b"\xff" * 48)
    for command in ("init", "check", "serve"):
        found = lims(command, data=data)
        assert found.returncode == 2
        assert "Traceback" not in found.stderr
        assert "is damaged; delete it" in found.stderr
    (tmp_path / "file").write_text("", encoding="utf-8")
    found = lims("init", data=tmp_path / "file")
    assert (found.returncode, "Traceback" in found.stderr) == (2, False)
    assert str(tmp_path / "file") in found.stderr
