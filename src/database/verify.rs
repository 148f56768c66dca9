//! Is the state whole? SQLite's own check of the file, and every body against its name.
//!
//! The audit has its own check, `audit::verify`; `retract verify` runs both.

use super::{Bodies, Database, Error, tables};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// SQLite found the file damaged, in its words.
    File(String),
    /// A row points to a row that is not there: the table it is in.
    Reference(String),
    /// A body cannot be read, or has other contents than its name says.
    Body(super::BodyHash, String),
}

/// Checks the file and the bodies; an empty answer is good news. Reads everything, and blocks while it does.
pub fn verify(database: &Database, bodies: &Bodies) -> Result<Vec<Finding>, Error> {
    let mut findings = database.read_blocking(|tx| {
        let words: Vec<String> = tx.all(tables::INTEGRITY, &[], |row| row.get(0))?;
        let tables: Vec<String> = tx.all(tables::FOREIGN_KEYS, &[], |row| row.get(0))?;
        let damage = words.into_iter().filter(|words| words != "ok").map(Finding::File);
        Ok::<_, Error>(damage.chain(tables.into_iter().map(Finding::Reference)).collect::<Vec<_>>())
    })?;
    for hash in bodies.hashes()? {
        if let Err(error) = bodies.get(hash) {
            findings.push(Finding::Body(hash, error.to_string()));
        }
    }
    Ok(findings)
}
