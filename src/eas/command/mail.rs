//! What SendMail, SmartReply, SmartForward and drafts share: mail made ready, held against open orders, handed over once.

use activesync::ProtocolVersion;
use activesync::command::plain_mail;
use activesync::status::{Status, common};
use activesync::types::ClientId;
use roaring::RoaringBitmap;
use sha2::{Digest, Sha256};

use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{self, Tx};
use crate::delivery::{Against, Hold, Judge, Judged};
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::{Answer, Outcome};
use crate::eas::gateway::{MailName, NotSubmitted, Submission};
use crate::eas::status::Refusal;
use crate::ids::{DeviceId, IdentityId, MailboxId};
use crate::ledger::{DetailKind, Exposure, Place, holding};
use crate::mailbox::{Folder, Item, MailboxError};
use crate::message::compose::{Sender, Unsendable, prepare};
use crate::message::{Identity, Message};
use crate::recall::{self, Carries, Leaving, Likeness, OnSend, retraction};

/// Recipients named in one entry of the audit.
pub(super) const RECIPIENTS_NAMED_MAX: usize = 50;
/// Characters of the ClientId of a mail that is sent.
const CLIENT_ID_CHARS_MAX: usize = 40;
/// The template that restricts nothing ([MS-ASRM] 2.2.2.18).
const NO_RESTRICTION: &str = "00000000-0000-0000-0000-000000000000";

/// Who sends: the user, whatever the phone wrote.
pub(in crate::eas) fn sender(ask: &Ask) -> Sender {
    Sender { address: ask.user.address.clone(), display_name: ask.user.display_name.clone() }
}

/// A Message-ID that nobody else makes.
pub(in crate::eas) fn new_message_id(ask: &Ask) -> String {
    let mut random = [0u8; 16];
    // Without randomness the request's number still tells it apart; the machine has bigger worries then.
    if getrandom::fill(&mut random).is_err() {
        random[..8].copy_from_slice(&ask.request.to_be_bytes());
    }
    let domain = ask.user.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    format!("{}@{domain}", database::hex(&random))
}

/// What a mail is called by the phone: its ClientId, which is shorter here than in Sync ([MS-ASCMD] 2.2.3.28.1).
pub(super) fn name(client_id: &ClientId) -> Result<MailName, Refusal> {
    match client_id.as_str().chars().count() > CLIENT_ID_CHARS_MAX {
        true => Err(Refusal::Status(common::INVALID_XML)),
        false => Ok(MailName::Given(client_id.to_string())),
    }
}

/// There is one account, which has no id, and no rights management ([MS-ASCMD] 2.2.3.3, [MS-ASRM] 2.2.2.18).
pub(in crate::eas) fn check_letter(
    account_id: Option<&str>,
    template_id: Option<&str>,
) -> Result<(), Refusal> {
    if account_id.is_some_and(|id| !id.is_empty()) {
        return Err(Refusal::Status(common::INVALID_ACCOUNT_ID));
    }
    match template_id {
        None | Some("" | NO_RESTRICTION) => Ok(()),
        Some(_) => Err(Refusal::Status(common::IRM_FEATURE_DISABLED)),
    }
}

/// Whether mail comes as it is, and what else there is to say in the query ([MS-ASCMD] 2.2.1.17).
pub(in crate::eas) fn is_plain(version: ProtocolVersion) -> bool {
    version < ProtocolVersion::V14_0
}

/// Mail of 12.1, and a name for it: there is no ClientId, so the same request again is the same mail, for as long as [`MailName`] says. The source is
/// part of it, for the same few words may answer two mails.
pub(in crate::eas) fn plain(ask: &Ask) -> Result<(MailName, plain_mail::Request), Refusal> {
    let request = plain_mail::Request::from_query(&ask.query, ask.body.to_vec())?;
    let query = &ask.query;
    let mut hash = Sha256::new();
    let save = if query.save_in_sent { "T" } else { "F" };
    let said = [&query.collection_id, &query.item_id, &query.long_id, &query.occurrence];
    let said = said.map(|text| text.as_deref().unwrap_or_default());
    for text in [query.command.as_str(), save].into_iter().chain(said) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.update(&request.mime);
    let has_id = Identity::of_raw(&request.mime).message_id.is_some();
    Ok((MailName::Content { sha256: hash.finalize().into(), has_id }, request))
}

/// Sends mail as a phone made it. Success is an answer without a document ([MS-ASCMD] 2.2.1.17.2).
pub(in crate::eas) async fn send(
    ask: &Ask,
    name: &MailName,
    mime: &[u8],
    save_in_sent: bool,
) -> Result<Outcome, Refusal> {
    send_of(ask, name, mime, save_in_sent, None).await
}

/// As [`send`], made from the message of another mail: it does not leave where that is recalled, down to the moment it is taken.
pub(in crate::eas) async fn send_of(
    ask: &Ask,
    name: &MailName,
    mime: &[u8],
    save_in_sent: bool,
    source: Option<Source>,
) -> Result<Outcome, Refusal> {
    match hand_over(ask, name, mime, save_in_sent, source).await? {
        Ok(()) => Ok(Answer::empty(http::StatusCode::OK).into()),
        Err(NotSent::Unsendable(why)) => Err(Refusal::Status(unsendable(ask, &why))),
        Err(NotSent::NotTaken(status)) => Err(Refusal::Status(status)),
    }
}

/// Sends mail that was made here, out of a draft or for an invitation, and files it in Sent Items. Gives the Status of what it was made
/// of where it cannot be sent.
pub(in crate::eas) async fn send_made(
    ask: &Ask,
    name: String,
    mime: &[u8],
    source: Option<Source>,
) -> Result<Result<(), Status>, Refusal> {
    Ok(match hand_over(ask, &MailName::Given(name), mime, true, source).await? {
        Ok(()) => Ok(()),
        // [MS-ASCMD] 2.2.2: InvalidRecipients is the word for drafts.
        Err(NotSent::Unsendable(Unsendable::NoRecipients)) => Err(common::INVALID_RECIPIENTS),
        Err(NotSent::Unsendable(why)) => Err(unsendable(ask, &why)),
        Err(NotSent::NotTaken(status)) => Err(status),
    })
}

/// Why mail did not leave, by the mail's own fault or by that of what takes it.
enum NotSent {
    Unsendable(Unsendable),
    NotTaken(Status),
}

/// Hands mail over; the name makes a repetition the same mail. Our own trouble is a refusal: the phone comes again with that name.
async fn hand_over(
    ask: &Ask,
    name: &MailName,
    mime: &[u8],
    save_in_sent: bool,
    source: Option<Source>,
) -> Result<Result<(), NotSent>, Refusal> {
    let Some(outgoing) = &ask.desk.outgoing else {
        return Ok(Err(NotSent::NotTaken(common::MAIL_SUBMISSION_FAILED)));
    };
    let now = ask.desk.engine.clock.now();
    let ready = match prepare(mime, &sender(ask), now, || new_message_id(ask)) {
        Ok(ready) => ready,
        Err(why) => return Ok(Err(NotSent::Unsendable(why))),
    };
    let reading =
        ask.desk.shaper.work(ready.raw.clone(), |raw| Ok(Carries::of(&Message::parse(raw)?)));
    let carries = reading.await.map_err(|why| {
        tracing::warn!(device = %ask.device.id, %why, "a mail on its way out could not be looked into");
    });
    let to: Vec<&str> =
        ready.recipients.iter().take(RECIPIENTS_NAMED_MAX).map(String::as_str).collect();
    let judge = judge(ask, source, carries.ok(), to.join(", "));
    let submission = Submission {
        user: ask.user.id,
        device: ask.device.id,
        name: name.clone(),
        raw: ready.raw,
        recipients: ready.recipients,
        message_id: ready.message_id,
        save_in_sent,
        judge: Some(judge),
    };
    match outgoing.submit(submission).await {
        Ok(()) => Ok(Ok(())),
        // [MS-ASCMD] 2.2.2: SendQuotaExceeded; without a Status the phone sends it for ever.
        Err(NotSubmitted::Full) => Ok(Err(NotSent::NotTaken(common::SEND_QUOTA_EXCEEDED))),
        // [MS-ASCMD] 2.2.2: AttachmentIsTooLarge.
        Err(NotSubmitted::TooLarge) => Ok(Err(NotSent::NotTaken(common::ATTACHMENT_IS_TOO_LARGE))),
        Err(NotSubmitted::Against(Against::Source)) => {
            Ok(Err(NotSent::NotTaken(SOURCE_IS_RECALLED)))
        }
        Err(NotSubmitted::Against(Against::Order)) => {
            // [MS-ASCMD] 2.2.2: MailSubmissionFailed.
            Ok(Err(NotSent::NotTaken(common::MAIL_SUBMISSION_FAILED)))
        }
        Err(NotSubmitted::Ours(why)) => Err(Refusal::Mailbox(MailboxError::Down(why))),
        // [MS-ASCMD] 2.2.2: MailSubmissionFailed.
        Err(error) => {
            tracing::warn!(device = %ask.device.id, %error, "mail was not taken");
            Ok(Err(NotSent::NotTaken(common::MAIL_SUBMISSION_FAILED)))
        }
    }
}

/// [MS-ASCMD] 2.2.2.
fn unsendable(ask: &Ask, why: &Unsendable) -> Status {
    match why {
        Unsendable::NotMime => common::INVALID_MIME,
        Unsendable::NoRecipients => common::MESSAGE_HAS_NO_RECIPIENT,
        Unsendable::BadRecipient(_) if ask.version >= ProtocolVersion::V16_0 => {
            common::INVALID_RECIPIENTS
        }
        Unsendable::BadRecipient(_) => common::MESSAGE_HAS_NO_RECIPIENT,
        Unsendable::TooManyRecipients => common::MESSAGE_RECIPIENT_UNRESOLVED,
        Unsendable::TooLarge(_) => common::ATTACHMENT_IS_TOO_LARGE,
    }
}

/// What a device did with a message.
pub(in crate::eas) struct Act {
    /// In a word.
    pub(in crate::eas) verb: &'static str,
    /// As reports tell it.
    pub(in crate::eas) kind: DetailKind,
    /// To whom.
    pub(in crate::eas) recipients: String,
}

/// That the device acted on a message is on the books before the mail that does it can leave.
pub(in crate::eas) async fn book_acted(
    ask: &Ask,
    folder: &Folder,
    item: &Item,
    act: Act,
) -> Result<(), Refusal> {
    let place = Place { device: ask.device.id, folder: folder.id };
    let items = RoaringBitmap::from_iter([item.item.0]);
    let copy = crate::ledger::Copy {
        identity: item.identity,
        mailbox: folder.mailbox,
        folder: folder.id,
        item: item.item,
    };
    let now = ask.desk.engine.clock.now();
    let event = Event::new("mail.acted")
        .id("device", place.device)
        .id("identity", item.identity)
        .id("folder", place.folder)
        .id("item", item.item)
        .text("verb", act.verb)
        .personal("recipients", &act.recipients);
    let detail = format!("to {}", act.recipients);
    let job = move |tx: &Tx<'_>| {
        crate::ledger::note_copy(tx, copy)?;
        holding::expose(tx, place, Exposure::ACTED, &items)?;
        retraction::exposed(tx, place.device, place.folder, copy.item, Exposure::ACTED)?;
        crate::ledger::note_detail(tx, place.device, copy.identity, act.kind, &detail, now)?;
        audit::note(tx, now, &event).map(drop)
    };
    Ok(ask.desk.engine.database.write(job).await?)
}

/// The message another mail is made from, and whose copy of it.
#[derive(Clone, Copy, Debug)]
pub(in crate::eas) struct Source {
    /// The message.
    pub(in crate::eas) identity: IdentityId,
    /// The mailbox its copy is in.
    pub(in crate::eas) mailbox: MailboxId,
}

/// Decides about a mail where it is accepted. The open orders it runs against are noted in the audit: it answers a recalled message, or
/// carries it or a file of it; after a refused forward some apps send the same as a new mail. What could not be looked into is not
/// let past an open order where policy would have held or refused it.
///
/// That the device acted on what the mail names is on the books with the mail itself; what a source was has been booked before.
fn judge(ask: &Ask, source: Option<Source>, carries: Option<Carries>, to: String) -> Judge {
    let circumstances = Circumstances {
        device: ask.device.id,
        mailbox: ask.device.mailbox,
        on_send: ask.desk.limits.on_send,
        now: ask.desk.engine.clock.now(),
        source,
    };
    Judge::new(move |tx| {
        let judged = circumstances.judge(tx, carries.as_ref())?;
        if let (None, Some(carries)) = (source, &carries)
            && !matches!(judged, Judged::Refused(_))
        {
            let Circumstances { device, mailbox, now, .. } = circumstances;
            recall::note_acted(tx, Leaving { device, mailbox, carries, to: &to }, now)?;
        }
        Ok(judged)
    })
}

/// What decides about a mail beside what it carries.
#[derive(Clone, Copy)]
struct Circumstances {
    device: DeviceId,
    mailbox: MailboxId,
    on_send: OnSend,
    now: Timestamp,
    source: Option<Source>,
}

impl Circumstances {
    fn judge(&self, tx: &Tx<'_>, carries: Option<&Carries>) -> Result<Judged, database::Error> {
        let Circumstances { device, mailbox, on_send, now, source } = *self;
        if !recall::any_fence(tx)? {
            return Ok(Judged::Taken);
        }
        if let Some(source) = source
            && recall::covers(tx, source.identity, source.mailbox, now)?.is_some()
        {
            return Ok(Judged::Refused(Against::Source));
        }
        let Some(carries) = carries else {
            let refused = Judged::Refused(Against::Order);
            return Ok(if on_send == OnSend::Note { Judged::Taken } else { refused });
        };
        let found = recall::resembles(tx, carries, mailbox, now)?;
        for Likeness { order, sign } in &found {
            let event = Event::new("mail.refers_to_recalled").id("order", *order);
            audit::note(tx, now, &event.id("device", device).text("sign", sign.text()))?;
        }
        Ok(match (on_send, found.first()) {
            (_, None) | (OnSend::Note, _) => Judged::Taken,
            (OnSend::Hold, Some(like)) => {
                Judged::Held(Hold { order: like.order, why: like.sign.text() })
            }
            (OnSend::Refuse, Some(_)) => Judged::Refused(Against::Order),
        })
    }
}

/// Whether a mail of this name was taken from the device before: then it is told the same, whatever has happened since.
pub(in crate::eas) async fn was_taken(ask: &Ask, name: &MailName) -> Result<bool, Refusal> {
    let Some(outgoing) = &ask.desk.outgoing else { return Ok(false) };
    let known = outgoing.knows(ask.user.id, ask.device.id, name).await;
    known.map_err(|error| Refusal::Mailbox(MailboxError::Down(error.to_string())))
}

/// What a reply to, or a forward of, a recalled message answers ([MS-ASCMD] 2.2.2, MessageReplyNotAllowed): never 150 and never an
/// HTTP error, which make apps send the mail whole from their own copy; below 14.0 it is HTTP 400 (`eas/status.rs`).
pub(in crate::eas) const SOURCE_IS_RECALLED: Status = common::MESSAGE_REPLY_NOT_ALLOWED;
