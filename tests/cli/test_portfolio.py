"""`tender-risk portfolio` as a person types it: what it prints, where it writes, and how it ends when it cannot."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest

from tests import forks, samples
from tests.cli.conftest import Run
from tests.portfolio import sample_files


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three tenders and a line that is none."""
    return sample_files.written(tmp_path, "in.jsonl", sample_files.lines([*sample_files.releases(3), {"no": "tender"}]))


def portfolio(source: Path, out: str, *more: str) -> subprocess.CompletedProcess[str]:
    """The command, in the folder of its input."""
    command = [str(forks.command()), "portfolio", source.name, out, *more]
    return subprocess.run(command, cwd=source.parent, capture_output=True, text=True)


def test_a_file_of_tenders_becomes_a_table_its_errors_and_its_manifest(source: Path) -> None:
    done = portfolio(source, "out.csv", "--workers", "1", "--stage", "draft")
    assert done.returncode == 0, done.stderr
    assert "3 tenders scored" in done.stdout and "1 rows refused" in done.stdout
    with source.with_name("out.csv").open(newline="") as file:
        assert [row["line"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    (error,) = source.with_name("out.csv.errors").read_text().splitlines()
    assert json.loads(error)["line"] == 4
    assert json.loads(source.with_name("out.csv.manifest.json").read_bytes())["counts"]["refused"] == 1
    assert {path.name for path in source.parent.iterdir()} == {
        "in.jsonl", "out.csv", "out.csv.errors", "out.csv.manifest.json"
    }  # fmt: skip


def test_json_is_the_manifest_and_formulas_are_text(tmp_path: Path) -> None:
    buyer = {"id": "b", "name": '=HYPERLINK("https://x")'}
    release = samples.draft(buyer=buyer, parties=[{**buyer, "roles": ["buyer"]}])
    (tmp_path / "in").mkdir()
    sample_files.written(tmp_path, "in/=1+1.jsonl", samples.data(release))
    done = portfolio(tmp_path / "in", "out.csv", "--workers", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "out.csv.manifest.json").read_bytes())
    with (tmp_path / "out.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["file"], row["buyer"]) == ("'=1+1.jsonl", """'=HYPERLINK("https://x")""")


def test_against_an_earlier_output_the_manifest_says_which_and_not_where_it_lay(source: Path) -> None:
    (source.parent / "before").mkdir()
    assert portfolio(source, "before/out.parquet", "--workers", "1").returncode == 0
    source.write_bytes(sample_files.lines(sample_files.releases(2)))
    since = ("--since", str(source.parent / "before" / "out.parquet"), "--capacity", "5", "--reasons", "none")
    done = portfolio(source, "now.jsonl", "--workers", "1", *since)
    assert done.returncode == 0, done.stderr
    text = source.with_name("now.jsonl.manifest.json").read_text()
    before = json.loads((source.parent / "before" / "out.parquet.manifest.json").read_bytes())
    message = json.loads(text)
    assert (message["since"]["file"], message["since"]["sha256"]) == ("out.parquet", before["output_sha256"])
    assert message["worklist"]["changes"] == {"same": 2, "gone": 1}
    assert str(source.parent) not in text.replace(message["options"]["bundle"], "")
    (gone,) = source.with_name("now.gone.jsonl").read_text().splitlines()
    assert json.loads(gone)["why"] == "no longer in the portfolio"


WRONG = [
    ("a stage that there is not", ["out.csv", "--stage", "signed"], 2, "no stage"),
    ("reasons for whom", ["out.csv", "--reasons", "some"], 2, "not one of"),
    ("a format that is not written", ["out.txt"], 2, "Use parquet, csv, xlsx, jsonl"),
    ("no worker", ["out.csv", "--workers", "0"], 2, "workers"),
    ("workers of a cluster", ["out.csv", "--workers", "2", "--cluster", "tcp://127.0.0.1:9"], 2, "leave out"),
    ("a register that there is not", ["out.csv", "--register", "atlantis"], 2, "no register"),
    ("the input as output", ["in.jsonl", "--format", "jsonl"], 2, "is inside the input"),
    ("a folder as output", ["folder", "--format", "csv"], 2, "is a folder"),
    ("a bundle that there is not", ["out.csv", "--bundle", "nowhere"], 3, "no bundle at"),
    ("a cluster that there is not", ["out.csv", "--cluster", "nonsense"], 2, "is no address"),
]


@pytest.mark.parametrize(("words", "code", "message"), [path[1:] for path in WRONG], ids=[path[0] for path in WRONG])
def test_wrong_use_is_refused_and_writes_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, source: Path, words: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(source.parent)
    (source.parent / "folder").mkdir()
    before = {path.name for path in source.parent.iterdir()}
    more = words if "--workers" in words or "--cluster" in words else [*words, "--workers", "1"]
    done = run("portfolio", source.name, *more)
    assert done.code == code, done.err
    assert message in done.err
    assert {path.name for path in source.parent.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("a.pdf", b"%PDF", 1, "no reader for .pdf"),
        ("a.csv", b"colour\nred\n", 1, "no column is a key of the form"),
        ("a.xlsx", b"PK", 1, "workbook"),
    ],
)
def test_a_file_of_which_nothing_can_be_read_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, content: bytes, code: int, message: str
) -> None:
    sample_files.written(tmp_path, name, content)
    monkeypatch.chdir(tmp_path)
    done = run("portfolio", name, "out.csv", "--workers", "1")
    assert done.code == code
    assert message in done.err
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_that_there_is_not_cannot_be_reached(tmp_path: Path) -> None:
    done = portfolio(tmp_path / "nothing.jsonl", "out.csv", "--workers", "1")
    assert done.returncode == 3 and "no such file" in done.stderr


def test_a_portfolio_of_which_every_row_is_refused_ends_with_1_and_says_where_the_reasons_are(tmp_path: Path) -> None:
    source = sample_files.written(tmp_path, "in.jsonl", b'{"no": "tender"}\n[1]\n')
    done = portfolio(source, "out.csv", "--workers", "1")
    assert done.returncode == 1
    # On a busy machine the seconds that it takes stand before.
    assert done.stderr.splitlines()[-1] == "error: in.jsonl: none of 2 rows could be read. out.csv.errors says why of each"
    assert len((tmp_path / "out.csv.errors").read_text().splitlines()) == 2
    assert json.loads((tmp_path / "out.csv.manifest.json").read_bytes())["counts"]["scored"] == 0
