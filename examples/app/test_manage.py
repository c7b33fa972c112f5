import sqlite3

import manage


def test_every_migration_is_applied_once():
    database = sqlite3.connect(":memory:")
    assert manage.pending(database) == manage.MIGRATIONS
    manage.migrate(database)
    assert manage.pending(database) == []


def test_a_table_that_is_missing_is_found():
    database = sqlite3.connect(":memory:")
    assert manage.check(database)
    manage.migrate(database)
    assert not manage.check(database)
