"""What a database can refuse: while it serves, while it starts, and when it is misused."""

from __future__ import annotations

from server.domain.errors import DiskFull, Unavailable

FULL_RETRY_S = 60.0  # somebody has to make room first
RETRY_S = 2.0


class StoreFull(DiskFull):
    """The database's disk is full; make room there, what was sent is not kept: send it again."""

    def __init__(self) -> None:
        """Senders hold what they have for a while."""
        super().__init__(FULL_RETRY_S)


class StoreLocked(Unavailable):
    """Another program has locked the database; end it, or try again in {retry_after:g} s."""

    def __init__(self) -> None:
        """The lock was waited for already; a server's only rival is a tool run by hand."""
        super().__init__(RETRY_S)


class StoreLost(Unavailable):
    """The database server does not answer; see that it runs, and try again in {retry_after:g} s."""

    def __init__(self) -> None:
        """Whether a commit that was under way has happened may be unknown."""
        super().__init__(RETRY_S)


class StoreClosed(Unavailable):
    """The server is stopping and takes no more writes; try again in {retry_after:g} s."""

    def __init__(self) -> None:
        """Another server, or this one started again, will answer."""
        super().__init__(RETRY_S)


class StatementFailed(Exception):
    """The database refused a statement: the SQL or its values are wrong."""

    def __init__(self, reason: str) -> None:
        """What the database said."""
        self.reason = reason
        super().__init__(f"the database refused a statement: {reason}")


class RowRefused(StatementFailed):
    """A row breaks a constraint of its table."""


class Misused(RuntimeError):
    """A transaction was used in a way that can not be made safe."""


class NestedWrite(Misused):
    """A write was asked for inside of a write: it would wait for itself. Use the tx at hand."""

    def __init__(self) -> None:
        """The text is the docstring."""
        super().__init__(self.__doc__)


class OperationCancelled(Misused):
    """An operation waited inside of its transaction for something that was cancelled."""

    def __init__(self) -> None:
        """The text is the docstring."""
        super().__init__(self.__doc__)


class TransactionOver(Misused):
    """A transaction was used after its operation had ended; keep no tx beyond the function."""

    def __init__(self) -> None:
        """The text is the docstring."""
        super().__init__(self.__doc__)


class ReadOnly(Misused):
    """Something was written in a read; use `Store.write`."""

    def __init__(self) -> None:
        """The text is the docstring."""
        super().__init__(self.__doc__)


class StoreUnusable(Exception):
    """A database cannot be opened; the text names it, the rule and the cure."""


class BadStoreUrl(StoreUnusable):
    """An address is not that of a database."""

    def __init__(self, url: str) -> None:
        """The address as it was given."""
        super().__init__(
            f"{url!r} is not the address of a database; write sqlite:///FILE or"
            " postgresql://USER@HOST/NAME"
        )


class StoreInUse(StoreUnusable):
    """Another server has this database."""

    def __init__(self, where: str, holder: str) -> None:
        """The database, and who holds it."""
        self.where = where
        self.holder = holder
        super().__init__(
            f"{where} is in use by {holder}, and a database has one server at a time; stop that"
            " one first, or give this one a database of its own"
        )


class StoreTaken(StoreUnusable):
    """Another server has had this database while this one had lost its connection."""

    def __init__(self, where: str) -> None:
        """The database; what this server remembers of it may be true no longer."""
        super().__init__(
            f"{where} was lost for a while, and another server has written to it since, so this"
            " one has ended; see that only one is started on it, then start that one"
        )


class StoreUnreachable(StoreUnusable):
    """The database cannot be opened or connected to."""

    def __init__(self, where: str, reason: str) -> None:
        """The database, and what was said."""
        super().__init__(f"cannot open {where}: {reason}; see that it exists and may be used")


class LibraryMissing(StoreUnusable):
    """PostgreSQL needs a library that is not installed."""

    def __init__(self) -> None:
        """The text names the command that installs it."""
        super().__init__(
            "postgresql:// needs the library asyncpg; install it with"
            " `pip install windfall[postgres]`"
        )


class SqliteTooOld(StoreUnusable):
    """Python's SQLite library lacks what the statements here need."""

    def __init__(self, version: str, needed: str) -> None:
        """Its version, and the oldest that will do."""
        super().__init__(
            f"this Python has SQLite {version}, and at least {needed} is needed; use a newer"
            " Python, or PostgreSQL"
        )


class SchemaOld(StoreUnusable):
    """The database is older than the program."""

    def __init__(self, schema: int, wanted: int) -> None:
        """The version found, and the program's."""
        self.schema = schema
        self.wanted = wanted
        super().__init__(
            f"the database has schema {schema} and this program needs {wanted}; make a backup,"
            " then run `windfall db upgrade`"
        )


class SchemaNew(StoreUnusable):
    """The database is newer than the program can live with."""

    def __init__(self, schema: int, oldest: int, code: int) -> None:
        """The version found, the oldest program that it allows, and this program."""
        self.schema = schema
        self.oldest = oldest
        self.code = code
        super().__init__(
            f"the database has schema {schema}, which needs a program that knows schema {oldest},"
            f" and this one knows {code}; install a newer windfall, or restore an older backup"
        )


class SchemaForeign(StoreUnusable):
    """The database holds tables of something else."""

    def __init__(self, table: str) -> None:
        """One of those tables."""
        super().__init__(
            f"the database has a table {table!r} but none called 'meta': it is not windfall's;"
            " give an empty database"
        )


class BadMigration(StoreUnusable):
    """A migration file breaks a rule."""

    def __init__(self, name: str, rule: str) -> None:
        """The file, and the rule."""
        super().__init__(f"migration {name}: {rule}")


class BackupFailed(StoreUnusable):
    """A backup could not be made; nothing was left under its name."""

    def __init__(self, reason: str) -> None:
        """Why, and what helps."""
        super().__init__(f"no backup was made: {reason}")


class RestoreFailed(StoreUnusable):
    """A backup could not be put back; the database is as it was."""

    def __init__(self, reason: str) -> None:
        """Why, and what helps."""
        super().__init__(f"nothing was restored: {reason}")


class LivedIn(StoreUnusable):
    """Made-up history is for an empty database, and this one is of a pool that is real."""

    def __init__(self, count: int, what: str) -> None:
        """What it has."""
        super().__init__(
            f"nothing was made up: this pool is real, it has {count} {what}; "
            "give the data folder of a server that has only been started"
        )
