//! Drafts that phones write ([MS-ASEMAIL] 3.1.5; 16.0 and later): an item becomes the octets of a message.

use activesync::item::body::{Body, BodyType, NewAttachment};
use activesync::item::email::Email;
use activesync::status::Status;
use activesync::types::ClientId;
use bytes::Bytes;

use super::change::{REFUSED, state_in};
use super::{AttachmentId, email};
use crate::clock::Timestamp;
use crate::ids::CollectionNumber;
use crate::mailbox::{self, Item, StateChange};
use crate::message::compose::{Draft, DraftBody, File, Sender};
use crate::message::{Address, Message, conversation_id, conversation_index};

/// A draft ready for the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Drafted {
    /// Its octets.
    pub raw: Bytes,
    /// Read, flag and categories it comes with.
    pub change: StateChange,
    /// Attachments that were added, and the place each has in the message.
    pub added: Vec<(ClientId, usize)>,
}

/// The draft a phone wrote, or what becomes of `existing` by it: what the phone does not name stays. Status 6 for what no draft
/// may hold, for rich text, and for an attachment that is not there.
pub fn draft(
    wanted: &Email,
    existing: Option<(&Message, Option<&mailbox::Flag>)>,
    from: Sender,
    now: Timestamp,
    new_id: impl FnOnce() -> String,
) -> Result<Drafted, Status> {
    if has_what_only_servers_say(wanted) {
        return Err(REFUSED);
    }
    let change = state_in(wanted, existing.and_then(|(_, flag)| flag))?;
    let old = existing.map(|(message, _)| message);
    let id = old.and_then(Message::message_id).unwrap_or_else(new_id);
    let mut draft = match (mime_of(wanted), old) {
        (Some(mime), _) => Draft::of(&parse(Bytes::copy_from_slice(mime))?, from),
        (None, Some(old)) => Draft::of(old, from),
        (None, None) => Draft::new(from),
    };
    if mime_of(wanted).is_none() {
        envelope(wanted, &mut draft);
        text(wanted.body.as_ref(), &mut draft)?;
    }
    if let Some(importance) = wanted.importance {
        draft.importance = importance.min(2);
    }
    let names = files(wanted, &mut draft)?;
    let raw = Bytes::from(draft.build(now, &id));
    let added = places(&parse(raw.clone())?, names);
    Ok(Drafted { raw, change, added })
}

/// What a phone is told of a draft it added or gave attachments to ([MS-ASEMAIL] 3.2.5.4).
pub fn drafted_answer(
    message: &Message,
    collection: CollectionNumber,
    item: &Item,
    added: &[(ClientId, usize)],
) -> Email {
    let attachments = added.iter().filter_map(|(client, place)| {
        let described = email::attachment(message.attachments().get(*place)?, collection, item);
        Some(activesync::item::body::Attachment {
            client_id: Some(client.clone()),
            file_reference: described.file_reference,
            ..Default::default()
        })
    });
    let attachments: Vec<_> = attachments.collect();
    let has_some = !attachments.is_empty();
    Email {
        conversation_id: Some(conversation_id(message).to_vec()),
        conversation_index: Some(conversation_index(message)),
        attachments: has_some
            .then(|| activesync::item::body::Attachments { attachments, ..Default::default() }),
        ..Email::default()
    }
}

fn has_what_only_servers_say(email: &Email) -> bool {
    email.from.is_some()
        || email.date_received.is_some()
        || email.conversation_id.is_some()
        || email.conversation_index.is_some()
        || email.is_draft.is_some()
        || email.sender.is_some()
        || email.received_as_bcc.is_some()
}

/// The whole message, where the phone wrote it itself.
fn mime_of(email: &Email) -> Option<&[u8]> {
    let body = email.body.as_ref().filter(|body| body.body_type == Some(BodyType::Mime))?;
    body.data.as_ref().map(|data| data.as_bytes())
}

fn parse(raw: Bytes) -> Result<Message, Status> {
    Message::parse(raw).map_err(|_| REFUSED)
}

fn envelope(wanted: &Email, draft: &mut Draft) {
    for (given, list) in [
        (&wanted.to, &mut draft.to),
        (&wanted.cc, &mut draft.cc),
        (&wanted.bcc, &mut draft.bcc),
        (&wanted.reply_to, &mut draft.reply_to),
    ] {
        if let Some(given) = given {
            *list = Address::parse_list(given);
        }
    }
    if let Some(subject) = &wanted.subject {
        draft.subject.clone_from(subject);
    }
}

fn text(body: Option<&Body>, draft: &mut Draft) -> Result<(), Status> {
    let Some(body) = body else { return Ok(()) };
    // A Body without Data leaves the text as it is ([MS-ASCMD] 2.2.3.24).
    let Some(data) = &body.data else { return Ok(()) };
    let text = String::from_utf8_lossy(data.as_bytes()).into_owned();
    draft.body = match body.body_type {
        Some(BodyType::Html) => DraftBody::Html(text),
        Some(BodyType::Plain) | None => DraftBody::Plain(text),
        Some(BodyType::Rtf | BodyType::Mime) => return Err(REFUSED),
    };
    Ok(())
}

/// Takes attachments out and puts new ones in; gives the client's ids of the new ones with their names and sizes.
fn files(wanted: &Email, draft: &mut Draft) -> Result<Vec<(ClientId, String, usize)>, Status> {
    let Some(wanted) = &wanted.attachments else { return Ok(Vec::new()) };
    let mut gone = Vec::new();
    for deleted in &wanted.delete {
        let reference = deleted.file_reference.as_ref().ok_or(REFUSED)?;
        let id = AttachmentId::parse(reference.as_str()).ok_or(REFUSED)?;
        if id.index >= draft.files.len() {
            return Err(REFUSED);
        }
        gone.push(id.index);
    }
    let mut place = 0;
    draft.files.retain(|_| {
        place += 1;
        !gone.contains(&(place - 1))
    });
    let mut names = Vec::new();
    for new in &wanted.add {
        let file = file(new)?;
        if let Some(client) = &new.client_id {
            names.push((client.clone(), file.name.clone(), file.data.len()));
        }
        draft.files.push(file);
    }
    Ok(names)
}

fn file(new: &NewAttachment) -> Result<File, Status> {
    Ok(File {
        name: new.display_name.clone().ok_or(REFUSED)?,
        content_type: new.content_type.clone().unwrap_or_default(),
        content_id: new.content_id.clone(),
        content_location: new.content_location.clone(),
        inline: new.is_inline,
        data: new.content.clone().ok_or(REFUSED)?,
    })
}

/// Where the new attachments are in the finished message: the last ones of their name and size.
fn places(message: &Message, names: Vec<(ClientId, String, usize)>) -> Vec<(ClientId, usize)> {
    let mut free: Vec<_> = message.attachments().iter().rev().collect();
    let mut places = Vec::new();
    for (client, name, size) in names.into_iter().rev() {
        let same = |name_counts: bool| {
            free.iter()
                .position(|one| one.size == size && (!name_counts || one.display_name == name))
        };
        // A name that no file system takes was changed on the way.
        if let Some(at) = same(true).or_else(|| same(false)) {
            places.push((client, free.remove(at).index));
        }
    }
    places.reverse();
    places
}

#[cfg(test)]
mod tests {
    use activesync::item::body::{Attachments, Content, DeletedAttachment};

    use super::*;

    fn sender() -> Sender {
        Sender { address: "anna@example.org".into(), display_name: "Anna".into() }
    }

    fn body(kind: BodyType, text: &str) -> Option<Body> {
        let data = Some(Content::Text(text.to_owned()));
        Some(Body { body_type: Some(kind), data, ..Body::default() })
    }

    fn written(email: &Email, old: Option<&Message>) -> Result<(Message, Drafted), Status> {
        let old = old.map(|message| (message, None));
        let drafted = draft(email, old, sender(), Timestamp(0), || "new@example.org".into())?;
        Ok((Message::parse(drafted.raw.clone()).unwrap(), drafted))
    }

    fn first() -> Email {
        let file = NewAttachment {
            client_id: Some("att1".parse().unwrap()),
            content: Some(b"hello".to_vec()),
            display_name: Some("a.txt".into()),
            method: Some(1),
            ..NewAttachment::default()
        };
        Email {
            to: Some("\"Ben\" <ben@example.org>; cleo@example.org".into()),
            bcc: Some("dora@example.org".into()),
            subject: Some("Plans".into()),
            body: body(BodyType::Html, "<p>Hello</p>"),
            attachments: Some(Attachments { add: vec![file], ..Attachments::default() }),
            read: Some(true),
            ..Email::default()
        }
    }

    #[test]
    fn a_draft_is_written_and_then_changed() {
        let (message, drafted) = written(&first(), None).unwrap();
        assert_eq!(message.to().len(), 2);
        assert_eq!(message.bcc()[0].address, "dora@example.org");
        assert_eq!(message.message_id().as_deref(), Some("new@example.org"));
        assert_eq!(drafted.change.read, Some(true));
        assert_eq!(drafted.added, [("att1".parse().unwrap(), 0)]);
        let item = super::email::tests::item();
        let answer = drafted_answer(&message, CollectionNumber(3), &item, &drafted.added);
        let told = &answer.attachments.unwrap().attachments[0];
        assert_eq!(told.file_reference.as_ref().unwrap().as_str(), "3:41:0");

        let subject = Email { subject: Some("Other plans".into()), ..Email::default() };
        let (changed, _) = written(&subject, Some(&message)).unwrap();
        assert_eq!(changed.subject(), "Other plans");
        assert_eq!((changed.to().len(), changed.attachments().len()), (2, 1));
        assert!(changed.html().unwrap().contains("Hello"));

        let delete = DeletedAttachment { file_reference: Some("3:41:0".parse().unwrap()) };
        let without = Attachments { delete: vec![delete], ..Attachments::default() };
        let without = Email { attachments: Some(without), ..Email::default() };
        let (changed, _) = written(&without, Some(&changed)).unwrap();
        assert!(changed.attachments().is_empty());
        assert_eq!(written(&without, Some(&changed)).unwrap_err(), REFUSED);
    }

    #[test]
    fn mime_is_taken_and_what_only_servers_say_is_refused() {
        let mime = "From: x@y\r\nTo: ben@example.org\r\nSubject: Whole\r\n\r\nHello\r\n";
        let email = Email { body: body(BodyType::Mime, mime), ..Email::default() };
        let (message, _) = written(&email, None).unwrap();
        assert_eq!((message.subject().as_str(), message.to().len()), ("Whole", 1));
        assert_eq!(message.from().unwrap().address, "anna@example.org");
        let from = Email { from: Some("x".into()), ..Email::default() };
        assert_eq!(written(&from, None).unwrap_err(), REFUSED);
        let rich = Email { body: body(BodyType::Rtf, "x"), ..Email::default() };
        assert_eq!(written(&rich, None).unwrap_err(), REFUSED);
    }
}
