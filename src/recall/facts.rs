//! What this room asks of others, as three small traits: what devices hold, where copies lie, who is to be woken.
//!
//! The server hands in the real ledger, store and bells; the tests of this room hand in small ones of their own. All questions are
//! asked inside a transaction, so that an order sees one moment.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::{DeviceId, FolderId, IdentityId, ItemNumber, MailboxId};

/// What left for a device, as flags; a set that only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Exposure(pub u16);

impl Exposure {
    /// Woken after it arrived: no content.
    pub const WOKEN: Exposure = Exposure(1);
    /// A push payload with sender, subject or preview was accepted.
    pub const PREVIEW: Exposure = Exposure(1 << 1);
    /// The envelope was sent.
    pub const HEADER: Exposure = Exposure(1 << 2);
    /// A part of the body was sent.
    pub const BODY_PART: Exposure = Exposure(1 << 3);
    /// The whole body was sent.
    pub const BODY: Exposure = Exposure(1 << 4);
    /// An attachment was sent, or MIME that contains one.
    pub const ATTACHMENT: Exposure = Exposure(1 << 5);
    /// The device said Read=1.
    pub const READ: Exposure = Exposure(1 << 6);
    /// The device moved it.
    pub const MOVED: Exposure = Exposure(1 << 7);
    /// Replied to or forwarded.
    pub const ACTED: Exposure = Exposure(1 << 8);
    /// SoftDelete was sent and proven.
    pub const AGED_OUT: Exposure = Exposure(1 << 9);
    /// Shown in a search result: a copy of its own.
    pub const SEARCHED: Exposure = Exposure(1 << 10);
    /// The mailbox is also used by another protocol.
    pub const FOREIGN: Exposure = Exposure(1 << 11);
    /// The device existed before the ledger, or the ledger was rolled back.
    pub const GAP: Exposure = Exposure(1 << 12);

    /// Whether all flags of `other` are set.
    pub fn has(self, other: Exposure) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    pub fn with(self, other: Exposure) -> Exposure {
        Exposure(self.0 | other.0)
    }

    /// Whether anything of the message itself left.
    pub fn is_content(self) -> bool {
        self.0 & !(Self::WOKEN.0 | Self::FOREIGN.0 | Self::GAP.0) != 0
    }
}

/// One copy on one device, as the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The device.
    pub device: DeviceId,
    /// The folder the copy was synced from.
    pub folder: FolderId,
    /// Its number there.
    pub item: ItemNumber,
    /// What left.
    pub exposure: Exposure,
    /// It may still be in that collection on the device.
    pub is_open: bool,
    /// The device still syncs the collection.
    pub is_synced: bool,
}

/// What is known about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFacts {
    /// The device.
    pub id: DeviceId,
    /// What it calls itself, for people: friendly name or model.
    pub name: String,
    /// Its user agent, which names the client family.
    pub client: String,
    /// Its last authenticated request.
    pub last_seen: Option<Timestamp>,
    /// The 95th percentile of the pauses between its requests.
    pub pause_p95: Option<Duration>,
    /// The ledger cannot vouch for the whole of its past.
    pub has_gap: bool,
}

/// What devices hold.
pub trait Ledger: Send + Sync + 'static {
    /// Every copy of the message, as it lay in this mailbox, that a device was sent, on whoever's device.
    fn who_holds(
        &self,
        tx: &Tx<'_>,
        identity: IdentityId,
        mailbox: MailboxId,
    ) -> Result<Vec<Held>, Error>;

    /// The mailboxes from which the message was ever exposed.
    fn mailboxes(&self, tx: &Tx<'_>, identity: IdentityId) -> Result<Vec<MailboxId>, Error>;

    /// The devices of a mailbox.
    fn devices(&self, tx: &Tx<'_>, mailbox: MailboxId) -> Result<Vec<DeviceFacts>, Error>;

    /// One device.
    fn device(&self, tx: &Tx<'_>, device: DeviceId) -> Result<Option<DeviceFacts>, Error>;
}

/// A message as the store knows it, wherever its copies lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub identity: IdentityId,
    /// SHA-256 of the octets after the header, with what is claimed: tells differing bodies apart.
    pub verified: [u8; 32],
    /// Who it says wrote it, in lower case.
    pub from_address: Option<String>,
    /// When it says it was written.
    pub sent_at: Option<Timestamp>,
}

/// What standing orders know a message by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heading {
    /// The Message-ID, without angle brackets.
    pub message_id: Option<String>,
    /// Who it says wrote it, in lower case.
    pub from_address: Option<String>,
}

/// A live copy in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whose.
    pub mailbox: MailboxId,
    /// Where.
    pub folder: FolderId,
    /// Its number there.
    pub item: ItemNumber,
    /// When it arrived.
    pub received: Timestamp,
}

/// All that is needed to put a removed copy back as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The folder it lay in.
    pub folder: FolderId,
    /// Its number there, never used again.
    pub item: ItemNumber,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// The message.
    pub identity: IdentityId,
    /// The body, in the store of bodies.
    pub body_hash: [u8; 32],
    /// Its size in octets.
    pub size: u32,
    /// When it arrived.
    pub received: Timestamp,
    /// Read or not.
    pub is_read: bool,
    /// The flag, as the store encodes it.
    pub flag: Option<Vec<u8>>,
    /// The categories, as the store encodes them.
    pub categories: String,
    /// Replied or forwarded.
    pub verb: u8,
    /// When.
    pub verb_at: Option<Timestamp>,
    /// A draft.
    pub is_draft: bool,
}

/// Where copies lie.
pub trait Store: Send + Sync + 'static {
    /// The messages with this Message-ID (without angle brackets); more than one when bodies or senders differ.
    fn known(&self, tx: &Tx<'_>, message_id: &str) -> Result<Vec<Known>, Error>;

    /// What standing orders know a message by.
    fn heading(&self, tx: &Tx<'_>, identity: IdentityId) -> Result<Heading, Error>;

    /// The live copies of a message, in any folder of any mailbox.
    fn copies(&self, tx: &Tx<'_>, identity: IdentityId) -> Result<Vec<Stored>, Error>;

    /// The live copies of a message in one mailbox.
    fn copies_in(
        &self,
        tx: &Tx<'_>,
        identity: IdentityId,
        mailbox: MailboxId,
    ) -> Result<Vec<Stored>, Error>;

    /// Removes a copy for good; `None` when it has gone already. The body stays in the store of bodies while the vault names it.
    fn take(&self, tx: &Tx<'_>, copy: &Stored, now: Timestamp) -> Result<Option<Sealed>, Error>;

    /// Puts a sealed copy back as a new item of its folder, or of the Inbox when the folder has gone; says where.
    fn put_back(
        &self,
        tx: &Tx<'_>,
        sealed: &Sealed,
        now: Timestamp,
    ) -> Result<(FolderId, ItemNumber), Error>;

    /// How many mailboxes there are.
    fn mailboxes(&self, tx: &Tx<'_>) -> Result<u64, Error>;

    /// The mailbox that receives mail for an address.
    fn mailbox_of(&self, tx: &Tx<'_>, address: &str) -> Result<Option<MailboxId>, Error>;

    /// The address a mailbox is known by.
    fn address_of(&self, tx: &Tx<'_>, mailbox: MailboxId) -> Result<Option<String>, Error>;

    /// Recipients of the message that are not served here, in lower case.
    fn outside(&self, tx: &Tx<'_>, identity: IdentityId) -> Result<Vec<String>, Error>;
}

/// Who is to be told, called after the commit and on the writer's thread: it may wake and store, never wait.
pub trait Signals: Send + Sync + 'static {
    /// From now on no answer may contain the message as it lies in this mailbox; answers under way are cut.
    fn fence(&self, identity: IdentityId, mailbox: MailboxId);

    /// No order covers it any more.
    fn lift(&self, identity: IdentityId, mailbox: MailboxId);

    /// A `Delete` waits for the device in this folder.
    fn wake(&self, device: DeviceId, folder: FolderId);
}
