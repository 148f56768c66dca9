//! What is known about a client family's Delete: printed beside every acknowledgement, since that is the app's word and no more.
//!
//! *Bench-tested* would mean that a real device was taken apart after a recall; none has been. *Read* means that the source of the app was
//! read. Everything else is untested, whatever it calls itself.

/// What is said of a family that nobody has looked at.
pub(super) const UNKNOWN: &str = "untested";

/// What is known about the family of a device, by its User-Agent and its DeviceType.
pub(super) fn of(user_agent: &str, device_type: &str) -> &'static str {
    let names = [user_agent, device_type].map(str::to_ascii_lowercase);
    let is = |sign: &str| names.iter().any(|name| name.contains(sign));
    let found = FAMILIES.iter().find(|(signs, _)| signs.iter().any(|sign| is(sign)));
    found.map_or(UNKNOWN, |(_, profile)| profile)
}

/// Signs in User-Agent or DeviceType, in lower case, and what is known. The first that fits counts.
const FAMILIES: &[(&[&str], &str)] = &[
    (
        &["outlook"],
        "untested: Outlook may sync through its maker's servers, which keep copies of their own",
    ),
    (&["samsung", "sm-"], UNKNOWN),
    (&["iphone", "ipad", "ios", "apple"], UNKNOWN),
    (
        &["android-mail", "aosp", "android/"],
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
}
