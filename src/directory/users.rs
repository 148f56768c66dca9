//! Users and the addresses that reach them: what administrators do, and what a recipient resolves to.

use super::password::{self, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use super::{Change, Directory, DirectoryError, tables};
use crate::clock::Timestamp;
use crate::database::{Error, Row, Tx};
use crate::ids::UserId;
use crate::params;
use crate::secret::Secret;

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// What they sign in with, in lower case.
    pub name: String,
    /// Their own address, in lower case.
    pub address: String,
    /// What others see of them.
    pub display_name: String,
    /// May they not sign in, and not be written to? By an administrator's word, or because where they come from has them no longer.
    pub disabled: bool,
    /// May they administer?
    pub is_admin: bool,
    /// The policy their devices follow, where it is not the usual one.
    pub policy_name: Option<String>,
    /// Since when they have the account.
    pub created_at: Timestamp,
    /// Where they come from.
    pub origin: Origin,
    /// Are they gone from there, or shut out there?
    pub is_gone: bool,
    /// What they sign in with at the IMAP server, where that is where they come from.
    pub imap_login: Option<String>,
}

/// Where a user comes from, and who may change what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Made by an administrator here.
    #[default]
    Local,
    /// A file.
    Csv,
    /// A directory server.
    Ldap,
    /// Made here when the IMAP server let them in for the first time; administrators may change them as their own.
    Imap,
}

impl Origin {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Local => "local",
            Origin::Csv => "csv",
            Origin::Ldap => "ldap",
            Origin::Imap => "imap",
        }
    }

    pub(super) fn named(name: &str) -> Option<Origin> {
        let all = [Origin::Local, Origin::Csv, Origin::Ldap, Origin::Imap];
        all.into_iter().find(|origin| origin.name() == name)
    }
}

/// What it takes to make a user.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// What they sign in with.
    pub name: String,
    /// Their own address.
    pub address: String,
    /// What others see of them; empty for the name.
    pub display_name: String,
    /// Their password, eight characters or more.
    pub password: Secret,
    /// May they administer?
    pub is_admin: bool,
    /// The policy their devices follow.
    pub policy_name: Option<String>,
}

/// A user with the hash of the password, which does not leave this room.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) user: User,
    pub(super) password_hash: String,
}

impl Directory {
    /// Makes a user; gives the id.
    pub async fn add_user(&self, new: NewUser) -> Result<UserId, DirectoryError> {
        let name = checked_name(&new.name)?;
        let address = checked_address(&new.address)?;
        let display_name = match new.display_name.trim() {
            "" => new.name.trim().to_owned(),
            given => checked_display_name(given)?,
        };
        let hash = self.hash(new.password).await?;
        let now = self.0.clock.now();
        let (is_admin, policy) = (new.is_admin, new.policy_name);
        let job = move |tx: &Tx<'_>| {
            if tx.one(tables::USER_BY_NAME, params![&name], read_account)?.is_some() {
                return Err(DirectoryError::NameTaken);
            }
            if resolve(tx, &address)?.is_some() {
                return Err(DirectoryError::AddressTaken);
            }
            let policy = policy.as_deref();
            let row = params![&name, &address, &display_name, &hash, is_admin, policy, now];
            let id: Option<UserId> = tx.one(tables::INSERT_USER, row, |row| row.get(0))?;
            let id = id.ok_or(DirectoryError::NoSuchUser)?;
            tx.execute(tables::INSERT_ALIAS, params![&address, id])?;
            Ok(id)
        };
        self.0.database.write(job).await
    }

    /// Makes a user of somebody whom the IMAP server let in under this login; gives the one that is there where there is one.
    pub(super) async fn add_from_sign_in(
        &self,
        login: &str,
        domain: &str,
    ) -> Result<User, DirectoryError> {
        let login = login.trim().to_owned();
        let address = match login.contains('@') {
            true => checked_address(&login)?,
            false => checked_address(&format!("{login}@{domain}"))?,
        };
        let local = address.rsplit_once('@').map_or("", |(local, _)| local);
        let names = [checked_name(local)?, checked_name(&address.replace('@', "."))?];
        let now = self.0.clock.now();
        let tell = self.0.outside.on_change.clone();
        let job = move |tx: &Tx<'_>| {
            let normal = normal_login(&login);
            if let Some(known) = account(tx, &normal)? {
                return Ok(known.user);
            }
            if resolve(tx, &address)?.is_some() {
                return Err(DirectoryError::AddressTaken);
            }
            let mut free = None;
            for name in &names {
                if tx.one(tables::USER_BY_NAME, params![name], read_account)?.is_none() {
                    free = free.or(Some(name));
                }
            }
            let name = free.ok_or(DirectoryError::NameTaken)?;
            let (hash, origin) = ("", Origin::Imap.name());
            let row = params![name, &address, name, hash, false, now, origin, &login];
            let id = tx.one(tables::INSERT_FROM_OUTSIDE, row, |row| row.get::<UserId>(0))?;
            let id = id.ok_or(DirectoryError::NoSuchUser)?;
            tx.execute(tables::INSERT_ALIAS, params![&address, id])?;
            tell(tx, now, Change::Added(id))?;
            user(tx, id)?.ok_or(DirectoryError::NoSuchUser)
        };
        self.0.database.write(job).await
    }

    /// The user with this id.
    pub async fn user(&self, id: UserId) -> Result<User, DirectoryError> {
        let found = self.0.database.read(move |tx| user(tx, id)).await?;
        found.ok_or(DirectoryError::NoSuchUser)
    }

    /// The user who would sign in like this: a name, `DOMAIN\name`, or any of their addresses.
    pub async fn find(&self, login: &str) -> Result<User, DirectoryError> {
        let login = normal_login(login);
        let found = self.0.database.read(move |tx| account(tx, &login)).await?;
        found.map(|account| account.user).ok_or(DirectoryError::NoSuchUser)
    }

    /// Users by id, those after `after`, at most `limit`.
    pub async fn list(
        &self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<User>, DirectoryError> {
        let after = after.unwrap_or(UserId(0));
        let job = move |tx: &Tx<'_>| tx.all(tables::LIST_USERS, params![after, limit], read_user);
        Ok(self.0.database.read(job).await?)
    }

    /// The global address list: users whose name, a word of it, or address begins with the text.
    pub async fn search(&self, text: &str, limit: usize) -> Result<Vec<User>, DirectoryError> {
        let text = text.trim().to_lowercase();
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            return Ok(Vec::new());
        }
        let begins = format!("{}%", escape_like(&text));
        let word = format!("% {begins}");
        let job = move |tx: &Tx<'_>| {
            tx.all(tables::SEARCH_USERS, params![&begins, &word, limit], read_user)
        };
        Ok(self.0.database.read(job).await?)
    }

    /// The user an address reaches.
    pub async fn resolve(&self, address: &str) -> Result<Option<User>, DirectoryError> {
        let address = address.to_owned();
        Ok(self.0.database.read(move |tx| resolve(tx, &address)).await?)
    }

    /// Gives a user a new password; the old one is worthless at once.
    pub async fn set_password(&self, id: UserId, new: Secret) -> Result<(), DirectoryError> {
        let hash = self.hash_password(new).await?;
        let job = move |tx: &Tx<'_>| changed(usize::from(put_password(tx, id, &hash)?));
        self.0.database.write(job).await
    }

    /// What [`put_password`] writes for a password that an administrator may set.
    pub async fn hash_password(&self, new: Secret) -> Result<PasswordHash, DirectoryError> {
        self.hash(new).await.map(PasswordHash)
    }

    /// Shuts a user out, or lets them in again; whom their source has no longer stays out.
    pub async fn set_disabled(&self, id: UserId, disabled: bool) -> Result<(), DirectoryError> {
        let job = move |tx: &Tx<'_>| {
            let user = user(tx, id)?.ok_or(DirectoryError::NoSuchUser)?;
            if user.is_gone && !disabled {
                return Err(DirectoryError::FromOutside(user.origin.name()));
            }
            changed(tx.execute(tables::SET_DISABLED, params![id, disabled])?)
        };
        self.0.database.write(job).await
    }

    /// Makes a user an administrator, or no longer one.
    pub async fn set_admin(&self, id: UserId, is_admin: bool) -> Result<(), DirectoryError> {
        let job = move |tx: &Tx<'_>| changed(tx.execute(tables::SET_ADMIN, params![id, is_admin])?);
        self.0.database.write(job).await
    }

    /// Puts a user's devices under a policy; `None` is the usual one.
    pub async fn set_policy(
        &self,
        id: UserId,
        policy: Option<String>,
    ) -> Result<(), DirectoryError> {
        let job = move |tx: &Tx<'_>| {
            changed(tx.execute(tables::SET_POLICY, params![id, policy.as_deref()])?)
        };
        self.0.database.write(job).await
    }

    /// Changes what others see of a user.
    pub async fn set_display_name(&self, id: UserId, name: &str) -> Result<(), DirectoryError> {
        let name = checked_display_name(name.trim())?;
        let directory = self.clone();
        let job = move |tx: &Tx<'_>| {
            directory.editable(&user(tx, id)?.ok_or(DirectoryError::NoSuchUser)?)?;
            changed(tx.execute(tables::SET_DISPLAY_NAME, params![id, &name])?)
        };
        self.0.database.write(job).await
    }

    /// Has one more address reach a user.
    pub async fn add_alias(&self, id: UserId, address: &str) -> Result<(), DirectoryError> {
        let address = checked_address(address)?;
        let directory = self.clone();
        let job = move |tx: &Tx<'_>| {
            directory.editable(&user(tx, id)?.ok_or(DirectoryError::NoSuchUser)?)?;
            let count = tx.one(tables::COUNT_ALIASES, params![id], |row| row.get::<usize>(0))?;
            if count.unwrap_or(0) >= ALIASES_MAX {
                return Err(DirectoryError::NotValid("too many addresses"));
            }
            match tx.execute(tables::INSERT_ALIAS, params![&address, id])? {
                0 => Err(DirectoryError::AddressTaken),
                _ => Ok(()),
            }
        };
        self.0.database.write(job).await
    }

    /// Has an address no longer reach a user; their own stays.
    pub async fn remove_alias(&self, id: UserId, address: &str) -> Result<(), DirectoryError> {
        let address = address.trim().to_lowercase();
        let directory = self.clone();
        let job = move |tx: &Tx<'_>| {
            let owner = user(tx, id)?.ok_or(DirectoryError::NoSuchUser)?;
            directory.editable(&owner)?;
            if owner.address == address {
                return Err(DirectoryError::NotValid("a user keeps their own address"));
            }
            match tx.execute(tables::DELETE_ALIAS, params![&address, id])? {
                0 => Err(DirectoryError::NotValid("not an address of this user")),
                _ => Ok(()),
            }
        };
        self.0.database.write(job).await
    }

    /// Every address that reaches a user, their own among them.
    pub async fn addresses(&self, id: UserId) -> Result<Vec<String>, DirectoryError> {
        Ok(self.0.database.read(move |tx| addresses(tx, id)).await?)
    }

    /// The hash of a password an administrator may set, made in the pool.
    async fn hash(&self, password: Secret) -> Result<String, DirectoryError> {
        let text = password.reveal();
        if text.chars().count() < PASSWORD_CHARS_MIN {
            return Err(DirectoryError::NotValid("a password has eight characters or more"));
        }
        if text.len() > PASSWORD_BYTES_MAX {
            return Err(DirectoryError::NotValid("the password is too long"));
        }
        let settings = self.0.settings;
        let hashed = tokio::task::spawn_blocking(move || {
            password::hash(password.reveal().as_bytes(), &settings)
        });
        hashed.await.unwrap_or(Err(DirectoryError::NotValid("the password could not be hashed")))
    }
}

/// A password as it is kept.
#[derive(Clone)]
pub struct PasswordHash(String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Gives a user another password, inside a transaction; says whether there is such a user.
pub fn put_password(tx: &Tx<'_>, id: UserId, hash: &PasswordHash) -> Result<bool, Error> {
    Ok(tx.execute(tables::SET_PASSWORD, params![id, &hash.0])? > 0)
}

/// Shuts a user out, inside a transaction; says whether there is such a user.
pub fn disable(tx: &Tx<'_>, id: UserId) -> Result<bool, Error> {
    Ok(tx.execute(tables::SET_DISABLED, params![id, true])? > 0)
}

/// The user with this id, inside a transaction.
pub fn user(tx: &Tx<'_>, id: UserId) -> Result<Option<User>, Error> {
    tx.one(tables::USER_BY_ID, params![id], read_user)
}

/// Every address that reaches a user, inside a transaction.
pub fn addresses(tx: &Tx<'_>, id: UserId) -> Result<Vec<String>, Error> {
    tx.all(tables::LIST_ALIASES, params![id, ALIASES_MAX], |row| row.get(0))
}

/// The user an address reaches, inside a transaction.
pub fn resolve(tx: &Tx<'_>, address: &str) -> Result<Option<User>, Error> {
    let address = address.trim().to_lowercase();
    if address.len() > ADDRESS_BYTES_MAX {
        return Ok(None);
    }
    tx.one(tables::USER_BY_ADDRESS, params![&address], read_user)
}

/// The account behind what somebody typed, already normal.
pub(super) fn account(tx: &Tx<'_>, login: &str) -> Result<Option<Account>, Error> {
    let sql = if login.contains('@') { tables::USER_BY_ADDRESS } else { tables::USER_BY_NAME };
    tx.one(sql, params![login], read_account)
}

/// What somebody typed, without a Windows domain and in lower case.
pub(super) fn normal_login(login: &str) -> String {
    let login = login.trim();
    login.rsplit_once('\\').map_or(login, |(_, name)| name).to_lowercase()
}

pub(super) fn read_user(row: &Row<'_>) -> Result<User, Error> {
    let (is_disabled, is_gone): (bool, bool) = (row.get(4)?, row.get(11)?);
    let origin: String = row.get(9)?;
    let origin = Origin::named(&origin)
        .ok_or_else(|| Error::Corrupt(format!("users come from {origin:?}")))?;
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        address: row.get(2)?,
        display_name: row.get(3)?,
        disabled: is_disabled || is_gone,
        is_admin: row.get(5)?,
        policy_name: row.get(6)?,
        created_at: row.get(7)?,
        origin,
        is_gone,
        imap_login: if origin == Origin::Imap { row.get(10)? } else { None },
    })
}

pub(super) fn read_account(row: &Row<'_>) -> Result<Account, Error> {
    Ok(Account { user: read_user(row)?, password_hash: row.get(8)? })
}

fn changed(rows: usize) -> Result<(), DirectoryError> {
    if rows == 0 { Err(DirectoryError::NoSuchUser) } else { Ok(()) }
}

pub(super) fn checked_name(name: &str) -> Result<String, DirectoryError> {
    let name = name.trim().to_lowercase();
    let fits = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.contains(|c: char| c.is_control() || c.is_whitespace() || "@\\/:\"".contains(c));
    if fits { Ok(name) } else { Err(DirectoryError::NotValid("not a name to sign in with")) }
}

/// An address that can stand in an envelope without quoting, in lower case.
pub(super) fn checked_address(address: &str) -> Result<String, DirectoryError> {
    let address = address.trim().to_lowercase();
    let wrong = |c: char| c.is_control() || c.is_whitespace() || "<>()[],;:\\\"".contains(c);
    let fits = address.len() <= ADDRESS_BYTES_MAX
        && !address.contains(wrong)
        && address.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && local.len() <= 64 && !domain.is_empty() && !domain.contains('@')
        });
    if fits { Ok(address) } else { Err(DirectoryError::NotValid("not an address")) }
}

pub(super) fn checked_display_name(name: &str) -> Result<String, DirectoryError> {
    let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(char::is_control);
    if fits { Ok(name.to_owned()) } else { Err(DirectoryError::NotValid("not a display name")) }
}

pub(super) fn escape_like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

/// What RFC 5321 4.5.3.1.3 leaves of a path without its angle brackets.
const ADDRESS_BYTES_MAX: usize = 254;
pub(super) const NAME_BYTES_MAX: usize = 256;
pub(super) const ALIASES_MAX: usize = 500;
