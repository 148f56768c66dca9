//! Names for rows: one newtype per kind of id, so that a device can never be passed where a user is meant.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A person with an account: a row of `users`.
    UserId
}
id! {
    /// A mailbox in the store; with the embedded store every user has one, and `MailboxId` equals its `UserId`.
    MailboxId
}
id! {
    /// A folder of a mailbox, unique in the whole installation: a row of `folders`.
    FolderId
}
id! {
    /// A device of a user: a row of `devices`, one per (user, DeviceId of the wire).
    DeviceId
}
id! {
    /// An order to take a message back: a row of `orders`.
    OrderId
}
id! {
    /// A message as itself, whatever mailbox, folder or number it has: a row of `identities`.
    IdentityId
}

/// The short number of a collection: unique in a mailbox, never reused, the first half of a `ServerId`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct CollectionNumber(pub u32);

/// The number of an item in its folder, from a counter that never goes back: the second half of a `ServerId`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct ItemNumber(pub u32);

impl fmt::Display for CollectionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ItemNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `<collection>:<item>`, both decimal: the ServerId of an item ([MS-ASCMD] 2.2.3.166.1 allows 64 characters; ours has at most 21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId {
    /// The folder, as the phone knows it.
    pub collection: CollectionNumber,
    /// The item in it.
    pub item: ItemNumber,
}

impl ServerId {
    /// Reads the only spelling we ever write: no sign, no leading zero, no blank.
    pub fn parse(text: &str) -> Option<ServerId> {
        let (collection, item) = text.split_once(':')?;
        Some(ServerId {
            collection: CollectionNumber(canonical_u32(collection)?),
            item: ItemNumber(canonical_u32(item)?),
        })
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.collection, self.item)
    }
}

impl CollectionNumber {
    /// Reads the only spelling we ever write.
    pub fn parse(text: &str) -> Option<CollectionNumber> {
        canonical_u32(text).map(CollectionNumber)
    }
}

fn canonical_u32(text: &str) -> Option<u32> {
    let canonical = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_id_has_one_spelling() {
        let id = ServerId { collection: CollectionNumber(5), item: ItemNumber(u32::MAX) };
        assert_eq!(ServerId::parse(&id.to_string()), Some(id));
        for wrong in ["", ":", "5", "5:", ":5", "05:1", "5:+1", "5:1:1", "5: 1", "5:4294967296"] {
            assert_eq!(ServerId::parse(wrong), None, "{wrong:?}");
        }
    }
}
