//! Quirks as data: what single clients need and what would harm the others, or is not worth their while.
//!
//! What every client can live with is no quirk but how we behave; `docs/quirks.md` lists both, each with the test that shows it. A row is
//! looked up once a request, by what the device calls itself, and costs no memory.

use activesync::ProtocolVersion;

use crate::recall::{Family, names};

/// What we do otherwise for a client. Each departs from what all others get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::eas) enum Behaviour {
    /// A Sync without news is answered with a body that says so; [MS-ASCMD] 2.2.1.21.1 would have it empty.
    SaysNothingInABody,
    /// An estimate for a stale key is 1, not Status 4 ([MS-ASCMD] 2.2.3.177.7): the Sync that follows is told so.
    EstimatesForStaleKeys,
    /// The proof of a recall is not asked for by ending a Ping.
    IsNotNudged,
    /// A mail that it moved itself comes to its new folder as a Change, not as an Add.
    HasWhatItMoved,
    /// A window whose answer was lost more than once grows smaller.
    StepsDown,
}

/// A sign by which a client is known, in lower case.
#[derive(Clone, Copy, Debug)]
enum Sign {
    /// Its family.
    Family(Family),
    /// What its DeviceType begins with.
    Type(&'static str),
    /// What its User-Agent begins with.
    Agent(&'static str),
}

/// A row of the table.
#[derive(Debug)]
struct Row {
    /// Its name, in `docs/quirks.md` and in `phones.quirks_off` of the configuration.
    name: &'static str,
    /// Whom it is about: any of these.
    signs: &'static [Sign],
    /// The versions it is about, first and last.
    versions: (ProtocolVersion, ProtocolVersion),
    /// What is done.
    behaviour: Behaviour,
    /// Where the need for it was seen.
    source: &'static str,
}

const ANY: (ProtocolVersion, ProtocolVersion) = (ProtocolVersion::V12_1, ProtocolVersion::V16_1);

const TABLE: [Row; 5] = [
    Row {
        name: "body-when-nothing-is-new",
        signs: &[Sign::Type("meego"), Sign::Type("nokian800")],
        versions: ANY,
        behaviour: Behaviour::SaysNothingInABody,
        source: "Syncroton, Command/Sync.php:429",
    },
    Row {
        name: "estimate-for-a-stale-key",
        signs: &[Sign::Family(Family::Aosp)],
        versions: ANY,
        behaviour: Behaviour::EstimatesForStaleKeys,
        source: "Syncroton, Command/GetItemEstimate.php:110",
    },
    Row {
        // It counts wakes that bring nothing, and after two in a row polls every five minutes instead.
        name: "no-nudge",
        signs: &[
            Sign::Agent("android/0."),
            Sign::Agent("android/2."),
            Sign::Agent("android/3."),
            Sign::Agent("android/4."),
        ],
        versions: ANY,
        behaviour: Behaviour::IsNotNudged,
        source: "AOSP up to 4.3, com.android.exchange.EasSyncService, MAX_PING_FAILURES",
    },
    Row {
        name: "moved-mail-is-not-added",
        signs: &[Sign::Type("windowsoutlook")],
        versions: ANY,
        behaviour: Behaviour::HasWhatItMoved,
        source: "SOGo, SOGoActiveSyncDispatcher.m:2227",
    },
    Row {
        name: "window-steps-down",
        signs: &[Sign::Type("windowsoutlook")],
        versions: ANY,
        behaviour: Behaviour::StepsDown,
        source: "Z-Push, ZP-1213",
    },
];

/// What a client needs: a set of behaviours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks(u8);

impl Quirks {
    /// Those of a client, by what it calls itself.
    pub(in crate::eas) fn of(
        user_agent: &str,
        device_type: &str,
        version: ProtocolVersion,
    ) -> Quirks {
        let family = Family::of(user_agent, device_type);
        let begins =
            |name: &str, with: &str| name.get(..with.len()).is_some_and(|n| names(n, with));
        let is = |sign: &Sign| match sign {
            Sign::Family(known) => *known == family,
            Sign::Type(with) => begins(device_type, with),
            Sign::Agent(with) => begins(user_agent, with),
        };
        let fits = |row: &&Row| {
            (row.versions.0..=row.versions.1).contains(&version) && row.signs.iter().any(is)
        };
        TABLE.iter().filter(fits).fold(Quirks::default(), |set, row| set.with(row.behaviour))
    }

    /// The rows of these names: what an administrator switches off. `Err` is a name that there is not.
    pub fn named(list: &[String]) -> Result<Quirks, String> {
        list.iter().try_fold(Quirks::default(), |set, name| {
            let row = TABLE.iter().find(|row| row.name == name).ok_or_else(|| name.clone())?;
            tracing::info!(quirk = row.name, seen = row.source, "switched off");
            Ok(set.with(row.behaviour))
        })
    }

    /// Those that are not among others.
    pub(in crate::eas) fn without(self, others: Quirks) -> Quirks {
        Quirks(self.0 & !others.0)
    }

    /// Whether it is among them.
    pub(in crate::eas) fn has(self, behaviour: Behaviour) -> bool {
        self.0 & (1 << behaviour as u8) != 0
    }

    fn with(self, behaviour: Behaviour) -> Quirks {
        Quirks(self.0 | 1 << behaviour as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Behaviour::*;

    const ALL: [Behaviour; 5] =
        [SaysNothingInABody, EstimatesForStaleKeys, IsNotNudged, HasWhatItMoved, StepsDown];

    fn of(agent: &str, kind: &str) -> Vec<Behaviour> {
        let quirks = Quirks::of(agent, kind, ProtocolVersion::V14_0);
        ALL.into_iter().filter(|behaviour| quirks.has(*behaviour)).collect()
    }

    #[test]
    fn a_client_is_known_by_what_it_calls_itself() {
        assert_eq!(
            of("Outlook/15.0 (15.0.4745.1000; MSI; x86)", "WindowsOutlook15"),
            [HasWhatItMoved, StepsDown]
        );
        assert_eq!(of("Android/4.1.2-EAS-1.3", "Android"), [EstimatesForStaleKeys, IsNotNudged]);
        assert_eq!(of("Android-Mail/2026.10.11", "Android"), [EstimatesForStaleKeys]);
        assert_eq!(of("", "MeeGo"), [SaysNothingInABody]);
    }

    #[test]
    fn most_have_none() {
        for (agent, kind) in [
            ("Apple-iPhone17C1/2301.341", "iPhone"),
            ("SAMSUNG-SM-G998B/101.130000", "SAMSUNGSMG998B"),
            ("Outlook-iOS-Android/1.0", "Outlook"),
            ("Nine-4.9.4c", "Android"),
            ("Android/14-EAS-1.3", "Android/x"),
            ("", "ä"),
        ] {
            let quirks = of(agent, kind);
            assert!(quirks.is_empty() || quirks == [EstimatesForStaleKeys], "{agent}: {quirks:?}");
        }
    }

    #[test]
    fn a_row_is_switched_off_by_its_name() {
        let off = Quirks::named(&["no-nudge".to_owned()]).unwrap();
        let android = Quirks::of("Android/4.0", "Android", ProtocolVersion::V14_0).without(off);
        assert!(android.has(EstimatesForStaleKeys) && !android.has(IsNotNudged));
        assert_eq!(Quirks::named(&["no-such".to_owned()]), Err("no-such".to_owned()));
    }

    #[test]
    fn every_row_has_a_name_of_its_own_a_source_and_its_place_in_the_list() {
        let list = include_str!("../../docs/quirks.md");
        for (at, row) in TABLE.iter().enumerate() {
            assert!(TABLE[..at].iter().all(|other| other.name != row.name), "{}", row.name);
            assert!(
                !row.source.is_empty() && !row.signs.is_empty() && row.versions.0 <= row.versions.1
            );
            assert!(list.contains(&format!("row `{}`", row.name)), "{} is not listed", row.name);
        }
    }
}
