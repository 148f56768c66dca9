//! Who asks, from which device, in which version, and whether they may: everything before the body is looked at.
//!
//! The order is fixed: credentials, query, version, type of the body, device, policy. So a stranger learns nothing but that a
//! password is wanted, and a version or command we do not serve is refused whatever the body holds.

use std::net::IpAddr;
use std::sync::Arc;

use activesync::ProtocolVersion;
use activesync::command::CommandName;
use activesync::http::{MAIL, Query, WBXML};
use activesync::status::common;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, USER_AGENT};
use parking_lot::Mutex;

use super::basic::{self, Authorization};
use super::dispatch::Ask;
use super::endpoint::Incoming;
use super::gateway::{Admitted, Asks, COMMANDS, Desk, VERSIONS};
use super::gzip;
use super::presence;
use super::quirks::Quirks;
use super::status::Refusal;
use crate::clock::Timestamp;
use crate::database::Tx;
use crate::directory::User;
use crate::ids::{DeviceId, MailboxId};
use crate::ledger::{Device, device};

/// A refusal, with as much of the request as was understood: it decides how the refusal is said.
#[derive(Debug)]
pub(in crate::eas) struct Refused {
    /// The command, once it is known.
    pub(in crate::eas) command: Option<CommandName>,
    /// The version, once it is known.
    pub(in crate::eas) version: Option<ProtocolVersion>,
    /// Why.
    pub(in crate::eas) why: Refusal,
}

/// Lets the user in.
pub(in crate::eas) async fn sign_in(desk: &Desk, request: &Incoming) -> Result<User, Refusal> {
    let (directory, from) = (&desk.directory, request.peer.ip());
    let user = match basic::authorization(&request.headers) {
        Some(Authorization::Basic(credentials)) => {
            directory.sign_in(&credentials.given, &credentials.password, from).await
        }
        Some(Authorization::Bearer(Some(token))) if directory.takes_bearer() => {
            let login = basic::login_of_token(&request.query, &token);
            let login = login.ok_or(Refusal::Unauthorized)?;
            directory.sign_in_by_token(&login, &token, from).await
        }
        _ => return Err(Refusal::Unauthorized),
    };
    user.map_err(Refusal::SignIn)
}

/// What the query and its headers say.
pub(in crate::eas) fn read_query(request: &Incoming) -> Result<(Query, ProtocolVersion), Refused> {
    let refused = |command, version, why| Refused { command, version, why };
    let mut query =
        Query::decode(&request.query).map_err(|e| refused(None, None, Refusal::Query(e)))?;
    let command = query.command;
    let version = query
        .complete(|name| request.headers.get(name)?.to_str().ok())
        .map_err(|e| refused(Some(command), None, Refusal::Query(e)))?;
    if !VERSIONS.contains(&version) {
        return Err(refused(Some(command), None, Refusal::Version));
    }
    // [MS-ASCMD] 2.2.2: a command that this version does not have, whatever the body holds.
    if !command.exists_in(version) {
        let why = Refusal::Status(common::VERSION_NOT_SUPPORTED);
        return Err(refused(Some(command), Some(version), why));
    }
    if !COMMANDS.contains(&command) {
        return Err(refused(Some(command), None, Refusal::Command));
    }
    Ok((query, version))
}

/// Everything before the body: who, which device, may it.
pub(in crate::eas) async fn enter(desk: &Arc<Desk>, request: Incoming) -> Result<Ask, Refused> {
    let nothing_known = |why| Refused { command: None, version: None, why };
    let user = sign_in(desk, &request).await.map_err(nothing_known)?;
    let (query, version) = read_query(&request)?;
    let refused = |why| Refused { command: Some(query.command), version: Some(version), why };
    check_type(&request.headers, &request.body, query.command, version).map_err(refused)?;
    let mailbox = desk.engine.store.mailbox_of(user.id).await.map_err(|e| refused(e.into()))?;
    let now = desk.engine.clock.now();
    let agent = text(&request.headers, USER_AGENT.as_str(), AGENT_CHARS_MAX);
    let device = meet(desk, &user, mailbox, &query, version, &agent, now).await.map_err(refused)?;
    let is_new_connection = desk.presence.is_new(device.id, request.connection);
    hear(desk, &device, &request, now);
    let asks = Asks {
        device: &device,
        user: &user,
        command: query.command,
        version,
        policy_key: query.policy_key,
    };
    admit(desk, asks).await.map_err(refused)?;
    let quirks = Quirks::of(&device.user_agent, &device.device_type, version);
    let share = Mutex::new(desk.answers.share(user.id));
    Ok(Ask {
        desk: desk.clone(),
        user,
        device: Arc::new(device),
        version,
        quirks: quirks.without(desk.limits.quirks_off),
        query,
        takes_gzip: gzip::is_taken(&request.headers),
        body: request.body,
        request: desk.next_request(),
        is_new_connection,
        share,
    })
}

/// [MS-ASPROV] 3.1.5.1: Provision is how a device gets in. A Ping is exempt from policy keys; a wipe or a block ends it, so that
/// the next command meets it.
async fn admit(desk: &Desk, asks: Asks<'_>) -> Result<(), Refusal> {
    if is_fleeting(asks.device) {
        return Ok(());
    }
    let admitted = desk.admission.admit(asks).await?;
    match (asks.command, admitted) {
        (_, Admitted::Yes) => Ok(()),
        (CommandName::Provision, Admitted::Blocked | Admitted::Quarantined) => {
            Err(Refusal::Admission(admitted))
        }
        (CommandName::Provision, _) => Ok(()),
        (CommandName::Ping, Admitted::WipeRequested) => {
            Err(Refusal::Status(activesync::status::ping::FOLDER_SYNC_REQUIRED))
        }
        (
            CommandName::Ping,
            Admitted::NotProvisioned | Admitted::PolicyRefresh | Admitted::InvalidPolicyKey,
        ) => Ok(()),
        (_, refused) => Err(Refusal::Admission(refused)),
    }
}

/// A device that only tests an account: it is answered and not recorded.
pub(in crate::eas) fn is_fleeting(device: &Device) -> bool {
    device.id == FLEETING
}

async fn meet(
    desk: &Desk,
    user: &User,
    mailbox: MailboxId,
    query: &Query,
    version: ProtocolVersion,
    agent: &str,
    now: Timestamp,
) -> Result<Device, Refusal> {
    let introduction = Owned {
        user: user.id,
        mailbox,
        wire_id: query.device_key(),
        device_type: query.device_type.clone(),
        agent: agent.to_owned(),
        version: version.as_str(),
    };
    if introduction.wire_id == VALIDATE {
        return Ok(introduction.fleeting(now));
    }
    let (id, wire) = (user.id, introduction.wire_id.clone());
    let known = desk.engine.database.read(move |tx: &Tx<'_>| device::known(tx, id, &wire)).await?;
    if let Some(known) = known.filter(|known| introduction.describes(known)) {
        return Ok(known);
    }
    let job = move |tx: &Tx<'_>| device::meet(tx, &introduction.borrow(), now);
    desk.engine.database.write(job).await?.ok_or(Refusal::TooManyDevices)
}

/// An introduction that can travel to the database.
#[derive(Clone)]
struct Owned {
    user: crate::ids::UserId,
    mailbox: MailboxId,
    wire_id: String,
    device_type: String,
    agent: String,
    version: &'static str,
}

impl Owned {
    fn borrow(&self) -> device::Introduction<'_> {
        device::Introduction {
            user: self.user,
            mailbox: self.mailbox,
            wire_id: &self.wire_id,
            device_type: &self.device_type,
            user_agent: &self.agent,
            version: self.version,
        }
    }

    fn describes(&self, device: &Device) -> bool {
        !device.removed
            && device.device_type == self.device_type
            && device.user_agent == self.agent
            && device.version == self.version
    }

    fn fleeting(self, now: Timestamp) -> Device {
        Device {
            id: FLEETING,
            user: self.user,
            mailbox: self.mailbox,
            wire_id: self.wire_id,
            device_type: self.device_type,
            user_agent: self.agent,
            version: self.version.to_owned(),
            model: String::new(),
            os: String::new(),
            friendly_name: String::new(),
            generation: 0,
            gap: false,
            removed: false,
            first_seen: now,
            last_seen: now,
            gap_p95_ms: 0,
        }
    }
}

/// Notes that the device was heard; what has to be written is written beside the request.
fn hear(desk: &Arc<Desk>, device: &Device, request: &Incoming, now: Timestamp) {
    if is_fleeting(device) {
        return;
    }
    let Some(note) = desk.presence.heard(device, request.connection, now) else { return };
    let (database, id) = (desk.engine.database.clone(), device.id);
    tokio::spawn(async move {
        if let Err(error) = presence::write(&database, id, note).await {
            tracing::warn!(device = %id, %error, "cannot note when a device was heard");
        }
    });
}

/// [MS-ASHTTP] 2.2.1.1.2.2: WBXML, or mail as it is where the version sends it so.
fn check_type(
    headers: &HeaderMap,
    body: &Bytes,
    command: CommandName,
    version: ProtocolVersion,
) -> Result<(), Refusal> {
    let Some(given) = headers.get(CONTENT_TYPE).filter(|_| !body.is_empty()) else {
        return Ok(());
    };
    let given = given.to_str().unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let mail = version < ProtocolVersion::V14_0
        && matches!(
            command,
            CommandName::SendMail | CommandName::SmartReply | CommandName::SmartForward
        );
    let fits = if mail {
        essence.eq_ignore_ascii_case(MAIL)
    } else {
        essence.eq_ignore_ascii_case(WBXML) || essence.eq_ignore_ascii_case(WBXML_SHORT)
    };
    if fits { Ok(()) } else { Err(Refusal::ContentType) }
}

/// A header as text of bounded length; empty when there is none.
fn text(headers: &HeaderMap, name: &str, chars_max: usize) -> String {
    let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.unwrap_or_default().chars().filter(|c| !c.is_control()).take(chars_max).collect()
}

/// A line for the log: who was refused and why. No content, no credentials.
pub(in crate::eas) fn note_refusal(
    peer: IpAddr,
    query: &str,
    command: Option<CommandName>,
    why: &Refusal,
) {
    let device = Query::device_key_in(query).unwrap_or_default();
    let command = command.map_or("?", CommandName::as_str);
    let quiet = matches!(why, Refusal::Unauthorized);
    let reason = why.reason();
    if quiet {
        tracing::debug!(%peer, %device, command, reason, "refused");
    } else {
        tracing::info!(%peer, %device, command, reason, "refused");
    }
}

/// The device id with which some phones test an account.
const VALIDATE: &str = "validate";
/// The row of a device that has none.
const FLEETING: DeviceId = DeviceId(0);
/// What some phones call WBXML.
const WBXML_SHORT: &str = "application/vnd.ms-sync";
/// Characters of a User-Agent that are kept.
const AGENT_CHARS_MAX: usize = 256;
