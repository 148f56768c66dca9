//! Items that could not be shown: left out alone, not held, and tried again later or when the software is another.
//!
//! A collection's position has gone past them, so nothing but this table remembers that the device still lacks them. A row goes when the
//! item is proven to be there, or gone from the folder; one that is shown and whose answer is lost is still due.

mod tables;

use std::time::Duration;

use super::Place;
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::ItemNumber;

/// The items of a collection whose time has come, or which other software could not show; at most `limit`.
pub fn due(
    tx: &Tx<'_>,
    place: Place,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<ItemNumber>, Error> {
    tables::due(tx, place, now, SOFTWARE, limit)
}

/// An item could not be shown, now or again.
pub fn note(tx: &Tx<'_>, place: Place, item: ItemNumber, now: Timestamp) -> Result<(), Error> {
    let tries = tables::tries(tx, place, item)?.saturating_add(1);
    tables::put(tx, place, item, tries, now.after(pause(tries)), SOFTWARE)
}

/// An item needs no more trying.
pub fn forget(tx: &Tx<'_>, place: Place, item: ItemNumber) -> Result<(), Error> {
    tables::delete(tx, place, item)
}

/// How long after so many tries.
fn pause(tries: u64) -> Duration {
    match tries {
        0 | 1 => HOUR,
        2 => 24 * HOUR,
        _ => 7 * 24 * HOUR,
    }
}

/// What tells software apart.
const SOFTWARE: &str = env!("CARGO_PKG_VERSION");
const HOUR: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::database::{Database, Options};
    use crate::ids::{DeviceId, FolderId};

    #[test]
    fn an_item_is_due_after_longer_and_longer_pauses_and_with_other_software() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_795_500_000_000));
        let database = Database::open(dir.path(), Options::quick(&clock)).unwrap();
        let place = Place { device: DeviceId(1), folder: FolderId(2) };
        let (item, start) = (ItemNumber(3), clock.now());
        let job = move |tx: &Tx<'_>| {
            let is_due = |now| Ok::<_, Error>(due(tx, place, now, 10)? == [item]);
            note(tx, place, item, start)?;
            assert!(!is_due(start.after(HOUR / 2))?);
            assert!(is_due(start.after(HOUR))?);
            note(tx, place, item, start)?;
            assert!(!is_due(start.after(HOUR))?);
            assert!(is_due(start.after(24 * HOUR))?);
            tables::put(tx, place, item, 2, start.after(24 * HOUR), "0.0.0")?;
            assert!(is_due(start)?, "other software may know better");
            forget(tx, place, item)?;
            assert!(!is_due(start.after(24 * HOUR))?);
            Ok::<_, Error>(())
        };
        database.write_blocking(job).unwrap();
    }
}
