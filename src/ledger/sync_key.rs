//! Sync keys are testimony: a phone that presents one says which of our answers it took in.
//!
//! A key reads `<seq>.<tag>`. The sequence number only grows within a collection, also over resets. The tag is a 32-bit nonce
//! and 96 bits of HMAC-SHA-256 over ledger epoch, device, collection, partnership generation, sequence and nonce, so a key
//! cannot be guessed, moved to another folder or device, or confused with one that another answer carried. 22 characters of
//! base64url and at most 20 digits stay below the 64 characters of [MS-ASCMD] 2.2.3.181.4.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::ids::DeviceId;

/// Octets of nonce in a tag.
const NONCE_BYTES: usize = 4;
/// Octets of nonce and HMAC in a tag.
const TAG_BYTES: usize = 16;

/// One key that we issued, or that somebody claims we did.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SyncKey {
    /// Grows by one with every key of the collection.
    pub seq: u64,
    /// Nonce and HMAC.
    pub tag: [u8; TAG_BYTES],
}

/// What the text of a SyncKey element says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `0`: the phone begins, or begins again.
    First,
    /// The form of a key of ours; whether it is one, [`Mint::authentic`] says.
    Key(SyncKey),
    /// Anything else.
    Unreadable,
}

impl Claim {
    /// Reads the text of a SyncKey element.
    pub fn read(text: &str) -> Claim {
        if text == "0" {
            return Claim::First;
        }
        match SyncKey::read(text) {
            Some(key) => Claim::Key(key),
            None => Claim::Unreadable,
        }
    }
}

impl SyncKey {
    fn read(text: &str) -> Option<SyncKey> {
        let (seq, tag) = text.split_once('.')?;
        let canonical = !seq.is_empty()
            && seq.len() <= 20
            && !seq.starts_with('0')
            && seq.bytes().all(|b| b.is_ascii_digit());
        if !canonical || tag.len() != 22 {
            return None;
        }
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?.try_into().ok()?;
        Some(SyncKey { seq: seq.parse().ok()?, tag })
    }

    /// Reads the tag column of a row we wrote.
    pub fn from_row(seq: u64, tag: &[u8]) -> Option<SyncKey> {
        Some(SyncKey { seq, tag: tag.try_into().ok()? })
    }
}

impl fmt::Display for SyncKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seq, URL_SAFE_NO_PAD.encode(self.tag))
    }
}

impl fmt::Debug for SyncKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SyncKey({self})")
    }
}

/// What a key is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The ledger's epoch at the time of issue: a restored backup begins a new one.
    pub epoch: i64,
    /// The device it was issued to.
    pub device: DeviceId,
    /// The folder's id, or 0 for the folder hierarchy.
    pub collection: i64,
    /// The device's partnership generation.
    pub generation: u64,
}

/// Issues keys and recognises its own.
#[derive(Clone)]
pub struct Mint {
    mac: Hmac<Sha256>,
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mint(..)")
    }
}

impl Mint {
    /// A mint over the installation's 32-octet secret.
    pub fn new(secret: &[u8; 32]) -> Mint {
        Mint { mac: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length") }
    }

    /// The key with sequence number `seq`; `nonce` should be random, so that two timelines of one ledger never agree by chance.
    pub fn issue(&self, scope: Scope, seq: u64, nonce: [u8; NONCE_BYTES]) -> SyncKey {
        let mut tag = [0; TAG_BYTES];
        tag[..NONCE_BYTES].copy_from_slice(&nonce);
        tag[NONCE_BYTES..].copy_from_slice(&self.seal(scope, seq, nonce));
        SyncKey { seq, tag }
    }

    /// Whether this mint issued `key` for `scope`; takes the same time whatever the answer.
    pub fn authentic(&self, scope: Scope, key: SyncKey) -> bool {
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&key.tag[..NONCE_BYTES]);
        self.seal(scope, key.seq, nonce).ct_eq(&key.tag[NONCE_BYTES..]).into()
    }

    fn seal(
        &self,
        scope: Scope,
        seq: u64,
        nonce: [u8; NONCE_BYTES],
    ) -> [u8; TAG_BYTES - NONCE_BYTES] {
        let mut mac = self.mac.clone();
        mac.update(b"retract sync key 1");
        mac.update(&scope.epoch.to_be_bytes());
        mac.update(&scope.device.0.to_be_bytes());
        mac.update(&scope.collection.to_be_bytes());
        mac.update(&scope.generation.to_be_bytes());
        mac.update(&seq.to_be_bytes());
        mac.update(&nonce);
        let full = mac.finalize().into_bytes();
        let mut seal = [0; TAG_BYTES - NONCE_BYTES];
        seal.copy_from_slice(&full[..TAG_BYTES - NONCE_BYTES]);
        seal
    }
}

/// What the books know of a collection's keys when a claim is judged.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The key whose answer the phone is proven to have taken in; none before the first proof and after a reset.
    pub proven: Option<SyncKey>,
    /// The keys of the answers issued from it that nobody has presented yet, oldest first.
    pub siblings: Vec<SyncKey>,
    /// The highest sequence number ever issued.
    pub seq_max: u64,
}

impl Known {
    /// Whether the claim is a key they know.
    pub fn has(&self, claim: Claim) -> bool {
        let Claim::Key(key) = claim else { return false };
        self.proven == Some(key) || self.siblings.contains(&key)
    }
}

/// What a presented key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Key 0: the phone begins, or begins again.
    First,
    /// The newest answer arrived: the sibling with this index is proven, or nothing was in flight (`None`).
    Current(Option<usize>),
    /// An earlier answer from the same parent arrived after all: the sibling with this index is proven.
    Sibling(usize),
    /// The parent again while answers are in flight: none of them has arrived, as far as the phone says.
    Replay,
    /// Ours, but older than what is proven: the phone's state was restored, or it holds an answer we gave up on.
    Regressed,
    /// Ours, and beyond what the books know: **the books were rolled back**.
    Ahead,
    /// Not ours.
    Forged,
}

/// Judges a claim ([MS-ASCMD] 2.2.3.181.4). `authentic` says whether the mint recognises the key under any epoch.
pub fn judge(claim: Claim, known: &Known, authentic: impl Fn(SyncKey) -> bool) -> Verdict {
    let key = match claim {
        Claim::First => return Verdict::First,
        Claim::Unreadable => return Verdict::Forged,
        Claim::Key(key) => key,
    };
    if !authentic(key) {
        return Verdict::Forged;
    }
    if known.proven == Some(key) {
        return if known.siblings.is_empty() { Verdict::Current(None) } else { Verdict::Replay };
    }
    match known.siblings.iter().position(|sibling| *sibling == key) {
        Some(index) if index + 1 == known.siblings.len() => Verdict::Current(Some(index)),
        Some(index) => Verdict::Sibling(index),
        None if key.seq > known.seq_max => Verdict::Ahead,
        None => Verdict::Regressed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mint() -> Mint {
        Mint::new(&[7; 32])
    }

    fn scope() -> Scope {
        Scope { epoch: 1, device: DeviceId(3), collection: 9, generation: 1 }
    }

    fn key(seq: u64) -> SyncKey {
        mint().issue(scope(), seq, [1, 2, 3, 4])
    }

    #[test]
    fn a_key_survives_its_spelling() {
        for seq in [1, 17, u64::MAX] {
            let text = key(seq).to_string();
            assert!(text.len() <= 64, "{text}");
            assert_eq!(Claim::read(&text), Claim::Key(key(seq)));
        }
        assert_eq!(Claim::read("0"), Claim::First);
        for wrong in
            ["", "00", "1", "01.AAAAAAAAAAAAAAAAAAAAAA", "1.short", "-1.AAAAAAAAAAAAAAAAAAAAAA"]
        {
            assert_eq!(Claim::read(wrong), Claim::Unreadable, "{wrong:?}");
        }
    }

    #[test]
    fn a_key_is_good_only_where_it_was_issued() {
        assert!(mint().authentic(scope(), key(5)));
        for other in [
            Scope { epoch: 2, ..scope() },
            Scope { device: DeviceId(4), ..scope() },
            Scope { collection: 8, ..scope() },
            Scope { generation: 2, ..scope() },
        ] {
            assert!(!mint().authentic(other, key(5)), "{other:?}");
        }
        assert!(!mint().authentic(scope(), SyncKey { seq: 6, ..key(5) }));
        assert!(!Mint::new(&[8; 32]).authentic(scope(), key(5)));
    }

    #[test]
    fn every_claim_has_its_verdict() {
        let known = Known { proven: Some(key(4)), siblings: vec![key(5), key(6)], seq_max: 6 };
        let ours = |k: SyncKey| mint().authentic(scope(), k);
        let judge = |claim| judge(claim, &known, ours);
        assert_eq!(judge(Claim::First), Verdict::First);
        assert_eq!(judge(Claim::Key(key(6))), Verdict::Current(Some(1)));
        assert_eq!(judge(Claim::Key(key(5))), Verdict::Sibling(0));
        assert_eq!(judge(Claim::Key(key(4))), Verdict::Replay);
        assert_eq!(judge(Claim::Key(key(3))), Verdict::Regressed);
        assert_eq!(judge(Claim::Key(key(7))), Verdict::Ahead);
        assert_eq!(judge(Claim::Key(SyncKey { seq: 6, tag: [0; 16] })), Verdict::Forged);
        assert_eq!(judge(Claim::Unreadable), Verdict::Forged);
        let quiet = Known { proven: Some(key(4)), siblings: vec![], seq_max: 4 };
        assert_eq!(super::judge(Claim::Key(key(4)), &quiet, ours), Verdict::Current(None));
    }

    #[test]
    fn another_timeline_with_the_same_number_is_not_ours_to_confuse() {
        let other = mint().issue(scope(), 6, [9, 9, 9, 9]);
        let known = Known { proven: Some(key(4)), siblings: vec![key(6)], seq_max: 6 };
        let verdict = judge(Claim::Key(other), &known, |k| mint().authentic(scope(), k));
        assert_eq!(verdict, Verdict::Regressed);
    }
}
