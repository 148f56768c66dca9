//! Which items of a collection a device holds: bitmaps in rows of 4,096 items, so that a write follows the change.
//!
//! A row is (device, folder, kind, item / 4096) and at most 512 octets: the list of its items, its runs or its 4,096 bits,
//! whichever is shortest. Kinds below 8 are states, which come and go; from 8 on they are exposure flags, which only grow.

use roaring::RoaringBitmap;

use super::exposure::Exposure;
use super::tables;
use crate::database::{Error, Tx};
use crate::ids::{DeviceId, FolderId};

/// Items in one row.
const CHUNK_ITEMS: u32 = 4096;
/// Octets of a row at most.
const CHUNK_BYTES_MAX: usize = 512;

/// What a row's bits say of its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Proven to be in the device's cache.
    Held,
    /// Perhaps in its cache: it left in an answer that was never proven.
    Loose,
    /// The device believes it read.
    Read,
    /// The device believes it flagged.
    Flagged,
    /// Whether it believes it read or flagged is not known: a change left in an answer that was never proven.
    Unsure,
    /// Was perhaps in its cache when the device began again with key 0, and no enumeration since is proven to its end.
    Former,
    /// Exposed in this way; only single flags of [`Exposure::ALL`] have rows.
    Exposed(Exposure),
}

impl Kind {
    fn number(self) -> i64 {
        match self {
            Kind::Held => 0,
            Kind::Loose => 1,
            Kind::Read => 2,
            Kind::Flagged => 3,
            Kind::Unsure => 4,
            Kind::Former => 5,
            Kind::Exposed(flag) => 8 + i64::from(flag.bits().trailing_zeros()),
        }
    }
}

/// One collection of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The device.
    pub device: DeviceId,
    /// The folder its collection shows.
    pub folder: FolderId,
}

/// Those of `items` that have `kind`.
pub fn among(
    tx: &Tx<'_>,
    place: Place,
    kind: Kind,
    items: &RoaringBitmap,
) -> Result<RoaringBitmap, Error> {
    let mut found = RoaringBitmap::new();
    for (chunk, wanted) in by_chunk(items) {
        if let Some(bits) = tables::holding(tx, place, kind.number(), chunk)? {
            found |= wanted & decode(chunk, &bits)?;
        }
    }
    Ok(found)
}

/// Every item of the collection that has `kind`.
pub fn all(tx: &Tx<'_>, place: Place, kind: Kind) -> Result<RoaringBitmap, Error> {
    let mut found = RoaringBitmap::new();
    for (chunk, bits) in tables::holdings(tx, place, kind.number())? {
        found |= decode(chunk, &bits)?;
    }
    Ok(found)
}

/// Adds `items` to `kind`.
pub fn add(tx: &Tx<'_>, place: Place, kind: Kind, items: &RoaringBitmap) -> Result<(), Error> {
    change(tx, place, kind, items, |bits, items| bits | items)
}

/// Takes `items` out of `kind`. Exposure has no way back: asking for it is our own bug.
pub fn remove(tx: &Tx<'_>, place: Place, kind: Kind, items: &RoaringBitmap) -> Result<(), Error> {
    assert!(!matches!(kind, Kind::Exposed(_)), "exposure never shrinks");
    change(tx, place, kind, items, |bits, items| bits - items)
}

/// Takes every item out of a state.
pub fn clear(tx: &Tx<'_>, place: Place, kind: Kind) -> Result<(), Error> {
    assert!(!matches!(kind, Kind::Exposed(_)), "exposure never shrinks");
    tables::clear_holdings(tx, place, kind.number())
}

/// Records that each of `items` was exposed in all the ways of `exposure`.
pub fn expose(
    tx: &Tx<'_>,
    place: Place,
    exposure: Exposure,
    items: &RoaringBitmap,
) -> Result<(), Error> {
    for flag in Exposure::ALL {
        if exposure.contains(flag) {
            add(tx, place, Kind::Exposed(flag), items)?;
        }
    }
    Ok(())
}

/// Whether the item is held, loose or left from before a key 0, and all its exposure, in one look-up.
pub fn traces(tx: &Tx<'_>, place: Place, item: u32) -> Result<(bool, Exposure), Error> {
    let chunk = item / CHUNK_ITEMS;
    let (mut open, mut exposure) = (false, Exposure::NEVER);
    for (kind, bits) in tables::holdings_of_chunk(tx, place, chunk)? {
        if !decode(chunk, &bits)?.contains(item) {
            continue;
        }
        match kind {
            0 | 1 | 5 => open = true,
            2..8 => {}
            _ => exposure |= Exposure::from_bits(1u16.checked_shl(kind as u32 - 8).unwrap_or(0)),
        }
    }
    Ok((open, exposure))
}

fn change(
    tx: &Tx<'_>,
    place: Place,
    kind: Kind,
    items: &RoaringBitmap,
    combine: impl Fn(RoaringBitmap, RoaringBitmap) -> RoaringBitmap,
) -> Result<(), Error> {
    for (chunk, wanted) in by_chunk(items) {
        let before = match tables::holding(tx, place, kind.number(), chunk)? {
            Some(bits) => decode(chunk, &bits)?,
            None => RoaringBitmap::new(),
        };
        let after = combine(before.clone(), wanted);
        if after.is_empty() {
            tables::delete_holding(tx, place, kind.number(), chunk)?;
        } else if after != before {
            tables::put_holding(tx, place, kind.number(), chunk, &encode(chunk, &after))?;
        }
    }
    Ok(())
}

fn by_chunk(items: &RoaringBitmap) -> Vec<(u32, RoaringBitmap)> {
    let mut chunks: Vec<(u32, RoaringBitmap)> = Vec::new();
    for item in items {
        let chunk = item / CHUNK_ITEMS;
        match chunks.last_mut() {
            Some((last, bits)) if *last == chunk => {
                bits.insert(item);
            }
            _ => chunks.push((chunk, RoaringBitmap::from_iter([item]))),
        }
    }
    chunks
}

const LIST: u8 = 1;
const RUNS: u8 = 2;

fn encode(chunk: u32, items: &RoaringBitmap) -> Vec<u8> {
    let offsets: Vec<u16> =
        items.iter().map(|i| u16::try_from(i - chunk * CHUNK_ITEMS).expect("below 4096")).collect();
    let runs = runs(&offsets);
    let (list_len, runs_len) = (1 + 2 * offsets.len(), 1 + 4 * runs.len());
    if runs_len.min(list_len) >= CHUNK_BYTES_MAX {
        let mut bits = vec![0u8; CHUNK_BYTES_MAX];
        for offset in offsets {
            bits[usize::from(offset / 8)] |= 1 << (offset % 8);
        }
        return bits;
    }
    let numbers: Vec<u16> = if runs_len <= list_len {
        runs.into_iter().flat_map(|(a, b)| [a, b]).collect()
    } else {
        offsets
    };
    let mut out = vec![if runs_len <= list_len { RUNS } else { LIST }];
    out.extend(numbers.into_iter().flat_map(u16::to_le_bytes));
    out
}

/// (first, last) of each run, both inclusive.
fn runs(offsets: &[u16]) -> Vec<(u16, u16)> {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &offset in offsets {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == offset => *last = offset,
            _ => runs.push((offset, offset)),
        }
    }
    runs
}

fn decode(chunk: u32, bytes: &[u8]) -> Result<RoaringBitmap, Error> {
    let base = chunk.saturating_mul(CHUNK_ITEMS);
    let mut items = RoaringBitmap::new();
    if bytes.len() == CHUNK_BYTES_MAX {
        for (index, byte) in (0u32..).zip(bytes) {
            for bit in (0..8).filter(|bit| byte & (1 << bit) != 0) {
                items.insert(base + index * 8 + bit);
            }
        }
        return Ok(items);
    }
    let numbers: Vec<u32> =
        bytes[1..].chunks_exact(2).map(|b| u32::from(u16::from_le_bytes([b[0], b[1]]))).collect();
    match bytes.first() {
        Some(&LIST) => items.extend(numbers.into_iter().map(|n| base + n)),
        Some(&RUNS) => {
            for run in numbers.chunks_exact(2) {
                items.insert_range(base + run[0]..=base + run[1]);
            }
        }
        _ => return Err(Error::Corrupt("a row of holdings has an unknown form".to_owned())),
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_never_passes_512_octets_and_comes_back_whole() {
        let shapes: [Vec<u32>; 6] = [
            vec![0],
            (0..4096).collect(),
            (0..4096).step_by(2).collect(),
            (0..4096).step_by(37).collect(),
            (100..900).chain(2000..2100).collect(),
            vec![4095],
        ];
        for shape in shapes {
            let items: RoaringBitmap = shape.iter().map(|i| i + 3 * CHUNK_ITEMS).collect();
            let bytes = encode(3, &items);
            assert!(bytes.len() <= CHUNK_BYTES_MAX, "{} octets", bytes.len());
            assert_eq!(decode(3, &bytes).unwrap(), items);
        }
    }

    #[test]
    fn a_full_chunk_costs_five_octets() {
        assert_eq!(encode(0, &(0..4096).collect()).len(), 5);
    }
}
