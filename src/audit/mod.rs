//! What happened, provably.
//!
//! Whoever changes state notes an [`Event`] in the same transaction: both are there or neither. Entries are numbered leaves of a
//! tree after RFC 6962, so a root that is kept elsewhere proves later that nothing before it was changed, removed or slipped in.
//!
//! - An entry is never changed. Erasing a person removes clear values from beside it; what was hashed stays.
//! - What an entry says about a person is in it only as a commitment (`event.rs`).
//! - `verify` trusts no stored hash: it begins with the bytes.

mod event;
mod tables;
mod tree;
mod verify;

pub use event::{Event, FIELDS_MAX, Number, Record, TEXT_BYTES_MAX, Value, commitment};
pub use tree::{
    Frontier, Head, TreeHash, consistency_ranges, continues, includes, inclusion_ranges,
};
pub use verify::{Bad, Inclusion, Report, prove, prove_growth, verify, verify_against};

use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::OrderId;
use event::{SALT_BYTES, Said};
use tables::{EntryRow, PersonalRow};

/// An entry as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 0.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Of what kind it is.
    pub kind: String,
    /// What it says, in the order it was noted.
    pub fields: Vec<Field>,
}

/// A field of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What was hashed.
    pub value: Value,
    /// The words behind a [`Value::Personal`], unless they have been erased.
    pub clear: Option<String>,
    /// The salt that opens the commitment together with `clear`.
    pub salt: Option<Vec<u8>>,
}

/// Notes that this happens, in the transaction that makes it happen; answers the number of the entry.
pub fn note(tx: &Tx<'_>, now: Timestamp, event: &Event) -> Result<u64, Error> {
    let mut tree = tables::load_frontier(tx)?;
    let number = tree.size();
    let Committed { fields, personal } = committed(event, number)?;
    let record = Record { number, at: now, kind: event.kind.to_owned(), fields };
    let body = record.encode();
    let leaf = TreeHash::leaf(&body);
    let order = event.order();
    tables::insert_entry(tx, &EntryRow { number, at: now, kind: record.kind, order, body, leaf })?;
    for row in &personal {
        tables::insert_personal(tx, row)?;
    }
    tree.push(leaf);
    tables::store_frontier(tx, &tree)?;
    Ok(number)
}

/// Entries after number `after` (from the first, when `None`), oldest first, at most `limit`; of one order, when given.
pub fn entries(
    tx: &Tx<'_>,
    after: Option<u64>,
    limit: usize,
    order: Option<OrderId>,
) -> Result<Vec<Entry>, Error> {
    let from = after.map_or(0, |after| after.saturating_add(1));
    let rows = tables::list_from(tx, from, limit.min(PAGE_ENTRIES_MAX), order)?;
    rows.into_iter().map(|row| entry(tx, &row)).collect()
}

/// Entries before number `before` (from the last, when `None`), newest first, at most `limit`; of one order, when given.
pub fn newest(
    tx: &Tx<'_>,
    before: Option<u64>,
    limit: usize,
    order: Option<OrderId>,
) -> Result<Vec<Entry>, Error> {
    let before = before.unwrap_or(i64::MAX.cast_unsigned());
    let rows = tables::list_before(tx, before, limit.min(PAGE_ENTRIES_MAX), order)?;
    rows.into_iter().map(|row| entry(tx, &row)).collect()
}

/// The tree as it stands: what an export carries and a later verification is compared with.
pub fn head(tx: &Tx<'_>) -> Result<Head, Error> {
    Ok(tables::load_frontier(tx)?.head())
}

/// Erases the clear personal values of one entry, and notes that; answers how many there were.
pub fn erase_entry(tx: &Tx<'_>, now: Timestamp, number: u64) -> Result<usize, Error> {
    let erased = tables::erase_entry(tx, number)?;
    let event = Event::new("audit.erased").id("entry", number).id("values", erased);
    note(tx, now, &event).map(|_| erased)
}

/// Erases a personal value, such as the address of somebody who left, from all entries, and notes that without it; answers how
/// many there were.
pub fn erase_value(tx: &Tx<'_>, now: Timestamp, value: &str) -> Result<usize, Error> {
    let erased = tables::erase_value(tx, value)?;
    note(tx, now, &Event::new("audit.erased").id("values", erased)).map(|_| erased)
}

/// An event's fields as they are hashed, and the rows that open the commitments among them.
#[derive(Default)]
struct Committed {
    fields: Vec<(String, Value)>,
    personal: Vec<PersonalRow>,
}

fn committed(event: &Event, number: u64) -> Result<Committed, Error> {
    let mut committed = Committed::default();
    for (position, (name, said)) in event.fields.iter().enumerate() {
        let value = match said {
            Said::Number(number) => Value::Number(*number),
            Said::Text(text) => Value::Text(text.clone()),
            Said::Personal(text) => {
                let salt = salt()?;
                let value = Value::Personal(commitment(&salt, text));
                let salt = salt.to_vec();
                committed.personal.push(PersonalRow {
                    number,
                    position,
                    salt,
                    value: text.clone(),
                });
                value
            }
        };
        committed.fields.push(((*name).to_owned(), value));
    }
    Ok(committed)
}

fn entry(tx: &Tx<'_>, row: &EntryRow) -> Result<Entry, Error> {
    let record = Record::decode(&row.body)
        .ok_or_else(|| Error::Corrupt(format!("audit entry {} is not one", row.number)))?;
    let mut fields: Vec<Field> = record
        .fields
        .into_iter()
        .map(|(name, value)| Field { name, value, clear: None, salt: None })
        .collect();
    if fields.iter().any(|field| matches!(field.value, Value::Personal(_))) {
        for personal in tables::list_personal(tx, row.number)? {
            if let Some(field) = fields.get_mut(personal.position) {
                field.clear = Some(personal.value);
                field.salt = Some(personal.salt);
            }
        }
    }
    Ok(Entry { number: record.number, at: record.at, kind: record.kind, fields })
}

fn salt() -> Result<[u8; SALT_BYTES], Error> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| Error::Io(error.to_string()))?;
    Ok(salt)
}

/// Entries one call answers at most.
const PAGE_ENTRIES_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::database::{Database, Options};
    use crate::params;

    fn open() -> (tempfile::TempDir, Database) {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::quick(&Clock::manual(Timestamp(1_000)));
        let database = Database::open(dir.path(), options).unwrap();
        (dir, database)
    }

    /// A diary of `count` entries about order 7 (even numbers) and order 8.
    fn diary(count: u64) -> (tempfile::TempDir, Database) {
        let (dir, database) = open();
        database
            .write_blocking(move |tx| {
                for index in 0..count {
                    let order = OrderId(7 + i64::try_from(index % 2).unwrap());
                    let event = Event::new("order.fenced")
                        .id("order", order)
                        .text("reason", "leak")
                        .personal("by", format!("user{index}@example.org"));
                    assert_eq!(note(tx, Timestamp(5_000), &event)?, index);
                }
                Ok::<_, Error>(())
            })
            .unwrap();
        (dir, database)
    }

    fn verified(database: &Database) -> Report {
        database.read_blocking(verify).unwrap()
    }

    fn tamper(database: &Database, sql: &'static str) -> Option<Bad> {
        database.write_blocking(move |tx| tx.execute(sql, params![])).unwrap();
        verified(database).first_bad
    }

    #[test]
    fn what_was_noted_is_read_and_verifies() {
        let (_dir, database) = diary(5);
        let entries =
            database.read_blocking(|tx| entries(tx, Some(1), 2, Some(OrderId(7)))).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(entries[0].fields[2].clear.as_deref(), Some("user2@example.org"));
        let newest = database.read_blocking(|tx| newest(tx, None, 2, None)).unwrap();
        assert_eq!(newest.iter().map(|entry| entry.number).collect::<Vec<_>>(), [4, 3]);
        let report = verified(&database);
        assert_eq!(report.first_bad, None);
        assert_eq!(report.head, database.read_blocking(head).unwrap());
        assert_eq!(report.head.size, 5);
    }

    #[test]
    fn a_job_that_fails_leaves_no_entry() {
        let (_dir, database) = diary(2);
        let failed: Result<(), Error> = database.write_blocking(|tx| {
            note(tx, Timestamp(6_000), &Event::new("order.cancelled"))?;
            Err(Error::Overloaded)
        });
        assert_eq!(failed, Err(Error::Overloaded));
        assert_eq!(verified(&database).head.size, 2);
    }

    #[test]
    fn the_first_changed_entry_is_named() {
        let change = "UPDATE audit_entries SET body = x'00' WHERE number >= 3";
        assert_eq!(tamper(&diary(5).1, change), Some(Bad::Leaf(3)));
        let type_ = "UPDATE audit_entries SET body = 'words' WHERE number >= 3";
        assert_eq!(tamper(&diary(5).1, type_), Some(Bad::Encoding(3)));
        let column = "UPDATE audit_entries SET kind = 'order.cancelled' WHERE number = 2";
        assert_eq!(tamper(&diary(5).1, column), Some(Bad::Columns(2)));
        let value = "UPDATE audit_personal SET value = 'eve@example.org' WHERE number = 1";
        assert_eq!(tamper(&diary(5).1, value), Some(Bad::Personal(1)));
    }

    #[test]
    fn missing_entries_are_named() {
        let (_dir, database) = diary(5);
        tamper(&database, "DELETE FROM audit_personal");
        let gap = tamper(&database, "DELETE FROM audit_entries WHERE number = 2");
        assert_eq!(gap, Some(Bad::Missing(2)));
        let (_dir, database) = diary(5);
        tamper(&database, "DELETE FROM audit_personal");
        let cut = tamper(&database, "DELETE FROM audit_entries WHERE number = 4");
        assert_eq!(cut, Some(Bad::Tree));
    }

    #[test]
    fn a_consistent_forgery_fails_against_a_known_head() {
        let (_dir, honest) = diary(3);
        let known = honest.read_blocking(head).unwrap();
        let (_dir, forged) = open();
        forged
            .write_blocking(|tx| {
                for _ in 0..4 {
                    note(tx, Timestamp(5_000), &Event::new("nothing.happened"))?;
                }
                Ok::<_, Error>(())
            })
            .unwrap();
        assert_eq!(verified(&forged).first_bad, None);
        let report = forged.read_blocking(move |tx| verify_against(tx, known)).unwrap();
        assert_eq!(report.first_bad, Some(Bad::Head(3)));
        let report = honest.read_blocking(move |tx| verify_against(tx, known)).unwrap();
        assert_eq!(report.first_bad, None);
    }

    #[test]
    fn erasing_breaks_no_proof() {
        let (_dir, database) = diary(3);
        let before = database.read_blocking(head).unwrap();
        let erased = database
            .write_blocking(|tx| erase_value(tx, Timestamp(9_000), "user1@example.org"))
            .unwrap();
        assert_eq!(erased, 1);
        let report = database.read_blocking(move |tx| verify_against(tx, before)).unwrap();
        assert_eq!((report.head.size, report.first_bad), (4, None));
        let entries = database.read_blocking(|tx| entries(tx, Some(0), 1, None)).unwrap();
        assert_eq!(entries[0].fields[2].clear, None);
    }

    #[test]
    fn proofs_stand_without_the_database() {
        let (_dir, database) = diary(6);
        let old = database.read_blocking(head).unwrap();
        database
            .write_blocking(|tx| note(tx, Timestamp(9_000), &Event::new("order.closed")))
            .unwrap();
        for number in 0..7 {
            let proof = database.read_blocking(move |tx| prove(tx, number)).unwrap().unwrap();
            assert!(proof.holds());
            let mut changed = proof;
            changed.body[20] ^= 1;
            assert!(!changed.holds());
        }
        assert_eq!(database.read_blocking(|tx| prove(tx, 7)), Ok(None));
        let (new, proof) = database.read_blocking(|tx| prove_growth(tx, 6)).unwrap();
        assert!(continues(old, new, &proof));
    }
}
