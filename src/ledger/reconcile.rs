//! What a claim proves: from the text of a SyncKey to the state the device says it is in.

use std::sync::Arc;

use parking_lot::RwLock;

use super::collection::{Collection, Proof};
use super::device::{self, Device};
use super::holding::Place;
use super::sync_key::{Claim, Mint, Scope, SyncKey, Verdict, judge};
use crate::database::{Error, Tx};
use crate::ids::FolderId;

/// Partnerships before the present one whose keys are still recognised.
const PARTNERSHIPS_KNOWN: u64 = 8;

/// The books as a whole: who issues keys, and in which epoch. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Books {
    mint: Mint,
    /// Every epoch there has been, the present one last.
    epochs: Arc<RwLock<Vec<i64>>>,
}

/// A device's claim, judged.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The collection as the claim leaves it: with the answer that arrived promoted, in memory only.
    pub collection: Collection,
    /// What the key says.
    pub verdict: Verdict,
    /// What it proves, where it proves something new.
    pub proof: Option<Proof>,
}

impl Books {
    /// Books over the installation's secret and its epochs, oldest first; there is always at least one.
    pub fn new(secret: &[u8; 32], epochs: Vec<i64>) -> Books {
        assert!(!epochs.is_empty(), "a database begins in epoch 1");
        Books { mint: Mint::new(secret), epochs: Arc::new(RwLock::new(epochs)) }
    }

    /// The present epoch.
    pub fn epoch(&self) -> i64 {
        self.epochs.read().last().copied().unwrap_or(1)
    }

    /// A new epoch has been committed.
    pub fn began(&self, epoch: i64) {
        self.epochs.write().push(epoch);
    }

    /// Whether any epoch of these books issued `key` to this device for this collection.
    pub fn authentic(&self, device: &Device, collection: i64, key: SyncKey) -> bool {
        self.epochs.read().iter().rev().any(|&epoch| {
            let scope =
                Scope { epoch, device: device.id, collection, generation: device.generation };
            self.mint.authentic(scope, key)
        })
    }

    /// Whether the key was issued to this device in one of the [`PARTNERSHIPS_KNOWN`] partnerships before the present one.
    pub(super) fn of_earlier_partnership(
        &self,
        device: &Device,
        collection: i64,
        claim: Claim,
    ) -> bool {
        let Claim::Key(key) = claim else { return false };
        let first = device.generation.saturating_sub(PARTNERSHIPS_KNOWN).max(1);
        (first..device.generation).any(|generation| {
            self.authentic(&Device { generation, ..device.clone() }, collection, key)
        })
    }

    /// Whether the claim is a key that these books never issued to this device for this collection: it came from another server, or
    /// from days that a restored backup does not know.
    pub fn is_foreign(&self, device: &Device, collection: i64, claim: Claim) -> bool {
        match claim {
            Claim::First => false,
            Claim::Unreadable => true,
            Claim::Key(key) => {
                !self.authentic(device, collection, key)
                    && !self.of_earlier_partnership(device, collection, claim)
            }
        }
    }

    /// A new key with sequence number `seq` for this device and collection, in the present epoch.
    pub fn issue(&self, device: &Device, collection: i64, seq: u64) -> Result<SyncKey, Error> {
        let mut nonce = [0; 4];
        getrandom::fill(&mut nonce).map_err(|e| Error::Io(format!("no randomness: {e}")))?;
        let scope = Scope {
            epoch: self.epoch(),
            device: device.id,
            collection,
            generation: device.generation,
        };
        Ok(self.mint.issue(scope, seq, nonce))
    }

    /// Judges what a device claims of a folder. Changes nothing in the database.
    pub fn stand(
        &self,
        tx: &Tx<'_>,
        device: &Device,
        folder: FolderId,
        claim: Claim,
    ) -> Result<Standing, Error> {
        let place = Place { device: device.id, folder };
        let mut collection = match Collection::load(tx, place)? {
            Some(collection) => collection,
            None => Collection::new(place, self.epoch()),
        };
        let verdict =
            match judge(claim, &collection.known(), |key| self.authentic(device, folder.0, key)) {
                // A state from before a wipe, a removal or a resync is back; unless it is the one the device was in then, and it has not
                // begun again yet.
                Verdict::Forged if self.of_earlier_partnership(device, folder.0, claim) => {
                    match collection.known().has(claim) {
                        true => Verdict::Forged,
                        false => Verdict::Regressed,
                    }
                }
                verdict => verdict,
            };
        let proof = match verdict {
            Verdict::Current(Some(index)) | Verdict::Sibling(index) => {
                Some(collection.promote(index))
            }
            _ => None,
        };
        Ok(Standing { collection, verdict, proof })
    }
}

/// A key beyond the books was presented: they were rolled back. No device that exists can be called *never exposed* from now on.
/// The caller records the new epoch; answers how many devices got the flag.
pub fn rolled_back(tx: &Tx<'_>) -> Result<usize, Error> {
    device::gap_everywhere(tx)
}
