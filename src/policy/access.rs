//! May this device talk? A decision without side effects: from what is on the books and what is asked to a [`Verdict`].
//!
//! The order of the lines is the promise: a wipe directive goes out before a block does its work, because a blocked device never
//! fetches it; Provision is let through wherever something waits there; Ping needs no policy key ([MS-ASPROV] 3.1.5.1).

use serde::{Deserialize, Serialize};

use super::wipe::WipeState;

/// What somebody decided about a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// It may talk.
    Allow,
    /// It may not.
    Block,
    /// It may not until somebody has decided.
    Quarantine,
}

impl Access {
    /// The word in tables and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Access::Allow => "allow",
            Access::Block => "block",
            Access::Quarantine => "quarantine",
        }
    }

    /// The decision behind a word.
    pub fn from_name(name: &str) -> Option<Access> {
        [Access::Allow, Access::Block, Access::Quarantine]
            .into_iter()
            .find(|access| access.name() == name)
    }
}

/// What is on the books about a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What was decided about it, or the default.
    pub access: Access,
    /// Its wipe, if one was ordered and is not cleared.
    pub wipe: Option<WipeState>,
    /// The key it acknowledged a policy with.
    pub key: Option<u32>,
    /// Whether that was the policy it must obey now, as it is now.
    pub is_current: bool,
    /// Whether it is a client that cannot be provisioned, and its policy lets such in.
    pub is_exempt: bool,
}

/// What kind of request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// Provision itself.
    Provision,
    /// Ping, which carries no key.
    Ping,
    /// Anything else.
    Other,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let in.
    Admitted,
    /// It must provision first.
    NotProvisioned,
    /// Its policy has changed.
    PolicyRefresh,
    /// Its key is not the one it was given.
    InvalidPolicyKey,
    /// A wipe waits for it in Provision.
    WipeRequested,
    /// It is blocked.
    Blocked,
    /// It is quarantined.
    Quarantined,
}

/// Rules on one request; `key` is the policy key it carries.
pub fn decide(standing: &Standing, asking: Asking, key: Option<u32>) -> Verdict {
    match standing.wipe {
        Some(wipe) if wipe.is_pending() => {
            let fetches_it = asking == Asking::Provision;
            return if fetches_it { Verdict::Admitted } else { Verdict::WipeRequested };
        }
        // Promised: the same device may come back only when somebody has cleared it. Provision stays open for a repeated promise.
        Some(_) if asking != Asking::Provision => return Verdict::Blocked,
        _ => {}
    }
    match standing.access {
        Access::Block => return Verdict::Blocked,
        Access::Quarantine => return Verdict::Quarantined,
        Access::Allow => {}
    }
    if asking != Asking::Other || standing.is_exempt {
        return Verdict::Admitted;
    }
    match (key.filter(|key| *key != 0), standing.key) {
        (None, _) => Verdict::NotProvisioned,
        (Some(said), Some(known)) if said == known && standing.is_current => Verdict::Admitted,
        (Some(said), Some(known)) if said == known => Verdict::PolicyRefresh,
        (Some(_), _) => Verdict::InvalidPolicyKey,
    }
}

/// Clients that cannot be provisioned by design: Outlook for Windows, and Microsoft's connectivity tester.
pub fn is_unprovisionable(device_type: &str) -> bool {
    let device_type = device_type.to_ascii_lowercase();
    UNPROVISIONABLE.iter().any(|known| device_type.starts_with(known))
}

const UNPROVISIONABLE: [&str; 2] = ["windowsoutlook", "testactivesyncconnectivity"];

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing {
        Standing {
            access: Access::Allow,
            wipe: None,
            key: Some(7),
            is_current: true,
            is_exempt: false,
        }
    }

    #[test]
    fn keys_are_judged_one_by_one() {
        let of = |standing: Standing, key| decide(&standing, Asking::Other, key);
        assert_eq!(of(standing(), Some(7)), Verdict::Admitted);
        assert_eq!(of(standing(), Some(0)), Verdict::NotProvisioned);
        assert_eq!(of(standing(), None), Verdict::NotProvisioned);
        assert_eq!(of(standing(), Some(8)), Verdict::InvalidPolicyKey);
        let changed = Standing { is_current: false, ..standing() };
        assert_eq!(of(changed, Some(7)), Verdict::PolicyRefresh);
        assert_eq!(of(Standing { key: None, ..standing() }, Some(7)), Verdict::InvalidPolicyKey);
        assert_eq!(
            of(Standing { is_exempt: true, key: None, ..standing() }, None),
            Verdict::Admitted
        );
        assert_eq!(decide(&standing(), Asking::Ping, None), Verdict::Admitted);
        assert_eq!(decide(&standing(), Asking::Provision, None), Verdict::Admitted);
    }

    #[test]
    fn a_wipe_goes_out_before_a_block() {
        for state in
            [WipeState::Requested, WipeState::Signalled, WipeState::Sent, WipeState::Refused]
        {
            let doomed = Standing { access: Access::Block, wipe: Some(state), ..standing() };
            assert_eq!(decide(&doomed, Asking::Provision, None), Verdict::Admitted);
            assert_eq!(decide(&doomed, Asking::Other, Some(7)), Verdict::WipeRequested);
            assert_eq!(decide(&doomed, Asking::Ping, None), Verdict::WipeRequested);
        }
        let promised = Standing { wipe: Some(WipeState::Acked), ..standing() };
        assert_eq!(decide(&promised, Asking::Other, Some(7)), Verdict::Blocked);
        let blocked = Standing { access: Access::Block, is_exempt: true, ..standing() };
        for asking in [Asking::Provision, Asking::Ping, Asking::Other] {
            assert_eq!(decide(&blocked, asking, Some(7)), Verdict::Blocked);
        }
    }

    #[test]
    fn outlook_and_the_tester_cannot_be_provisioned() {
        assert!(is_unprovisionable("WindowsOutlook15"));
        assert!(is_unprovisionable("TestActiveSyncConnectivity"));
        assert!(!is_unprovisionable("iPhone") && !is_unprovisionable(""));
    }
}
