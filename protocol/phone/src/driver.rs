//! A phone with a line: what an app does with the verbs, in the order apps do it.

use std::io;

use activesync::command::folder_sync::FolderType;
use activesync::command::sync::CollectionAnswer;
use activesync::status::Status;

use crate::client::{Connection, Server};
use crate::exchange::{Commit, Exchange, HttpAnswer, Outcome, PhoneError};
use crate::phone::Phone;
use crate::profile::Push;
use crate::verbs::{SyncAsk, Waits};

/// Rounds of Sync for one folder before the driver thinks that it is being led in circles.
const ROUNDS_MAX: usize = 10_000;
/// Common statuses that mean: provision first ([MS-ASCMD] 2.2.2).
const PROVISION_FIRST: [Status; 4] = [Status(141), Status(142), Status(143), Status(144)];
const SUCCESS: Status = Status(1);
const REMOTE_WIPE_REQUESTED: Status = Status(140);
/// Ping: something changed in these folders ([MS-ASCMD] 2.2.3.177.11).
const PING_CHANGES: Status = Status(2);
const PING_FOLDER_SYNC: Status = Status(7);

/// Why a conversation ended.
#[derive(Debug)]
pub enum DriveError {
    /// The line.
    Line(io::Error),
    /// The answer.
    Answer(PhoneError),
    /// The server refuses the device with this common status.
    Refused(Status),
    /// It was told to wipe and did.
    Wiped,
    /// The same folder never comes to rest.
    Circles,
}

impl std::fmt::Display for DriveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DriveError::Line(error) => write!(f, "the line: {error}"),
            DriveError::Answer(error) => write!(f, "{error}"),
            DriveError::Refused(status) => {
                write!(f, "refused: {} {}", status.0, status.common_name().unwrap_or_default())
            }
            DriveError::Wiped => f.write_str("wiped by the server's order"),
            DriveError::Circles => f.write_str("a folder that never comes to rest"),
        }
    }
}

impl std::error::Error for DriveError {}

impl From<io::Error> for DriveError {
    fn from(error: io::Error) -> DriveError {
        DriveError::Line(error)
    }
}

impl From<PhoneError> for DriveError {
    fn from(error: PhoneError) -> DriveError {
        DriveError::Answer(error)
    }
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Nothing happened.
    Quiet,
    /// These folders have something; after a hanging Sync it has been taken already.
    News(Vec<String>),
    /// The folders themselves changed.
    Hierarchy,
}

/// A phone with a line to a server.
pub struct Driver {
    /// The phone.
    pub phone: Phone,
    server: Server,
    connection: Option<Connection>,
    sent_sync: bool,
    listener: Option<Listener>,
}

/// Sees every request and its answer as they passed over the line.
pub type Listener = fn(&Exchange, &HttpAnswer);

impl Driver {
    /// A phone that will call this server.
    pub fn new(phone: Phone, server: Server) -> Driver {
        Driver { phone, server, connection: None, sent_sync: false, listener: None }
    }

    /// Lets somebody listen in.
    pub fn listen_in(&mut self, listener: Listener) {
        self.listener = Some(listener);
    }

    /// Calls another server from now on, such as the same one on a new port.
    pub fn set_server(&mut self, server: Server) {
        self.server = server;
        self.connection = None;
    }

    /// Sends a request on the open connection, or on a new one; takes nothing in.
    pub async fn send(&mut self, exchange: &Exchange) -> io::Result<HttpAnswer> {
        let mut connection = match self.connection.take().filter(Connection::is_open) {
            Some(connection) => connection,
            None => self.server.connect().await?,
        };
        let answer = connection.send(exchange).await?;
        self.connection = Some(connection);
        if let Some(listener) = self.listener {
            listener(exchange, &answer);
        }
        Ok(answer)
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    /// Sends a request and takes the answer in.
    pub async fn ask(&mut self, exchange: Exchange) -> Result<Outcome, DriveError> {
        let answer = self.send(&exchange).await?;
        Ok(self.phone.take(&exchange, &answer, Commit::All)?)
    }

    /// As [`Driver::ask`], and provisions, or wipes, when the server wants it first. `make` makes the request anew.
    pub async fn ask_provisioned(
        &mut self,
        make: impl Fn(&Phone) -> Exchange,
    ) -> Result<Outcome, DriveError> {
        for _ in 0..3 {
            match self.ask(make(&self.phone)).await? {
                Outcome::Refused(status) if PROVISION_FIRST.contains(&status) => {
                    self.provision().await?;
                }
                Outcome::Refused(REMOTE_WIPE_REQUESTED) => return self.obey_wipe().await,
                Outcome::Refused(status) => return Err(DriveError::Refused(status)),
                outcome => return Ok(outcome),
            }
        }
        Err(DriveError::Circles)
    }

    /// Both phases of Provision.
    pub async fn provision(&mut self) -> Result<(), DriveError> {
        let first = self.ask(self.phone.provision()).await?;
        let key = match &first {
            Outcome::Provision(response)
                if response.remote_wipe || response.account_only_remote_wipe =>
            {
                let account_only = response.account_only_remote_wipe;
                self.ask(self.phone.wipe_acknowledge(account_only, 1)).await?;
                self.phone.erase();
                return Err(DriveError::Wiped);
            }
            Outcome::Provision(response) => {
                response.policy.as_ref().and_then(|policy| policy.policy_key.clone())
            }
            Outcome::Refused(status) => return Err(DriveError::Refused(*status)),
            _ => None,
        };
        if let Some(key) = key {
            self.ask(self.phone.provision_acknowledge(&key)).await?;
        }
        Ok(())
    }

    async fn obey_wipe(&mut self) -> Result<Outcome, DriveError> {
        self.provision().await?;
        Err(DriveError::Wiped)
    }

    /// What an app does with a new account: OPTIONS, Provision where wanted, the folders.
    pub async fn set_up(&mut self) -> Result<(), DriveError> {
        self.ask(self.phone.options()).await?;
        self.sync_folders().await
    }

    /// FolderSync.
    pub async fn sync_folders(&mut self) -> Result<(), DriveError> {
        self.ask_provisioned(Phone::folder_sync).await?;
        if self.phone.cache.hierarchy_key.is_none() {
            // The server does not know the key any more: all folders, from the beginning.
            self.ask_provisioned(Phone::folder_sync).await?;
        }
        Ok(())
    }

    /// The Inbox, once folders are known.
    pub fn inbox(&self) -> String {
        self.phone.cache.folder_of(FolderType::INBOX).unwrap_or("1").to_owned()
    }

    /// Syncs a folder until there is nothing more; gives the number of rounds.
    pub async fn catch_up(&mut self, folder: &str) -> Result<usize, DriveError> {
        for round in 1..=ROUNDS_MAX {
            let initial = self.phone.cache.collections.get(folder).is_none_or(|c| c.key.is_none());
            let asks = [SyncAsk::of(folder)];
            let outcome = self.ask_provisioned(|phone| phone.sync(&asks, Waits::No)).await?;
            let done = match outcome {
                Outcome::Sync(None) => true,
                Outcome::Sync(Some(response)) => {
                    let answers = &response.collections;
                    let quiet = |a: &CollectionAnswer| {
                        a.status == SUCCESS && !a.more_available && a.commands.is_empty()
                    };
                    !initial && answers.iter().all(quiet)
                }
                _ => false,
            };
            if done {
                return Ok(round);
            }
        }
        Err(DriveError::Circles)
    }

    /// Waits as this family of clients does. News of a Ping are still to be synced; those of a Sync are taken in already.
    pub async fn wait(&mut self, folders: &[&str], heartbeat_s: u32) -> Result<Waited, DriveError> {
        match self.phone.profile.push {
            Push::Ping => self.wait_with_ping(folders, heartbeat_s).await,
            Push::HangingSync => self.wait_with_sync(folders, heartbeat_s, false).await,
            Push::EmptySync => {
                let repeat = std::mem::replace(&mut self.sent_sync, true);
                self.wait_with_sync(folders, heartbeat_s, repeat).await
            }
        }
    }

    async fn wait_with_ping(
        &mut self,
        folders: &[&str],
        heartbeat_s: u32,
    ) -> Result<Waited, DriveError> {
        match self.ask(self.phone.ping(folders, heartbeat_s)).await? {
            Outcome::Ping(response) if response.status == PING_CHANGES => {
                Ok(Waited::News(response.folders.iter().map(ToString::to_string).collect()))
            }
            Outcome::Ping(response) if response.status == PING_FOLDER_SYNC => {
                self.sync_folders().await?;
                Ok(Waited::Hierarchy)
            }
            Outcome::Refused(status) if PROVISION_FIRST.contains(&status) => {
                self.provision().await?;
                Ok(Waited::Quiet)
            }
            Outcome::Refused(REMOTE_WIPE_REQUESTED) => {
                self.obey_wipe().await.map(|_| Waited::Quiet)
            }
            Outcome::Refused(status) => Err(DriveError::Refused(status)),
            _ => Ok(Waited::Quiet),
        }
    }

    async fn wait_with_sync(
        &mut self,
        folders: &[&str],
        heartbeat_s: u32,
        repeat: bool,
    ) -> Result<Waited, DriveError> {
        let asks: Vec<SyncAsk> = folders.iter().map(|folder| SyncAsk::of(folder)).collect();
        let outcome = self
            .ask_provisioned(|phone| {
                if repeat {
                    phone.empty_sync()
                } else {
                    phone.sync(&asks, Waits::Seconds(heartbeat_s))
                }
            })
            .await?;
        let Outcome::Sync(Some(response)) = outcome else { return Ok(Waited::Quiet) };
        // [MS-ASCMD] 2.2.3.177.17: 12 wants FolderSync, 13 the whole request.
        match response.status {
            Some(Status(12)) => {
                self.sync_folders().await?;
                return Ok(Waited::Hierarchy);
            }
            Some(Status(13)) => self.sent_sync = false,
            _ => {}
        }
        Ok(Waited::News(response.collections.iter().map(|c| c.collection_id.to_string()).collect()))
    }
}
