//! The postman: puts one mail into one Inbox, as the last on its way.
//!
//! He writes Return-Path, Delivered-To and Received above the header. The octets after the header stay what they were, and with
//! them the verified identity of the message.

use std::sync::Arc;

use bytes::Bytes;

use super::away::{self, Arrived, Covers, Rules};
use super::lines::one_line;
use crate::clock::{Clock, Timestamp};
use crate::database::Tx;
use crate::directory::{Directory, User};
use crate::failpoint;
use crate::ids::{ItemNumber, UserId};
use crate::mailbox::embedded::{Body, Embedded, in_tx};
use crate::mailbox::{Arrival, FolderKind, MailboxError};
use crate::message::{Identity, conversation_of_raw};

/// Delivers into the Inboxes of the embedded store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Postman {
    store: Embedded,
    directory: Directory,
    hostname: String,
    rules: Arc<Rules>,
}

/// Where a mail comes from, as its headers will say.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The envelope sender; empty for the null sender.
    pub(super) sender: String,
    /// What stands after "Received: ", without the date; nothing for our own users' mail, which came over no wire of ours.
    pub(super) received: Option<String>,
}

impl Postman {
    /// A postman under the name this host has in mail headers.
    pub fn new(store: Embedded, directory: Directory, hostname: &str) -> Postman {
        let hostname = one_line(hostname, HOSTNAME_CHARS_MAX);
        Postman { store, directory, hostname, rules: Arc::default() }
    }

    /// The same, which knows for automatic replies who our own people are and what must not be answered.
    #[must_use]
    pub fn answering(self, domains: &[String], covers: Covers) -> Postman {
        let domains = domains.iter().map(|domain| domain.to_lowercase()).collect();
        Postman { rules: Arc::new(Rules { domains, covers }), ..self }
    }

    /// By what automatic replies go.
    pub(super) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The store he delivers to.
    pub fn store(&self) -> &Embedded {
        &self.store
    }

    /// The directory he looks recipients up in.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The name this host has in mail headers.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    pub(super) fn clock(&self) -> &Clock {
        self.store.clock()
    }

    /// Puts a mail into a user's Inbox: body and folder fsynced, row committed.
    pub(super) async fn deliver(
        &self,
        user: &User,
        recipient: &str,
        raw: &[u8],
        origin: &Origin,
    ) -> Result<ItemNumber, MailboxError> {
        let identity = Identity::of_raw(raw);
        let now = self.clock().now();
        let kept = self.store.keep(self.addressed(recipient, raw, origin, now)).await?;
        let (user, rules) = (user.id, self.rules.clone());
        let (arrived, parcel) =
            (Arrived::of(raw, &origin.sender), Parcel::of(raw, identity.clone()));
        let item = self.store.write_with(kept, move |tx, store, body| {
            let item = put_in(tx, store, user, body, &parcel, now)?;
            away::owe(tx, &rules, user, &arrived, &identity, now)?;
            Ok(item)
        });
        let item = item.await?;
        failpoint!("delivery.before_reply");
        Ok(item)
    }

    /// The mail as it will lie in the Inbox.
    pub(super) fn addressed(
        &self,
        recipient: &str,
        raw: &[u8],
        origin: &Origin,
        now: Timestamp,
    ) -> Bytes {
        let sender = one_line(&origin.sender, ADDRESS_CHARS_MAX);
        let recipient = one_line(recipient, ADDRESS_CHARS_MAX);
        let mut head = format!("Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n");
        if let Some(received) = &origin.received {
            head += &format!(
                "Received: {received}\r\n\tfor <{recipient}>;\r\n\t{}\r\n",
                mail_date(now)
            );
        }
        let mut mail = Vec::with_capacity(head.len() + raw.len());
        mail.extend_from_slice(head.as_bytes());
        mail.extend_from_slice(raw);
        mail.into()
    }
}

/// What has to be known of a mail to put it into its folder.
pub(super) struct Parcel {
    /// Which message it is.
    pub(super) identity: Identity,
    /// The conversation it is of, where that says where it goes.
    pub(super) conversation: Option<[u8; 16]>,
    /// A token: the same again is the same mail.
    pub(super) once: Option<String>,
}

impl Parcel {
    /// A mail that goes where its conversation goes.
    pub(super) fn of(raw: &[u8], identity: Identity) -> Parcel {
        Parcel { identity, conversation: conversation_of_raw(raw), once: None }
    }
}

/// Appends to a user's Inbox, or to the folder the mail's conversation is always moved to, inside a transaction.
pub(super) fn put_in(
    tx: &Tx<'_>,
    store: &Embedded,
    user: UserId,
    body: Body,
    parcel: &Parcel,
    now: Timestamp,
) -> Result<ItemNumber, MailboxError> {
    let mailbox = in_tx::mailbox_of(tx, user)?;
    let folder = match &parcel.conversation {
        Some(conversation) => in_tx::folder_for(tx, mailbox, conversation)?,
        None => in_tx::standard_folder(tx, mailbox, FolderKind::Inbox)?,
    };
    let arrival = Arrival { received: now, once: parcel.once.clone(), ..Arrival::default() };
    in_tx::append(tx, store, folder.id, body, &parcel.identity, &arrival, now)
}

/// `Tue, 24 Nov 2026 08:00:00 +0000`
pub(super) fn mail_date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

const HOSTNAME_CHARS_MAX: usize = 255;
const ADDRESS_CHARS_MAX: usize = 320;
