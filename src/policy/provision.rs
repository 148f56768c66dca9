//! Provisioning in two phases ([MS-ASPROV] 3.1.5.1): a policy goes out under a temporary key, the device acknowledges it under
//! that key and gets the one it carries from then on.

use super::rules::Policy;
use super::tables;
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::DeviceId;

/// A policy on its way to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The temporary key.
    pub key: u32,
    /// The policy.
    pub policy: Policy,
    /// Whether the device has obeyed one before: what that demanded and this one does not has to be taken back in words.
    pub is_later: bool,
}

/// What a device said it did with its policy ([MS-ASPROV] 2.2.2.53).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compliance {
    /// It applied all of it.
    Whole,
    /// It applied a part.
    Partial,
    /// It did not apply it.
    Not,
    /// Somebody else manages it.
    ManagedElsewhere,
}

impl Compliance {
    /// What a Status in an acknowledgement says.
    pub fn from_status(status: u16) -> Option<Compliance> {
        Some(match status {
            1 => Compliance::Whole,
            2 => Compliance::Partial,
            3 => Compliance::Not,
            4 => Compliance::ManagedElsewhere,
            _ => return None,
        })
    }

    fn number(self) -> u8 {
        match self {
            Compliance::Whole => 1,
            Compliance::Partial => 2,
            Compliance::Not => 3,
            Compliance::ManagedElsewhere => 4,
        }
    }
}

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// The device carries this key from now on.
    Key(u32),
    /// No policy went out under that key, or another one since.
    UnknownKey,
    /// The policy wants more than the device does.
    NotCompliant,
    /// The device is managed elsewhere, which the policy does not accept.
    ManagedElsewhere,
}

/// Puts a policy on its way. A second request before the acknowledgement gets the same key: one of the two answers was lost.
pub(super) fn offer(
    tx: &Tx<'_>,
    device: DeviceId,
    policy: Policy,
    fresh_key: u32,
) -> Result<Offer, Error> {
    let mut row = tables::device_policy(tx, device)?;
    let known = row.offered.as_ref().filter(|offered| {
        offered.name == policy.name
            && offered.revision == policy.revision
            && row.acknowledged_offer != Some(offered.key)
    });
    let key = known.map_or(fresh_key, |offered| offered.key);
    let is_later = row.acknowledged.is_some();
    row.offered = Some(tables::Keyed { key, name: policy.name.clone(), revision: policy.revision });
    tables::put_device_policy(tx, device, &row)?;
    Ok(Offer { key, policy, is_later })
}

/// The device acknowledges what went out under `key`. The final key is the one that went out: a repeated acknowledgement, whose
/// answer was lost, finds it again.
pub(super) fn acknowledge(
    tx: &Tx<'_>,
    device: DeviceId,
    key: u32,
    compliance: Compliance,
    accepts_partial: bool,
    fresh_key: u32,
    now: Timestamp,
) -> Result<Acknowledged, Error> {
    let mut row = tables::device_policy(tx, device)?;
    let Some(offered) = row.offered.clone().filter(|offered| offered.key == key) else {
        return Ok(Acknowledged::UnknownKey);
    };
    if let (Some(done), true) = (&row.acknowledged, row.acknowledged_offer == Some(key)) {
        return Ok(Acknowledged::Key(done.key));
    }
    if compliance != Compliance::Whole && !accepts_partial {
        let event = Event::new("device.policy_refused").id("device", device);
        let event = event.text("policy", offered.name).id("said", i64::from(compliance.number()));
        audit::note(tx, now, &event)?;
        return Ok(match compliance {
            Compliance::ManagedElsewhere => Acknowledged::ManagedElsewhere,
            _ => Acknowledged::NotCompliant,
        });
    }
    let event = Event::new("device.policy")
        .id("device", device)
        .text("policy", offered.name.clone())
        .id("revision", offered.revision)
        .id("said", i64::from(compliance.number()));
    audit::note(tx, now, &event)?;
    row.acknowledged_offer = Some(key);
    row.acknowledged = Some(tables::Keyed { key: fresh_key, ..offered });
    row.compliance = Some(compliance.number());
    row.acknowledged_at = Some(now);
    tables::put_device_policy(tx, device, &row)?;
    Ok(Acknowledged::Key(fresh_key))
}
