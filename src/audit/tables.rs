//! The SQL of the audit; its tables are in `0001_base.sql`.

use std::ops::Range;

use super::tree::{Frontier, TreeHash};
use crate::clock::Timestamp;
use crate::database::{Error, Row, Tx};
use crate::ids::OrderId;
use crate::params;

/// A row of `audit_entries`.
#[derive(Clone, Debug)]
pub(super) struct EntryRow {
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) kind: String,
    pub(super) order: Option<i64>,
    pub(super) body: Vec<u8>,
    pub(super) leaf: TreeHash,
}

/// A row of `audit_personal`.
#[derive(Clone, Debug)]
pub(super) struct PersonalRow {
    pub(super) number: u64,
    pub(super) position: usize,
    pub(super) salt: Vec<u8>,
    pub(super) value: String,
}

pub(super) fn load_frontier(tx: &Tx<'_>) -> Result<Frontier, Error> {
    let row = tx.one("SELECT size, frontier FROM audit_tree WHERE id = 1", params![], |row| {
        Ok((row.get::<u64>(0)?, row.get::<Vec<u8>>(1)?))
    })?;
    row.and_then(|(size, bytes)| Frontier::decode(size, &bytes))
        .ok_or_else(|| Error::Corrupt("the audit's tree is not whole".to_owned()))
}

pub(super) fn store_frontier(tx: &Tx<'_>, frontier: &Frontier) -> Result<(), Error> {
    let sql = "UPDATE audit_tree SET size = ?1, frontier = ?2 WHERE id = 1";
    tx.execute(sql, params![frontier.size(), frontier.encode()]).map(|_| ())
}

pub(super) fn insert_entry(tx: &Tx<'_>, row: &EntryRow) -> Result<(), Error> {
    let sql = "INSERT INTO audit_entries (number, at, kind, order_id, body, leaf) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let params = params![row.number, row.at, &row.kind, row.order, &row.body, row.leaf];
    tx.execute(sql, params).map(|_| ())
}

pub(super) fn insert_personal(tx: &Tx<'_>, row: &PersonalRow) -> Result<(), Error> {
    let sql = "INSERT INTO audit_personal (number, position, salt, value) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, params![row.number, row.position, &row.salt, &row.value]).map(|_| ())
}

/// Entries from `from` on, oldest first.
pub(super) fn list_from(
    tx: &Tx<'_>,
    from: u64,
    limit: usize,
    order: Option<OrderId>,
) -> Result<Vec<EntryRow>, Error> {
    match order {
        None => tx.all(
            "SELECT number, at, kind, order_id, body, leaf FROM audit_entries \
                WHERE number >= ?1 ORDER BY number LIMIT ?2",
            params![from, limit],
            read_entry,
        ),
        Some(order) => tx.all(
            "SELECT number, at, kind, order_id, body, leaf FROM audit_entries \
                WHERE order_id = ?3 AND number >= ?1 ORDER BY number LIMIT ?2",
            params![from, limit, order],
            read_entry,
        ),
    }
}

/// Entries before `before`, newest first.
pub(super) fn list_before(
    tx: &Tx<'_>,
    before: u64,
    limit: usize,
    order: Option<OrderId>,
) -> Result<Vec<EntryRow>, Error> {
    match order {
        None => tx.all(
            "SELECT number, at, kind, order_id, body, leaf FROM audit_entries \
                WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
            params![before, limit],
            read_entry,
        ),
        Some(order) => tx.all(
            "SELECT number, at, kind, order_id, body, leaf FROM audit_entries \
                WHERE order_id = ?3 AND number < ?1 ORDER BY number DESC LIMIT ?2",
            params![before, limit, order],
            read_entry,
        ),
    }
}

/// The leaf hashes of a range, oldest first, at most `limit`.
pub(super) fn list_leaves(
    tx: &Tx<'_>,
    range: Range<u64>,
    limit: usize,
) -> Result<Vec<TreeHash>, Error> {
    let sql = "SELECT leaf FROM audit_entries WHERE number >= ?1 AND number < ?2 \
        ORDER BY number LIMIT ?3";
    tx.all(sql, params![range.start, range.end, limit], |row| row.get(0))
}

/// The personal values of one entry.
pub(super) fn list_personal(tx: &Tx<'_>, number: u64) -> Result<Vec<PersonalRow>, Error> {
    let sql = "SELECT number, position, salt, value FROM audit_personal \
        WHERE number = ?1 ORDER BY position";
    tx.all(sql, params![number], read_personal)
}

/// Erases the values of one entry; answers how many those were.
pub(super) fn erase_entry(tx: &Tx<'_>, number: u64) -> Result<usize, Error> {
    tx.execute("DELETE FROM audit_personal WHERE number = ?1", params![number])
}

/// Erases a value wherever it stands; answers how many rows those were.
pub(super) fn erase_value(tx: &Tx<'_>, value: &str) -> Result<usize, Error> {
    tx.execute("DELETE FROM audit_personal WHERE value = ?1", params![value])
}

fn read_entry(row: &Row<'_>) -> Result<EntryRow, Error> {
    Ok(EntryRow {
        number: row.get(0)?,
        at: row.get(1)?,
        kind: row.get(2)?,
        order: row.get(3)?,
        body: row.get(4)?,
        leaf: row.get(5)?,
    })
}

fn read_personal(row: &Row<'_>) -> Result<PersonalRow, Error> {
    let (number, position) = (row.get(0)?, row.get(1)?);
    Ok(PersonalRow { number, position, salt: row.get(2)?, value: row.get(3)? })
}
