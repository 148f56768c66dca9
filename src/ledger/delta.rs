//! What one answer said of a collection, kept whole until its key is presented.
//!
//! The ghost of other servers, a Delete that was lost with its answer and never sent again, cannot happen while the delta of an
//! unproven answer stands beside the proven state instead of replacing it.

use roaring::RoaringBitmap;

use crate::database::Error;

/// An answer's statements about items. The item numbers are those of the folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Items given with Add.
    pub adds: RoaringBitmap,
    /// Items, added or changed, that the answer calls read.
    pub read: RoaringBitmap,
    /// Items, added or changed, that the answer calls flagged.
    pub flagged: RoaringBitmap,
    /// Items given with Change.
    pub changes: RoaringBitmap,
    /// Items taken away with Delete, recalled ones among them.
    pub deletes: RoaringBitmap,
    /// Items taken away with SoftDelete.
    pub soft_deletes: RoaringBitmap,
    /// Those of `deletes` that a recall asked for.
    pub retracts: RoaringBitmap,
    /// Items the device deleted itself, in the request this answers: once the answer is proven, so is that.
    pub own_deletes: RoaringBitmap,
}

impl Delta {
    /// Whether the answer says nothing of any item.
    pub fn is_empty(&self) -> bool {
        self.sets().iter().all(|set| set.is_empty())
    }

    /// Whether it says nothing but what a recall asked for.
    pub fn only_retracts(&self) -> bool {
        self.adds.is_empty()
            && self.changes.is_empty()
            && self.soft_deletes.is_empty()
            && self.own_deletes.is_empty()
            && self.deletes == self.retracts
    }

    /// Everything that is not on the device any more once the answer is proven.
    pub fn gone(&self) -> RoaringBitmap {
        &self.deletes | &self.soft_deletes | &self.own_deletes
    }

    fn sets(&self) -> [&RoaringBitmap; 8] {
        [
            &self.adds,
            &self.read,
            &self.flagged,
            &self.changes,
            &self.deletes,
            &self.soft_deletes,
            &self.retracts,
            &self.own_deletes,
        ]
    }

    /// The blob of a row of `answers`: which of the eight sets are present, then those, each in roaring's portable form.
    pub fn encode(&self) -> Vec<u8> {
        let mut present = 0u8;
        let mut out = vec![0];
        for (bit, set) in self.sets().into_iter().enumerate() {
            if !set.is_empty() {
                present |= 1 << bit;
                set.serialize_into(&mut out).expect("writing to a Vec cannot fail");
            }
        }
        out[0] = present;
        out
    }

    /// Reads such a blob back.
    pub fn decode(blob: &[u8]) -> Result<Delta, Error> {
        let corrupt = || Error::Corrupt("a row of answers has an unreadable delta".to_owned());
        let (&present, mut rest) = blob.split_first().ok_or_else(corrupt)?;
        let mut delta = Delta::default();
        let sets = [
            &mut delta.adds,
            &mut delta.read,
            &mut delta.flagged,
            &mut delta.changes,
            &mut delta.deletes,
            &mut delta.soft_deletes,
            &mut delta.retracts,
            &mut delta.own_deletes,
        ];
        for (bit, set) in sets.into_iter().enumerate() {
            if present & (1 << bit) != 0 {
                *set = RoaringBitmap::deserialize_from(&mut rest).map_err(|_| corrupt())?;
            }
        }
        if rest.is_empty() { Ok(delta) } else { Err(corrupt()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_comes_back_whole() {
        let delta = Delta {
            adds: (0..600).collect(),
            read: [3, 4].into_iter().collect(),
            retracts: [9].into_iter().collect(),
            deletes: [9, 10].into_iter().collect(),
            own_deletes: [11].into_iter().collect(),
            ..Delta::default()
        };
        assert_eq!(Delta::decode(&delta.encode()).unwrap(), delta);
        assert_eq!(Delta::decode(&Delta::default().encode()).unwrap(), Delta::default());
    }

    #[test]
    fn a_torn_delta_is_an_error_not_an_empty_one() {
        let blob = Delta { adds: (0..9).collect(), ..Delta::default() }.encode();
        for cut in 0..blob.len() {
            assert!(Delta::decode(&blob[..cut]).is_err(), "cut at {cut}");
        }
    }
}
