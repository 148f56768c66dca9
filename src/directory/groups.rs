//! Groups: who is in them, directly or through groups within groups.
//!
//! A group that contains itself, at whatever distance, ends nothing but its own expansion: each group is gone through once, and at most a
//! thousand of them.

use std::collections::{BTreeMap, BTreeSet};

use super::users::{User, read_user};
use super::{Directory, DirectoryError, tables};
use crate::database::{Error, Row, Tx};
use crate::ids::UserId;
use crate::params;

/// A group of users, as a source outside has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number here.
    pub id: i64,
    /// Its name, in lower case.
    pub name: String,
    /// The address mail to all of them goes to, where it has one.
    pub address: Option<String>,
    /// What others see of it.
    pub display_name: String,
}

impl Directory {
    /// The group of this name or address.
    pub async fn group(&self, name: &str) -> Result<Option<Group>, DirectoryError> {
        let name = name.to_owned();
        Ok(self.0.database.read(move |tx| group(tx, &name)).await?)
    }

    /// Groups by their numbers, those after `after`, at most `limit`.
    pub async fn list_groups(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Group>, DirectoryError> {
        let job = move |tx: &Tx<'_>| tx.all(tables::LIST_GROUPS, params![after, limit], read_group);
        Ok(self.0.database.read(job).await?)
    }

    /// Everybody in a group, also through groups in it; at most ten thousand.
    pub async fn members(&self, group: &Group) -> Result<Vec<User>, DirectoryError> {
        let id = group.id;
        Ok(self.0.database.read(move |tx| members(tx, id)).await?)
    }
}

/// The group of this name or address, inside a transaction.
pub fn group(tx: &Tx<'_>, name: &str) -> Result<Option<Group>, Error> {
    let name = name.trim().to_lowercase();
    tx.one(tables::GROUP_BY_NAME, params![&name], read_group)
}

/// Everybody in a group who may sign in, also through groups in it, inside a transaction; at most ten thousand.
pub fn members(tx: &Tx<'_>, group: i64) -> Result<Vec<User>, Error> {
    let mut found: BTreeMap<UserId, User> = BTreeMap::new();
    let mut seen = BTreeSet::from([group]);
    let mut left = vec![group];
    while let Some(group) = left.pop() {
        let here = tx.all(tables::MEMBERS, params![group, MEMBERS_MAX], read_user)?;
        found.extend(here.into_iter().map(|user| (user.id, user)));
        let row = params![group, GROUPS_MAX];
        for within in tx.all(tables::GROUPS_WITHIN, row, |row| row.get::<i64>(0))? {
            if seen.len() < GROUPS_MAX && seen.insert(within) {
                left.push(within);
            }
        }
    }
    Ok(found.into_values().take(MEMBERS_MAX).collect())
}

/// The names of all groups a user is in, also through groups in others, inside a transaction.
pub fn groups_of(tx: &Tx<'_>, user: UserId) -> Result<BTreeSet<String>, Error> {
    let read = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<String>(1)?));
    let mut left = tx.all(tables::GROUPS_OF_USER, params![user, GROUPS_MAX], read)?;
    let mut found: BTreeMap<i64, String> = left.iter().cloned().collect();
    while let Some((group, _)) = left.pop() {
        for (around, name) in tx.all(tables::GROUPS_AROUND, params![group, GROUPS_MAX], read)? {
            if found.len() < GROUPS_MAX && !found.contains_key(&around) {
                found.insert(around, name.clone());
                left.push((around, name));
            }
        }
    }
    Ok(found.into_values().collect())
}

pub(super) fn read_group(row: &Row<'_>) -> Result<Group, Error> {
    Ok(Group {
        id: row.get(0)?,
        name: row.get(1)?,
        address: row.get(2)?,
        display_name: row.get(3)?,
    })
}

/// Groups that one expansion goes through.
pub(super) const GROUPS_MAX: usize = 1_000;
/// Members of one group that are told.
pub(super) const MEMBERS_MAX: usize = 10_000;
