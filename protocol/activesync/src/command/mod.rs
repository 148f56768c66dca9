//! The commands, one file each, named as the specification names them.

pub mod find;
pub mod folder_create;
pub mod folder_delete;
pub mod folder_sync;
pub mod folder_update;
pub mod get_attachment;
pub mod get_hierarchy;
pub mod get_item_estimate;
pub mod item_operations;
pub mod meeting_response;
pub mod move_items;
pub mod ping;
pub mod plain_mail;
pub mod provision;
pub mod resolve_recipients;
pub mod search;
pub mod send_mail;
pub mod settings;
pub mod smart_forward;
pub mod smart_reply;
pub mod sync;
pub mod validate_cert;

#[cfg(test)]
mod fixture;

use std::fmt;
use std::str::FromStr;

use wbxml::Tag;

use crate::code_pages as pages;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::status::{self, Status, common};
use crate::version::ProtocolVersion;

/// Makes the enum of typed requests from the commands that always have a document.
macro_rules! requests {
    ($($variant:ident $module:ident;)*) => {
        /// A request of any command.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Request {
            /// Sync; `None` is the empty request, "as last time" ([MS-ASCMD] 2.2.1.21.1).
            Sync(Option<Box<sync::Request>>),
            /// Ping; `None` is the empty request, "as last time" ([MS-ASCMD] 2.2.1.13).
            Ping(Option<ping::Request>),
            $(#[doc = concat!(stringify!($variant), ".")] $variant(Box<$module::Request>),)*
            /// A command without a document, which says what it wants in the query: [`get_attachment`],
            /// [`get_hierarchy`], and [`plain_mail`] up to 12.1.
            Untyped(CommandName),
        }

        impl Request {
            /// Decodes the body of a request.
            pub fn decode(
                command: CommandName,
                version: ProtocolVersion,
                body: &[u8],
            ) -> Result<Self> {
                if has_no_document(command, version) {
                    return Ok(Self::Untyped(command));
                }
                Ok(match command {
                    CommandName::Sync => Self::Sync(decode_some(version, body)?.map(Box::new)),
                    CommandName::Ping => Self::Ping(decode_some(version, body)?),
                    $(CommandName::$variant => {
                        Self::$variant(Box::new($module::Request::decode(version, body)?))
                    })*
                    _ => {
                        walk(command, version, body)?;
                        Self::Untyped(command)
                    }
                })
            }

            /// The command it is a request of.
            pub fn command(&self) -> CommandName {
                match self {
                    Self::Sync(_) => CommandName::Sync,
                    Self::Ping(_) => CommandName::Ping,
                    $(Self::$variant(_) => CommandName::$variant,)*
                    Self::Untyped(command) => *command,
                }
            }

            /// Encodes the body of a request; no octets for what has none, or has no type here.
            pub fn encode(&self, version: ProtocolVersion) -> Vec<u8> {
                match self {
                    Self::Sync(Some(request)) => request.encode(version),
                    Self::Ping(Some(request)) => request.encode(version),
                    $(Self::$variant(request) => request.encode(version),)*
                    Self::Sync(None) | Self::Ping(None) | Self::Untyped(_) => Vec::new(),
                }
            }
        }
    };
}

requests! {
    Find find;
    FolderSync folder_sync;
    FolderCreate folder_create;
    FolderDelete folder_delete;
    FolderUpdate folder_update;
    GetItemEstimate get_item_estimate;
    ItemOperations item_operations;
    MeetingResponse meeting_response;
    MoveItems move_items;
    Provision provision;
    ResolveRecipients resolve_recipients;
    Search search;
    SendMail send_mail;
    Settings settings;
    SmartForward smart_forward;
    SmartReply smart_reply;
    ValidateCert validate_cert;
}

/// Decodes a request that may be empty.
fn decode_some<D: Document>(version: ProtocolVersion, body: &[u8]) -> Result<Option<D>> {
    if body.is_empty() { Ok(None) } else { D::decode(version, body).map(Some) }
}

/// Whether the version has no such document: up to 12.1 mail is sent as it is, and some commands are newer.
fn has_no_document(command: CommandName, version: ProtocolVersion) -> bool {
    command.root().is_some_and(|root| !pages::versions(root).contain(version))
}

/// Reads over a document of a command that has no type here; some commands have none.
fn walk(command: CommandName, version: ProtocolVersion, body: &[u8]) -> Result<()> {
    let Some(root) = command.root().filter(|_| !body.is_empty()) else { return Ok(()) };
    let mut cursor = Cursor::new(body, version)?;
    cursor.root(root)?;
    cursor.skip()?;
    cursor.finish()
}

/// Makes the enum of commands with their names, codes and roots.
macro_rules! command_names {
    ($($variant:ident $name:literal $code:expr, $root:expr;)*) => {
        /// The commands of the protocol ([MS-ASCMD] 2.2.1), as named in a query.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum CommandName {
            $(#[doc = concat!("`", $name, "`.")] $variant,)*
        }

        impl CommandName {
            /// All commands.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in a plain query and in `MS-ASProtocolCommands`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The code in a base64 query ([MS-ASHTTP] 2.2.1.1.1.1.2); four old commands have none.
            pub fn code(self) -> Option<u8> {
                match self { $(Self::$variant => $code,)* }
            }

            /// The element its documents begin with, if it has documents.
            pub fn root(self) -> Option<Tag> {
                match self { $(Self::$variant => $root,)* }
            }
        }
    };
}

command_names! {
    Sync "Sync" Some(0), Some(pages::air_sync::SYNC);
    SendMail "SendMail" Some(1), Some(pages::compose_mail::SEND_MAIL);
    SmartForward "SmartForward" Some(2), Some(pages::compose_mail::SMART_FORWARD);
    SmartReply "SmartReply" Some(3), Some(pages::compose_mail::SMART_REPLY);
    GetAttachment "GetAttachment" Some(4), None;
    GetHierarchy "GetHierarchy" None, Some(pages::folder_hierarchy::FOLDERS);
    CreateCollection "CreateCollection" None, None;
    DeleteCollection "DeleteCollection" None, None;
    MoveCollection "MoveCollection" None, None;
    FolderSync "FolderSync" Some(9), Some(pages::folder_hierarchy::FOLDER_SYNC);
    FolderCreate "FolderCreate" Some(10), Some(pages::folder_hierarchy::FOLDER_CREATE);
    FolderDelete "FolderDelete" Some(11), Some(pages::folder_hierarchy::FOLDER_DELETE);
    FolderUpdate "FolderUpdate" Some(12), Some(pages::folder_hierarchy::FOLDER_UPDATE);
    MoveItems "MoveItems" Some(13), Some(pages::move_items::MOVE_ITEMS);
    GetItemEstimate "GetItemEstimate" Some(14), Some(pages::get_item_estimate::GET_ITEM_ESTIMATE);
    MeetingResponse "MeetingResponse" Some(15), Some(pages::meeting_response::MEETING_RESPONSE);
    Search "Search" Some(16), Some(pages::search::SEARCH);
    Settings "Settings" Some(17), Some(pages::settings::SETTINGS);
    Ping "Ping" Some(18), Some(pages::ping::PING);
    ItemOperations "ItemOperations" Some(19), Some(pages::item_operations::ITEM_OPERATIONS);
    Provision "Provision" Some(20), Some(pages::provision::PROVISION);
    ResolveRecipients "ResolveRecipients" Some(21), Some(pages::resolve_recipients::RESOLVE_RECIPIENTS);
    ValidateCert "ValidateCert" Some(22), Some(pages::validate_cert::VALIDATE_CERT);
    Find "Find" Some(23), Some(pages::find::FIND);
}

impl CommandName {
    /// The command a code of the base64 query stands for.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.code() == Some(code))
    }

    /// The command whose documents begin with `root`.
    pub fn from_root(root: Tag) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.root() == Some(root))
    }

    /// Whether a version has the command. Those that send mail are in all of them: up to 12.1 without a document.
    pub fn exists_in(self, version: ProtocolVersion) -> bool {
        match self {
            Self::SendMail | Self::SmartForward | Self::SmartReply => true,
            Self::GetAttachment | Self::GetHierarchy => version < ProtocolVersion::V14_0,
            _ => self.root().is_none_or(|root| pages::versions(root).contain(version)),
        }
    }

    /// Whether its requests name an occurrence by a time, and fail as a whole when it is none.
    pub fn has_instances(self) -> bool {
        matches!(self, Self::SmartForward | Self::SmartReply)
    }

    /// The top-level status that says that a request breaks the command's rules
    /// ([MS-ASCMD] 2.2.3.177); the common 103 where the command has none of its own.
    pub fn protocol_error(self) -> Status {
        match self {
            Self::Sync => status::sync::PROTOCOL_ERROR,
            Self::FolderSync => status::folder_sync::MALFORMED_REQUEST,
            Self::FolderCreate => status::folder_create::MALFORMED_REQUEST,
            Self::FolderDelete => status::folder_delete::MALFORMED_REQUEST,
            Self::FolderUpdate => status::folder_update::MALFORMED_REQUEST,
            Self::ItemOperations => status::item_operations::PROTOCOL_ERROR,
            Self::Ping => status::ping::SYNTAX_ERROR,
            Self::Provision => status::provision::PROTOCOL_ERROR,
            Self::ResolveRecipients => status::resolve_recipients::PROTOCOL_ERROR,
            Self::Settings => status::settings::PROTOCOL_ERROR,
            Self::ValidateCert => status::certificate::PROTOCOL_ERROR,
            _ => common::INVALID_XML,
        }
    }
}

impl fmt::Display for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCommand;

impl FromStr for CommandName {
    type Err = UnknownCommand;

    /// Command names are compared without regard to case: phones agree on the case, test tools do not.
    fn from_str(text: &str) -> std::result::Result<Self, UnknownCommand> {
        let found = Self::ALL.iter().find(|name| name.as_str().eq_ignore_ascii_case(text));
        found.copied().ok_or(UnknownCommand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_come_back() {
        for name in CommandName::ALL {
            assert_eq!(name.as_str().parse(), Ok(*name));
            assert!(name.code().is_none_or(|code| CommandName::from_code(code) == Some(*name)));
            assert!(name.root().is_none_or(|root| CommandName::from_root(root) == Some(*name)));
        }
        assert_eq!(CommandName::from_code(5), None);
        assert!(CommandName::SendMail.exists_in(ProtocolVersion::V12_1));
        assert!(!CommandName::Find.exists_in(ProtocolVersion::V16_0));
        assert!(!CommandName::GetAttachment.exists_in(ProtocolVersion::V14_0));
        assert_eq!("NoSuch".parse::<CommandName>(), Err(UnknownCommand));
    }
}
