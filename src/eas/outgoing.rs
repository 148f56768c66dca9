//! Mail that phones send goes into the outbox of `delivery`: durable when the answer comes, once for each name a phone gives it.

use super::endpoint::BoxFuture;
use super::gateway::{MailName, NotSubmitted, Outgoing, Submission};
use crate::database::Tx;
use crate::delivery::{self, ClientKey, Outbox, SubmitError};
use crate::directory;
use crate::ids::{DeviceId, UserId};
use crate::mailbox::MailboxError;

impl Outgoing for Outbox {
    fn submit(&self, mail: Submission) -> BoxFuture<'_, Result<(), NotSubmitted>> {
        Box::pin(async move {
            let user = mail.user;
            let found =
                self.store().database().read(move |tx: &Tx<'_>| directory::user(tx, user)).await;
            let sender = found
                .map_err(|error| NotSubmitted::Ours(error.to_string()))?
                .ok_or_else(|| NotSubmitted::Refused("no such user".to_owned()))?;
            let submission = delivery::Submission {
                user,
                client: Some(key(mail.device, &mail.name)),
                sender: sender.address,
                raw: mail.raw,
                recipients: mail.recipients,
                save_in_sent: mail.save_in_sent,
                judge: mail.judge,
            };
            match Outbox::submit(self, submission).await {
                Ok(_) => Ok(()),
                Err(SubmitError::Refused(against)) => Err(NotSubmitted::Against(against)),
                Err(SubmitError::TooLarge | SubmitError::Mailbox(MailboxError::TooLarge)) => {
                    Err(NotSubmitted::TooLarge)
                }
                Err(SubmitError::Mailbox(MailboxError::Full)) => Err(NotSubmitted::Full),
                Err(SubmitError::Mailbox(error)) => Err(NotSubmitted::Ours(error.to_string())),
                Err(refused) => Err(NotSubmitted::Refused(refused.to_string())),
            }
        })
    }

    fn knows(
        &self,
        user: UserId,
        device: DeviceId,
        name: &MailName,
    ) -> BoxFuture<'_, Result<bool, NotSubmitted>> {
        let key = key(device, name);
        Box::pin(async move {
            let known = Outbox::knows(self, user, key).await;
            known.map_err(|error| NotSubmitted::Ours(error.to_string()))
        })
    }
}

fn key(device: DeviceId, name: &MailName) -> ClientKey {
    match name {
        MailName::Given(id) => ClientKey::new(device, id),
        MailName::Content { sha256, has_id } => ClientKey::of_content(device, *sha256, *has_id),
    }
}
