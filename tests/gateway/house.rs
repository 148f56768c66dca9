//! A gateway in this process, over a directory of the test's own, and what stands around it: a mail server that hands in mail, and
//! the folder in which every response is kept for the published schemas.

use std::path::Path;

use activesync_phone::Exchange;
use activesync_phone::activesync::{ProtocolVersion, code_pages, command::CommandName};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use retract::clock::Clock;
use retract::config::Config;
use retract::database::{self, Bodies};
use retract::delivery::{Lmtp, LmtpSettings, Relay};
use retract::directory::{NewUser, Settings};
use retract::eas::{ConnectionId, Incoming, Place};
use retract::ids::{MailboxId, UserId};
use retract::mailbox::Mailbox;
use retract::secret::Secret;
use retract::server::{House, Opening, StartError};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// Opens every room over a directory, as the server does.
pub(crate) fn open(
    dir: &Path,
    clock: &Clock,
    database: database::Options,
    bodies: Bodies,
    relay: Relay,
) -> Result<House, StartError> {
    let mut config = Config::default();
    config.server.data_dir = dir.to_owned();
    config.server.hostname = "gw.a.example".to_owned();
    let opening =
        Opening { database, sign_in: Settings::quick(), bodies: Some(bodies), relay: Some(relay) };
    House::open(&config, clock, opening)
}

/// A user, at `name@a.example`, with the password [`PASSWORD`].
pub(crate) async fn add_user(house: &House, name: &str) -> (UserId, MailboxId) {
    let new = NewUser {
        name: name.to_owned(),
        address: format!("{name}@a.example"),
        password: Secret::new(PASSWORD.to_owned()),
        ..NewUser::default()
    };
    let user = house.directory.add_user(new).await.expect("a new name");
    (user, house.store.mailbox_of(user).await.expect("a user has a mailbox"))
}

/// A mail server hands a mail in by LMTP; tells for each recipient whether it was taken.
pub(crate) async fn deliver(house: &House, recipients: &[String], raw: &str) -> Vec<bool> {
    let (theirs, ours) = tokio::io::duplex(1 << 20);
    let lmtp = Lmtp::new(house.postman.clone(), LmtpSettings::default());
    let session = lmtp.session(ours, "a test".to_owned());
    let (taken, ()) = tokio::join!(dialog(theirs, recipients, raw), session);
    taken.unwrap_or_default()
}

async fn dialog(
    stream: tokio::io::DuplexStream,
    recipients: &[String],
    raw: &str,
) -> std::io::Result<Vec<bool>> {
    let (read, mut write) = tokio::io::split(stream);
    let mut read = BufReader::new(read);
    async fn reply(read: &mut (impl AsyncBufReadExt + Unpin)) -> std::io::Result<String> {
        loop {
            let mut line = String::new();
            if read.read_line(&mut line).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    }
    reply(&mut read).await?;
    write.write_all(b"LHLO mx.b.example\r\n").await?;
    reply(&mut read).await?;
    write.write_all(b"MAIL FROM:<sender@b.example>\r\n").await?;
    reply(&mut read).await?;
    for recipient in recipients {
        write.write_all(format!("RCPT TO:<{recipient}>\r\n").as_bytes()).await?;
        let told = reply(&mut read).await?;
        if !told.starts_with('2') {
            return Ok(vec![false; recipients.len()]);
        }
    }
    write.write_all(b"DATA\r\n").await?;
    reply(&mut read).await?;
    write.write_all(raw.replace("\r\n.", "\r\n..").as_bytes()).await?;
    write.write_all(b".\r\n").await?;
    let mut taken = Vec::new();
    for _ in recipients {
        taken.push(reply(&mut read).await?.starts_with("250"));
    }
    write.write_all(b"QUIT\r\n").await?;
    reply(&mut read).await?;
    Ok(taken)
}

/// A phone's request as the listener hands it over.
pub(crate) fn incoming(exchange: &Exchange, connection: ConnectionId) -> Incoming {
    let mut headers = HeaderMap::new();
    for (name, value) in &exchange.headers {
        let name = HeaderName::try_from(name.as_str()).expect("a header name of ours");
        headers.insert(name, HeaderValue::try_from(value.as_str()).expect("a header of ours"));
    }
    let (path, query) = exchange.target.split_once('?').unwrap_or((&exchange.target, ""));
    Incoming {
        place: Place::ActiveSync,
        method: exchange.method.parse().expect("a method of ours"),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Bytes::from(exchange.body.clone()),
        peer: "127.0.0.1:4000".parse().expect("an address"),
        secure: true,
        connection,
    }
}

/// With `RETRACT_KEEP_RESPONSES`, writes a response as XML into that folder: one file for each command and shape.
pub(crate) fn keep_response(command: Option<CommandName>, version: ProtocolVersion, body: &[u8]) {
    let Some(folder) = std::env::var_os("RETRACT_KEEP_RESPONSES") else { return };
    let Some(command) = command.filter(|_| !body.is_empty()) else { return };
    // The published schemas are those of later versions.
    if version == ProtocolVersion::V12_1 {
        return;
    }
    let reader = wbxml::Reader::new(body, &code_pages::PAGES, wbxml::Limits::default());
    let Ok(xml) = reader.and_then(wbxml::xml::to_xml) else { return };
    let name = format!("{}-{}.xml", command.as_str(), shape(&xml));
    let path = Path::new(&folder).join(name);
    if !path.exists() {
        // A folder that is not there is the caller's mistake, and `tests/schemas.sh` says so.
        let _kept = std::fs::write(path, xml);
    }
}

/// A hash of the document without its texts and repetitions of a line.
fn shape(xml: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in xml.lines().skip(2) {
        let tag = line.trim().split(['>', ' ']).next().unwrap_or_default().to_owned();
        if tag.starts_with('<') && !lines.contains(&tag) {
            lines.push(tag);
        }
    }
    let hash = Sha256::digest(lines.concat());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";
