#!/usr/bin/env python3
"""A stand-in for Django's manage.py that needs nothing but Python: migrate, migrate --check, check."""

import pathlib
import sqlite3
import sys

HERE = pathlib.Path(__file__).parent
MIGRATIONS = sorted((HERE / "migrations").glob("*.sql"))


def applied(database):
    database.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
    return {name for (name,) in database.execute("SELECT name FROM migrations")}


def pending(database):
    done = applied(database)
    return [path for path in MIGRATIONS if path.name not in done]


def migrate(database):
    for path in pending(database):
        database.executescript(path.read_text())
        database.execute("INSERT INTO migrations VALUES (?)", (path.name,))
        database.commit()
        print(f"applied {path.name}")


def check(database):
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    missing = {"orders"} - tables
    for table in missing:
        print(f"table {table} does not exist", file=sys.stderr)
    return bool(missing)


def main(words):
    with sqlite3.connect(HERE / "db.sqlite3") as database:
        if words == ["migrate"]:
            return migrate(database)
        if words == ["migrate", "--check"]:
            return bool(pending(database))
        if words == ["check"]:
            return check(database)
    return "usage: manage.py migrate [--check] | check"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
