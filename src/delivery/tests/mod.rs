//! Stories of mail that comes in over LMTP and leaves through a relay that behaves well or badly.

mod away;
mod front;
mod lmtp;
mod outbox;
mod relay;
mod submission;

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::ids::{CollectionNumber, UserId};
use crate::keyring::{Credential, CredentialKind};
use crate::mailbox::embedded::tests::House;
use crate::mailbox::{Cursor, Mailbox, MailboxError};
use crate::secret::Secret;

pub(super) const ANN: UserId = UserId(1);
pub(super) const BOB: UserId = UserId(2);

/// A mail as it is submitted, or handed in.
pub(super) fn mail(id: &str) -> Bytes {
    Bytes::from(format!(
        "Message-ID: <{id}@a.example>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\
         From: Ann <ann@a.example>\r\nSubject: {id}\r\n\r\nHello\r\n.leading dot\r\n"
    ))
}

/// What ann signs in with at the relay.
pub(super) fn word(secret: &str) -> Credential {
    let secret = Secret::new(secret.to_owned());
    Credential { login: "ann".to_owned(), kind: CredentialKind::Password, secret }
}

pub(super) fn submission(id: &str, recipients: &[&str]) -> Submission {
    Submission {
        user: ANN,
        client: None,
        sender: "ann@a.example".into(),
        raw: mail(id),
        recipients: recipients.iter().map(|&recipient| recipient.into()).collect(),
        save_in_sent: true,
        judge: None,
    }
}

pub(super) fn postman(house: &House) -> Postman {
    Postman::new(house.store.clone(), house.directory.clone(), "mx.a.example")
}

/// The octets of everything in a standard folder, by number of the folder.
pub(super) async fn lying_in(house: &House, user: UserId, folder: u32) -> Vec<String> {
    let store: Arc<dyn Mailbox> = Arc::new(house.store.clone());
    let mailbox = store.mailbox_of(user).await.unwrap();
    let folder = store.folder(mailbox, CollectionNumber(folder)).await.unwrap();
    let delta = store.changes_since(folder.id, Cursor(0), 999).await.unwrap();
    let mut mails = Vec::new();
    for change in delta.changes {
        match store.read(folder.id, change.item()).await {
            Ok((_, raw)) => mails.push(String::from_utf8(raw.to_vec()).unwrap()),
            Err(MailboxError::NoSuchItem) => (),
            Err(other) => panic!("{other}"),
        }
    }
    mails
}

pub(super) async fn inbox(house: &House, user: UserId) -> Vec<String> {
    lying_in(house, user, 1).await
}
