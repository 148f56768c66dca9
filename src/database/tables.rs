//! The SQL of this room: transactions, settings of a connection, and the tables of `0001_base.sql` that are not the audit's.

pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
pub(super) const BEGIN_READ: &str = "BEGIN DEFERRED";
pub(super) const COMMIT: &str = "COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";
pub(super) const SAVEPOINT: &str = "SAVEPOINT job";
pub(super) const RELEASE: &str = "RELEASE SAVEPOINT job";
pub(super) const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT job";

/// Settings every connection has. The names of tables in a schema cannot run code, and nothing spills to disk beside the database.
pub(super) const EVERY_CONNECTION: &str = "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; \
    PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2048;";
/// Pages the writer keeps, in KiB; what the readers read again, the kernel has.
pub(super) const WRITER_CACHE: &str = "PRAGMA cache_size = -8192";
pub(super) const DURABLE: &str = "PRAGMA synchronous = FULL";
pub(super) const NOT_DURABLE: &str = "PRAGMA synchronous = OFF";
pub(super) const ALONE: &str = "PRAGMA locking_mode = EXCLUSIVE";
pub(super) const WRITE_AHEAD: &str = "PRAGMA journal_mode = WAL";
pub(super) const KEEP_JOURNAL_SMALL: &str = "PRAGMA wal_autocheckpoint = 4000; \
    PRAGMA journal_size_limit = 67108864";
pub(super) const READ_ONLY: &str = "PRAGMA query_only = ON";
/// One file and nothing beside it: what a backup holds.
pub(super) const PLAIN_JOURNAL: &str = "PRAGMA journal_mode = DELETE";
pub(super) const APPLICATION_ID: &str = "PRAGMA application_id";
/// `Retr` in ASCII.
pub(super) const SET_APPLICATION_ID: &str = "PRAGMA application_id = 1382380658";
pub(super) const OUR_APPLICATION_ID: i64 = 1_382_380_658;
pub(super) const PAGE_SIZE: &str = "PRAGMA page_size";
pub(super) const PAGE_COUNT: &str = "PRAGMA page_count";
pub(super) const FREE_PAGES: &str = "PRAGMA freelist_count";
pub(super) const PAGES_MAX: &str = "max_page_count";
pub(super) const INTEGRITY: &str = "PRAGMA integrity_check(20)";
pub(super) const FOREIGN_KEYS: &str = "PRAGMA foreign_key_check";

pub(super) const COUNT_TABLES: &str = "SELECT COUNT(*) FROM sqlite_master";
pub(super) const CREATE_MIGRATIONS: &str = "CREATE TABLE IF NOT EXISTS migrations (\
    number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL, applied_at BIGINT NOT NULL)";
pub(super) const LIST_MIGRATIONS: &str = "SELECT number, checksum FROM migrations ORDER BY number";
pub(super) const INSERT_MIGRATION: &str =
    "INSERT INTO migrations (number, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)";

pub(super) const READ_META: &str = "SELECT value FROM meta WHERE name = ?1";
pub(super) const WRITE_META: &str = "INSERT INTO meta (name, value) VALUES (?1, ?2) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
pub(super) const DELETE_META: &str = "DELETE FROM meta WHERE name = ?1";
pub(super) const READ_SECRET: &str = "SELECT value FROM secrets WHERE name = ?1";
pub(super) const INSERT_SECRET: &str =
    "INSERT INTO secrets (name, value, made_at) VALUES (?1, ?2, ?3)";
pub(super) const NEWEST_EPOCH: &str =
    "SELECT epoch, began_at, reason FROM epochs ORDER BY epoch DESC LIMIT 1";
pub(super) const LIST_EPOCHS: &str =
    "SELECT epoch, began_at, reason FROM epochs ORDER BY epoch LIMIT 10000";
pub(super) const INSERT_EPOCH: &str =
    "INSERT INTO epochs (epoch, began_at, reason) VALUES (?1, ?2, ?3)";
