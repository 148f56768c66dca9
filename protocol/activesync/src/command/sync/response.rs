//! What a server sends in Sync ([MS-ASCMD] 2.2.1.21).
//!
//! Key, id, status and `MoreAvailable` stand before the commands, which some clients need, and no
//! container is ever empty, which some clients cannot read.

use wbxml::Tag;

use crate::code_pages::{air_sync as tags, air_sync_base as base};
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::Field;
use crate::item::ItemData;
use crate::status::Status;
use crate::types::{ClassName, ClientId, CollectionId, CompactDateTime, ServerId, SyncKey};
use crate::version::ProtocolVersion;

/// A Sync response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Why the whole request failed, if it did.
    pub status: Option<Status>,
    /// The limit that was passed: the nearest wait, or the number of collections
    /// ([MS-ASCMD] 2.2.3.97).
    pub limit: Option<u32>,
    /// The collections that have something to say.
    pub collections: Vec<CollectionAnswer>,
}

impl Response {
    /// The answer to a request that failed as a whole.
    pub fn failure(status: Status) -> Self {
        Self { status: Some(status), ..Self::default() }
    }
}

/// One collection in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionAnswer {
    /// The class, which only clients up to 12.1 are told.
    pub class: Option<ClassName>,
    /// The state the client is in once it has taken this in.
    pub sync_key: SyncKey,
    /// Which collection.
    pub collection_id: CollectionId,
    /// How it went.
    pub status: Status,
    /// There is more than fits the window.
    pub more_available: bool,
    /// What the client is to do.
    pub commands: Vec<ServerCommand>,
    /// What came of the client's own commands.
    pub replies: Vec<Reply>,
}

impl CollectionAnswer {
    /// An answer that says nothing yet but how it went.
    pub fn new(collection_id: CollectionId, sync_key: SyncKey, status: Status) -> Self {
        Self {
            class: None,
            sync_key,
            collection_id,
            status,
            more_available: false,
            commands: Vec::new(),
            replies: Vec::new(),
        }
    }
}

/// Something a client is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerCommand {
    /// Take in a new item.
    Add {
        /// Its id.
        server_id: ServerId,
        /// Its class, where it is not the collection's own.
        class: Option<ClassName>,
        /// The item.
        data: ItemData,
    },
    /// Change an item.
    Change {
        /// Its id.
        server_id: ServerId,
        /// Its class, where it is not the collection's own.
        class: Option<ClassName>,
        /// What changed.
        data: ItemData,
    },
    /// Delete an item: it is gone.
    Delete {
        /// Its id.
        server_id: ServerId,
        /// Its class, where it is not the collection's own.
        class: Option<ClassName>,
    },
    /// Drop an item: it left the filter's window, and is still there ([MS-ASCMD] 2.2.3.172).
    SoftDelete {
        /// Its id.
        server_id: ServerId,
    },
}

/// What came of one of the client's commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Which kind of command.
    pub to: ReplyTo,
    /// The class, where it is not the collection's own.
    pub class: Option<ClassName>,
    /// The name the client gave the item it added.
    pub client_id: Option<ClientId>,
    /// The item.
    pub server_id: Option<ServerId>,
    /// Which instance of a series.
    pub instance_id: Option<CompactDateTime>,
    /// How it went.
    pub status: Status,
    /// The item that was fetched, or what the server made of an added draft.
    pub data: Option<ItemData>,
}

/// The kind of command a reply is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyTo {
    /// An item the client added.
    Add,
    /// An item the client changed.
    Change,
    /// An item the client deleted.
    Delete,
    /// An item the client fetched.
    Fetch,
}

impl Reply {
    /// A reply about an item of the server.
    pub fn about(to: ReplyTo, server_id: ServerId, status: Status) -> Self {
        Self {
            to,
            class: None,
            client_id: None,
            server_id: Some(server_id),
            instance_id: None,
            status,
            data: None,
        }
    }

    /// A reply about an item the client added: where it is now, or why it is not.
    pub fn added(client_id: ClientId, server_id: Option<ServerId>, status: Status) -> Self {
        Self {
            to: ReplyTo::Add,
            class: None,
            client_id: Some(client_id),
            server_id,
            instance_id: None,
            status,
            data: None,
        }
    }
}

impl Document for Response {
    const ROOT: Tag = tags::SYNC;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut response = Self::default();
        let mut collections = None;
        while let Some(tag) = cursor.next_child()? {
            match tag {
                tags::STATUS => Field::read(&mut response.status, cursor)?,
                tags::LIMIT => Field::read(&mut response.limit, cursor)?,
                tags::COLLECTIONS => cursor.once(&mut collections, read_collections)?,
                _ => return cursor.misplaced(),
            }
        }
        response.collections = collections.unwrap_or_default();
        Ok(response)
    }

    fn write(&self, encoder: &mut Encoder) {
        Field::write(&self.status, encoder, tags::STATUS);
        encoder.opt_number(tags::LIMIT, self.limit);
        if !self.collections.is_empty() {
            encoder.container(tags::COLLECTIONS, |encoder| {
                self.collections.iter().for_each(|collection| collection.write(encoder));
            });
        }
    }
}

fn read_collections(cursor: &mut Cursor<'_>) -> Result<Vec<CollectionAnswer>> {
    let mut collections = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        match tag {
            tags::COLLECTION => collections.push(CollectionAnswer::read(cursor)?),
            _ => return cursor.misplaced(),
        }
    }
    Ok(collections)
}

impl CollectionAnswer {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut class, mut sync_key, mut collection_id) = (None, None, None);
        let (mut status, mut more_available) = (None, false);
        let (mut commands, mut replies) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                tags::CLASS => Field::read(&mut class, cursor)?,
                tags::SYNC_KEY => Field::read(&mut sync_key, cursor)?,
                tags::COLLECTION_ID => Field::read(&mut collection_id, cursor)?,
                tags::STATUS => Field::read(&mut status, cursor)?,
                tags::MORE_AVAILABLE => Field::read(&mut more_available, cursor)?,
                tags::COMMANDS => cursor.once(&mut commands, read_commands)?,
                tags::RESPONSES => cursor.once(&mut replies, read_replies)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            class,
            sync_key: cursor.required(sync_key, tags::COLLECTION, tags::SYNC_KEY)?,
            collection_id: cursor.required(collection_id, tags::COLLECTION, tags::COLLECTION_ID)?,
            status: cursor.required(status, tags::COLLECTION, tags::STATUS)?,
            more_available,
            commands: commands.unwrap_or_default(),
            replies: replies.unwrap_or_default(),
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.container(tags::COLLECTION, |encoder| {
            if encoder.version() <= ProtocolVersion::V12_1 {
                encoder.opt_text(tags::CLASS, self.class.as_ref());
            }
            encoder.text(tags::SYNC_KEY, &self.sync_key);
            encoder.text(tags::COLLECTION_ID, &self.collection_id);
            encoder.number(tags::STATUS, self.status.0);
            encoder.flag(tags::MORE_AVAILABLE, self.more_available);
            if !self.commands.is_empty() {
                encoder.container(tags::COMMANDS, |encoder| {
                    self.commands.iter().for_each(|command| command.write(encoder));
                });
            }
            if !self.replies.is_empty() {
                encoder.container(tags::RESPONSES, |encoder| {
                    self.replies.iter().for_each(|reply| reply.write(encoder));
                });
            }
        });
    }
}

fn read_commands(cursor: &mut Cursor<'_>) -> Result<Vec<ServerCommand>> {
    let mut commands = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        commands.push(ServerCommand::read(cursor, tag)?);
    }
    Ok(commands)
}

fn read_replies(cursor: &mut Cursor<'_>) -> Result<Vec<Reply>> {
    let mut replies = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        replies.push(Reply::read(cursor, tag)?);
    }
    Ok(replies)
}

impl ServerCommand {
    fn read(cursor: &mut Cursor<'_>, command: Tag) -> Result<Self> {
        if !matches!(command, tags::ADD | tags::CHANGE | tags::DELETE | tags::SOFT_DELETE) {
            return cursor.misplaced();
        }
        let (mut server_id, mut class, mut data) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                tags::SERVER_ID => Field::read(&mut server_id, cursor)?,
                tags::CLASS => Field::read(&mut class, cursor)?,
                tags::APPLICATION_DATA => cursor.once(&mut data, ItemData::read)?,
                _ => return cursor.misplaced(),
            }
        }
        let server_id = cursor.required(server_id, command, tags::SERVER_ID)?;
        let data = || cursor.required(data, command, tags::APPLICATION_DATA);
        Ok(match command {
            tags::ADD => Self::Add { server_id, class, data: data()? },
            tags::CHANGE => Self::Change { server_id, class, data: data()? },
            tags::DELETE => Self::Delete { server_id, class },
            _ => Self::SoftDelete { server_id },
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        let (tag, server_id, class, data) = match self {
            Self::Add { server_id, class, data } => {
                (tags::ADD, server_id, class.as_ref(), Some(data))
            }
            Self::Change { server_id, class, data } => {
                (tags::CHANGE, server_id, class.as_ref(), Some(data))
            }
            Self::Delete { server_id, class } => (tags::DELETE, server_id, class.as_ref(), None),
            Self::SoftDelete { server_id } => (tags::SOFT_DELETE, server_id, None, None),
        };
        encoder.container(tag, |encoder| {
            encoder.opt_text(tags::CLASS, class);
            encoder.text(tags::SERVER_ID, server_id);
            if let Some(data) = data {
                data.write(encoder, tags::APPLICATION_DATA);
            }
        });
    }
}

impl Reply {
    fn read(cursor: &mut Cursor<'_>, command: Tag) -> Result<Self> {
        let to = match command {
            tags::ADD => ReplyTo::Add,
            tags::CHANGE => ReplyTo::Change,
            tags::DELETE => ReplyTo::Delete,
            tags::FETCH => ReplyTo::Fetch,
            _ => return cursor.misplaced(),
        };
        let (mut class, mut client_id, mut server_id) = (None, None, None);
        let (mut instance_id, mut status, mut data) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                tags::CLASS => Field::read(&mut class, cursor)?,
                tags::CLIENT_ID => Field::read(&mut client_id, cursor)?,
                tags::SERVER_ID => Field::read(&mut server_id, cursor)?,
                base::INSTANCE_ID => Field::read(&mut instance_id, cursor)?,
                tags::STATUS => Field::read(&mut status, cursor)?,
                tags::APPLICATION_DATA => cursor.once(&mut data, ItemData::read)?,
                _ => return cursor.misplaced(),
            }
        }
        let status = cursor.required(status, command, tags::STATUS)?;
        Ok(Self { to, class, client_id, server_id, instance_id, status, data })
    }

    fn write(&self, encoder: &mut Encoder) {
        let tag = match self.to {
            ReplyTo::Add => tags::ADD,
            ReplyTo::Change => tags::CHANGE,
            ReplyTo::Delete => tags::DELETE,
            ReplyTo::Fetch => tags::FETCH,
        };
        // What became of an uploaded item is told from 16.0 on ([MS-ASCMD] 2.2.3.11).
        let tells = self.to == ReplyTo::Fetch || encoder.version() >= ProtocolVersion::V16_0;
        encoder.container(tag, |encoder| {
            encoder.opt_text(tags::CLASS, self.class.as_ref());
            encoder.opt_text(tags::CLIENT_ID, self.client_id.as_ref());
            encoder.opt_text(tags::SERVER_ID, self.server_id.as_ref());
            Field::write(&self.instance_id, encoder, base::INSTANCE_ID);
            encoder.number(tags::STATUS, self.status.0);
            if let Some(data) = self.data.as_ref().filter(|_| tells) {
                data.write(encoder, tags::APPLICATION_DATA);
            }
        });
    }
}
