//! Has the audit been tampered with? Everything is computed again from the stored bytes.

use std::fmt;
use std::ops::Range;

use super::event::{Record, Value, commitment};
use super::tables::{self, EntryRow};
use super::tree::{self, Frontier, Head, TreeHash};
use crate::database::{Error, Tx};

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The tree as computed from the entries: what to keep elsewhere and compare with next time.
    pub head: Head,
    /// The first thing that is wrong; `None` is good news.
    pub first_bad: Option<Bad>,
}

/// Something that is wrong with the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// An entry with this number is missing.
    Missing(u64),
    /// The entry's bytes are not an entry, or not the one of its number.
    Encoding(u64),
    /// The entry's time, kind or order differs from what its bytes say.
    Columns(u64),
    /// The entry's bytes are not those its leaf hash was made of.
    Leaf(u64),
    /// A clear value is not the one the entry committed to.
    Personal(u64),
    /// The stored tree is not the tree over the entries.
    Tree,
    /// The entries up to the known head are not those it was made of.
    Head(u64),
}

/// Proof that an entry is in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The tree.
    pub head: Head,
    /// The entry's canonical bytes; their leaf hash starts the path.
    pub body: Vec<u8>,
    /// Its number.
    pub number: u64,
    /// The hashes from the leaf up (RFC 6962 2.1.1).
    pub path: Vec<TreeHash>,
}

/// Recomputes all leaf hashes, commitments and the tree; names the first bad entry.
pub fn verify(tx: &Tx<'_>) -> Result<Report, Error> {
    verify_from(tx, None)
}

/// As [`verify`], and checks that the audit still begins with what `known` was the head of.
pub fn verify_against(tx: &Tx<'_>, known: Head) -> Result<Report, Error> {
    verify_from(tx, Some(known))
}

/// The proof that entry `number` is in the tree as it is now; `None` when there is no such entry.
pub fn prove(tx: &Tx<'_>, number: u64) -> Result<Option<Inclusion>, Error> {
    let head = tables::load_frontier(tx)?.head();
    let row = tables::list_from(tx, number, 1, None)?.into_iter().next();
    let Some(row) = row.filter(|row| row.number == number && number < head.size) else {
        return Ok(None);
    };
    let path = tree::roots(&tree::inclusion_ranges(number, head.size), |range, subtree| {
        push_leaves(tx, range, subtree)
    })?;
    Ok(Some(Inclusion { head, body: row.body, number, path }))
}

/// The proof that the tree as it is now continues the one of `old` entries (RFC 6962 2.1.2).
pub fn prove_growth(tx: &Tx<'_>, old: u64) -> Result<(Head, Vec<TreeHash>), Error> {
    let head = tables::load_frontier(tx)?.head();
    let ranges = tree::consistency_ranges(old, head.size);
    let proof = tree::roots(&ranges, |range, subtree| push_leaves(tx, range, subtree))?;
    Ok((head, proof))
}

impl Inclusion {
    /// Whether the path leads from the bytes to the root. Whoever trusts the root needs nothing else of ours.
    pub fn holds(&self) -> bool {
        tree::includes(self.head, self.number, TreeHash::leaf(&self.body), &self.path)
    }
}

fn verify_from(tx: &Tx<'_>, known: Option<Head>) -> Result<Report, Error> {
    let mut tree = Frontier::default();
    let mut first_bad = None;
    loop {
        let Some(rows) = page(tx, tree.size())? else {
            let first_bad = first_bad.or(Some(Bad::Encoding(tree.size())));
            return Ok(Report { head: tree.head(), first_bad });
        };
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let bad = check(tx, row, tree.size())?;
            first_bad = first_bad.or(bad);
            if matches!(first_bad, Some(Bad::Missing(_))) {
                return Ok(Report { head: tree.head(), first_bad });
            }
            tree.push(TreeHash::leaf(&row.body));
            if known.is_some_and(|known| known.size == tree.size() && known != tree.head()) {
                first_bad = first_bad.or(Some(Bad::Head(tree.size())));
            }
        }
    }
    if let Some(known) = known.filter(|known| known.size > tree.size()) {
        first_bad = first_bad.or(Some(Bad::Head(known.size)));
    }
    let is_stored = tables::load_frontier(tx).is_ok_and(|stored| stored == tree);
    first_bad = first_bad.or((!is_stored).then_some(Bad::Tree));
    Ok(Report { head: tree.head(), first_bad })
}

/// The next entries; `None` when the first of them is of types that no entry has.
fn page(tx: &Tx<'_>, from: u64) -> Result<Option<Vec<EntryRow>>, Error> {
    for limit in [PAGE_ENTRIES, 1] {
        match tables::list_from(tx, from, limit, None) {
            Err(Error::Column { .. }) => (),
            rows => return rows.map(Some),
        }
    }
    Ok(None)
}

/// One entry, which should have this number.
fn check(tx: &Tx<'_>, row: &EntryRow, number: u64) -> Result<Option<Bad>, Error> {
    if row.number != number {
        return Ok(Some(Bad::Missing(number)));
    }
    if TreeHash::leaf(&row.body) != row.leaf {
        return Ok(Some(Bad::Leaf(number)));
    }
    let Some(record) = Record::decode(&row.body).filter(|record| record.number == number) else {
        return Ok(Some(Bad::Encoding(number)));
    };
    if record.at != row.at || record.kind != row.kind || record.order() != row.order {
        return Ok(Some(Bad::Columns(number)));
    }
    if !record.fields.iter().any(|(_, value)| matches!(value, Value::Personal(_))) {
        return Ok(None);
    }
    let is_open = |personal: &tables::PersonalRow| {
        let value = record.fields.get(personal.position).map(|(_, value)| value);
        value == Some(&Value::Personal(commitment(&personal.salt, &personal.value)))
    };
    let opened = match tables::list_personal(tx, number) {
        Err(Error::Column { .. }) => false,
        rows => rows?.iter().all(is_open),
    };
    Ok((!opened).then_some(Bad::Personal(number)))
}

fn push_leaves(tx: &Tx<'_>, range: Range<u64>, subtree: &mut Frontier) -> Result<(), Error> {
    let end = range.end;
    let mut from = range.start;
    while from < end {
        let leaves = tables::list_leaves(tx, from..end, PAGE_ENTRIES)?;
        if leaves.is_empty() {
            return Err(Error::Corrupt(format!("no audit entry {from}")));
        }
        from += leaves.len() as u64;
        leaves.into_iter().for_each(|leaf| subtree.push(leaf));
    }
    Ok(())
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::Missing(number) => write!(f, "entry {number} is missing"),
            Bad::Encoding(number) => write!(f, "entry {number} is not an entry of that number"),
            Bad::Columns(number) => write!(f, "entry {number} has another time, kind or order"),
            Bad::Leaf(number) => write!(f, "entry {number} has been changed"),
            Bad::Personal(number) => write!(f, "a clear value of entry {number} was changed"),
            Bad::Tree => f.write_str("the stored tree is not the one over the entries"),
            Bad::Head(size) => write!(f, "the first {size} entries are not those known before"),
        }
    }
}

/// Entries read at a time.
const PAGE_ENTRIES: usize = 1_000;
