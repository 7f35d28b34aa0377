"""Backups: taken while everybody works, worth something once their restore was verified.

A backup is a folder: `manifest.json` (what it holds, with the SHA-256 of each file), the database, and the files of the
data folder that are not a database (keys, the laboratory's own layouts). It holds personal data and keys: the
folder is readable by its owner alone.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from lims.base.columns import utc_now
from lims.base.database import make_engine, sqlite_module
from lims.base.migration import known_revisions, upgrade
from lims.base.problems import Problem, Refused, refuse
from lims.operations import databases
from lims.operations.leavings import RESTORED, owner
from lims.operations.record_of_changes import checkpoint_text, faults_of_checkpoint, faults_of_record
from lims.settings import Settings

log = logging.getLogger(__name__)

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "lims.sqlite3"
#: The signed checkpoint over the record of changes, as `lims audit verify --checkpoint` reads it.
CHECKPOINT = "checkpoint.txt"
#: Stands in a backup that was restored for proof: JSON, when that was and the SHA-256 of its manifest.
VERIFIED = "verified"
#: Of the data folder: what a restored laboratory needs besides its database. Without its signing key (lims/audit/keys.py)
#: every checkpoint that it took would read as forged.
KEPT_FILES = ("*.key", "*.pem", "reports/**/*")


#: Revision that brings the record of changes.
RECORD_BEGINS = "0007"
#: End of the name of a file that a restore will put in its place.
ARRIVING = ".arriving"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds and how to tell that it still does."""

    format: int
    made_at: str
    program: str
    #: sqlite or postgresql
    database: str
    #: Revision of the tables (migrations/versions).
    revision: str
    #: table -> rows
    rows: dict[str, int]
    #: Last sealed transaction of the record of changes: number and hash. None before there was such a record.
    audit_head: tuple[int, str] | None
    #: The signed checkpoint over it, the text of checkpoint.txt; "" before there was such a record.
    checkpoint: str
    #: file -> SHA-256
    files: dict[str, str]
    #: PostgreSQL: table -> columns of its file, in order.
    columns: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Manifest:
        """Raises: Refused when this is no backup, or one of a later program."""
        try:
            told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            if told["format"] != FORMAT:
                raise refuse(
                    "backup", "was made by another version of this program", f"format {told['format']}"
                )
            head = told["audit_head"]
            return cls(**{**told, "audit_head": tuple(head) if head else None})
        except (OSError, ValueError, KeyError, TypeError):
            raise refuse(
                "backup", "is not a backup: no manifest.json that can be read", str(folder)
            ) from None


def back_up(settings: Settings, folder: Path) -> Manifest:
    """Write a backup of the laboratory into `folder`, which must not exist or be empty. Readers and writers go on.

    The folder appears under its name when it is complete. Raises: Refused.
    """
    folder = folder.absolute()
    _refuse_an_absent_disk(settings, folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise refuse("backup", "there is something already; name a new folder", str(folder))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(prefix=f".{folder.name}.{owner()}.", dir=folder.parent))
    except OSError as error:
        raise refuse("backup", f"cannot be written: {error.strerror}", str(folder)) from None
    try:
        manifest = _write(settings, working)
        if folder.exists():
            folder.rmdir()
        os.replace(working, folder)
    except OSError as error:
        raise refuse("backup", f"cannot be written: {error.strerror}", str(folder)) from None
    except psycopg.Error as error:
        said = f"cannot be backed up: {databases.first_line(error)}"
        raise refuse("database", said, make_url(settings.sqlalchemy_url).database) from None
    except sqlite_module().Error as error:
        if databases.is_of_the_place(error):
            raise refuse("backup", f"cannot be made: {error}", str(folder)) from None
        said = f"cannot be read ({error}); `lims restore --replace` puts a backup in its place"
        place = str(databases.sqlite_path(settings.sqlalchemy_url))
        raise databases.Unreadable([Problem("database", said, place)]) from None
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return manifest


def _refuse_an_absent_disk(settings: Settings, folder: Path) -> None:
    """Raises: Refused for a folder in LIMS_BACKUP_FOLDER when that is not there: it would be made on the system's disk."""
    named = settings.backup_folder and folder.absolute().is_relative_to(settings.backups.absolute())
    if named and not settings.backups.is_dir():
        raise refuse("LIMS_BACKUP_FOLDER", databases.NOT_MOUNTED, settings.backup_folder)


def _write(settings: Settings, working: Path) -> Manifest:
    source = databases.sqlite_path(settings.sqlalchemy_url)
    columns: dict[str, list[str]] = {}
    if source is not None:
        if not source.exists():
            raise refuse("database", "there is none yet: run `lims init` first", str(source))
        databases.copy_sqlite(source, working / DATABASE)
        contents = databases.contents_of_sqlite(working / DATABASE)
    else:
        contents, columns = databases.export_postgresql(settings.sqlalchemy_url, working)
    # First: a laboratory that has signed nothing yet gets its key by it, and the key is one of the files.
    checkpoint = checkpoint_text(settings, contents.audit_head)
    if checkpoint:
        (working / CHECKPOINT).write_text(checkpoint, encoding="utf-8", newline="\n")
    _copy_files_beside(settings, working)
    manifest = Manifest(
        format=FORMAT,
        made_at=utc_now().isoformat(),
        program=version("lims"),
        database="sqlite" if source is not None else "postgresql",
        revision=contents.revision,
        rows=contents.rows,
        audit_head=contents.audit_head,
        checkpoint=checkpoint,
        files={name: _sha256(working / name) for name in _files(working)},
        columns=columns,
    )
    (working / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
    return manifest


def _copy_files_beside(settings: Settings, folder: Path) -> None:
    """Keys and layouts of the data folder into that of a backup."""
    for pattern in KEPT_FILES:
        for found in sorted(settings.data.glob(pattern)):
            if found.is_file() and found.suffix != ARRIVING:
                copied = folder / "data" / found.relative_to(settings.data)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found, copied)
                copied.chmod(0o600)


def _files(folder: Path) -> list[str]:
    return sorted(
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and p.name != MANIFEST and p != folder / VERIFIED
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _faults_of_files(folder: Path, manifest: Manifest) -> list[str]:
    present = set(_files(folder))
    faults = [f"{name} is missing" for name in manifest.files if name not in present]
    faults += [f"{name} is not of this backup" for name in sorted(present - set(manifest.files))]
    faults += [
        f"{name} is not as it was written"
        for name, digest in manifest.files.items()
        if name in present and _sha256(folder / name) != digest
    ]
    return faults


# --- verifying -------------------------------------------------------------------------------------------------


def verify(settings: Settings, folder: Path, *, into: str = "") -> list[str]:
    """Restore this backup into a place that goes away, and look at what came. Returns what is wrong with it.

    `into`: an empty PostgreSQL database to restore into, which is empty again afterwards; without it that of
    LIMS_VERIFY_DATABASE_URL, and without that one is made on the laboratory's server. Raises: Refused when there is no place
    to restore it into, or the place fails: that says nothing about the backup.
    """
    manifest = Manifest.of(folder)
    try:
        faults = _faults_of_files(folder, manifest) or _faults_of_checkpoint(settings, folder, manifest)
        if faults:
            return faults
        with _passing_place(settings, manifest, into) as url:
            _load(url, folder, manifest)
            return _faults_of_database(url, manifest)
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001 - whatever else goes wrong is a fault of the backup
        if _is_of_the_place(error):
            said = f"could not be restored here: {databases.first_line(error)}"
            raise refuse("backup", said, folder.name) from None
        return [f"cannot be restored: {databases.first_line(error)}"]


def _is_of_the_place(error: BaseException) -> bool:
    """No room, no right or no server."""
    of_driver = error.orig if isinstance(error, DBAPIError) else error
    of_server = isinstance(of_driver, psycopg.OperationalError | psycopg.errors.InsufficientPrivilege)
    of_system = isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile)
    return of_server or of_system or (of_driver is not None and databases.is_of_the_place(of_driver))


def _faults_of_checkpoint(settings: Settings, folder: Path, manifest: Manifest) -> list[str]:
    """Signed by the laboratory that asks; where that has no key, as on another machine, by the one in the backup."""
    if CHECKPOINT in manifest.files:  # older ones have it in the manifest alone
        text = (folder / CHECKPOINT).read_text(encoding="utf-8", errors="replace")
        if text != manifest.checkpoint:
            return [f"checkpoint: {CHECKPOINT} is not the one of the manifest"]
    keys = (settings.data, folder / "data")
    return faults_of_checkpoint(manifest.checkpoint, manifest.audit_head, keys)


@contextmanager
def _passing_place(settings: Settings, manifest: Manifest, into: str) -> Iterator[str]:
    if manifest.database == "sqlite":
        # Beside the backups, where the sweep finds what a killed one leaves; elsewhere on a machine that has none.
        beside = settings.backups if settings.backups.is_dir() else None
        with tempfile.TemporaryDirectory(prefix=f"{RESTORED}{owner()}-", dir=beside) as place:
            yield databases.sqlite_url(Path(place) / DATABASE)
    elif into:
        databases.refuse_no_postgresql(into, "--into")
        with databases.lent_database(into, "--into") as url:
            yield url
    elif settings.verify_database_url:
        if databases.are_one(settings.verify_database_url, settings.sqlalchemy_url):
            raise refuse(
                "LIMS_VERIFY_DATABASE_URL", "is the laboratory's own database; accepted: an empty one"
            )
        with databases.lent_database(settings.verify_database_url, "LIMS_VERIFY_DATABASE_URL") as url:
            yield url
    elif databases.sqlite_path(settings.sqlalchemy_url) is None:
        with databases.passing_database(settings.sqlalchemy_url) as url:
            yield url
    else:
        raise refuse(
            "--into",
            "or LIMS_VERIFY_DATABASE_URL is needed: the backup is of a PostgreSQL database and none is configured here",
        )


def mark_verified(folder: Path) -> None:
    """Write into this backup that it was restored for proof just now. Raises: OSError."""
    told = {"verified_at": utc_now().isoformat(), "manifest_sha256": _sha256(folder / MANIFEST)}
    (folder / VERIFIED).write_text(json.dumps(told), encoding="utf-8")


def is_verified(folder: Path) -> bool:
    """Was this backup, with the manifest that it has now, restored for proof?"""
    try:
        told = json.loads((folder / VERIFIED).read_text(encoding="utf-8"))
        return bool(told["manifest_sha256"] == _sha256(folder / MANIFEST))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _load(url: str, folder: Path, manifest: Manifest) -> None:
    path = databases.sqlite_path(url)
    if path is not None:
        shutil.copyfile(folder / DATABASE, path)
        return
    engine = make_engine(url)
    try:
        upgrade(engine, manifest.revision)
    finally:
        engine.dispose()
    databases.import_postgresql(url, folder, manifest.columns)


def _faults_of_database(url: str, manifest: Manifest) -> list[str]:
    path = databases.sqlite_path(url)
    if path is not None:
        faults = databases.faults_of_sqlite(path)
        if faults:
            return faults
        contents = databases.contents_of_sqlite(path)
    else:
        found = databases.contents_of_postgresql(url)
        if found is None:
            return ["nothing came"]
        faults, contents = [], found
    if contents.revision != manifest.revision:
        faults.append(f"tables are of revision {contents.revision}, not {manifest.revision}")
    for table in sorted(set(manifest.rows) | set(contents.rows)):
        wanted, came = manifest.rows.get(table, 0), contents.rows.get(table, 0)
        if wanted != came:
            faults.append(f"{table}: {came} rows, not {wanted}")
    if contents.audit_head != manifest.audit_head:
        faults.append("the record of changes ends elsewhere than the manifest says")
    if contents.revision < RECORD_BEGINS and "audit_transactions" not in contents.rows:
        return faults  # a `lims init` that was cut off leaves such a database on SQLite
    return faults + faults_of_record(url)


# --- restoring -------------------------------------------------------------------------------------------------


def restore(settings: Settings, folder: Path, *, replace: bool = False) -> tuple[Manifest, Path | None]:
    """Put this backup in the place of the laboratory's database. Nobody else may have it open.

    What stands there is backed up first, beside the nightly ones, or moved there as it is when it cannot be read any more
    (a folder without a manifest): returns the manifest and that folder.
    Raises: Refused when something stands there and `replace` is not given, and whatever else goes wrong, with the place of
    what was there.
    """
    manifest = Manifest.of(folder)
    faults = _faults_of_files(folder, manifest)
    if faults:
        raise refuse("backup", "; ".join(faults[:5]), str(folder))
    path = databases.sqlite_path(settings.sqlalchemy_url)
    here = "sqlite" if path is not None else "postgresql"
    if manifest.database != here:
        raise refuse(
            "backup", f"is of a {manifest.database} database; this laboratory's is {here}", str(folder)
        )
    if manifest.revision not in known_revisions():
        said = (
            f"is of revision {manifest.revision}, which is later than this program: use the program of then"
        )
        raise refuse("backup", said, str(folder))
    if path is not None:
        return manifest, _restore_sqlite(settings, folder, manifest, path, replace)
    return manifest, _restore_postgresql(settings, folder, manifest, replace)


def _restore_sqlite(
    settings: Settings, folder: Path, manifest: Manifest, path: Path, replace: bool
) -> Path | None:
    there = [file for file in databases.files_of_sqlite(path) if file.exists()]
    damaged = bool(there)  # a log without its database may be all that is left of it
    if path.exists():
        _refuse_to_replace_unasked(replace)
        try:
            databases.take_sqlite_alone(path)
            damaged = False
        except databases.Unreadable:
            damaged = True
    with databases.arriving_sqlite(folder / DATABASE, path) as waiting:
        _refuse_faults(databases.sqlite_url(waiting), manifest)
        kept = _folder_of_what_was_there(settings) if there else None
        with _telling_where_it_is(kept), _files_arriving(settings, folder, manifest) as files:
            if kept is not None:
                _keep_sqlite(settings, path, kept, damaged)
            databases.put_sqlite(waiting, path)
            _put_files(settings, files)
    return kept


def _restore_postgresql(settings: Settings, folder: Path, manifest: Manifest, replace: bool) -> Path | None:
    url = settings.sqlalchemy_url
    others = databases.things_of_others(url)
    if others:
        said = f"this database holds no laboratory but {databases.some_of(others)}; accepted: an empty one, a laboratory"
        raise refuse("LIMS_DATABASE_URL", said, make_url(url).database)
    before = databases.half_restored(url)
    kept = Path(before) if before else None
    if before is not None:  # half a laboratory: what it replaced is kept already
        databases.take_postgresql_alone(url)
    elif databases.contents_of_postgresql(url) is not None:
        _refuse_to_replace_unasked(replace)
        databases.take_postgresql_alone(url)
        kept = _folder_of_what_was_there(settings)
        back_up(settings, kept)
    with _telling_where_it_is(kept), _files_arriving(settings, folder, manifest) as files:
        # Whoever starts on it before the end is told (checks.py): the migrations alone make an empty laboratory.
        databases.begin_restoring(url, str(kept.absolute()) if kept else "")
        _load(url, folder, manifest)
        _refuse_faults(url, manifest)
        _put_files(settings, files)
        databases.end_restoring(url)
    return kept


def _refuse_to_replace_unasked(replace: bool) -> None:
    if not replace:
        raise refuse(
            "database",
            "there is a laboratory already; --replace backs it up and puts the backup in its place",
        )


def _refuse_faults(url: str, manifest: Manifest) -> None:
    faults = _faults_of_database(url, manifest)
    if faults:
        raise Refused([p for fault in faults[:5] for p in refuse("backup", fault).problems])


def _folder_of_what_was_there(settings: Settings) -> Path:
    at = utc_now()
    while (folder := settings.backups / f"before-restore-{_stamp(at)}").exists():
        at += timedelta(seconds=1)
    return folder


def _keep_sqlite(settings: Settings, path: Path, kept: Path, damaged: bool) -> None:
    """Back up what a restore replaces; what no backup can be made of is moved as it is."""
    if not damaged:
        with suppress(databases.Unreadable):
            back_up(settings, kept)
            return
    _refuse_an_absent_disk(settings, kept)
    kept.mkdir(mode=0o700, parents=True)
    _copy_files_beside(settings, kept)
    for file in databases.files_of_sqlite(path):
        if file.exists():
            shutil.move(file, kept / file.name)


@contextmanager
def _telling_where_it_is(kept: Path | None) -> Iterator[None]:
    """Whatever fails here ends with the place of what was there before, and how it comes back."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        problems = (
            error.problems
            if isinstance(error, Refused)
            else [Problem("backup", f"was not restored: {databases.first_line(error)}")]
        )
        if kept is not None and (kept / MANIFEST).is_file():
            said = f"what was there is in {kept}; to go back to it: lims restore --replace {kept}"
            problems = [*problems, Problem("database", said)]
        elif kept is not None and kept.exists():
            problems = [
                *problems,
                Problem("database", f"the files that were there are in {kept}, or still where they were"),
            ]
        raise Refused(problems) from error


@contextmanager
def _files_arriving(settings: Settings, folder: Path, manifest: Manifest) -> Iterator[dict[Path, Path]]:
    """Keys and layouts of the backup under passing names -> their own, so that none is ever half there."""
    arriving = {}
    try:
        for name in manifest.files:
            if name.startswith("data/"):
                target = settings.data / name.removeprefix("data/")
                target.parent.mkdir(parents=True, exist_ok=True)
                waiting = target.with_name(target.name + ARRIVING)
                waiting.unlink(missing_ok=True)
                arriving[waiting] = target
                waiting.touch(mode=0o600)
                shutil.copyfile(folder / name, waiting)
        yield arriving
    finally:
        for waiting in arriving:
            waiting.unlink(missing_ok=True)


def _put_files(settings: Settings, arriving: dict[Path, Path]) -> None:
    for waiting, target in arriving.items():
        os.replace(waiting, target)
    # Jobs that were handed over belong to the database that went; what still waits is handed over anew.
    (settings.data / "jobs.sqlite3").unlink(missing_ok=True)


# --- every night -----------------------------------------------------------------------------------------------


def nightly_folder(settings: Settings, at: datetime) -> Path:
    return settings.backups / f"nightly-{_stamp(at)}"


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}"


def prune(settings: Settings) -> list[str]:
    """Keep the last LIMS_BACKUPS_KEPT nightly backups and, however old, the newest one that was verified. Returns the
    names of those that went."""
    now = nightly_folder(settings, utc_now()).name
    found = sorted(
        (folder for folder in settings.backups.glob("nightly-*") if (folder / MANIFEST).is_file()),
        # Those of a clock that was ahead are older than they say: newer ones must not go for them.
        key=lambda folder: (folder.name <= now, folder.name),
    )
    newest_verified = next((folder for folder in reversed(found) if is_verified(folder)), None)
    gone = []
    for folder in found[: -settings.backups_kept]:
        if folder == newest_verified:
            continue
        if take_away(folder):
            gone.append(folder.name)
    return gone


def take_away(folder: Path) -> bool:
    """Remove this backup. Is it no longer among the others?"""
    # Under a name that is swept: half a backup must not stand among whole ones.
    going = folder.with_name(f".{folder.name}.{owner()}.gone")
    try:
        folder.rename(going)
        shutil.rmtree(going)
    except OSError as error:
        log.warning("%s cannot be removed: %s", folder, error)
    return not folder.exists()


def newest_verified_at(settings: Settings, now: datetime | None = None) -> datetime | None:
    """When the newest verified backup in the laboratory's own folder was made; those of a clock that was ahead do not
    count."""
    now, made = now or utc_now(), []
    for folder in settings.backups.glob("*"):
        if is_verified(folder):
            with suppress(Refused, ValueError):
                made.append(datetime.fromisoformat(Manifest.of(folder).made_at))
    return max((at for at in made if at <= now), default=None)
