//! What a client sends in Sync.
//!
//! The order of the children of `Collection` is enforced ([MS-ASCMD] 2.2.3.29.2). What depends on
//! state (whether the key is known, what a filter means for a class) is left to the server. An
//! item that cannot be decoded is [`ItemData::Broken`] and spoils no other.

use wbxml::Tag;

use crate::code_pages::{self, air_sync as tags, air_sync_base as base, email2, rights_management};
use crate::command::sync::CLIENT_COMMANDS_MAX;
use crate::document::Document;
use crate::element::{Cursor, Order, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Element, Field};
use crate::item::ItemData;
use crate::item::body::{BodyPreference, MimeSupport, read_preference};
use crate::item::email::Email;
use crate::types::{ClassName, ClientId, CollectionId, CompactDateTime, ServerId, SyncKey};

/// A Sync request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The collections to synchronise.
    pub collections: Vec<Collection>,
    /// How long to wait for changes, in minutes; 1 to 59 are served ([MS-ASCMD] 2.2.3.196).
    pub wait_min: Option<u32>,
    /// How long to wait for changes, in seconds; 60 to 3540 are served ([MS-ASCMD] 2.2.3.88.2).
    pub heartbeat_interval_s: Option<u32>,
    /// How many changes all collections together may get; see [`super::window`].
    pub window_size: Option<u32>,
    /// What is not in here is as in the last request ([MS-ASCMD] 2.2.3.131).
    pub partial: bool,
}

/// One collection in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// The class, which only clients up to 12.1 send.
    pub class: Option<ClassName>,
    /// The state the client is in.
    pub sync_key: SyncKey,
    /// Which collection.
    pub collection_id: CollectionId,
    /// The properties the client keeps itself, with the first key ([MS-ASCMD] 2.2.3.179).
    pub supported: Option<Vec<Tag>>,
    /// Whether deleted items go to the Deleted Items folder; they do where absent.
    pub deletes_as_moves: Option<bool>,
    /// Whether the client wants changes; see [`Collection::wants_changes`].
    pub get_changes: Option<bool>,
    /// How many changes it takes; see [`super::window`].
    pub window_size: Option<u32>,
    /// Whether whole conversations are kept within the filter ([MS-ASCMD] 2.2.3.36).
    pub conversation_mode: Option<bool>,
    /// What the client wants of the items. None: as stored; at most one block a class.
    pub options: Vec<Options>,
    /// What the client did, in order.
    pub commands: Vec<ClientCommand>,
}

impl Collection {
    /// A collection in a state, asking for nothing in particular.
    pub fn new(collection_id: CollectionId, sync_key: SyncKey) -> Self {
        Self {
            class: None,
            sync_key,
            collection_id,
            supported: None,
            deletes_as_moves: None,
            get_changes: None,
            window_size: None,
            conversation_mode: None,
            options: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// Whether the server's changes are wanted ([MS-ASCMD] 2.2.3.84): where the element is absent
    /// they are, except with the first key.
    pub fn wants_changes(&self) -> bool {
        self.get_changes.unwrap_or(!self.sync_key.is_initial())
    }
}

/// What a client wants of the items of one class ([MS-ASCMD] 2.2.3.125.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How far back items go ([MS-ASCMD] 2.2.3.68.2); 0 is all of them.
    pub filter_type: Option<u8>,
    /// The class the block is for; the collection's own where absent.
    pub class: Option<ClassName>,
    /// How it would like bodies, one preference a type.
    pub body_preferences: Vec<BodyPreference>,
    /// How it would like parts of bodies.
    pub body_part_preferences: Vec<BodyPreference>,
    /// Who wins a conflict: 0 the client, 1 the server.
    pub conflict: Option<u8>,
    /// For which mail it takes whole messages.
    pub mime_support: Option<MimeSupport>,
    /// How long whole messages may be ([MS-ASCMD] 2.2.3.110).
    pub mime_truncation: Option<u8>,
    /// How many entries of the recipient information cache it takes.
    pub max_items: Option<u32>,
    /// Whether it understands rights management.
    pub rights_management_support: Option<bool>,
}

/// Something a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCommand {
    /// It has a new item.
    Add(Add),
    /// It changed an item.
    Change(Change),
    /// It deleted an item.
    Delete(Delete),
    /// It wants an item whole.
    Fetch(ServerId),
}

/// A new item of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// The class, where it is not the collection's own.
    pub class: Option<ClassName>,
    /// The client's name for it.
    pub client_id: ClientId,
    /// Send it instead of keeping it as a draft.
    pub send: bool,
    /// The item.
    pub data: ItemData,
}

/// A change a client made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which item.
    pub server_id: ServerId,
    /// Which instance of a series.
    pub instance_id: Option<CompactDateTime>,
    /// Send the draft.
    pub send: bool,
    /// What changed.
    pub data: ItemData,
}

/// A deletion a client made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// Which item.
    pub server_id: ServerId,
    /// Which instance of a series.
    pub instance_id: Option<CompactDateTime>,
}

impl Document for Request {
    const ROOT: Tag = tags::SYNC;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut request = Self::default();
        let mut collections = None;
        while let Some(tag) = cursor.next_child()? {
            match tag {
                tags::COLLECTIONS => cursor.once(&mut collections, read_collections)?,
                tags::WAIT => cursor.once(&mut request.wait_min, read_wait)?,
                tags::HEARTBEAT_INTERVAL => {
                    cursor.once(&mut request.heartbeat_interval_s, read_wait)?;
                }
                tags::WINDOW_SIZE => Field::read(&mut request.window_size, cursor)?,
                tags::PARTIAL => Field::read(&mut request.partial, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        request.collections = collections.unwrap_or_default();
        let alone = request.collections.is_empty()
            && request.wait_min.is_none()
            && request.heartbeat_interval_s.is_none()
            && request.window_size.is_none();
        // [MS-ASCMD] 2.2.3.131: Partial says nothing on its own. 2.2.3.88.2: one wait, not two.
        let two_waits = request.wait_min.is_some() && request.heartbeat_interval_s.is_some();
        if (request.partial && alone) || two_waits {
            return Err(cursor.problem(Problem::Combination));
        }
        Ok(request)
    }

    fn write(&self, encoder: &mut Encoder) {
        if !self.collections.is_empty() {
            encoder.container(tags::COLLECTIONS, |encoder| {
                for collection in &self.collections {
                    collection.write(encoder);
                }
            });
        }
        encoder.opt_number(tags::WAIT, self.wait_min);
        encoder.opt_number(tags::HEARTBEAT_INTERVAL, self.heartbeat_interval_s);
        encoder.opt_number(tags::WINDOW_SIZE, self.window_size);
        encoder.flag(tags::PARTIAL, self.partial);
    }
}

/// A time to wait. What is below zero is below every limit, and is answered as such.
fn read_wait(cursor: &mut Cursor<'_>) -> Result<u32> {
    let wait = cursor.number::<i64>()?;
    Ok(wait.clamp(0, i64::from(u32::MAX)) as u32)
}

/// The collections; some phones send an empty list as a heartbeat when every folder is off.
fn read_collections(cursor: &mut Cursor<'_>) -> Result<Vec<Collection>> {
    let mut collections = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        match tag {
            tags::COLLECTION => collections.push(Collection::read(cursor)?),
            _ => return cursor.misplaced(),
        }
    }
    Ok(collections)
}

impl Collection {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut sync_key, mut collection_id, mut commands) = (None, None, None);
        let mut rest = Self::new(CollectionId::default(), SyncKey::default());
        let mut order = Order::default();
        while let Some(tag) = cursor.next_child()? {
            order.step(cursor, rank(tag))?;
            match tag {
                tags::CLASS => Field::read(&mut rest.class, cursor)?,
                tags::SYNC_KEY => Field::read(&mut sync_key, cursor)?,
                tags::COLLECTION_ID => Field::read(&mut collection_id, cursor)?,
                tags::SUPPORTED => cursor.once(&mut rest.supported, read_supported)?,
                tags::DELETES_AS_MOVES => Field::read(&mut rest.deletes_as_moves, cursor)?,
                tags::GET_CHANGES => Field::read(&mut rest.get_changes, cursor)?,
                tags::WINDOW_SIZE => Field::read(&mut rest.window_size, cursor)?,
                tags::CONVERSATION_MODE => Field::read(&mut rest.conversation_mode, cursor)?,
                tags::OPTIONS => rest.read_options(cursor)?,
                tags::COMMANDS => cursor.once(&mut commands, read_commands)?,
                _ => return cursor.misplaced(),
            }
        }
        rest.sync_key = cursor.required(sync_key, tags::COLLECTION, tags::SYNC_KEY)?;
        rest.collection_id =
            cursor.required(collection_id, tags::COLLECTION, tags::COLLECTION_ID)?;
        rest.commands = commands.unwrap_or_default();
        Ok(rest)
    }

    /// Reads a block of options; two are for two classes ([MS-ASCMD] 2.2.3.125.5).
    fn read_options(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        let options = Options::read(cursor)?;
        if self.options.iter().any(|other| other.class == options.class) {
            return Err(cursor.problem(Problem::Combination));
        }
        self.options.push(options);
        if self.options.len() > OPTIONS_MAX {
            return Err(cursor.over_limit("2 blocks of options in a collection"));
        }
        Ok(())
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.container(tags::COLLECTION, |encoder| {
            encoder.opt_text(tags::CLASS, self.class.as_ref());
            encoder.text(tags::SYNC_KEY, &self.sync_key);
            encoder.text(tags::COLLECTION_ID, &self.collection_id);
            if let Some(supported) = &self.supported {
                encoder.container(tags::SUPPORTED, |encoder| {
                    supported.iter().for_each(|tag| encoder.empty(*tag));
                });
            }
            encoder.opt_boolean(tags::DELETES_AS_MOVES, self.deletes_as_moves);
            encoder.opt_boolean(tags::GET_CHANGES, self.get_changes);
            encoder.opt_number(tags::WINDOW_SIZE, self.window_size);
            encoder.opt_boolean(tags::CONVERSATION_MODE, self.conversation_mode);
            for options in &self.options {
                options.write(encoder, tags::OPTIONS);
            }
            if !self.commands.is_empty() {
                encoder.container(tags::COMMANDS, |encoder| {
                    self.commands.iter().for_each(|command| command.write(encoder));
                });
            }
        });
    }
}

/// The place of a child of `Collection` in its sequence ([MS-ASCMD] 2.2.3.29.2). The class, which
/// old clients send, comes first; some put it after the ids.
fn rank(tag: Tag) -> u8 {
    match tag {
        tags::CLASS | tags::SYNC_KEY | tags::COLLECTION_ID => 1,
        tags::SUPPORTED => 2,
        tags::DELETES_AS_MOVES => 3,
        tags::GET_CHANGES => 4,
        tags::WINDOW_SIZE => 5,
        tags::CONVERSATION_MODE => 6,
        tags::OPTIONS => 7,
        _ => 8,
    }
}

/// The bare tags in `Supported`; one that the spoken version does not have names nothing and is passed over.
fn read_supported(cursor: &mut Cursor<'_>) -> Result<Vec<Tag>> {
    let mut supported = Vec::new();
    while let Some(tag) = cursor.next_child_any_version()? {
        if code_pages::versions(tag).contain(cursor.version()) {
            supported.push(tag);
        }
        cursor.skip()?;
    }
    Ok(supported)
}

/// What the client did, at most 200 commands ([MS-ASCMD] 3.1.5.10).
fn read_commands(cursor: &mut Cursor<'_>) -> Result<Vec<ClientCommand>> {
    let mut commands = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        if commands.len() == CLIENT_COMMANDS_MAX {
            return Err(cursor.over_limit("200 commands for a collection"));
        }
        commands.push(ClientCommand::read(cursor, tag)?);
    }
    Ok(commands)
}

impl Element for Options {
    /// Of an element that stands twice in a block the last counts: that is undefined, servers may
    /// refuse it, and Exchange does not ([MS-ASCMD] 2.2.3.68.2, section 7).
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                tags::FILTER_TYPE => options.filter_type = Some(cursor.number()?),
                tags::CLASS => options.class = Some(cursor.value()?),
                base::BODY_PREFERENCE => read_preference(&mut options.body_preferences, cursor)?,
                base::BODY_PART_PREFERENCE => {
                    read_preference(&mut options.body_part_preferences, cursor)?;
                }
                tags::CONFLICT => options.conflict = Some(cursor.number()?),
                tags::MIME_SUPPORT => options.mime_support = Some(MimeSupport::read(cursor)?),
                tags::MIME_TRUNCATION => options.mime_truncation = Some(cursor.number()?),
                tags::MAX_ITEMS => options.max_items = Some(cursor.number()?),
                rights_management::RIGHTS_MANAGEMENT_SUPPORT => {
                    options.rights_management_support = Some(cursor.boolean()?);
                }
                _ => return cursor.misplaced(),
            }
        }
        Ok(options)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            encoder.opt_number(tags::FILTER_TYPE, self.filter_type);
            encoder.opt_text(tags::CLASS, self.class.as_ref());
            Field::write(&self.body_preferences, encoder, base::BODY_PREFERENCE);
            Field::write(&self.body_part_preferences, encoder, base::BODY_PART_PREFERENCE);
            encoder.opt_number(tags::CONFLICT, self.conflict);
            Field::write(&self.mime_support, encoder, tags::MIME_SUPPORT);
            encoder.opt_number(tags::MIME_TRUNCATION, self.mime_truncation);
            encoder.opt_number(tags::MAX_ITEMS, self.max_items);
            let rights = self.rights_management_support;
            encoder.opt_boolean(rights_management::RIGHTS_MANAGEMENT_SUPPORT, rights);
        });
    }
}

/// The children any command may have, before it is known which of them it needs.
#[derive(Default)]
struct Parts {
    class: Option<ClassName>,
    client_id: Option<ClientId>,
    server_id: Option<ServerId>,
    instance_id: Option<CompactDateTime>,
    send: bool,
    data: Option<ItemData>,
}

impl Parts {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut parts = Self::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                tags::CLASS => Field::read(&mut parts.class, cursor)?,
                tags::CLIENT_ID => Field::read(&mut parts.client_id, cursor)?,
                tags::SERVER_ID => Field::read(&mut parts.server_id, cursor)?,
                base::INSTANCE_ID => Field::read(&mut parts.instance_id, cursor)?,
                email2::SEND => Field::read(&mut parts.send, cursor)?,
                tags::APPLICATION_DATA => {
                    cursor.once(&mut parts.data, ItemData::read_isolated)?;
                }
                _ => return cursor.misplaced(),
            }
        }
        Ok(parts)
    }
}

impl ClientCommand {
    fn read(cursor: &mut Cursor<'_>, tag: Tag) -> Result<Self> {
        if !matches!(tag, tags::ADD | tags::CHANGE | tags::DELETE | tags::FETCH) {
            return cursor.misplaced();
        }
        let Parts { class, client_id, server_id, instance_id, send, data } = Parts::read(cursor)?;
        if tag == tags::ADD {
            let client_id = cursor.required(client_id, tag, tags::CLIENT_ID)?;
            let data = cursor.required(data, tag, tags::APPLICATION_DATA)?;
            return Ok(Self::Add(Add { class, client_id, send, data }));
        }
        let server_id = cursor.required(server_id, tag, tags::SERVER_ID)?;
        Ok(match tag {
            tags::CHANGE => {
                // A draft may be sent as it is.
                let unchanged = || ItemData::from(Email::default());
                let data = data.or_else(|| send.then(unchanged));
                let data = cursor.required(data, tag, tags::APPLICATION_DATA)?;
                Self::Change(Change { server_id, instance_id, send, data })
            }
            tags::DELETE => Self::Delete(Delete { server_id, instance_id }),
            _ => Self::Fetch(server_id),
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        match self {
            Self::Add(add) => encoder.container(tags::ADD, |encoder| {
                encoder.opt_text(tags::CLASS, add.class.as_ref());
                encoder.text(tags::CLIENT_ID, &add.client_id);
                encoder.flag(email2::SEND, add.send);
                add.data.write(encoder, tags::APPLICATION_DATA);
            }),
            Self::Change(change) => encoder.container(tags::CHANGE, |encoder| {
                encoder.text(tags::SERVER_ID, &change.server_id);
                Field::write(&change.instance_id, encoder, base::INSTANCE_ID);
                encoder.flag(email2::SEND, change.send);
                change.data.write(encoder, tags::APPLICATION_DATA);
            }),
            Self::Delete(delete) => encoder.container(tags::DELETE, |encoder| {
                encoder.text(tags::SERVER_ID, &delete.server_id);
                Field::write(&delete.instance_id, encoder, base::INSTANCE_ID);
            }),
            Self::Fetch(server_id) => encoder.container(tags::FETCH, |encoder| {
                encoder.text(tags::SERVER_ID, server_id);
            }),
        }
    }
}

/// Blocks of options a collection may have ([MS-ASCMD] 2.2.3.125.5).
const OPTIONS_MAX: usize = 2;
