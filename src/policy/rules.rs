//! What a policy demands, in words of our own; the phone's edge puts them on the wire ([MS-ASPROV] 2.2.2.28).

use serde::{Deserialize, Serialize};

/// A policy: its rules, and who is let in without obeying them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name; users without a policy of their own have `default`.
    pub name: String,
    /// Grows with every change.
    pub revision: u64,
    /// What it demands.
    pub rules: Rules,
    /// Whether clients that cannot be provisioned are let in.
    pub exempts_unprovisionable: bool,
    /// Whether devices that apply it only in part, or not at all, are let in.
    pub accepts_partial: bool,
}

/// The demands; what is `None` is not demanded and not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// A password is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_required: Option<bool>,
    /// It has letters and digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_alphanumeric: Option<bool>,
    /// Simple ones such as 1234 may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_simple_allowed: Option<bool>,
    /// Characters it has at least: 1 to 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_length_min: Option<u8>,
    /// Kinds of characters it has at least: 1 to 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_kinds_min: Option<u8>,
    /// Wrong passwords before the device erases itself: 4 to 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_attempts_max: Option<u8>,
    /// Days after which it must be changed; 0 never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_days_max: Option<u32>,
    /// Old ones that may not be used again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_history: Option<u32>,
    /// Seconds of rest after which the device locks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_after_s: Option<u32>,
    /// The device is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_encryption: Option<bool>,
    /// Its storage cards are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_encryption: Option<bool>,
    /// Storage cards may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_allowed: Option<bool>,
    /// The camera may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_allowed: Option<bool>,
    /// Attachments may be fetched. We hold to this one ourselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachments_allowed: Option<bool>,
    /// Octets of an attachment that may be fetched. We hold to this one ourselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment_octets_max: Option<u32>,
    /// HTML mail may be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html_allowed: Option<bool>,
    /// The longest mail filter: 0 all, 1 to 5 as in FilterType.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_age_filter_max: Option<u8>,
    /// Octets of a plain body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_octets_max: Option<u32>,
    /// Octets of an HTML body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html_body_octets_max: Option<u32>,
    /// Nothing is synced by itself while roaming.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual_when_roaming: Option<bool>,
    /// Unsigned applications may be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsigned_applications_allowed: Option<bool>,
    /// Wireless networks may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wifi_allowed: Option<bool>,
    /// Bluetooth: 0 off, 1 hands-free only, 2 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bluetooth: Option<u8>,
    /// A browser may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser_allowed: Option<bool>,
    /// Other mail accounts may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_mail_allowed: Option<bool>,
}

impl Rules {
    /// Says which rule has a value that phones do not know; the name of the field.
    pub fn wrong(&self) -> Option<&'static str> {
        let outside = |value: Option<u8>, low: u8, high: u8| {
            value.is_some_and(|value| !(low..=high).contains(&value))
        };
        let checks = [
            (outside(self.password_length_min, 1, 16), "password_length_min"),
            (outside(self.password_kinds_min, 1, 4), "password_kinds_min"),
            (outside(self.password_attempts_max, 4, 16), "password_attempts_max"),
            (outside(self.mail_age_filter_max, 0, 5), "mail_age_filter_max"),
            (outside(self.bluetooth, 0, 2), "bluetooth"),
        ];
        checks.into_iter().find(|(is_wrong, _)| *is_wrong).map(|(_, name)| name)
    }

    /// Whether anything is demanded at all.
    pub fn is_empty(&self) -> bool {
        *self == Rules::default()
    }

    /// Whether an attachment of this size may be fetched.
    pub fn attachment(&self, octets: u64) -> Attachments {
        if self.attachments_allowed == Some(false) {
            return Attachments::Forbidden;
        }
        match self.attachment_octets_max {
            Some(max) if octets > u64::from(max) => Attachments::TooLarge,
            _ => Attachments::Allowed,
        }
    }
}

/// What a policy says about an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachments {
    /// It may be fetched.
    Allowed,
    /// None may.
    Forbidden,
    /// Not one of this size.
    TooLarge,
}

#[cfg(test)]
mod tests {
    use conformance::conforms;

    use super::*;

    #[test]
    fn values_phones_do_not_know_are_found() {
        assert_eq!(Rules::default().wrong(), None);
        let short = Rules { password_attempts_max: Some(3), ..Rules::default() };
        assert_eq!(short.wrong(), Some("password_attempts_max"));
        let old = Rules { mail_age_filter_max: Some(6), ..Rules::default() };
        assert_eq!(old.wrong(), Some("mail_age_filter_max"));
        for age in 0..=5 {
            let rules = Rules { mail_age_filter_max: Some(age), ..Rules::default() };
            assert_eq!(rules.wrong(), None);
        }
        conforms!("MS-ASPROV_R257");
    }

    #[test]
    fn attachments_are_judged_by_size() {
        let small = Rules { attachment_octets_max: Some(10), ..Rules::default() };
        assert_eq!(small.attachment(10), Attachments::Allowed);
        assert_eq!(small.attachment(11), Attachments::TooLarge);
        let none = Rules { attachments_allowed: Some(false), ..small };
        assert_eq!(none.attachment(1), Attachments::Forbidden);
        assert_eq!(serde_json::to_string(&Rules::default()).unwrap(), "{}");
    }
}
