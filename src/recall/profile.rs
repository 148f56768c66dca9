//! The families of mail apps, and what is known about the Delete of each: printed beside every acknowledgement, since that is the app's
//! word and no more.
//!
//! *Bench-tested* would mean that a real device was taken apart after a recall; none has been. *Read* means that the source of the app was
//! read. Everything else is untested, whatever it calls itself.

/// A family of mail apps, as far as their names tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Outlook, on desks and on phones.
    Outlook,
    /// Samsung's mail app.
    Samsung,
    /// Mail on iOS.
    Apple,
    /// Android's own Exchange client, and what derives from it.
    Aosp,
    /// Anything else.
    Other,
}

impl Family {
    /// The family of a device, by its User-Agent and its DeviceType.
    pub fn of(user_agent: &str, device_type: &str) -> Family {
        let is = |sign: &&str| names(user_agent, sign) || names(device_type, sign);
        let found = FAMILIES.iter().find(|(signs, ..)| signs.iter().any(is));
        found.map_or(Family::Other, |(_, family, _)| *family)
    }
}

/// Whether a name holds a sign, which is written in lower case.
pub fn names(name: &str, sign: &str) -> bool {
    name.as_bytes().windows(sign.len()).any(|part| part.eq_ignore_ascii_case(sign.as_bytes()))
}

/// What is said of a family that nobody has looked at.
pub(super) const UNKNOWN: &str = "untested";

/// What is known about the family of a device, by its User-Agent and its DeviceType.
pub(super) fn of(user_agent: &str, device_type: &str) -> &'static str {
    let family = Family::of(user_agent, device_type);
    let found = FAMILIES.iter().find(|(_, known, _)| *known == family);
    found.map_or(UNKNOWN, |(.., profile)| profile)
}

/// Signs in User-Agent or DeviceType, in lower case, and what is known. The first that fits counts.
const FAMILIES: &[(&[&str], Family, &str)] = &[
    (
        &["outlook"],
        Family::Outlook,
        "untested: Outlook may sync through its maker's servers, which keep copies of their own",
    ),
    (&["samsung", "sm-"], Family::Samsung, UNKNOWN),
    (&["iphone", "ipad", "ios", "apple"], Family::Apple, UNKNOWN),
    (
        &["android-mail", "aosp", "android/"],
        Family::Aosp,
        "untested; read in AOSP's source: Delete removes message and attachment files, a resync leaves attachment files, search \
         results stay",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_tested_by_the_name_they_give_themselves() {
        assert!(of("Android-Mail/7.1", "").starts_with("untested; read"));
        assert_eq!(of("Apple-iPhone9C1/1402.92", ""), UNKNOWN);
        assert!(of("Outlook-iOS-Android/1.0", "").starts_with("untested: Outlook"));
        assert_eq!(of("", ""), UNKNOWN);
    }

    #[test]
    fn a_family_is_told_by_either_name_in_any_case() {
        assert_eq!(Family::of("Outlook/15.0", "WindowsOutlook15"), Family::Outlook);
        assert_eq!(Family::of("", "SAMSUNGSMG998B"), Family::Samsung);
        assert_eq!(Family::of("Apple-iPhone17C1/2301.341", "iPhone"), Family::Apple);
        assert_eq!(Family::of("Android/4.1.2-EAS-1.3", "Android"), Family::Aosp);
        assert_eq!(Family::of("Nine-4.9.4c", "Android"), Family::Other);
        assert_eq!(Family::of("", ""), Family::Other);
    }
}
