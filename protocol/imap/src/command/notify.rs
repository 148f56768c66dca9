//! NOTIFY SET (RFC 5465).

use super::encode::{Encoder, Unspeakable};
use super::fetch::{self, FetchItem};
use crate::mailbox::Mailbox;

/// Which mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyFilter {
    /// The selected one, at once.
    Selected,
    /// The selected one, removals only when a command allows them.
    SelectedDelayed,
    /// Those where mail is delivered.
    Inboxes,
    /// One's own.
    Personal,
    /// Those subscribed.
    Subscribed,
    /// These.
    Mailboxes(Vec<Mailbox>),
    /// These and those in them.
    Subtree(Vec<Mailbox>),
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyEvent {
    /// A message came; in the selected mailbox these items are told of it.
    MessageNew(Vec<FetchItem>),
    /// A message went.
    MessageExpunge,
    /// Flags changed.
    FlagChange,
    /// A mailbox was made, renamed or deleted.
    MailboxName,
    /// A subscription changed.
    SubscriptionChange,
}

pub(super) fn encode(
    encoder: &mut Encoder,
    status: bool,
    groups: &[(NotifyFilter, Vec<NotifyEvent>)],
) -> Result<(), Unspeakable> {
    encoder.raw("NOTIFY SET");
    if status {
        encoder.raw(" STATUS");
    }
    for (filter, events) in groups {
        encoder.raw(" (");
        write_filter(encoder, filter)?;
        encoder.raw(" ");
        match &events[..] {
            [] => encoder.raw("NONE"),
            events => encoder.list(events, event)?,
        }
        encoder.raw(")");
    }
    Ok(())
}

fn write_filter(encoder: &mut Encoder, filter: &NotifyFilter) -> Result<(), Unspeakable> {
    let (name, mailboxes): (&str, &[Mailbox]) = match filter {
        NotifyFilter::Selected => ("SELECTED", &[]),
        NotifyFilter::SelectedDelayed => ("SELECTED-DELAYED", &[]),
        NotifyFilter::Inboxes => ("INBOXES", &[]),
        NotifyFilter::Personal => ("PERSONAL", &[]),
        NotifyFilter::Subscribed => ("SUBSCRIBED", &[]),
        NotifyFilter::Mailboxes(mailboxes) => ("MAILBOXES ", mailboxes),
        NotifyFilter::Subtree(mailboxes) => ("SUBTREE ", mailboxes),
    };
    encoder.raw(name);
    match (name.ends_with(' '), mailboxes.is_empty()) {
        (true, true) => Err(Unspeakable),
        (true, false) => encoder.list(mailboxes, Encoder::mailbox),
        _ => Ok(()),
    }
}

fn event(encoder: &mut Encoder, event: &NotifyEvent) -> Result<(), Unspeakable> {
    match event {
        NotifyEvent::MessageNew(items) => {
            encoder.raw("MessageNew");
            if !items.is_empty() {
                encoder.raw(" ");
                encoder.list(items, fetch::item)?;
            }
        }
        NotifyEvent::MessageExpunge => encoder.raw("MessageExpunge"),
        NotifyEvent::FlagChange => encoder.raw("FlagChange"),
        NotifyEvent::MailboxName => encoder.raw("MailboxName"),
        NotifyEvent::SubscriptionChange => encoder.raw("SubscriptionChange"),
    }
    Ok(())
}
