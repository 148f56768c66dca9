//! What a source says becomes users, addresses, cards and groups of ours; what it says no longer is kept, and shut out.
//!
//! ```text
//!   Snapshot + what is known ─► Plan (pure) ─► jobs of some hundred rows ─► Report
//! ```
//!
//! - Users are never deleted: what phones hold and what was recalled points at them. Whom the source has no longer is gone, and may
//!   not sign in until it has them again.
//! - When more are gone at once than [`Brake`] lets go, none of them is touched until somebody confirms it; what is new comes in.
//! - A user is known again by the source's key, else by name, else by address: whoever was made here before the source was connected
//!   becomes the source's.

use std::collections::{BTreeMap, BTreeSet};

use hmac::digest::Digest as _;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::people::{set_card, words};
use super::sources::{Person, Snapshot, Team};
use super::users::{Origin, addresses, read_account, resolve};
use super::{Change, OnChange, tables};
use crate::clock::Timestamp;
use crate::database::{Database, Error, Row, Tx};
use crate::ids::UserId;
use crate::params;

/// How many may be gone at once without a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brake {
    /// The share of the users, or groups, that the source had, in percent.
    pub(super) percent: u8,
}

/// What came of a look at the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// People the source has.
    pub people: usize,
    /// Groups it has.
    pub groups: usize,
    /// Users made.
    pub added: usize,
    /// Users changed.
    pub changed: usize,
    /// Users that are gone since the last look, and are shut out.
    pub gone: usize,
    /// Groups made, changed or deleted.
    pub groups_changed: usize,
    /// Users that are gone and wait for somebody to confirm it.
    pub gone_unconfirmed: usize,
    /// Groups that are, likewise.
    pub groups_gone_unconfirmed: usize,
    /// What is wrong with single entries.
    pub problems: Vec<String>,
}

impl Report {
    /// Whether anything was written.
    pub fn is_change(&self) -> bool {
        self.added + self.changed + self.gone + self.groups_changed > 0
    }

    /// Whether somebody has to confirm something.
    pub fn waits(&self) -> bool {
        self.gone_unconfirmed + self.groups_gone_unconfirmed > 0
    }
}

/// A user as the plan sees one.
#[derive(Clone, Debug)]
struct Known {
    id: UserId,
    name: String,
    address: String,
    origin: String,
    key: Option<String>,
    print: Option<String>,
    is_gone: bool,
}

/// What is to be done.
#[derive(Debug, Default)]
struct Plan {
    put: Vec<(Option<UserId>, Person, String)>,
    gone: Vec<UserId>,
    put_groups: Vec<(Team, String)>,
    gone_groups: Vec<i64>,
    report: Report,
}

/// Looks at what is known, and says what would be done.
pub(super) async fn rehearse(
    database: &Database,
    origin: Origin,
    snapshot: Snapshot,
    brake: Brake,
) -> Result<Report, Error> {
    let plan = plan(load(database, origin).await?, origin, snapshot, brake, false);
    let mut report = plan.report;
    report.added = plan.put.iter().filter(|(id, ..)| id.is_none()).count();
    report.changed = plan.put.len() - report.added;
    report.gone = plan.gone.len();
    report.groups_changed = plan.put_groups.len() + plan.gone_groups.len();
    Ok(report)
}

/// Does it, in small jobs, so that nobody waits for the database meanwhile.
pub(super) async fn take(
    database: &Database,
    origin: Origin,
    snapshot: Snapshot,
    brake: Brake,
    is_confirmed: bool,
    at: Timestamp,
    tell: &OnChange,
) -> Result<Report, Error> {
    let known = load(database, origin).await?;
    let Plan { put, gone, put_groups, gone_groups, mut report } =
        plan(known, origin, snapshot, brake, is_confirmed);
    // Who is gone first: a name or address may be somebody else's now.
    for ids in gone.chunks(ROWS_PER_JOB) {
        let (ids, tell) = (ids.to_vec(), tell.clone());
        report.gone += database.write(move |tx| shut_out(tx, &ids, at, &tell)).await?;
    }
    for people in put.chunks(ROWS_PER_JOB) {
        let (people, tell) = (people.to_vec(), tell.clone());
        let done = database.write(move |tx| put_people(tx, origin, &people, at, &tell)).await?;
        report.added += done.added;
        report.changed += done.changed;
        report.problems.extend(done.problems);
    }
    for ids in gone_groups.chunks(ROWS_PER_JOB) {
        let ids = ids.to_vec();
        report.groups_changed += database.write(move |tx| delete_groups(tx, &ids)).await?;
    }
    for teams in put_groups.chunks(GROUPS_PER_JOB) {
        let (count, teams) = (teams.len(), teams.to_vec());
        let problems = database.write(move |tx| put_groups_in(tx, origin, &teams)).await?;
        report.groups_changed += count - problems.len();
        report.problems.extend(problems);
    }
    report.problems.truncate(PROBLEMS_MAX);
    Ok(report)
}

type KnownGroups = BTreeMap<String, (i64, String)>;

async fn load(database: &Database, origin: Origin) -> Result<(Vec<Known>, KnownGroups), Error> {
    database
        .read(move |tx: &Tx<'_>| {
            let users = tx.all(tables::KNOWN_USERS, params![], |row| {
                Ok(Known {
                    id: row.get(0)?,
                    name: row.get(1)?,
                    address: row.get(2)?,
                    origin: row.get(3)?,
                    key: row.get(4)?,
                    print: row.get(5)?,
                    is_gone: row.get(6)?,
                })
            })?;
            let read = |row: &Row<'_>| Ok((row.get(1)?, (row.get(0)?, row.get(2)?)));
            let groups = tx.all(tables::KNOWN_GROUPS, params![origin.name()], read)?;
            Ok((users, groups.into_iter().collect()))
        })
        .await
}

/// What is to be done so that we know what the source says.
fn plan(
    (known, mut known_groups): (Vec<Known>, KnownGroups),
    origin: Origin,
    snapshot: Snapshot,
    brake: Brake,
    is_confirmed: bool,
) -> Plan {
    let mut plan = Plan::default();
    plan.report.people = snapshot.people.len();
    plan.report.groups = snapshot.groups.len();
    plan.report.problems = snapshot.problems;
    let told: BTreeSet<&str> = snapshot.people.iter().map(|person| person.key.as_str()).collect();
    let is_ours = |user: &Known| user.origin == origin.name() && user.key.is_some();
    let has_key = |user: &Known, key: &str| is_ours(user) && user.key.as_deref() == Some(key);
    // Whoever still has a key that the source tells is themselves, whatever name somebody else has now.
    let is_free =
        |user: &Known| !is_ours(user) || user.key.as_deref().is_none_or(|key| !told.contains(key));
    let by_key: BTreeMap<&str, &Known> = known
        .iter()
        .filter(|user| is_ours(user))
        .filter_map(|user| Some((user.key.as_deref()?, user)))
        .collect();
    let by_name: BTreeMap<&str, &Known> =
        known.iter().map(|user| (user.name.as_str(), user)).collect();
    let by_address: BTreeMap<&str, &Known> =
        known.iter().map(|user| (user.address.as_str(), user)).collect();
    let mut met: BTreeSet<UserId> = BTreeSet::new();
    for person in snapshot.people.iter().cloned() {
        let old = by_key.get(person.key.as_str()).copied();
        let old = old.or_else(|| by_name.get(person.name.as_str()).copied().filter(|u| is_free(u)));
        let old =
            old.or_else(|| by_address.get(person.address.as_str()).copied().filter(|u| is_free(u)));
        let old = old.filter(|user| met.insert(user.id));
        let print = print(&person);
        let is_same = old.is_some_and(|user| {
            has_key(user, &person.key)
                && user.print.as_deref() == Some(print.as_str())
                && user.is_gone == person.is_shut_out
        });
        if !is_same {
            plan.put.push((old.map(|user| user.id), person, print));
        }
    }
    let here: Vec<&Known> =
        known.iter().filter(|user| is_ours(user) && user.print.is_some()).collect();
    let is_kept = |user: &Known| {
        user.key.as_ref().is_some_and(|key| snapshot.kept.contains(key)) || met.contains(&user.id)
    };
    let gone = here.iter().filter(|user| !is_kept(user)).map(|user| user.id);
    plan.gone = gone.collect();
    if !is_confirmed && brake.holds(plan.gone.len(), here.len()) {
        plan.report.gone_unconfirmed = plan.gone.len();
        plan.gone.clear();
    }
    let groups_before = known_groups.len();
    for team in snapshot.groups {
        let print = print(&team);
        match known_groups.remove(&team.key) {
            Some((_, old)) if old == print => {}
            _ => plan.put_groups.push((team, print)),
        }
    }
    plan.gone_groups = known_groups.into_values().map(|(id, _)| id).collect();
    if !is_confirmed && brake.holds(plan.gone_groups.len(), groups_before) {
        plan.report.groups_gone_unconfirmed = plan.gone_groups.len();
        plan.gone_groups.clear();
    }
    plan
}

impl Brake {
    /// Whether so many may not go without a word, of so many there were.
    fn holds(self, gone: usize, of: usize) -> bool {
        let is_share = gone > GONE_FREE && gone * 100 > of * usize::from(self.percent);
        gone > 0 && (gone == of || is_share)
    }
}

/// A digest of everything a source says of a person or group.
fn print(said: &impl std::fmt::Debug) -> String {
    let digest = Sha256::digest(format!("{PRINT_VERSION} {said:?}").as_bytes());
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn shut_out(tx: &Tx<'_>, ids: &[UserId], at: Timestamp, tell: &OnChange) -> Result<usize, Error> {
    let mut count = 0;
    for id in ids {
        tx.execute(tables::SET_PRINT, params![id, None::<&str>, true])?;
        tell(tx, at, Change::Gone(*id))?;
        count += 1;
    }
    Ok(count)
}

#[derive(Default)]
struct Done {
    added: usize,
    changed: usize,
    problems: Vec<String>,
}

fn put_people(
    tx: &Tx<'_>,
    origin: Origin,
    people: &[(Option<UserId>, Person, String)],
    at: Timestamp,
    tell: &OnChange,
) -> Result<Done, Error> {
    let mut done = Done::default();
    for (id, person, print) in people {
        let was_gone = match id {
            Some(id) => super::user(tx, *id)?.is_some_and(|user| user.is_gone),
            None => false,
        };
        match put_person(tx, origin, *id, person, at)? {
            Err(problem) => done.problems.push(problem),
            Ok((id_now, problems)) => {
                // With a problem left, the next look tries again.
                let print = problems.is_empty().then_some(print.as_str());
                let print = print.unwrap_or(PRINT_INCOMPLETE);
                tx.execute(tables::SET_PRINT, params![id_now, print, person.is_shut_out])?;
                done.problems.extend(problems);
                let change = match id {
                    None => Change::Added(id_now),
                    Some(_) if person.is_shut_out && !was_gone => Change::Gone(id_now),
                    Some(_) if was_gone && !person.is_shut_out => Change::Back(id_now),
                    Some(_) => Change::Changed(id_now),
                };
                done.added += usize::from(id.is_none());
                done.changed += usize::from(id.is_some());
                tell(tx, at, change)?;
            }
        }
    }
    Ok(done)
}

/// Writes a person; the other answer says why not.
fn put_person(
    tx: &Tx<'_>,
    origin: Origin,
    id: Option<UserId>,
    person: &Person,
    at: Timestamp,
) -> Result<Result<(UserId, Vec<String>), String>, Error> {
    let Person { key, name, address, display_name, .. } = person;
    if let Some(other) = tx.one(tables::USER_BY_NAME, params![name], read_account)?
        && Some(other.user.id) != id
    {
        return Ok(Err(format!("{name}: the name belongs to another user")));
    }
    if let Some(other) = resolve(tx, address)?
        && Some(other.id) != id
        && !release(tx, other.id, address)?
    {
        return Ok(Err(format!("{name}: {address} belongs to {}", other.name)));
    }
    let hash = person.password_hash.as_deref();
    let id = match id {
        Some(id) => {
            let (admin, origin) = (person.is_admin, origin.name());
            let row = params![id, name, address, display_name, hash, admin, origin, key];
            tx.execute(tables::UPDATE_FROM_OUTSIDE, row)?;
            id
        }
        None => {
            let (hash, admin) = (hash.unwrap_or_default(), person.is_admin.unwrap_or(false));
            let origin = origin.name();
            let row = params![name, address, display_name, hash, admin, at, origin, key];
            let made = tx.one(tables::INSERT_FROM_OUTSIDE, row, |row| row.get(0))?;
            made.ok_or_else(|| Error::Corrupt("a user without a number".to_owned()))?
        }
    };
    set_card(tx, id, &person.card, display_name)?;
    Ok(Ok((id, set_aliases(tx, id, person)?)))
}

/// Has exactly a person's addresses reach them; tells those that are somebody else's.
fn set_aliases(tx: &Tx<'_>, id: UserId, person: &Person) -> Result<Vec<String>, Error> {
    let mut problems = Vec::new();
    for old in addresses(tx, id)? {
        if old != person.address && !person.aliases.contains(&old) {
            tx.execute(tables::DELETE_ALIAS, params![&old, id])?;
        }
    }
    for alias in person.aliases.iter().chain([&person.address]) {
        match resolve(tx, alias)? {
            Some(other) if other.id == id => continue,
            Some(other) if !release(tx, other.id, alias)? => {
                problems.push(format!("{}: {alias} belongs to {}", person.name, other.name));
                continue;
            }
            _ => tx.execute(tables::INSERT_ALIAS, params![alias, id])?,
        };
    }
    Ok(problems)
}

/// Takes an address from a user who is gone; nobody else gives one up.
fn release(tx: &Tx<'_>, id: UserId, address: &str) -> Result<bool, Error> {
    let Some(user) = super::user(tx, id)?.filter(|user| user.is_gone) else { return Ok(false) };
    tx.execute(tables::DELETE_ALIAS, params![address, id])?;
    if user.address == address {
        let left = format!("former-{id}@gone.invalid");
        tx.execute(tables::SET_ADDRESS, params![id, &left])?;
        tx.execute(tables::INSERT_ALIAS, params![&left, id])?;
    }
    Ok(true)
}

fn delete_groups(tx: &Tx<'_>, ids: &[i64]) -> Result<usize, Error> {
    for id in ids {
        tx.execute(tables::DELETE_MEMBERS, params![*id])?;
        tx.execute(tables::DELETE_GROUP, params![*id])?;
    }
    Ok(ids.len())
}

fn put_groups_in(
    tx: &Tx<'_>,
    origin: Origin,
    teams: &[(Team, String)],
) -> Result<Vec<String>, Error> {
    let mut problems = Vec::new();
    for (team, print) in teams {
        let Team { key, name, address, display_name, .. } = team;
        let (origin, address) = (origin.name(), address.as_deref());
        let row = params![name, address, origin, key];
        let other = tx.one(tables::OTHER_GROUP_NAMED, row, |row| row.get::<String>(0))?;
        if let Some(other) = other {
            problems.push(format!("group {name}: its name or address belongs to group {other}"));
            continue;
        }
        let words = words([name.as_str(), display_name.as_str()].into_iter());
        let row = params![name, address, display_name, &words, origin, key, print];
        let id: Option<i64> = tx.one(tables::PUT_GROUP, row, |row| row.get(0))?;
        let id = id.ok_or_else(|| Error::Corrupt("a group without a number".to_owned()))?;
        tx.execute(tables::DELETE_MEMBERS, params![id])?;
        for (kind, members) in [(PERSON, &team.people), (GROUP, &team.groups)] {
            for member in members {
                tx.execute(tables::INSERT_MEMBER, params![id, kind, member])?;
            }
        }
    }
    Ok(problems)
}

/// What [`tables::INSERT_MEMBER`] calls a person and a group.
const PERSON: i64 = 0;
const GROUP: i64 = 1;
/// So many may be gone whatever share of all they are.
const GONE_FREE: usize = 2;
/// Users of one job.
const ROWS_PER_JOB: usize = 100;
/// Groups of one job; each has many members.
const GROUPS_PER_JOB: usize = 10;
/// Problems told in a report.
const PROBLEMS_MAX: usize = 50;
/// Changes with the form of what is digested.
const PRINT_VERSION: u32 = 1;
/// The digest of somebody who could not be taken in whole.
const PRINT_INCOMPLETE: &str = "";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brake_holds_where_all_or_many_are_gone() {
        let brake = Brake { percent: 10 };
        for (gone, of, holds) in [
            (0, 0, false),
            (0, 100, false),
            (1, 1, true),
            (1, 2, false),
            (2, 5, false),
            (3, 5, true),
            (10, 100, false),
            (11, 100, true),
        ] {
            assert_eq!(brake.holds(gone, of), holds, "{gone} of {of}");
        }
    }
}
