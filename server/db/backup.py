"""A copy of the database while the server writes: complete under its name, or absent."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from server.db.choose import is_postgres, sqlite_path
from server.db.errors import BackupFailed, BadStoreUrl


def backup(url: str, target: Path) -> None:
    """Copy the last commit of a database to a file, replacing an earlier copy of that name.

    Blocks for as long as the copy takes: give it a thread in a server. Raises `BackupFailed` or
    `BadStoreUrl`.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        path = sqlite_path(url)
        if path is not None:
            _copy_sqlite(path, target, partial)
        elif is_postgres(url):
            _dump_postgres(url, partial)
        else:
            raise BadStoreUrl(url)
        if target.exists() and not _is_copy(target):
            raise BackupFailed(f"{target} is there and is no backup; give another name")
        _flush(partial)
        partial.replace(target)
        _flush(target.parent)
    except OSError as error:
        why = f"{target}: {error.strerror or error}"
        raise BackupFailed(f"{why}; see that there is room and that it may be written") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _is_copy(target: Path) -> bool:
    """Whether this file is a copy of a database, or empty: not one that somebody needs as it is."""
    with target.open("rb") as file:
        return file.read(16).startswith((b"SQLite format 3\0", b"PGDMP")) or not file.tell()


def look_over(url: str, copy: Path) -> None:
    """Open a copy and look it over whole: damage, and whether it is one of this program.

    Blocks for as long as reading all of it takes. Raises `BackupFailed`.
    """
    if is_postgres(url):
        _list_postgres(copy)
        return
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{quote(str(copy))}?mode=ro", uri=True)
        ) as db:
            faults = [row[0] for row in db.execute("PRAGMA integrity_check(3)")]
            schema = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    except sqlite3.Error as error:
        raise BackupFailed(f"the copy cannot be read: {error}; look after the disk") from error
    if faults != ["ok"] or schema is None:
        told = "; ".join(faults) if schema else "it has no schema version"
        raise BackupFailed(f"the copy is damaged: {told}; look after the disk")


def _list_postgres(copy: Path) -> None:
    """Have pg_restore read the archive from its head to its end, restoring nothing."""
    program = shutil.which("pg_restore")
    if program is None:
        raise BackupFailed("the program pg_restore is not there; install postgresql-client")
    done = subprocess.run(
        [program, "--file=/dev/null", str(copy)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BackupFailed(f"pg_restore: {done.stderr.strip()}")


def _copy_sqlite(path: Path, target: Path, partial: Path) -> None:
    if not path.exists():
        raise BackupFailed(f"there is no database {path}; give the address the server has")
    if target.exists() and target.samefile(path):
        raise BackupFailed(f"{target} is the database itself; give another name")
    partial.touch(mode=0o600)
    try:
        with (
            contextlib.closing(sqlite3.connect(path, timeout=10.0)) as source,
            contextlib.closing(sqlite3.connect(partial)) as copy,
        ):
            # All in one step: one snapshot, and no starting again when the server writes.
            source.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode = DELETE")
            faults = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise BackupFailed(f"{error}; see that there is room and that it may be written") from error
    if faults != "ok":
        raise BackupFailed(f"the copy of {path} is damaged: {faults}; look after the disk")


def _dump_postgres(url: str, partial: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupFailed(
            "the program pg_dump is not there; install postgresql-client, or make the backup"
            " where PostgreSQL runs"
        )
    bare, password = without_password(url)
    # Not as an argument: everybody on the machine can read those.
    environment = os.environ | ({"PGPASSWORD": password} if password else {})
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT, 0o600))
    done = subprocess.run(
        [program, "--format=custom", f"--file={partial}", f"--dbname={bare}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BackupFailed(f"pg_dump: {done.stderr.strip()}")


def without_password(url: str) -> tuple[str, str | None]:
    """An address without its password, and the password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url, None
    user, _, host = parts.netloc.rpartition("@")
    bare = parts._replace(netloc=f"{user.partition(':')[0]}@{host}")
    return urlunsplit(bare), unquote(parts.password)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
