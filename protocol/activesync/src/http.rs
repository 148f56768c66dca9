//! What the protocol says in HTTP: the query of a request in both spellings, and header names.
//!
//! A phone says who it is and what it wants in the query, either as `Cmd=Sync&DeviceId=...` or as
//! one base64 string ([MS-ASHTTP] 2.2.1.1.1). Both become the same [`Query`]; what the base64 form
//! carries and the plain form does not is in headers, which [`Query::complete`] takes in.

use std::fmt;

use crate::command::CommandName;
use crate::status::{Status, common};
use crate::version::ProtocolVersion;

mod base64_query;
pub(crate) mod plain_query;

/// The version a plain request is in ([MS-ASHTTP] 2.2.1.1.2.4).
pub const MS_AS_PROTOCOL_VERSION: &str = "ms-asprotocolversion";
/// The policy the client obeys ([MS-ASHTTP] 2.2.1.1.2.8).
pub const X_MS_POLICY_KEY: &str = "x-ms-policykey";
/// Whether the client takes a multipart answer, `T` or `F` ([MS-ASHTTP] 2.2.1.1.2.5).
pub const MS_AS_ACCEPT_MULTI_PART: &str = "ms-asacceptmultipart";
/// The versions a server speaks, comma separated ([MS-ASHTTP] 2.2.1.2.1.5).
pub const MS_AS_PROTOCOL_VERSIONS: &str = "ms-asprotocolversions";
/// The commands a server serves, comma separated ([MS-ASHTTP] 2.2.1.2.1.4).
pub const MS_AS_PROTOCOL_COMMANDS: &str = "ms-asprotocolcommands";
/// The server's own version.
pub const MS_SERVER_ACTIVE_SYNC: &str = "ms-server-activesync";
/// That the versions have changed and the client has to start over.
pub const X_MS_RP: &str = "x-ms-rp";
/// Where later requests go, with 451.
pub const X_MS_LOCATION: &str = "x-ms-location";
/// Which limit made the server refuse.
pub const X_MS_AS_THROTTLE: &str = "x-ms-asthrottle";

/// The media type of WBXML bodies.
pub const WBXML: &str = "application/vnd.ms-sync.wbxml";
/// The media type of multipart answers ([MS-ASCMD] 2.2.1.10.1).
pub const MULTIPART: &str = "application/vnd.ms-sync.multipart";
/// The media type of mail sent up to 12.1.
pub const MAIL: &str = "message/rfc822";

/// The path of the end point; case and slashes vary among clients.
pub const ENDPOINT: &str = "/Microsoft-Server-ActiveSync";

/// The longest query that is read, in octets.
pub const QUERY_OCTETS_MAX: usize = 8 * 1024;
/// The longest device id. The specification says 32 letters and digits; test clients use more
/// signs, and none of them does harm.
pub const DEVICE_ID_OCTETS_MAX: usize = 64;
/// The longest device type, in octets.
pub const DEVICE_TYPE_OCTETS_MAX: usize = 128;

/// What a phone says outside the body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// What it wants.
    pub command: CommandName,
    /// The device, as it calls itself; see [`Query::device_key`].
    pub device_id: String,
    /// The kind of device, as it calls itself.
    pub device_type: String,
    /// The user it believes to be. Not a proof of anything.
    pub user: Option<String>,
    /// The version it speaks: in the base64 form; else after [`Query::complete`].
    pub version: Option<ProtocolVersion>,
    /// The policy it obeys: in the base64 form; else after [`Query::complete`].
    pub policy_key: Option<u32>,
    /// The language it would like, as [MS-LCID] has it; only in the base64 form.
    pub locale: Option<u16>,
    /// Whether it takes a multipart answer.
    pub accept_multipart: bool,
    /// Whether a sent mail is to be kept; up to 12.1.
    pub save_in_sent: bool,
    /// Which attachment; up to 12.1.
    pub attachment_name: Option<String>,
    /// The folder of the mail that is answered or forwarded; up to 12.1.
    pub collection_id: Option<String>,
    /// The mail that is answered or forwarded; up to 12.1.
    pub item_id: Option<String>,
    /// The search result that is answered or forwarded; up to 12.1.
    pub long_id: Option<String>,
    /// The instance of a series that is answered or forwarded; up to 12.1.
    pub occurrence: Option<String>,
}

impl Query {
    /// A query of a device that wants something.
    pub fn new(
        command: CommandName,
        device_id: impl Into<String>,
        device_type: impl Into<String>,
    ) -> Self {
        Self {
            command,
            device_id: device_id.into(),
            device_type: device_type.into(),
            user: None,
            version: None,
            policy_key: None,
            locale: None,
            accept_multipart: false,
            save_in_sent: false,
            attachment_name: None,
            collection_id: None,
            item_id: None,
            long_id: None,
            occurrence: None,
        }
    }

    /// Reads a query in either spelling, without its question mark.
    pub fn decode(raw: &str) -> Result<Self, QueryError> {
        if raw.len() > QUERY_OCTETS_MAX {
            return Err(QueryError::Malformed);
        }
        let query =
            if is_plain(raw) { plain_query::decode(raw) } else { base64_query::decode(raw) }?;
        if !is_device_id(&query.device_id) {
            return Err(QueryError::DeviceId);
        }
        let device_type = query.device_type.as_bytes();
        if device_type.is_empty()
            || device_type.len() > DEVICE_TYPE_OCTETS_MAX
            || query.device_type.chars().any(char::is_control)
        {
            return Err(QueryError::DeviceType);
        }
        Ok(query)
    }

    /// Takes in the headers of a request, which `header` looks up, and says in which version it
    /// is. Where query and headers disagree the query wins ([MS-ASHTTP] 2.2.1.1.1.1).
    pub fn complete<'h>(
        &mut self,
        header: impl Fn(&str) -> Option<&'h str>,
    ) -> Result<ProtocolVersion, QueryError> {
        let version = match (self.version, header(MS_AS_PROTOCOL_VERSION)) {
            (Some(version), _) => version,
            (None, Some(text)) => text.parse().map_err(|_| match text.trim() {
                "1.0" => QueryError::VersionTooOld,
                _ => QueryError::Version,
            })?,
            (None, None) => return Err(QueryError::NoVersion),
        };
        self.version = Some(version);
        let policy_key = || header(X_MS_POLICY_KEY)?.trim().parse().ok();
        self.policy_key = self.policy_key.or_else(policy_key);
        let multipart = header(MS_AS_ACCEPT_MULTI_PART);
        self.accept_multipart |= multipart.is_some_and(|value| value.trim() == "T");
        Ok(version)
    }

    /// Writes the plain spelling; what it cannot carry goes into [`Query::headers`].
    pub fn encode_plain(&self) -> String {
        plain_query::encode(self)
    }

    /// The headers that go with the plain spelling.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(version) = self.version {
            headers.push((MS_AS_PROTOCOL_VERSION, version.to_string()));
        }
        if let Some(policy_key) = self.policy_key {
            headers.push((X_MS_POLICY_KEY, policy_key.to_string()));
        }
        if self.accept_multipart {
            headers.push((MS_AS_ACCEPT_MULTI_PART, "T".to_owned()));
        }
        headers
    }

    /// Writes the base64 spelling. `None` if it cannot say this: there is no version, the command
    /// has no code, or a value is longer than 255 octets.
    pub fn encode_base64(&self) -> Option<String> {
        base64_query::encode(self)
    }

    /// The device that a query names, in lower case, even where [`Query::decode`] finds it unfit to be served: for the line of a
    /// log that says who was refused.
    pub fn device_key_in(raw: &str) -> Option<String> {
        if raw.len() > QUERY_OCTETS_MAX {
            return None;
        }
        let named = match is_plain(raw) {
            true => plain_query::device_id_in(raw),
            false => base64_query::device_id_in(raw),
        };
        named.filter(|id| is_device_id(id)).map(|id| id.to_ascii_lowercase())
    }

    /// The device id as it is compared: without regard to case ([MS-ASHTTP] 2.2.1.1.1.2.3).
    pub fn device_key(&self) -> String {
        self.device_id.to_ascii_lowercase()
    }
}

fn is_device_id(id: &str) -> bool {
    (1..=DEVICE_ID_OCTETS_MAX).contains(&id.len())
        && id.bytes().all(|octet| octet.is_ascii_graphic())
}

/// Why a request cannot be served before its body is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryError {
    /// Neither spelling of a query.
    Malformed,
    /// No command.
    NoCommand,
    /// A command that nobody has.
    UnknownCommand,
    /// A missing or impossible device id.
    DeviceId,
    /// A missing or impossible device type.
    DeviceType,
    /// No version in a plain request.
    NoVersion,
    /// A version this crate does not speak.
    Version,
    /// Version 1.0, which has an HTTP status of its own.
    VersionTooOld,
}

impl QueryError {
    /// The HTTP status that says so ([MS-ASHTTP] 2.2.1.2.1).
    pub fn http_status(self) -> u16 {
        match self {
            Self::UnknownCommand => 501,
            Self::VersionTooOld => 505,
            _ => 400,
        }
    }

    /// The status that says so in a body, to a client of 14.0 and later ([MS-ASCMD] 2.2.2).
    pub fn status(self) -> Option<Status> {
        match self {
            Self::UnknownCommand => Some(common::COMMAND_NOT_SUPPORTED),
            Self::DeviceId => Some(common::DEVICE_ID_MISSING_OR_INVALID),
            Self::DeviceType => Some(common::DEVICE_TYPE_MISSING_OR_INVALID),
            Self::Version | Self::VersionTooOld => Some(common::VERSION_NOT_SUPPORTED),
            Self::Malformed | Self::NoCommand | Self::NoVersion => None,
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the query is malformed",
            Self::NoCommand => "the query names no command",
            Self::UnknownCommand => "there is no such command",
            Self::DeviceId => "the device id is missing or impossible",
            Self::DeviceType => "the device type is missing or impossible",
            Self::NoVersion => "the request names no protocol version",
            Self::Version => "this protocol version is not spoken here",
            Self::VersionTooOld => "protocol version 1.0 is not spoken here",
        })
    }
}

impl std::error::Error for QueryError {}

/// The value of [`MS_AS_PROTOCOL_VERSIONS`] and [`X_MS_RP`].
pub fn version_list(versions: &[ProtocolVersion]) -> String {
    versions.iter().map(|version| version.as_str()).collect::<Vec<_>>().join(",")
}

/// The value of [`MS_AS_PROTOCOL_COMMANDS`].
pub fn command_list(commands: &[CommandName]) -> String {
    commands.iter().map(|command| command.as_str()).collect::<Vec<_>>().join(",")
}

/// Whether a query is in the plain spelling: base64 has `=` only at its end.
fn is_plain(raw: &str) -> bool {
    raw.contains('&') || raw.trim_end_matches('=').contains('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_queries_come_in_any_order_and_case() {
        let raw = "User=CONTOSO%5Canat&DeviceId=APPLF1&DeviceType=iPhone&cmd=FolderSync";
        let mut query = Query::decode(raw).expect("a query");
        assert_eq!(query.command, CommandName::FolderSync);
        assert_eq!(query.user.as_deref(), Some("CONTOSO\\anat"));
        assert_eq!(query.device_key(), "applf1");
        let headers = |name: &str| match name {
            MS_AS_PROTOCOL_VERSION => Some("16.1"),
            X_MS_POLICY_KEY => Some("3942919513"),
            MS_AS_ACCEPT_MULTI_PART => Some("T"),
            _ => None,
        };
        assert_eq!(query.complete(headers), Ok(ProtocolVersion::V16_1));
        assert_eq!((query.policy_key, query.accept_multipart), (Some(3_942_919_513), true));
        assert_eq!(query.headers().len(), 3);
    }

    #[test]
    fn the_device_of_a_query_that_is_not_served_is_known() {
        let known = |raw: &str| Query::device_key_in(raw);
        assert_eq!(known("Cmd=Nonsense&DeviceId=APPL&DeviceType=b").as_deref(), Some("appl"));
        assert_eq!(known("deviceid=a%00"), None);
        assert_eq!(known("Cmd=Sync"), None);
        let mut query = Query::new(CommandName::Sync, "APPL", "b");
        query.version = Some(ProtocolVersion::V16_1);
        let good = query.encode_base64().expect("it can be said");
        // Four signs are three octets: version, command, half the locale.
        let strange = format!("////{}", &good[4..]);
        assert!(Query::decode(&strange).is_err());
        assert_eq!(known(&strange).as_deref(), Some("appl"));
        assert_eq!(known(&good[..6]), None);
        assert_eq!(known(&"x".repeat(QUERY_OCTETS_MAX + 1)), None);
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        let error = |raw: &str| Query::decode(raw).expect_err("no query");
        assert_eq!(error("Cmd=Nonsense&DeviceId=a&DeviceType=b"), QueryError::UnknownCommand);
        assert_eq!(error("DeviceId=a&DeviceType=b"), QueryError::NoCommand);
        assert_eq!(error("Cmd=Sync&DeviceType=b"), QueryError::DeviceId);
        assert_eq!(error("Cmd=Sync&DeviceId=a%00&DeviceType=b"), QueryError::DeviceId);
        assert_eq!(error("Cmd=Sync&DeviceId=a"), QueryError::DeviceType);
        assert_eq!(error(""), QueryError::Malformed);
        assert_eq!(error("%%%"), QueryError::Malformed);
        assert_eq!(error(&"A".repeat(QUERY_OCTETS_MAX + 1)), QueryError::Malformed);
        assert_eq!(QueryError::UnknownCommand.http_status(), 501);
        assert_eq!(QueryError::Malformed.http_status(), 400);
    }

    #[test]
    fn versions_of_plain_requests_are_in_a_header() {
        let complete = |version: Option<&'static str>| {
            let mut query = Query::new(CommandName::Sync, "a", "b");
            query.complete(|name| version.filter(|_| name == MS_AS_PROTOCOL_VERSION))
        };
        assert_eq!(complete(None), Err(QueryError::NoVersion));
        assert_eq!(complete(Some("19.1")), Err(QueryError::Version));
        assert_eq!(complete(Some("1.0")), Err(QueryError::VersionTooOld));
        assert_eq!(complete(Some("12.1")), Ok(ProtocolVersion::V12_1));
    }

    #[test]
    fn lists_have_commas_and_no_blanks() {
        assert_eq!(version_list(&ProtocolVersion::ALL), "12.1,14.0,14.1,16.0,16.1");
        assert_eq!(command_list(&[CommandName::Sync, CommandName::Ping]), "Sync,Ping");
    }
}
