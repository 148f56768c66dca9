//! The policy room's SQL.

use std::time::Duration;

use super::access::Access;
use super::by_rule::RuleBook;
use super::rules::Policy;
use super::wipe::{Wipe, WipeKind, WipeState};
use crate::clock::Timestamp;
use crate::database::{self, Error, Row, Tx};
use crate::ids::{DeviceId, UserId};
use crate::params;

fn corrupt(what: &str) -> Error {
    Error::Corrupt(what.to_owned())
}

const POLICY: &str = "SELECT name, revision, rules, exempts_unprovisionable, accepts_partial FROM policies WHERE name = ?1";
const POLICIES: &str = "SELECT name, revision, rules, exempts_unprovisionable, accepts_partial FROM policies ORDER BY name";

fn read_policy(row: &Row<'_>) -> Result<Policy, Error> {
    let rules: String = row.get(2)?;
    Ok(Policy {
        name: row.get(0)?,
        revision: row.get(1)?,
        rules: serde_json::from_str(&rules).map_err(|_| corrupt("the rules of a policy"))?,
        exempts_unprovisionable: row.get(3)?,
        accepts_partial: row.get(4)?,
    })
}

pub(super) fn policy(tx: &Tx<'_>, name: &str) -> Result<Option<Policy>, Error> {
    tx.one(POLICY, params![name], read_policy)
}

pub(super) fn policies(tx: &Tx<'_>) -> Result<Vec<Policy>, Error> {
    tx.all(POLICIES, params![], read_policy)
}

/// Writes a policy under the next revision, and gives that.
pub(super) fn put_policy(tx: &Tx<'_>, policy: &Policy, now: Timestamp) -> Result<u64, Error> {
    let rules = serde_json::to_string(&policy.rules).map_err(|_| corrupt("rules without words"))?;
    let revision = tx.one(
        "INSERT INTO policies (name, revision, rules, exempts_unprovisionable, accepts_partial, changed_at)
         VALUES (?1, 1, ?2, ?3, ?4, ?5)
         ON CONFLICT (name) DO UPDATE SET revision = revision + 1, rules = excluded.rules,
             exempts_unprovisionable = excluded.exempts_unprovisionable, accepts_partial = excluded.accepts_partial,
             changed_at = excluded.changed_at
         RETURNING revision",
        params![&policy.name, rules, policy.exempts_unprovisionable, policy.accepts_partial, now],
        |row| row.get(0),
    )?;
    revision.ok_or_else(|| corrupt("a policy without revision"))
}

pub(super) fn delete_policy(tx: &Tx<'_>, name: &str) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM policies WHERE name = ?1", params![name])? > 0)
}

pub(super) fn set_user_policy(
    tx: &Tx<'_>,
    user: UserId,
    name: Option<&str>,
) -> Result<bool, Error> {
    let sql = "UPDATE users SET policy_name = ?2 WHERE id = ?1";
    Ok(tx.execute(sql, params![user, name])? > 0)
}

/// The devices of the users a policy is for; the default one also serves users whose policy is gone.
pub(super) fn devices_under(tx: &Tx<'_>, name: &str) -> Result<Vec<DeviceId>, Error> {
    tx.all(
        "SELECT d.id FROM devices d JOIN users u ON u.id = d.user_id
         WHERE u.policy_name = ?1 OR (?1 = 'default' AND (u.policy_name IS NULL
             OR u.policy_name NOT IN (SELECT name FROM policies)))",
        params![name],
        |row| row.get(0),
    )
}

/// All devices.
pub(super) fn devices(tx: &Tx<'_>) -> Result<Vec<DeviceId>, Error> {
    tx.all("SELECT id FROM devices", params![], |row| row.get(0))
}

/// The rules that give devices their policies; none where there are none.
pub(super) fn rule_book(tx: &Tx<'_>) -> Result<RuleBook, Error> {
    match database::meta(tx, RULE_BOOK)? {
        Some(book) => serde_json::from_str(&book).map_err(|_| corrupt("the rules of policies")),
        None => Ok(RuleBook::default()),
    }
}

pub(super) fn put_rule_book(tx: &Tx<'_>, book: &RuleBook) -> Result<(), Error> {
    let book = serde_json::to_string(book).map_err(|_| corrupt("rules without words"))?;
    database::set_meta(tx, RULE_BOOK, &book)
}

/// Where the rules lie.
const RULE_BOOK: &str = "policy_rules";

pub(super) fn devices_of(tx: &Tx<'_>, user: UserId) -> Result<Vec<DeviceId>, Error> {
    tx.all("SELECT id FROM devices WHERE user_id = ?1", params![user], |row| row.get(0))
}

pub(super) fn default_access(tx: &Tx<'_>) -> Result<Access, Error> {
    let name: Option<String> =
        tx.one("SELECT default_access FROM policy_settings WHERE id = 1", params![], |row| {
            row.get(0)
        })?;
    let access = name.as_deref().and_then(Access::from_name);
    access.ok_or_else(|| corrupt("the default access"))
}

pub(super) fn set_default_access(tx: &Tx<'_>, access: Access) -> Result<(), Error> {
    let sql = "UPDATE policy_settings SET default_access = ?1 WHERE id = 1";
    tx.execute(sql, params![access.name()]).map(drop)
}

/// A key, and the policy it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keyed {
    pub(super) key: u32,
    pub(super) name: String,
    pub(super) revision: u64,
}

/// What is on the books about a device's policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DevicePolicy {
    pub(super) access: Option<Access>,
    pub(super) offered: Option<Keyed>,
    pub(super) acknowledged: Option<Keyed>,
    pub(super) acknowledged_offer: Option<u32>,
    pub(super) compliance: Option<u8>,
    pub(super) acknowledged_at: Option<Timestamp>,
}

fn keyed(row: &Row<'_>, at: usize) -> Result<Option<Keyed>, Error> {
    let key: Option<u32> = row.get(at)?;
    let (name, revision): (Option<String>, Option<u64>) = (row.get(at + 1)?, row.get(at + 2)?);
    Ok(key.zip(name.zip(revision)).map(|(key, (name, revision))| Keyed { key, name, revision }))
}

/// The row of a device; an empty one where it has none.
pub(super) fn device_policy(tx: &Tx<'_>, device: DeviceId) -> Result<DevicePolicy, Error> {
    let row = tx.one(
        "SELECT access, offered_key, offered_name, offered_revision, policy_key, policy_name, policy_revision,
             acknowledged_offer, compliance, acknowledged_at FROM device_policies WHERE device_id = ?1",
        params![device],
        |row| {
            let access: Option<String> = row.get(0)?;
            let access = access
                .map(|name| Access::from_name(&name).ok_or_else(|| corrupt("an access")))
                .transpose()?;
            Ok(DevicePolicy {
                access,
                offered: keyed(row, 1)?,
                acknowledged: keyed(row, 4)?,
                acknowledged_offer: row.get(7)?,
                compliance: row.get(8)?,
                acknowledged_at: row.get(9)?,
            })
        },
    )?;
    Ok(row.unwrap_or_default())
}

pub(super) fn put_device_policy(
    tx: &Tx<'_>,
    device: DeviceId,
    row: &DevicePolicy,
) -> Result<(), Error> {
    let offered = row.offered.as_ref();
    let acknowledged = row.acknowledged.as_ref();
    tx.execute(
        "INSERT INTO device_policies (device_id, access, offered_key, offered_name, offered_revision, policy_key,
             policy_name, policy_revision, acknowledged_offer, compliance, acknowledged_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (device_id) DO UPDATE SET access = excluded.access, offered_key = excluded.offered_key,
             offered_name = excluded.offered_name, offered_revision = excluded.offered_revision,
             policy_key = excluded.policy_key, policy_name = excluded.policy_name,
             policy_revision = excluded.policy_revision, acknowledged_offer = excluded.acknowledged_offer,
             compliance = excluded.compliance, acknowledged_at = excluded.acknowledged_at",
        params![
            device,
            row.access.map(Access::name),
            offered.map(|keyed| keyed.key),
            offered.map(|keyed| keyed.name.as_str()),
            offered.map(|keyed| keyed.revision),
            acknowledged.map(|keyed| keyed.key),
            acknowledged.map(|keyed| keyed.name.as_str()),
            acknowledged.map(|keyed| keyed.revision),
            row.acknowledged_offer,
            row.compliance,
            row.acknowledged_at
        ],
    )
    .map(drop)
}

pub(super) fn set_access(
    tx: &Tx<'_>,
    device: DeviceId,
    access: Option<Access>,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO device_policies (device_id, access) VALUES (?1, ?2)
         ON CONFLICT (device_id) DO UPDATE SET access = excluded.access",
        params![device, access.map(Access::name)],
    )
    .map(drop)
}

pub(super) fn wipe(tx: &Tx<'_>, device: DeviceId) -> Result<Option<Wipe>, Error> {
    tx.one(
        "SELECT kind, state, block_after, sent_count, refused_count, requested_at, changed_at
         FROM wipes WHERE device_id = ?1",
        params![device],
        |row| {
            let (kind, state): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(Wipe {
                device,
                kind: WipeKind::from_name(&kind).ok_or_else(|| corrupt("the kind of a wipe"))?,
                state: WipeState::from_name(&state).ok_or_else(|| corrupt("a wipe's state"))?,
                block_after: row.get(2)?,
                sent_count: row.get(3)?,
                refused_count: row.get(4)?,
                requested_at: row.get(5)?,
                changed_at: row.get(6)?,
            })
        },
    )
}

/// Devices that promised to wipe before `since`, and were not heard from `aftermath` after their promise on.
pub(super) fn away_since(
    tx: &Tx<'_>,
    since: Timestamp,
    aftermath: Duration,
    limit: usize,
) -> Result<Vec<DeviceId>, Error> {
    let aftermath_ms = i64::try_from(aftermath.as_millis()).unwrap_or(i64::MAX);
    tx.all(
        "SELECT w.device_id FROM wipes w JOIN devices d ON d.id = w.device_id
         WHERE w.state = 'acked' AND w.changed_at <= ?1 AND d.last_seen <= w.changed_at + ?2
         ORDER BY w.device_id LIMIT ?3",
        params![since, aftermath_ms, limit],
        |row| row.get(0),
    )
}

/// The devices of a user for which a wipe waits.
pub(super) fn wipes_waiting(tx: &Tx<'_>, user: UserId) -> Result<Vec<DeviceId>, Error> {
    tx.all(
        "SELECT d.id FROM devices d JOIN wipes w ON w.device_id = d.id
         WHERE d.user_id = ?1 AND w.state NOT IN ('acked', 'corroborated') ORDER BY d.id",
        params![user],
        |row| row.get(0),
    )
}

pub(super) fn put_wipe(tx: &Tx<'_>, wipe: &Wipe) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO wipes (device_id, kind, state, block_after, sent_count, refused_count, requested_at, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (device_id) DO UPDATE SET kind = excluded.kind, state = excluded.state,
             block_after = excluded.block_after, sent_count = excluded.sent_count,
             refused_count = excluded.refused_count, requested_at = excluded.requested_at,
             changed_at = excluded.changed_at",
        params![
            wipe.device,
            wipe.kind.name(),
            wipe.state.name(),
            wipe.block_after,
            wipe.sent_count,
            wipe.refused_count,
            wipe.requested_at,
            wipe.changed_at
        ],
    )
    .map(drop)
}

pub(super) fn delete_wipe(tx: &Tx<'_>, device: DeviceId) -> Result<(), Error> {
    tx.execute("DELETE FROM wipes WHERE device_id = ?1", params![device]).map(drop)
}
