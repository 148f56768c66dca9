//! Which folders a device knows: one key series for FolderSync, FolderCreate, FolderUpdate and FolderDelete ([MS-ASCMD] 2.2.1.5).
//!
//! As with items, an answer that nobody has proven stands beside the proven list instead of replacing it.

use super::device::Device;
use super::reconcile::Books;
use super::sync_key::{Claim, Known, SyncKey, Verdict, judge};
use super::tables::{self, HierarchyRow};
use crate::database::{Error, Tx};
use crate::ids::DeviceId;

/// The collection number that stands for the hierarchy in the scope of a key.
pub const HIERARCHY: i64 = 0;

/// A folder as a device was told of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// The folder's row.
    pub folder: i64,
    /// Its number: the ServerId.
    pub number: u32,
    /// Its parent's number, 0 for the root.
    pub parent: u32,
    /// [MS-ASCMD] 2.2.3.186.2.
    pub kind: u8,
    /// DisplayName.
    pub name: String,
}

/// The list a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    key: SyncKey,
    folders: Vec<Told>,
}

/// One device's hierarchy.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    device: DeviceId,
    version: u64,
    seq_max: u64,
    proven: Option<SyncKey>,
    /// The folders of the proven key.
    pub folders: Vec<Told>,
    in_flight: Vec<Version>,
}

/// Answers in flight at most.
const SIBLINGS_MAX: usize = 4;

impl Hierarchy {
    /// Loads a device's hierarchy, or an empty one.
    pub fn load(tx: &Tx<'_>, device: DeviceId) -> Result<Hierarchy, Error> {
        let Some(row) = tables::hierarchy(tx, device)? else {
            return Ok(Hierarchy {
                device,
                version: 0,
                seq_max: 0,
                proven: None,
                folders: Vec::new(),
                in_flight: Vec::new(),
            });
        };
        let mut reader = Reader(&row.in_flight);
        let mut in_flight = Vec::new();
        while !reader.0.is_empty() {
            let seq = reader.u64()?;
            let key = SyncKey::from_row(seq, reader.take(16)?).ok_or_else(corrupt)?;
            in_flight.push(Version { key, folders: reader.folders()? });
        }
        Ok(Hierarchy {
            device,
            version: row.version,
            seq_max: row.seq_max,
            proven: row.proven,
            folders: Reader(&row.folders).folders()?,
            in_flight,
        })
    }

    /// Judges a claim and, where it proves that an answer arrived, takes that answer's list for the proven one (in memory).
    pub fn claim(&mut self, books: &Books, device: &Device, claim: Claim) -> Verdict {
        let known = Known {
            proven: self.proven,
            siblings: self.in_flight.iter().map(|v| v.key).collect(),
            seq_max: self.seq_max,
        };
        let verdict = judge(claim, &known, |key| books.authentic(device, HIERARCHY, key));
        // As with items: a list from before a wipe, a removal or a resync is back.
        let is_earlier = verdict == Verdict::Forged
            && !known.has(claim)
            && books.of_earlier_partnership(device, HIERARCHY, claim);
        let verdict = if is_earlier { Verdict::Regressed } else { verdict };
        match verdict {
            Verdict::Current(Some(index)) | Verdict::Sibling(index) => {
                let arrived = self.in_flight.swap_remove(index);
                self.proven = Some(arrived.key);
                self.folders = arrived.folders;
                self.in_flight.clear();
            }
            Verdict::First => {
                self.proven = None;
                self.folders.clear();
                self.in_flight.clear();
            }
            _ => {}
        }
        verdict
    }

    /// The key of the proven list, to be repeated when there is nothing to say.
    pub fn key(&self) -> Option<SyncKey> {
        self.proven
    }

    /// The list the device was told last, proven or not; `None` where it never asked.
    pub fn newest(&self) -> Option<&[Told]> {
        match self.in_flight.last() {
            Some(version) => Some(&version.folders),
            None => self.proven.map(|_| &self.folders[..]),
        }
    }

    /// The sequence number the proven key has; 0 before any.
    pub fn proven_seq(&self) -> u64 {
        self.proven.map_or(0, |key| key.seq)
    }

    /// Puts a list on the books and issues its key; the same list offered again keeps its key.
    pub fn offer(
        &mut self,
        books: &Books,
        device: &Device,
        folders: Vec<Told>,
    ) -> Result<SyncKey, Error> {
        if let Some(same) = self.in_flight.iter().find(|v| v.folders == folders) {
            return Ok(same.key);
        }
        let key = books.issue(device, HIERARCHY, self.seq_max + 1)?;
        self.seq_max += 1;
        self.in_flight.push(Version { key, folders });
        if self.in_flight.len() > SIBLINGS_MAX {
            self.in_flight.remove(0);
        }
        Ok(key)
    }

    /// Writes it if nobody has since it was loaded; says whether it did.
    pub fn store(&mut self, tx: &Tx<'_>) -> Result<bool, Error> {
        let mut in_flight = Vec::new();
        for version in &self.in_flight {
            in_flight.extend(version.key.seq.to_be_bytes());
            in_flight.extend(version.key.tag);
            write_folders(&mut in_flight, &version.folders);
        }
        let mut folders = Vec::new();
        write_folders(&mut folders, &self.folders);
        let row = HierarchyRow {
            version: self.version,
            seq_max: self.seq_max,
            proven: self.proven,
            folders,
            in_flight,
        };
        let written = tables::put_hierarchy(tx, self.device, &row)?;
        if written {
            self.version += 1;
        }
        Ok(written)
    }
}

fn corrupt() -> Error {
    Error::Corrupt("a row of hierarchies is unreadable".to_owned())
}

fn write_folders(out: &mut Vec<u8>, folders: &[Told]) {
    out.extend(u32::try_from(folders.len()).unwrap_or(u32::MAX).to_be_bytes());
    for f in folders {
        out.extend(f.folder.to_be_bytes());
        out.extend(f.number.to_be_bytes());
        out.extend(f.parent.to_be_bytes());
        out.push(f.kind);
        out.extend(u32::try_from(f.name.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(f.name.as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or_else(corrupt)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into().map_err(|_| corrupt())?))
    }

    fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_be_bytes(self.take(8)?.try_into().map_err(|_| corrupt())?))
    }

    fn folders(&mut self) -> Result<Vec<Told>, Error> {
        let count = self.u32()?;
        let mut folders = Vec::new();
        for _ in 0..count {
            let folder = self.u64()?.cast_signed();
            let (number, parent) = (self.u32()?, self.u32()?);
            let kind = self.take(1)?[0];
            let length = usize::try_from(self.u32()?).map_err(|_| corrupt())?;
            let name = std::str::from_utf8(self.take(length)?).map_err(|_| corrupt())?.to_owned();
            folders.push(Told { folder, number, parent, kind, name });
        }
        Ok(folders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_folders_comes_back_whole_and_a_torn_one_is_an_error() {
        let folders = vec![
            Told { folder: 7, number: 1, parent: 0, kind: 2, name: "Inbox".to_owned() },
            Told { folder: -1, number: u32::MAX, parent: 1, kind: 12, name: "Größe".to_owned() },
        ];
        let mut bytes = Vec::new();
        write_folders(&mut bytes, &folders);
        assert_eq!(Reader(&bytes).folders().unwrap(), folders);
        for cut in 0..bytes.len() {
            assert!(Reader(&bytes[..cut]).folders().is_err(), "cut at {cut}");
        }
    }
}
