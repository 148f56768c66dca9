//! MeetingResponse ([MS-ASCMD] 2.2.1.11): an invitation that lies in a folder is answered, once, and goes to Deleted Items.
//!
//! Until 14.1 the phone sends the answer itself; since 16.0 it is sent from here where the phone asks for it (SendResponse). A
//! recalled invitation is none. There is no calendar here.
//!
//! Departs from [MS-ASCMD] 2.2.3.18: nothing is put into a calendar, so no CalendarId is given; phones that keep a calendar of their
//! own fill it from the invitation.

use activesync::command::meeting_response::{
    Outcome as Answered, Reply, Request, Response, SendResponse, UserResponse,
};
use activesync::item::body::{Body, BodyType};
use activesync::status::{Status, meeting_response as status};

use super::mail;
use crate::eas::convert::{Invitation, Said, Unshapable};
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::gateway::MailName;
use crate::eas::status::Refusal;
use crate::ids::{ItemNumber, ServerId};
use crate::ledger::{DetailKind, Place};
use crate::mailbox::{Folder, FolderKind, Item, MailboxError};
use crate::message::Message;
use crate::message::compose::DraftBody;
use crate::sync::Moved;

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    let mut results = Vec::with_capacity(request.replies.len());
    for reply in &request.replies {
        results.push(Answered {
            request_id: reply.request_id.clone(),
            status: respond(ask, reply).await?,
            calendar_id: None,
            instance_id: reply.instance_id.clone(),
        });
    }
    Ok(ask.plain(&Response { status: None, results }).into())
}

/// One answer to one invitation ([MS-ASCMD] 2.2.3.177.9). Whatever is done is done in an order in which a repetition completes it.
async fn respond(ask: &Ask, reply: &Reply) -> Result<Status, Refusal> {
    let Some(id) = named(reply) else { return Ok(status::INVALID_REQUEST) };
    // A repetition is the same mail; another answer is another.
    let name = format!("meeting {id} {}", verb(reply.user_response));
    let (folder, item) = match find(ask, id).await? {
        Found::Here(folder, item) => (folder, item),
        Found::Nowhere => return Ok(status::INVALID_REQUEST),
        Found::Answered => {
            let name = MailName::Given(name);
            let is_told = reply.send_response.is_none() || mail::was_taken(ask, &name).await?;
            return Ok(if is_told { status::SUCCESS } else { status::INVALID_REQUEST });
        }
    };
    let Some(invitation) = invitation(ask, &folder, &item).await? else {
        return Ok(status::INVALID_REQUEST);
    };
    let own = ask.desk.directory.addresses(ask.user.id).await;
    let own = own.map_err(|error| MailboxError::Ours(error.to_string()))?;
    if own.contains(&invitation.organizer().to_lowercase()) {
        return Ok(status::INVALID_REQUEST);
    }
    if let Some(wrong) = instance(reply, &invitation) {
        return Ok(wrong);
    }
    let said = match &reply.send_response {
        None => None,
        Some(words) => match said(reply.user_response, words, &invitation) {
            None => return Ok(status::INVALID_REQUEST),
            said => said,
        },
    };
    let organizer = invitation.organizer().to_owned();
    let (verb, kind) = (verb(reply.user_response), DetailKind::Replied);
    let act = mail::Act { verb, kind, recipients: organizer };
    mail::book_acted(ask, &folder, &item, act).await?;
    if is_recalled(ask, &folder, item.item).await? {
        return Ok(status::INVALID_REQUEST);
    }
    if let Some(said) = said {
        let now = ask.desk.engine.clock.now();
        let draft = invitation.answer(&said, mail::sender(ask), &own, now);
        let raw = draft.build(now, &mail::new_message_id(ask));
        let source = mail::Source { identity: item.identity, mailbox: folder.mailbox };
        match mail::send_made(ask, name, &raw, Some(source)).await? {
            Ok(()) => (),
            Err(mail::SOURCE_IS_RECALLED) => return Ok(status::INVALID_REQUEST),
            Err(why) => {
                tracing::info!(device = %ask.device.id, status = %why, "an invitation was not answered");
                return Ok(status::SERVER_ERROR);
            }
        }
    }
    file(ask, &folder, item.item).await?;
    Ok(status::SUCCESS)
}

/// Which item is meant; one name, not two ([MS-ASCMD] 2.2.3.151).
fn named(reply: &Reply) -> Option<ServerId> {
    match (&reply.request_id, &reply.long_id) {
        (Some(id), None) => {
            let id = ServerId::parse(id.as_str())?;
            let folder = reply.collection_id.as_ref().map(|folder| folder.as_str().to_owned());
            folder.is_none_or(|folder| folder == id.collection.to_string()).then_some(id)
        }
        (None, Some(id)) => ServerId::parse(id.as_str()),
        _ => None,
    }
}

enum Found {
    Here(Folder, Box<Item>),
    /// It was answered by this device, and has left Deleted Items since.
    Answered,
    Nowhere,
}

/// Where the invitation is: where the phone says, or where its answer has put it.
async fn find(ask: &Ask, id: ServerId) -> Result<Found, Refusal> {
    let engine = &ask.desk.engine;
    let folder = match engine.store.folder(ask.device.mailbox, id.collection).await {
        Err(MailboxError::NoSuchFolder) => return Ok(Found::Nowhere),
        folder => folder?,
    };
    if is_recalled(ask, &folder, id.item).await? {
        return Ok(Found::Nowhere);
    }
    if let Some(item) = engine.store.items(folder.id, &[id.item]).await?.into_iter().next() {
        return Ok(Found::Here(folder, Box::new(item)));
    }
    let Some(trash) = trash(ask).await?.filter(|trash| trash.id != folder.id) else {
        return Ok(Found::Nowhere);
    };
    let place = Place { device: ask.device.id, folder: folder.id };
    // It has gone: only a move made before gives anything.
    let Moved::To(moved) = engine.move_item(place, id.item, &trash).await? else {
        return Ok(Found::Nowhere);
    };
    if is_recalled(ask, &trash, moved).await? {
        return Ok(Found::Nowhere);
    }
    let item = engine.store.items(trash.id, &[moved]).await?.into_iter().next();
    Ok(item.map_or(Found::Answered, |item| Found::Here(trash, Box::new(item))))
}

async fn is_recalled(ask: &Ask, folder: &Folder, item: ItemNumber) -> Result<bool, Refusal> {
    let place = Place { device: ask.device.id, folder: folder.id };
    Ok(ask.desk.engine.names_recalled(folder.mailbox, place, item).await?)
}

async fn trash(ask: &Ask) -> Result<Option<Folder>, Refusal> {
    let folders = ask.desk.engine.store.folders(ask.device.mailbox).await?;
    Ok(folders.into_iter().find(|folder| folder.kind == FolderKind::DeletedItems))
}

async fn invitation(
    ask: &Ask,
    folder: &Folder,
    item: &Item,
) -> Result<Option<Invitation>, Refusal> {
    let (shaper, store) = (&ask.desk.shaper, &*ask.desk.engine.store);
    let leave = shaper.leave(u64::from(item.size)).await;
    let raw = match shaper.read(&leave, store, folder.id, item).await {
        Err(Unshapable::Mailbox(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
        Ok(raw) => raw,
    };
    let reading = shaper.work(raw, |raw| Ok(Invitation::of(&Message::parse(raw)?)));
    Ok(reading.await.ok().flatten())
}

/// What is wrong with the occurrence: a mail is answered as a whole ([MS-ASCMD] 2.2.3.92.1, 2.2.3.177.9).
fn instance(reply: &Reply, invitation: &Invitation) -> Option<Status> {
    let instance = reply.instance_id.as_ref()?;
    Some(if instance.time().is_none() {
        status::INVALID_DATE_TIME
    } else if !invitation.is_a_series() {
        status::NO_RECURRENCE_IN_CALENDAR
    } else {
        status::INVALID_REQUEST
    })
}

/// What the answer says; `None` for a text that is none, and for half a proposal or one that is not wanted.
fn said(answer: UserResponse, words: &SendResponse, invitation: &Invitation) -> Option<Said> {
    let proposal = match (words.proposed_start_time, words.proposed_end_time) {
        (None, None) => None,
        (Some(from), Some(until)) if from.0.ms() < until.0.ms() => Some((from.0, until.0)),
        _ => return None,
    };
    if proposal.is_some() && !invitation.takes_proposals() {
        return None;
    }
    let words = words.body.as_ref().map_or(Some(DraftBody::Plain(String::new())), text)?;
    Some(Said { answer, words, proposal })
}

/// [MS-ASAIRS] 2.2.2.9: Type and Data.
fn text(body: &Body) -> Option<DraftBody> {
    let data = body.data.as_ref().map(activesync::item::body::Content::as_bytes);
    let text = String::from_utf8_lossy(data.unwrap_or_default()).into_owned();
    match body.body_type.unwrap_or(BodyType::Plain) {
        BodyType::Plain => Some(DraftBody::Plain(text)),
        BodyType::Html => Some(DraftBody::Html(text)),
        BodyType::Rtf | BodyType::Mime => None,
    }
}

/// To Deleted Items, once; a folder somebody sorts invitations into is no reason to leave it there.
async fn file(ask: &Ask, folder: &Folder, item: ItemNumber) -> Result<(), Refusal> {
    let Some(trash) = trash(ask).await?.filter(|trash| trash.id != folder.id) else {
        return Ok(());
    };
    let place = Place { device: ask.device.id, folder: folder.id };
    // Gone meanwhile is filed, too.
    ask.desk.engine.move_item(place, item, &trash).await?;
    Ok(())
}

fn verb(answer: UserResponse) -> &'static str {
    match answer {
        UserResponse::Accepted => "accept",
        UserResponse::TentativelyAccepted => "accept tentatively",
        UserResponse::Declined => "decline",
    }
}
