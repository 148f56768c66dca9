//! A look at an IMAP server before anything depends on it: what it shows to anybody, and what to somebody who is signed in.
//!
//! Every step has a deadline. Nothing is made, changed or sent there; INBOX is opened, which takes `\Recent` from new messages as every mail
//! program does. Here are facts only: what follows from them is for those who ask.

use std::sync::Arc;
use std::time::Duration;

use imap_sans::{Command, Limits, Mailbox, Sasl, SelectSync, Untagged};
use rustls::ClientConfig;

use super::hierarchy::{self, There, USES};
use super::link::{Link, Place, is_wrong_credential};
use super::pool::{MasterStyle, for_master, wire_secret};
use super::session::Session;
use crate::mailbox::{FolderKind, MailboxError};
use crate::secret::Secret;

/// Whom and how to ask.
#[derive(Clone, Debug)]
pub struct Surveyor {
    /// Where the server is.
    pub place: Place,
    /// What its certificate is verified with.
    pub tls: Arc<ClientConfig>,
    /// How long it may take for one answer.
    pub patience: Duration,
}

/// As whom to sign in.
#[derive(Clone, Debug)]
pub enum Who {
    /// As a user, with their own password.
    User(String, Secret),
    /// As a master, for a user.
    Master {
        /// For whom.
        user: String,
        /// The master's name.
        master: String,
        /// The master's password.
        password: Secret,
        /// How the server is told for whom.
        style: MasterStyle,
    },
}

/// Why there is nothing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The server says that this is not their password.
    pub is_wrong_password: bool,
    /// In words.
    pub why: String,
}

/// What a server shows to anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// What it says first.
    pub greeting: String,
    /// What it says it can do, as spelt.
    pub capabilities: Vec<String>,
}

impl Outside {
    /// Whether it says that it can do this.
    pub fn offers(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|word| word.eq_ignore_ascii_case(capability))
    }

    /// The ways to sign in, of those we know.
    pub fn ways(&self) -> Vec<&'static str> {
        let known = ["PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"];
        known.into_iter().filter(|way| self.offers(&format!("AUTH={way}"))).collect()
    }
}

/// What a server can do for somebody who is signed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// What it says it is (RFC 2971).
    pub software: String,
    /// UIDPLUS: one message is removed and no other.
    pub uidplus: bool,
    /// CONDSTORE: it tells what has changed.
    pub condstore: bool,
    /// QRESYNC, and it turns it on: it tells what is gone as well.
    pub qresync: bool,
    /// QRESYNC is said; it may not be turned on all the same.
    pub says_qresync: bool,
    /// NOTIFY: it tells of every folder by itself.
    pub notify: bool,
    /// IDLE: it tells of the open folder by itself.
    pub idle: bool,
    /// MOVE.
    pub moves: bool,
    /// SPECIAL-USE: it says what folders are for.
    pub special_use: bool,
    /// OBJECTID: folders have a name that outlives a rename.
    pub object_id: bool,
    /// PERMANENTFLAGS has `\*`: keywords of ours are kept.
    pub keeps_keywords: bool,
    /// How many folders there are.
    pub folders: usize,
    /// Which folder is the standard one of a kind, if one is.
    pub standard: Vec<(FolderKind, Option<String>)>,
    /// How many messages are in INBOX.
    pub messages: u32,
    /// The generation of INBOX' UIDs, by its state and when it is opened: they must be one and the same, and not 0.
    pub uid_validity: [u32; 2],
}

/// A survey may take so many answers' time in all.
const ANSWERS: u32 = 6;

impl Surveyor {
    /// What the server shows to anybody.
    pub async fn outside(&self) -> Result<Outside, Trouble> {
        self.in_time(async {
            let mut link = self.connect().await?;
            link.run(Command::Capability).await.map_err(trouble)?;
            let capabilities = link.capabilities().to_vec();
            let greeting = link.greeting().to_owned();
            // The server closes the line in any case when it is gone.
            let _polite = link.run(Command::Logout).await;
            Ok(Outside { greeting, capabilities })
        })
        .await
    }

    /// What the server can do for somebody; they are signed in the way the gateway does it.
    pub async fn inside(&self, who: &Who) -> Result<Inside, Trouble> {
        self.in_time(async {
            let mut link = self.connect().await?;
            link.sign_in(sasl(who)).await.map_err(|error| Trouble {
                is_wrong_password: is_wrong_credential(&error),
                why: words(error),
            })?;
            look_around(link).await.map_err(trouble)
        })
        .await
    }

    async fn connect(&self) -> Result<Link, Trouble> {
        let limits = Limits { silence_max: self.patience, ..Limits::DEFAULT };
        let connecting = Link::connect(&self.place, &self.tls, limits);
        match tokio::time::timeout(self.patience, connecting).await {
            Ok(made) => made.map_err(trouble),
            Err(_) => Err(late()),
        }
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let whole = tokio::time::timeout(self.patience * ANSWERS, work).await;
        whole.unwrap_or_else(|_| Err(late()))
    }
}

fn sasl(who: &Who) -> Sasl {
    match who {
        Who::User(user, password) => {
            let password = wire_secret(password);
            Sasl::Plain { act_as: None, user: user.clone(), password }
        }
        Who::Master { user, master, password, style } => for_master(user, master, password, *style),
    }
}

async fn look_around(mut link: Link) -> Result<Inside, MailboxError> {
    let software = match link.offers("ID") {
        true => software(&link.run(Command::Id(Vec::new())).await?.data),
        false => String::new(),
    };
    let (says_qresync, object_id) = (link.offers("QRESYNC"), link.offers("OBJECTID"));
    let mut session = Session::begin(link).await?;
    let (there, _) = hierarchy::listed(&mut session, &[]).await?;
    let inbox = Mailbox::inbox();
    let (state, _) = session.status(&inbox).await?;
    let (opened, _) = session.select(&inbox, SelectSync::Plain).await?;
    let can = session.can;
    // The server closes the line in any case when it is gone.
    let _polite = session.link.run(Command::Logout).await;
    Ok(Inside {
        software,
        uidplus: can.uidplus,
        condstore: can.condstore,
        qresync: can.qresync,
        says_qresync,
        notify: can.notify,
        idle: can.idle,
        moves: can.r#move,
        special_use: can.special_use,
        object_id,
        keeps_keywords: opened.keeps_keywords,
        folders: there.len(),
        standard: standard(&there),
        messages: opened.exists,
        uid_validity: [state.uid_validity.unwrap_or_default(), opened.uid_validity],
    })
}

/// Name and version, as far as they are told.
fn software(data: &[Untagged]) -> String {
    let told = data.iter().find_map(|one| match one {
        Untagged::Id(fields) => Some(fields),
        _ => None,
    });
    let field = |name: &str| {
        let mut found =
            told.into_iter().flatten().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.find_map(|(_, value)| value.clone())
    };
    [field("name"), field("version")].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Which folder would be which, by the rules of the hierarchy: by what the server says, then by name.
fn standard(there: &[There]) -> Vec<(FolderKind, Option<String>)> {
    let of = |(kind, _, names): &(FolderKind, &str, &[&str])| {
        let said = there.iter().find(|one| one.kind == Some(*kind));
        let free = |one: &&There| one.kind.is_none() && one.selectable;
        let called =
            |name: &&str| there.iter().filter(free).find(|one| hierarchy::is_named(one, name));
        let named = || names.iter().find_map(called);
        (*kind, said.or_else(named).map(|one| one.path.join("/")))
    };
    USES.iter().map(of).collect()
}

fn trouble(error: MailboxError) -> Trouble {
    Trouble { is_wrong_password: false, why: words(error) }
}

fn words(error: MailboxError) -> String {
    match error {
        MailboxError::Down(why) => why,
        other => other.to_string(),
    }
}

fn late() -> Trouble {
    Trouble { is_wrong_password: false, why: "no answer in time".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_those_the_gateway_knows() {
        let words = ["IMAP4rev1", "auth=plain", "AUTH=CRAM-MD5", "AUTH=XOAUTH2"];
        let outside =
            Outside { capabilities: words.map(str::to_owned).to_vec(), ..Outside::default() };
        assert_eq!(outside.ways(), ["PLAIN", "XOAUTH2"]);
        assert!(outside.offers("imap4rev1") && !outside.offers("STARTTLS"));
    }

    #[test]
    fn the_server_says_what_it_is() {
        let field = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let id = vec![field("Name", "Dovecot"), ("os".to_owned(), None), field("version", "2.3")];
        assert_eq!(software(&[Untagged::Exists(1), Untagged::Id(id)]), "Dovecot 2.3");
        assert_eq!(software(&[]), "");
    }
}
