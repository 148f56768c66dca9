//! Where users come from besides us: a file, or a directory server. What a source says is read whole, or not at all.
//!
//! ```text
//!   csv, ldap ─► Snapshot ─► intake: what is new, what has changed, who is gone ─► users, aliases, cards, groups
//! ```

pub(super) mod ber;
pub(super) mod csv;
pub(super) mod entries;
pub(super) mod ldap;
pub(super) mod line;

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::people::Card;
use super::users::{Origin, checked_address, checked_display_name, checked_name};

pub use ldap::{Attributes, Ldap, LdapSettings, Place, Security};

/// A source of users.
#[derive(Clone, Debug)]
pub enum Source {
    /// A CSV file.
    Csv(PathBuf),
    /// A directory server.
    Ldap(Ldap),
}

impl Source {
    /// What its users are marked with.
    pub fn origin(&self) -> Origin {
        match self {
            Source::Csv(_) => Origin::Csv,
            Source::Ldap(_) => Origin::Ldap,
        }
    }

    /// Reads all of it.
    pub(super) async fn read(&self) -> Result<Snapshot, SourceError> {
        match self {
            Source::Csv(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || csv::read(&path));
                read.await.unwrap_or_else(|_| Err(SourceError::Wrong("it was not read".to_owned())))
            }
            Source::Ldap(ldap) => ldap.fetch().await,
        }
    }
}

/// Why a source says nothing. What is known of its users stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It cannot be reached, or does not answer in time.
    #[error("it is down: {0}")]
    Down(String),
    /// It answers, and what it says cannot be taken.
    #[error("{0}")]
    Wrong(String),
}

/// Everything a source says at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::directory) struct Snapshot {
    /// The people.
    pub(in crate::directory) people: Vec<Person>,
    /// The groups.
    pub(in crate::directory) groups: Vec<Team>,
    /// People who are there and cannot be taken as they are: whoever is known by such a key stays as they were.
    pub(in crate::directory) kept: BTreeSet<String>,
    /// What is wrong with single entries, in words; the first [`PROBLEMS_MAX`].
    pub(in crate::directory) problems: Vec<String>,
}

/// A person, as a source has them; everything in the form we keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::directory) struct Person {
    /// What the source knows them by, whatever else changes.
    pub(in crate::directory) key: String,
    /// What they sign in with.
    pub(in crate::directory) name: String,
    /// Their own address.
    pub(in crate::directory) address: String,
    /// What others see of them.
    pub(in crate::directory) display_name: String,
    /// Other addresses that reach them.
    pub(in crate::directory) aliases: BTreeSet<String>,
    /// Whether they administer; not said where the source does not know such a thing.
    pub(in crate::directory) is_admin: Option<bool>,
    /// Whether the source shuts them out.
    pub(in crate::directory) is_shut_out: bool,
    /// The hash of their password, where the source gives one (Argon2id, as a PHC string).
    pub(in crate::directory) password_hash: Option<String>,
    /// What the address list says of them.
    pub(in crate::directory) card: Card,
}

/// A group, as a source has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::directory) struct Team {
    /// What the source knows it by.
    pub(in crate::directory) key: String,
    /// Its name.
    pub(in crate::directory) name: String,
    /// Its address.
    pub(in crate::directory) address: Option<String>,
    /// What others see of it.
    pub(in crate::directory) display_name: String,
    /// Keys of people in it.
    pub(in crate::directory) people: BTreeSet<String>,
    /// Keys of groups in it.
    pub(in crate::directory) groups: BTreeSet<String>,
}

impl Snapshot {
    /// Notes what is wrong with an entry.
    pub(super) fn problem(&mut self, what: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(what);
        }
    }
}

impl Person {
    /// The person in the form we keep, or which field is wrong and why.
    pub(super) fn checked(mut self) -> Result<Person, (&'static str, String)> {
        let wrong = |field, value: &str, error: super::DirectoryError| {
            let value: String = value.chars().take(VALUE_SHOWN_CHARS).collect();
            (field, format!("{error}: {value:?}"))
        };
        self.name = checked_name(&self.name).map_err(|e| wrong("name", &self.name, e))?;
        self.address =
            checked_address(&self.address).map_err(|e| wrong("address", &self.address, e))?;
        self.display_name = match self.display_name.trim() {
            "" => self.name.clone(),
            name => checked_display_name(name).map_err(|e| wrong("display_name", name, e))?,
        };
        let aliases = self
            .aliases
            .iter()
            .map(|alias| checked_address(alias).map_err(|error| wrong("aliases", alias, error)));
        self.aliases = aliases.collect::<Result<_, _>>()?;
        self.aliases.remove(&self.address);
        if self.aliases.len() >= super::users::ALIASES_MAX {
            return Err(("aliases", "too many addresses".to_owned()));
        }
        Ok(self)
    }
}

impl Team {
    /// The group in the form we keep, or which field is wrong and why.
    pub(super) fn checked(mut self) -> Result<Team, (&'static str, String)> {
        let said = |error: super::DirectoryError| error.to_string();
        self.name =
            checked_display_name(self.name.trim()).map_err(|e| ("name", said(e)))?.to_lowercase();
        self.display_name = match self.display_name.trim() {
            "" => self.name.clone(),
            name => checked_display_name(name).map_err(|e| ("display_name", said(e)))?,
        };
        let address = self.address.take().filter(|address| !address.trim().is_empty());
        self.address = match address {
            Some(address) => Some(checked_address(&address).map_err(|e| ("address", said(e)))?),
            None => None,
        };
        Ok(self)
    }
}

/// A text of the address list, of bounded length and without control characters; none where nothing is left.
pub(super) fn said(text: &str) -> Option<String> {
    let text: String =
        text.trim().chars().filter(|c| !c.is_control()).take(CARD_CHARS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

/// People one source has at most.
const PEOPLE_MAX: usize = 200_000;
/// Groups one source has at most.
const GROUPS_MAX: usize = 50_000;
/// Members of all groups together at most.
const MEMBERSHIPS_MAX: usize = 2_000_000;
/// Problems with single entries that are told.
pub(super) const PROBLEMS_MAX: usize = 50;
/// Characters of one field of the address list.
const CARD_CHARS_MAX: usize = 256;
/// Characters of a wrong value that are shown.
const VALUE_SHOWN_CHARS: usize = 60;
