"""Records: what is few and must be asked by many: segments, coverage, gaps, quarantine, datasets, runs. SQL, through SQLAlchemy.

SQLite by default, any server by its URL (`postgresql+psycopg://…`); nothing here is particular to one. The schema is made and
moved on by the alembic migrations beside this file, in `open_records`. Times are ns UTC.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradewind.domain.errors import BadUse

if TYPE_CHECKING:
    import sqlalchemy as sa

MIGRATIONS = Path(__file__).parent / "migrations"
SQLITE = "records.sqlite"
BATCH = 500  # rows of one INSERT: SQLite and PostgreSQL both bound the parameters of a statement


@cache
def schema() -> sa.MetaData:
    """Every table, as the newest migration leaves it."""
    import sqlalchemy as sa

    found = sa.MetaData()
    big, text, number = sa.BigInteger, sa.Text, sa.Integer
    series = ("venue", "instrument", "channel")

    def table(name: str, keys: Mapping[str, Any], columns: Mapping[str, Any]) -> sa.Table:
        made = [sa.Column(key, kind, primary_key=True, autoincrement=False) for key, kind in keys.items()]
        return sa.Table(name, found, *made, *(sa.Column(column, kind, nullable=False) for column, kind in columns.items()))

    table(
        "segments",
        {"digest": text},
        {
            "tape": text, "place": number, "rows": big, "first_ts": big, "last_ts": big, "accepted": big, "quarantined": big,
            "duplicates": big, "other": big, "machine": text, "ingested_ns": big,
        },
    )  # fmt: skip
    table("coverage", {**dict.fromkeys(series, text), "day": text}, {
        "rows": big, "quarantined": big, "duplicates": big, "first_ts": big, "last_ts": big, "gaps": big, "gap_ns": big,
        "quality": sa.Float,
    })  # fmt: skip
    table(
        "sources",
        {**dict.fromkeys(series, text), "day": text, "digest": text},
        {"rows": big, "quarantined": big, "duplicates": big},
    )
    table(
        "beliefs",
        {"venue": text, "instrument": text, "day": text, "digest": text},
        {"looks": big, "doubted": big, "quality": sa.Float, "trust": sa.Float, "least": sa.Float, "blame": text},
    )
    table("gaps", {"id": text}, {**dict.fromkeys(series, text), "start_ns": big, "stop_ns": big, "cause": text, "digest": text})
    table(
        "quarantine",
        {"id": text},
        {
            **dict.fromkeys(series, text), "reason": number, "digest": text, "first_at": number, "last_at": number, "rows": big,
            "first_ts": big, "last_ts": big, "state": text, "decided_by": text, "decided_ns": big, "note": text, "example": text,
        },
    )  # fmt: skip
    table(
        "datasets",
        {"id": text},
        {"name": text, "folder": text, "rows": big, "first_ts": big, "last_ts": big, "made_ns": big, "state": text, "why": text},
    )
    table("dataset_inputs", {"dataset": text, "digest": text, "venue": text, "instrument": text}, {"first_ts": big, "last_ts": big})
    table("runs", {"id": text}, {"command": text, "started_ns": big, "ended_ns": big, "state": text, "details": text})
    return found


class Records:
    """An open database of records. One writer at a time; every `change` is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def close(self) -> None:
        """Lets go of the database."""
        self.engine.dispose()

    def table(self, name: str) -> sa.Table:
        """One of `schema()`."""
        return schema().tables[name]

    @contextmanager
    def change(self) -> Iterator[sa.Connection]:
        """A transaction: all of what is done inside, or nothing."""
        with self.engine.begin() as connection:
            yield connection

    def rows(self, name: str, **equal: Any) -> list[dict[str, Any]]:
        """The rows of a table whose columns have these values, in order of the primary key."""
        table = self.table(name)
        names = [f"{column.name}" for column in table.columns]  # plain text: SQLAlchemy's own strings are a subclass
        asked = table.select().order_by(*table.primary_key.columns)
        for column, value in equal.items():
            asked = asked.where(table.c[column] == value)
        with self.engine.connect() as connection:
            return [dict(zip(names, row, strict=True)) for row in connection.execute(asked)]

    def latest(self, name: str, column: str) -> int:
        """The highest value of a whole-number column; 0 where the table is empty."""
        import sqlalchemy as sa

        with self.engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.max(self.table(name).c[column]))).scalar() or 0)

    def put(self, connection: sa.Connection, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Inserts rows, in the place of those with the same primary key."""
        table = self.table(name)
        keys = [column.name for column in table.primary_key.columns]
        for start in range(0, len(rows), BATCH):
            for row in rows[start : start + BATCH]:
                connection.execute(table.delete().where(*(table.c[key] == row[key] for key in keys)))
            connection.execute(table.insert(), [dict(row) for row in rows[start : start + BATCH]])

    def update(self, connection: sa.Connection, name: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> int:
        """Changes the rows whose columns equal `key`; returns how many."""
        table = self.table(name)
        asked = table.update().where(*(table.c[column] == value for column, value in key.items())).values(**values)
        return int(connection.execute(asked).rowcount)


def open_records(place: Path | str) -> Records:
    """The records at a folder (then SQLite in it) or at a database URL, brought to the newest schema.

    Raises BadUse where the URL cannot be used.
    """
    import sqlalchemy as sa

    url = str(place)
    if "://" not in url:
        folder = Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise BadUse(
                "cannot be written, and the records keep a log beside them even when they are only read", where=str(folder),
                expected="a store that can be written",
                todo="change its permissions, or copy it; the lake's files read as they are",
            )  # fmt: skip
        url = f"sqlite:///{folder / SQLITE}"
    try:
        engine = sa.create_engine(url)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _set_up_sqlite)
        migrate(engine)
    except (sa.exc.ArgumentError, sa.exc.OperationalError, ModuleNotFoundError) as error:
        todo = "correct the URL, and install the driver it names"
        raise BadUse(str(error).splitlines()[0], where=url, expected="a folder or a database URL", todo=todo) from error
    return Records(engine)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def migrate(engine: sa.Engine, target: str = "head") -> str:
    """Moves the schema to a revision and returns the one it stands at."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("version_locations", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    standing = ""

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs(target, revision)

    with EnvironmentContext(config, script, fn=steps) as environment, engine.connect() as connection:
        environment.configure(connection=connection, target_metadata=schema())
        with environment.begin_transaction():
            environment.run_migrations()
        standing = environment.get_context().get_current_revision() or ""
        connection.commit()
    return standing
