//! ItemOperations ([MS-ASCMD] 2.2.1.10): items and attachments fetched whole or in part, folders emptied.
//!
//! What is fetched has no key, so it stays *sent* for ever. All of it passes the gate in one transaction; what an order covers is not
//! found, whether the order came before the request or while the answer was made.

pub(super) mod attachment;
mod conversation;
mod schema;

use activesync::command::item_operations::{
    Fetch, FetchOptions, Fetched, FileProperties, Operation, Outcome as Done, Properties, Request,
    Response, Target,
};
use activesync::document::Document as _;
use activesync::http::MULTIPART;
use activesync::item::ItemData;
use activesync::item::body::{Body, BodyType, Content as BodyContent, MimeSupport};
use activesync::item::email::Email;
use activesync::multipart;
use activesync::status::{Status, common, item_operations as status};
use activesync::types::{Base64, ByteRange, ClassName};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use self::attachment::{File, NoFile};
use crate::eas::convert::{AttachmentId, ItemOptions, Unshapable};
use crate::eas::dispatch::{Ask, booked};
use crate::eas::endpoint::{Answer, Outcome, Plain};
use crate::eas::status::Refusal;
use crate::ids::{CollectionNumber, ServerId};
use crate::ledger::{DetailKind, Exposure, Place};
use crate::mailbox::{Folder, FolderKind, Item, MailboxError};
use crate::recall::gate::{Content, Told};

/// Times an answer is made anew because something in it was fenced meanwhile.
const TRIES: usize = 4;
/// Octets of one attachment, or one range of it, in an answer.
const FILE_OCTETS_MAX: usize = 32 * 1024 * 1024;
/// Octets of content in one answer beyond which further fetches are refused.
const ANSWER_OCTETS_MAX: usize = 32 * 1024 * 1024;
/// Characters of the name of a store, of a user, and of a password.
const STORE_CHARS_MAX: usize = 256;
const USER_NAME_CHARS_MAX: usize = 100;
const PASSWORD_CHARS_MAX: usize = 256;
/// The store that mail is fetched from ([MS-ASCMD] 2.2.3.178.1).
const MAILBOX: &str = "Mailbox";

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    if request.operations.iter().any(is_too_long) {
        return Err(Refusal::Status(status::PROTOCOL_ERROR));
    }
    let mut emptied = None;
    for _ in 0..TRIES {
        ask.hold_nothing();
        let mut made = Made::default();
        for operation in &request.operations {
            if let Operation::Fetch(fetch) = operation {
                let fetched = made.fetch(ask, fetch).await?;
                made.outcomes.push(Done::Fetch(Box::new(fetched)));
            }
        }
        // Folders are emptied once, however often the fetches have to be made.
        if emptied.is_none() {
            emptied = Some(other_operations(ask, &request).await?);
        }
        let others = emptied.clone().unwrap_or_default();
        let outcomes = in_order(&request, std::mem::take(&mut made.outcomes), others);
        let failed = outcomes.iter().filter_map(status_of).filter(|told| *told != status::SUCCESS);
        ask.note_failures(status::NAMES, failed);
        let response = Response { status: status::SUCCESS, outcomes };
        if let Some(answer) = finish(ask, &response, made).await? {
            return Ok(answer.into());
        }
    }
    Err(Refusal::Restless)
}

/// Whether a name in it is longer than the schema has it ([MS-ASCMD] 2.2.3.178.2, 2.2.3.190, 2.2.3.132).
fn is_too_long(operation: &Operation) -> bool {
    let Operation::Fetch(fetch) = operation else { return false };
    let exceeds = |text: Option<&str>, max| text.is_some_and(|text| text.chars().count() > max);
    let options = fetch.options.as_ref();
    exceeds(fetch.store.as_deref(), STORE_CHARS_MAX)
        || exceeds(options.and_then(|it| it.user_name.as_deref()), USER_NAME_CHARS_MAX)
        || exceeds(
            options.and_then(|it| it.password.as_ref()).map(|it| it.reveal()),
            PASSWORD_CHARS_MAX,
        )
}

/// Encodes the answer, as the phone takes it, and asks the gate; `None` when something in it was fenced meanwhile.
async fn finish(ask: &Ask, response: &Response, made: Made) -> Result<Option<Answer>, Refusal> {
    let is_multipart = ask.query.accept_multipart;
    let mut bytes = response.encode(ask.version);
    if is_multipart {
        bytes = multipart::encode(&bytes, &made.parts).ok_or(status::TOO_LARGE)?;
    }
    // Packed before the gate is asked: what it lets out is what leaves, octet for octet.
    let (bytes, is_packed) = ask.pack(bytes).await;
    let answer = if made.contents.is_empty() {
        booked(response, &[])?;
        Answer::plain(StatusCode::OK, Plain::without_content(bytes))
    } else {
        match ask.release(response, bytes, made.contents, made.told).await? {
            Some(released) => ask.send(released),
            None => return Ok(None),
        }
    };
    let fields = [(is_multipart, CONTENT_TYPE, MULTIPART), (is_packed, CONTENT_ENCODING, "gzip")];
    let said = fields.into_iter().filter(|(is_so, _, _)| *is_so);
    Ok(Some(said.fold(answer, |answer, (_, name, value)| {
        answer.with(name, HeaderValue::from_static(value))
    })))
}

/// What the phone is told of one operation.
fn status_of(done: &Done) -> Option<Status> {
    match done {
        Done::Fetch(fetched) => fetched.status,
        Done::EmptyFolderContents { status, .. } | Done::Move { status, .. } => Some(*status),
    }
}

/// Outcomes in the order of their operations.
fn in_order(request: &Request, fetched: Vec<Done>, others: Vec<Done>) -> Vec<Done> {
    let (mut fetched, mut others) = (fetched.into_iter(), others.into_iter());
    let next = |operation: &Operation| match operation {
        Operation::Fetch(_) => fetched.next(),
        _ => others.next(),
    };
    request.operations.iter().filter_map(next).collect()
}

async fn other_operations(ask: &Ask, request: &Request) -> Result<Vec<Done>, Refusal> {
    let mut done = Vec::new();
    for operation in &request.operations {
        match operation {
            Operation::Fetch(_) => {}
            Operation::EmptyFolderContents { collection_id, delete_sub_folders } => {
                let status = empty(ask, collection_id.as_str(), *delete_sub_folders).await?;
                let collection_id = collection_id.clone();
                done.push(Done::EmptyFolderContents { status, collection_id });
            }
            Operation::Move { conversation_id, dst_fld_id, move_always } => {
                let status = match move_always {
                    true => {
                        conversation::move_always(ask, conversation_id, dst_fld_id.as_str()).await?
                    }
                    false => status::MOVE_ALWAYS_MISSING,
                };
                done.push(Done::Move { status, conversation_id: conversation_id.clone() });
            }
        }
    }
    Ok(done)
}

async fn empty(ask: &Ask, collection: &str, subfolders: bool) -> Result<Status, Refusal> {
    let Some(folder) = folder(ask, CollectionNumber::parse(collection)).await? else {
        return Ok(status::NOT_FOUND);
    };
    match ask.desk.engine.store.empty(folder.id, subfolders).await {
        Ok(()) => Ok(status::SUCCESS),
        Err(MailboxError::NoSuchFolder) => Ok(status::NOT_FOUND),
        Err(MailboxError::NotAllowed(_)) => Ok(status::RESOURCE_DENIED),
        Err(error) => Err(error.into()),
    }
}

async fn folder(ask: &Ask, number: Option<CollectionNumber>) -> Result<Option<Folder>, Refusal> {
    let Some(number) = number else { return Ok(None) };
    match ask.desk.engine.store.folder(ask.device.mailbox, number).await {
        Ok(folder) => Ok(Some(folder)),
        Err(MailboxError::NoSuchFolder) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// An answer being made.
#[derive(Default)]
struct Made {
    outcomes: Vec<Done>,
    contents: Vec<Content>,
    /// What of it the report tells one by one.
    told: Vec<Told>,
    /// The parts of a multipart answer, the document not counted.
    parts: Vec<Vec<u8>>,
    /// Octets of content so far.
    octets: usize,
}

impl Made {
    /// Adds a part; gives its number, the document being part 0 ([MS-ASCMD] 2.2.1.10.1).
    fn part(&mut self, octets: Vec<u8>) -> u32 {
        self.parts.push(octets);
        u32::try_from(self.parts.len()).unwrap_or(u32::MAX)
    }

    fn tell(&mut self, item: &Item, kind: DetailKind, detail: String) {
        self.told.push(Told { identity: item.identity, kind, detail });
    }

    /// Counts the body; in a multipart answer it travels beside the document.
    fn body(&mut self, ask: &Ask, body: &mut Body) {
        self.octets += body.data.as_ref().map_or(0, |data| data.as_bytes().len());
        if !ask.query.accept_multipart {
            return;
        }
        body.part = body.data.take().map(|data| {
            self.part(match data {
                BodyContent::Text(text) => text.into_bytes(),
                BodyContent::Octets(octets) => octets,
            })
        });
    }

    async fn fetch(&mut self, ask: &Ask, fetch: &Fetch) -> Result<Fetched, Refusal> {
        let mut fetched = Fetched {
            collection_id: fetch.collection_id.clone(),
            server_id: fetch.server_id.clone(),
            long_id: fetch.long_id.clone(),
            link_id: fetch.link_id.clone(),
            file_reference: fetch.file_reference.clone(),
            ..Fetched::default()
        };
        match self.properties(ask, fetch).await? {
            Ok(properties) => {
                fetched.status = Some(status::SUCCESS);
                if properties.item.is_some() {
                    fetched.class = Some(ClassName::email());
                }
                fetched.properties = Some(properties);
            }
            Err(status) => fetched.status = Some(status),
        }
        Ok(fetched)
    }

    async fn properties(
        &mut self,
        ask: &Ask,
        fetch: &Fetch,
    ) -> Result<Result<Properties, Status>, Refusal> {
        if fetch.store.as_deref().is_some_and(|store| !store.eq_ignore_ascii_case(MAILBOX)) {
            return Ok(Err(status::UNKNOWN_STORE));
        }
        // There is no protection that could be taken off ([MS-ASRM] 3.2.4.1).
        if fetch.remove_rights_management_protection {
            return Ok(Err(common::IRM_FEATURE_DISABLED));
        }
        if self.octets > ANSWER_OCTETS_MAX {
            return Ok(Err(status::TOO_LARGE));
        }
        let options = fetch.options.clone().unwrap_or_default();
        match fetch.target() {
            Some(Target::Item(_, id)) => {
                self.item(ask, ServerId::parse(id.as_str()), &options).await
            }
            Some(Target::Result(id)) => {
                self.item(ask, ServerId::parse(id.as_str()), &options).await
            }
            Some(Target::Attachment(reference)) => {
                self.attachment(ask, AttachmentId::parse(reference.as_str()), &options).await
            }
            Some(Target::Document(_)) => Ok(Err(status::UNKNOWN_STORE)),
            None => Ok(Err(status::PROTOCOL_ERROR)),
        }
    }

    async fn item(
        &mut self,
        ask: &Ask,
        id: Option<ServerId>,
        options: &FetchOptions,
    ) -> Result<Result<Properties, Status>, Refusal> {
        let parts = &options.body_part_preferences;
        if parts.iter().any(|wish| wish.body_type != BodyType::Html) {
            return Ok(Err(common::BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED));
        }
        let Some((folder, item)) = find(ask, id).await? else { return Ok(Err(status::NOT_FOUND)) };
        let wanted = ItemOptions {
            body_preferences: options.body_preferences.clone(),
            body_part_preferences: options.body_part_preferences.clone(),
            mime_support: options.mime_support.unwrap_or(MimeSupport::Never),
            whole: true,
            ..ItemOptions::new(ask.version)
        };
        let desk = &ask.desk;
        let leave = desk.shaper.leave(u64::from(item.size)).await;
        match desk.shaper.shape(&leave, &*desk.engine.store, &folder, &item, &wanted).await {
            Ok((mut email, mut exposure)) => {
                ask.hold(octets(&email))?;
                if let Some(schema) = &options.schema {
                    email = schema::only(email, schema);
                    if email.body.is_none() && email.body_parts.is_empty() {
                        exposure = Exposure::HEADER;
                    }
                }
                if exposure.intersects(Exposure::BODY | Exposure::PART) {
                    let detail = body_told(email.body.as_ref());
                    self.tell(&item, DetailKind::BodySent, detail);
                }
                if exposure.contains(Exposure::ATTACHMENT) {
                    let detail = "every file, in the MIME of the message".to_owned();
                    self.tell(&item, DetailKind::AttachmentSent, detail);
                }
                if let Some(body) = &mut email.body {
                    self.body(ask, body);
                }
                self.contents.push(content(&folder, &item, exposure | Exposure::FETCHED));
                let data = ItemData::from(email);
                Ok(Ok(Properties { item: Some(data), ..Properties::default() }))
            }
            Err(Unshapable::Gone | Unshapable::Replaced) => Ok(Err(status::NOT_FOUND)),
            Err(Unshapable::Unreadable(_)) => Ok(Err(status::CONVERSION_FAILED)),
            Err(Unshapable::Mailbox(error)) => Err(error.into()),
        }
    }

    async fn attachment(
        &mut self,
        ask: &Ask,
        id: Option<AttachmentId>,
        options: &FetchOptions,
    ) -> Result<Result<Properties, Status>, Refusal> {
        let Some(id) = id else { return Ok(Err(status::INVALID_ATTACHMENT)) };
        let mut found = match File::find(ask, id).await? {
            Ok(found) => found,
            Err(NoFile::NotThere) => return Ok(Err(status::INVALID_ATTACHMENT)),
            Err(NoFile::Forbidden) => return Ok(Err(status::RESOURCE_DENIED)),
            Err(NoFile::TooLarge) => return Ok(Err(status::TOO_LARGE)),
        };
        let (octets, content) = (std::mem::take(&mut found.octets), found.content());
        let total = octets.len();
        match cut(octets, found.content_type.clone(), options) {
            Ok(mut file) => {
                self.told.push(found.told(file.range, total));
                let data = file.data.take().map(|data| data.0).unwrap_or_default();
                ask.hold(data.len())?;
                drop(found);
                self.octets += data.len();
                match ask.query.accept_multipart {
                    true => file.part = Some(self.part(data)),
                    false => file.data = Some(Base64(data)),
                }
                self.contents.push(content);
                Ok(Ok(Properties { file, item: None }))
            }
            Err(status) => Ok(Err(status)),
        }
    }
}

/// The item, where it is there and no order covers it.
async fn find(ask: &Ask, id: Option<ServerId>) -> Result<Option<(Folder, Item)>, Refusal> {
    let Some(id) = id else { return Ok(None) };
    let Some(folder) = folder(ask, Some(id.collection)).await? else { return Ok(None) };
    let engine = &ask.desk.engine;
    let place = Place { device: ask.device.id, folder: folder.id };
    if folder.kind == FolderKind::Outbox
        || engine.names_recalled(folder.mailbox, place, id.item).await?
    {
        return Ok(None);
    }
    let found = engine.store.items(folder.id, &[id.item]).await?.into_iter().next();
    Ok(found.map(|item| (folder, item)))
}

fn content(folder: &Folder, item: &Item, exposure: Exposure) -> Content {
    Content {
        mailbox: folder.mailbox,
        folder: folder.id,
        item: item.item,
        identity: item.identity,
        exposure,
    }
}

/// Octets of content in an item, roughly.
fn octets(email: &Email) -> usize {
    let parts = email.body_parts.iter().filter_map(|part| part.data.as_ref());
    let body = email.body.as_ref().and_then(|body| body.data.as_ref());
    body.map_or(0, |data| data.as_bytes().len())
        + parts.map(|data| data.as_bytes().len()).sum::<usize>()
}

/// How much of a body leaves, in words.
fn body_told(body: Option<&Body>) -> String {
    let Some(body) = body else { return "a part of the body".to_owned() };
    let kind = match body.body_type {
        Some(BodyType::Plain) => "text",
        Some(BodyType::Html) => "HTML",
        Some(BodyType::Rtf) => "RTF",
        Some(BodyType::Mime) => "MIME",
        None => "body",
    };
    let octets = body.data.as_ref().map_or(0, |data| data.as_bytes().len());
    match (body.truncated, body.estimated_data_size) {
        (Some(true), Some(total)) => format!("{kind}, {octets} of {total} octets"),
        (Some(true), None) => format!("{kind}, cut after {octets} octets"),
        _ => format!("{kind}, whole, {octets} octets"),
    }
}

/// The part of a file that was asked for; Range and Total only where a range was asked ([MS-ASCMD] 2.2.3.143.2).
fn cut(
    octets: Vec<u8>,
    content_type: String,
    options: &FetchOptions,
) -> Result<FileProperties, Status> {
    let total = octets.len();
    let Some(text) = &options.range else {
        if total > FILE_OCTETS_MAX {
            return Err(status::TOO_LARGE);
        }
        return Ok(FileProperties {
            content_type: Some(content_type),
            data: Some(Base64(octets)),
            ..FileProperties::default()
        });
    };
    let asked = text.range().ok_or(status::BAD_RANGE)?;
    let first = usize::try_from(asked.first).map_err(|_| status::BAD_RANGE)?;
    let last = usize::try_from(asked.last).map_err(|_| status::BAD_RANGE)?;
    if first >= total {
        return Err(status::BAD_RANGE);
    }
    let end = last.saturating_add(1).min(total).min(first.saturating_add(FILE_OCTETS_MAX));
    let range = ByteRange {
        first: asked.first,
        last: u32::try_from(end - 1).map_err(|_| status::BAD_RANGE)?,
    };
    Ok(FileProperties {
        content_type: Some(content_type),
        range: Some(range),
        total: u32::try_from(total).ok(),
        data: Some(Base64(octets[first..end].to_vec())),
        ..FileProperties::default()
    })
}
