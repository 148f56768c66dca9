//! What of the directory lives elsewhere: where users come from, and who verifies their passwords; looked at when it is time, when
//! somebody says so, and when a right password comes from somebody we do not know yet.
//!
//! A source that is down or wrong changes nothing: what was known last goes on, and the status says since when and why.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify, watch};

use super::intake::{self, Brake, Report};
use super::sources::{Ldap, Source, SourceError};
use super::users::{Origin, User};
use super::{Directory, DirectoryError, tables};
use crate::clock::Timestamp;
use crate::database::{self, Error, Tx};
use crate::ids::UserId;
use crate::keyring::{Credential, CredentialKind, Keyring};
use crate::params;

/// Whoever verifies is not there to ask; that is nobody's wrong password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Down(pub String);

/// What a [`Verifier`] will have said.
pub type Verdict<'a> = Pin<Box<dyn Future<Output = Result<bool, Down>> + Send + 'a>>;

/// Says whether a password or token is somebody's, for whoever keeps none here.
pub trait Verifier: Send + Sync + 'static {
    /// Whether the credential is that of the login. An error where nobody can say.
    fn verify<'a>(&'a self, credential: &'a Credential) -> Verdict<'a>;
}

impl Verifier for Ldap {
    fn verify<'a>(&'a self, credential: &'a Credential) -> Verdict<'a> {
        Box::pin(async move {
            match credential.kind {
                CredentialKind::Bearer => Ok(false),
                CredentialKind::Password => {
                    let verified = Ldap::verify(self, &credential.login, &credential.secret).await;
                    verified.map_err(|error| Down(error.to_string()))
                }
            }
        })
    }
}

/// What became of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// They are new.
    Added(UserId),
    /// Something of them is different.
    Changed(UserId),
    /// They are gone, and shut out.
    Gone(UserId),
    /// They are back.
    Back(UserId),
}

/// Told each change, in the transaction that makes it.
pub type OnChange = Arc<dyn Fn(&Tx<'_>, Timestamp, Change) -> Result<(), Error> + Send + Sync>;

/// What a user is called at the server that verifies, where they do not come from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginBy {
    /// The name they sign in with here.
    #[default]
    Name,
    /// Their own address.
    Address,
}

/// What lives elsewhere; by default nothing does.
#[derive(Clone)]
pub struct Outside {
    /// Where users come from besides administrators.
    pub source: Option<Source>,
    /// How often it is looked at; a file besides whenever it changes.
    pub every: Duration,
    /// How many may be gone at once without a word, in percent.
    pub gone_percent_max: u8,
    /// Who verifies passwords; none where their hashes are here.
    pub verifier: Option<Arc<dyn Verifier>>,
    /// Whether tokens are taken besides passwords.
    pub takes_bearer: bool,
    /// What users are called at the verifier.
    pub login_by: LoginBy,
    /// The mail domain of users that are made when the verifier lets them in for the first time; none are made where there is none.
    pub makes_users_at: Option<String>,
    /// How long a verified password is believed without asking again.
    pub right_for: Duration,
    /// How long it is believed while nobody can be asked.
    pub right_for_while_down: Duration,
    /// How long a wrong one is called wrong without asking again.
    pub wrong_for: Duration,
    /// Where the credentials of whoever signs in are kept for the servers behind us.
    pub keyring: Option<Keyring>,
    /// Told what becomes of users.
    pub on_change: OnChange,
}

impl Default for Outside {
    fn default() -> Outside {
        Outside {
            source: None,
            every: Duration::from_mins(15),
            gone_percent_max: 10,
            verifier: None,
            takes_bearer: false,
            login_by: LoginBy::default(),
            makes_users_at: None,
            right_for: Duration::from_mins(15),
            right_for_while_down: Duration::from_hours(8),
            wrong_for: Duration::from_mins(30),
            keyring: None,
            on_change: Arc::new(|_, _, _| Ok(())),
        }
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outside({:?})", self.source)
    }
}

/// How the source is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// When it was last looked at.
    pub looked_at: Option<Timestamp>,
    /// When that last went well.
    pub taken_at: Option<Timestamp>,
    /// What came of that.
    pub report: Report,
    /// Why the last look did not go well, where it did not.
    pub error: Option<String>,
}

/// The directory as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Where users come from: `local`, `csv` or `ldap`.
    pub source: &'static str,
    /// Users that come from there.
    pub users: u64,
    /// Those of them that are gone from there, or shut out there.
    pub users_gone: u64,
    /// Groups.
    pub groups: u64,
    /// How the source is doing.
    pub status: Status,
}

/// What the running of it needs.
#[derive(Default)]
pub(super) struct Looking {
    /// One look at a time.
    turn: Mutex<()>,
    /// Rung when somebody wants a look now.
    bell: Notify,
}

impl Directory {
    /// Whether tokens are taken besides passwords.
    pub fn takes_bearer(&self) -> bool {
        self.0.outside.takes_bearer
    }

    /// What a user is called at the servers behind us.
    pub fn login_behind(&self, user: &User) -> String {
        match (&user.imap_login, self.0.outside.login_by) {
            (Some(login), _) => login.clone(),
            (None, LoginBy::Name) => user.name.clone(),
            (None, LoginBy::Address) => user.address.clone(),
        }
    }

    /// Has the source looked at soon, by whoever runs [`Directory::run`].
    pub fn look_again(&self) {
        self.0.looking.bell.notify_one();
    }

    /// Looks at the source and takes what it says; `is_confirmed` where many may be gone.
    pub async fn sync(&self, is_confirmed: bool) -> Result<Report, DirectoryError> {
        let source = self.source()?;
        let _turn = self.0.looking.turn.lock().await;
        let now = self.0.clock.now();
        let outside = &self.0.outside;
        let taken = match source.read().await {
            Err(error) => Err(DirectoryError::Source(error)),
            Ok(snapshot) => {
                let brake = Brake { percent: outside.gone_percent_max };
                let (database, origin) = (&self.0.database, source.origin());
                let tell = &outside.on_change;
                let taken =
                    intake::take(database, origin, snapshot, brake, is_confirmed, now, tell).await;
                taken.map_err(DirectoryError::Ours)
            }
        };
        self.note(now, &taken).await?;
        taken
    }

    /// Looks at the source, and says what taking it would change.
    pub async fn rehearse(&self) -> Result<Report, DirectoryError> {
        let source = self.source()?;
        let snapshot = source.read().await.map_err(DirectoryError::Source)?;
        let brake = Brake { percent: self.0.outside.gone_percent_max };
        Ok(intake::rehearse(&self.0.database, source.origin(), snapshot, brake).await?)
    }

    /// How the directory stands.
    pub async fn standing(&self) -> Result<Standing, DirectoryError> {
        let origin = self.0.outside.source.as_ref().map_or(Origin::Local, Source::origin);
        let job = move |tx: &Tx<'_>| {
            let row = params![origin.name()];
            let users =
                tx.one(tables::COUNT_BY_ORIGIN, row, |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (users, users_gone) = users.unwrap_or((0, 0));
            let groups = tx.one(tables::COUNT_GROUPS, params![], |row| row.get(0))?.unwrap_or(0);
            let status = status(tx)?;
            Ok::<_, Error>(Standing { source: origin.name(), users, users_gone, groups, status })
        };
        Ok(self.0.database.read(job).await?)
    }

    /// Looks at the source whenever it is time, until it is told to stop.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let Some(source) = self.0.outside.source.clone() else { return };
        loop {
            let seen = changed_at(&source).await;
            // A look that is given up has taken whole jobs; the next one goes on.
            let looked = tokio::select! {
                looked = self.sync(false) => looked,
                _ = stop.changed() => return,
            };
            let pause = match looked {
                Ok(report) => {
                    tell(&report);
                    self.0.outside.every
                }
                Err(error) => {
                    tracing::error!(%error, "the directory's source; what was known stays");
                    self.0.outside.every.min(AGAIN_AFTER_ERROR)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = changes(&source, seen) => {}
                () = self.0.looking.bell.notified() => tokio::time::sleep(GATHERED).await,
                _ = stop.changed() => return,
            }
        }
    }

    fn source(&self) -> Result<&Source, DirectoryError> {
        let none = DirectoryError::NotValid("users come from nowhere else ([directory] source)");
        self.0.outside.source.as_ref().ok_or(none)
    }

    /// Whether an administrator may change what is known of a user.
    pub(super) fn editable(&self, user: &User) -> Result<(), DirectoryError> {
        match &self.0.outside.source {
            Some(source) if source.origin() == user.origin => {
                Err(DirectoryError::FromOutside(user.origin.name()))
            }
            _ => Ok(()),
        }
    }

    /// Whether the password of a user is one that an administrator may set here.
    pub fn keeps_password_of(&self, user: &User) -> Result<(), DirectoryError> {
        match (&self.0.outside.verifier, user.origin) {
            (None, _) => Ok(()),
            (Some(_), Origin::Local) => Err(DirectoryError::FromOutside("their password")),
            (Some(_), origin) => Err(DirectoryError::FromOutside(origin.name())),
        }
    }

    async fn note(
        &self,
        now: Timestamp,
        taken: &Result<Report, DirectoryError>,
    ) -> Result<(), Error> {
        let told = match taken {
            Ok(report) => Ok(report.clone()),
            Err(error) => Err(error.to_string()),
        };
        self.0
            .database
            .write(move |tx| {
                let old = status(tx)?;
                let new = match &told {
                    Ok(report) => Status {
                        looked_at: Some(now),
                        taken_at: Some(now),
                        report: report.clone(),
                        error: None,
                    },
                    Err(error) => {
                        Status { looked_at: Some(now), error: Some(error.clone()), ..old }
                    }
                };
                let words = serde_json::to_string(&new)
                    .map_err(|_| Error::Corrupt("a status without words".to_owned()))?;
                database::set_meta(tx, STATUS, &words)
            })
            .await
    }
}

fn status(tx: &Tx<'_>) -> Result<Status, Error> {
    let told = database::meta(tx, STATUS)?;
    Ok(told.and_then(|words| serde_json::from_str(&words).ok()).unwrap_or_default())
}

fn tell(report: &Report) {
    for problem in &report.problems {
        tracing::warn!(problem, "the directory's source");
    }
    if report.waits() {
        tracing::error!(
            users = report.gone_unconfirmed,
            groups = report.groups_gone_unconfirmed,
            "many are gone from the directory's source at once; they stay until somebody says \
             `retract directory sync --confirm`"
        );
    }
    if report.is_change() {
        let Report { added, changed, gone, groups_changed, .. } = report;
        tracing::info!(added, changed, gone, groups_changed, "the directory has changed");
    }
}

/// When a file was changed; nothing of a server.
async fn changed_at(source: &Source) -> Option<SystemTime> {
    match source {
        Source::Csv(path) => tokio::fs::metadata(path).await.ok()?.modified().ok(),
        Source::Ldap(_) => None,
    }
}

/// Waits until a file is another than it was; for ever where it is no file.
async fn changes(source: &Source, seen: Option<SystemTime>) {
    if matches!(source, Source::Ldap(_)) {
        return std::future::pending().await;
    }
    while changed_at(source).await == seen {
        tokio::time::sleep(FILE_LOOKED_AT_EVERY).await;
    }
}

impl From<SourceError> for Down {
    fn from(error: SourceError) -> Down {
        Down(error.to_string())
    }
}

/// Where the status lies.
const STATUS: &str = "directory_status";
/// How soon a source that was down or wrong is looked at again.
const AGAIN_AFTER_ERROR: Duration = Duration::from_mins(1);
/// How often it is seen whether a file has changed.
const FILE_LOOKED_AT_EVERY: Duration = Duration::from_secs(2);
/// Wishes for a look within this time are one.
const GATHERED: Duration = Duration::from_secs(1);
