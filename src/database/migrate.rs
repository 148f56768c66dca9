//! Migrations: numbered files, applied once each, in order, never changed afterwards.
//!
//! The SQL is the part that SQLite and PostgreSQL share: BIGINT, TEXT, BLOB, `INTEGER PRIMARY KEY` for a number the database
//! gives, parameters `?1`, ON CONFLICT, RETURNING. For PostgreSQL a runner would respell those five words and nothing else.

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::{Error, tables};
use crate::clock::Timestamp;

/// Every migration there is: number, name, contents.
const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "base", sql: include_str!("migrations/0001_base.sql") },
    Migration {
        number: 2,
        name: "directory_mailbox",
        sql: include_str!("migrations/0002_directory_mailbox.sql"),
    },
    Migration { number: 3, name: "ledger", sql: include_str!("migrations/0003_ledger.sql") },
    Migration { number: 4, name: "recall", sql: include_str!("migrations/0004_recall.sql") },
    Migration { number: 5, name: "policy", sql: include_str!("migrations/0005_policy.sql") },
    Migration { number: 6, name: "delivery", sql: include_str!("migrations/0006_delivery.sql") },
    Migration { number: 7, name: "admin", sql: include_str!("migrations/0007_admin.sql") },
    Migration { number: 8, name: "moves", sql: include_str!("migrations/0008_moves.sql") },
    Migration { number: 9, name: "faded", sql: include_str!("migrations/0009_faded.sql") },
    Migration { number: 10, name: "isolated", sql: include_str!("migrations/0010_isolated.sql") },
    Migration { number: 11, name: "withheld", sql: include_str!("migrations/0011_withheld.sql") },
    Migration { number: 12, name: "fenced_in", sql: include_str!("migrations/0012_fenced_in.sql") },
    Migration { number: 13, name: "away", sql: include_str!("migrations/0013_away.sql") },
    Migration { number: 14, name: "reported", sql: include_str!("migrations/0014_reported.sql") },
    Migration {
        number: 15,
        name: "conversations",
        sql: include_str!("migrations/0015_conversations.sql"),
    },
    Migration { number: 16, name: "sending", sql: include_str!("migrations/0016_sending.sql") },
    Migration { number: 17, name: "imap", sql: include_str!("migrations/0017_imap.sql") },
    Migration { number: 18, name: "directory", sql: include_str!("migrations/0018_directory.sql") },
    Migration { number: 19, name: "elsewhere", sql: include_str!("migrations/0019_elsewhere.sql") },
];

#[derive(Clone, Copy)]
struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

/// Brings the database to the newest migration; refuses one from the future, or one whose past differs from ours.
pub(super) fn migrate(connection: &Connection, now: Timestamp) -> Result<(), Error> {
    migrate_with(connection, MIGRATIONS, now)
}

/// Refuses what [`migrate`] would refuse, and changes nothing.
pub(super) fn check(connection: &Connection) -> Result<(), Error> {
    applied(connection, MIGRATIONS).map(|_| ())
}

fn migrate_with(
    connection: &Connection,
    migrations: &[Migration],
    now: Timestamp,
) -> Result<(), Error> {
    let have = applied(connection, migrations)?;
    for migration in &migrations[have..] {
        apply(connection, migration, now)?;
    }
    Ok(())
}

/// How many of the migrations the database already has.
fn applied(connection: &Connection, migrations: &[Migration]) -> Result<usize, Error> {
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        return Err(Error::Io("the database file is read-only".to_owned()));
    }
    connection.execute_batch(tables::CREATE_MIGRATIONS)?;
    let mut statement = connection.prepare(tables::LIST_MIGRATIONS)?;
    let rows =
        statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let known = migrations.last().map_or(0, |migration| migration.number);
    if let Some((found, _)) = rows.last()
        && *found > known
    {
        return Err(Error::FromTheFuture { found: *found, known });
    }
    for (index, (number, checksum)) in rows.iter().enumerate() {
        let same = migrations
            .get(index)
            .is_some_and(|ours| ours.number == *number && ours.checksum() == checksum[..]);
        if !same {
            return Err(Error::MigrationChanged(*number));
        }
    }
    Ok(rows.len())
}

/// One migration, whole or not at all.
fn apply(connection: &Connection, migration: &Migration, now: Timestamp) -> Result<(), Error> {
    connection.execute_batch(tables::BEGIN_WRITE)?;
    let done = connection.execute_batch(migration.sql).and_then(|()| {
        let row = params![migration.number, migration.name, migration.checksum(), now.ms()];
        connection.execute(tables::INSERT_MIGRATION, row)?;
        connection.execute_batch(tables::COMMIT)
    });
    if done.is_err() && !connection.is_autocommit() {
        connection.execute_batch(tables::ROLLBACK)?;
    }
    Ok(done?)
}

impl Migration {
    fn checksum(&self) -> [u8; 32] {
        Sha256::digest(self.sql.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Migration =
        Migration { number: 1, name: "a", sql: "CREATE TABLE a (x BIGINT NOT NULL);" };
    const SECOND: Migration =
        Migration { number: 2, name: "b", sql: "INSERT INTO a (x) VALUES (7);" };

    #[test]
    fn numbers_ascend() {
        assert!(MIGRATIONS.windows(2).all(|pair| pair[0].number < pair[1].number));
    }

    #[test]
    fn each_is_applied_once() {
        let connection = Connection::open_in_memory().unwrap();
        migrate_with(&connection, &[FIRST], Timestamp(1)).unwrap();
        migrate_with(&connection, &[FIRST, SECOND], Timestamp(2)).unwrap();
        migrate_with(&connection, &[FIRST, SECOND], Timestamp(3)).unwrap();
        let rows: i64 =
            connection.query_row("SELECT COUNT(*) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
    }

    #[test]
    fn the_future_and_a_changed_past_are_refused() {
        let connection = Connection::open_in_memory().unwrap();
        migrate_with(&connection, &[FIRST, SECOND], Timestamp(1)).unwrap();
        assert_eq!(
            migrate_with(&connection, &[FIRST], Timestamp(2)),
            Err(Error::FromTheFuture { found: 2, known: 1 })
        );
        let changed = Migration { sql: "CREATE TABLE a (x BIGINT);", ..FIRST };
        assert_eq!(
            migrate_with(&connection, &[changed, SECOND], Timestamp(2)),
            Err(Error::MigrationChanged(1))
        );
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        let broken =
            Migration { number: 1, name: "a", sql: "CREATE TABLE a (x BIGINT); nonsense;" };
        assert!(migrate_with(&connection, &[broken], Timestamp(1)).is_err());
        migrate_with(&connection, &[FIRST], Timestamp(1)).unwrap();
    }
}
