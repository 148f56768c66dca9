//! The policy document ([MS-ASPROV] 2.2.2.28): what a device must obey. Absent elements say nothing.

use wbxml::Tag;

use crate::code_pages::provision::*;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Element, fields};

/// A number of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The empty element: what was set before is set no longer.
    Unset,
    /// The number.
    Is(i64),
}

fields! {
    /// What a device must obey.
    pub struct PolicyDocument {
        /// A password is needed; without it the other elements about passwords mean nothing.
        device_password_enabled: Option<bool> = DEVICE_PASSWORD_ENABLED,
        /// The password has letters and digits.
        alphanumeric_device_password_required: Option<bool> = ALPHANUMERIC_DEVICE_PASSWORD_REQUIRED,
        /// A recovery password is kept on the server.
        password_recovery_enabled: Option<bool> = PASSWORD_RECOVERY_ENABLED,
        /// The storage card is encrypted.
        require_storage_card_encryption: Option<bool> = REQUIRE_STORAGE_CARD_ENCRYPTION,
        /// Attachments may be fetched.
        attachments_enabled: Option<bool> = ATTACHMENTS_ENABLED,
        /// Characters the password has at least, 1 to 16.
        min_device_password_length: Option<Quantity> = MIN_DEVICE_PASSWORD_LENGTH,
        /// Seconds until the device locks itself; 9999 and above for never.
        max_inactivity_time_device_lock: Option<Quantity> = MAX_INACTIVITY_TIME_DEVICE_LOCK,
        /// Wrong passwords until the device erases itself, 4 to 16.
        max_device_password_failed_attempts: Option<Quantity> = MAX_DEVICE_PASSWORD_FAILED_ATTEMPTS,
        /// Octets of the largest attachment that may be fetched.
        max_attachment_size: Option<Quantity> = MAX_ATTACHMENT_SIZE,
        /// The password may be as simple as 1111.
        allow_simple_device_password: Option<bool> = ALLOW_SIMPLE_DEVICE_PASSWORD,
        /// Days until a new password is needed; 0 for never.
        device_password_expiration: Option<Quantity> = DEVICE_PASSWORD_EXPIRATION,
        /// How many old passwords may not be used again.
        device_password_history: Option<Quantity> = DEVICE_PASSWORD_HISTORY,
        /// A storage card may be used.
        allow_storage_card: Option<bool> = ALLOW_STORAGE_CARD,
        /// The camera may be used.
        allow_camera: Option<bool> = ALLOW_CAMERA,
        /// The device is encrypted.
        require_device_encryption: Option<bool> = REQUIRE_DEVICE_ENCRYPTION,
        /// Unsigned applications may run.
        allow_unsigned_applications: Option<bool> = ALLOW_UNSIGNED_APPLICATIONS,
        /// Unsigned packages may be installed.
        allow_unsigned_installation_packages: Option<bool> = ALLOW_UNSIGNED_INSTALLATION_PACKAGES,
        /// Kinds of characters the password has at least, 1 to 4.
        min_device_password_complex_characters: Option<Quantity> = MIN_DEVICE_PASSWORD_COMPLEX_CHARACTERS,
        /// Wireless networks may be used.
        allow_wifi: Option<bool> = ALLOW_WIFI,
        /// Text messages may be sent.
        allow_text_messaging: Option<bool> = ALLOW_TEXT_MESSAGING,
        /// Other mail accounts may be used.
        allow_pop_imap_email: Option<bool> = ALLOW_POP_IMAP_EMAIL,
        /// Bluetooth: 0 off, 1 only for calls, 2 on.
        allow_bluetooth: Option<Quantity> = ALLOW_BLUETOOTH,
        /// Infrared may be used.
        allow_irda: Option<bool> = ALLOW_IRDA,
        /// Nothing is synchronised abroad unless the user asks for it.
        require_manual_sync_when_roaming: Option<bool> = REQUIRE_MANUAL_SYNC_WHEN_ROAMING,
        /// The device may be synchronised with a computer.
        allow_desktop_sync: Option<bool> = ALLOW_DESKTOP_SYNC,
        /// The widest filter for calendars: 0 all, 4 to 7 as in Sync.
        max_calendar_age_filter: Option<Quantity> = MAX_CALENDAR_AGE_FILTER,
        /// Mail may be shown as HTML.
        allow_html_email: Option<bool> = ALLOW_HTML_EMAIL,
        /// The widest filter for mail: 0 all, 1 to 5 as in Sync.
        max_email_age_filter: Option<Quantity> = MAX_EMAIL_AGE_FILTER,
        /// The longest plain body; -1 for no limit, 0 for none at all.
        max_email_body_truncation_size: Option<Quantity> = MAX_EMAIL_BODY_TRUNCATION_SIZE,
        /// The longest HTML body; -1 for no limit, 0 for none at all.
        max_email_html_body_truncation_size: Option<Quantity> = MAX_EMAIL_HTML_BODY_TRUNCATION_SIZE,
        /// Mail that is sent is signed.
        require_signed_smime_messages: Option<bool> = REQUIRE_SIGNED_SMIME_MESSAGES,
        /// Mail that is sent is encrypted.
        require_encrypted_smime_messages: Option<bool> = REQUIRE_ENCRYPTED_SMIME_MESSAGES,
        /// The hash to sign with: 0 SHA1, 1 MD5.
        require_signed_smime_algorithm: Option<Quantity> = REQUIRE_SIGNED_SMIME_ALGORITHM,
        /// The cipher to encrypt with: 0 TripleDES, 1 DES, 2 to 4 RC2 with 128, 64, 40 bits.
        require_encryption_smime_algorithm: Option<Quantity> = REQUIRE_ENCRYPTION_SMIME_ALGORITHM,
        /// Whether another cipher may be used: 0 no, 1 a strong one, 2 any.
        allow_smime_encryption_algorithm_negotiation: Option<Quantity> = ALLOW_SMIME_ENCRYPTION_ALGORITHM_NEGOTIATION,
        /// Certificates that are files may be used.
        allow_smime_soft_certs: Option<bool> = ALLOW_SMIME_SOFT_CERTS,
        /// The browser may be used.
        allow_browser: Option<bool> = ALLOW_BROWSER,
        /// Private mail accounts may be used.
        allow_consumer_email: Option<bool> = ALLOW_CONSUMER_EMAIL,
        /// Remote desktops may be used.
        allow_remote_desktop: Option<bool> = ALLOW_REMOTE_DESKTOP,
        /// The device may give others its connection.
        allow_internet_sharing: Option<bool> = ALLOW_INTERNET_SHARING,
        /// Applications of the system that may not run.
        unapproved_in_rom_application_list: Option<Applications> = UNAPPROVED_IN_ROM_APPLICATION_LIST,
        /// Applications that may run, and no others.
        approved_application_list: Option<Hashes> = APPROVED_APPLICATION_LIST,
    }
}

fields! {
    /// Applications by their names.
    pub struct Applications {
        /// The names.
        names: Vec<String> = APPLICATION_NAME,
    }
}

fields! {
    /// Applications by the hashes of their files.
    pub struct Hashes {
        /// The hashes, SHA-1.
        hashes: Vec<String> = HASH,
    }
}

impl Element for Quantity {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let text = cursor.text()?;
        match text.trim() {
            "" => Ok(Self::Unset),
            digits => digits.parse().map(Self::Is).map_err(|_| cursor.problem(Problem::Value)),
        }
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        match self {
            Self::Unset => encoder.empty(tag),
            Self::Is(number) => encoder.number(tag, *number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::provision::{PolicyResponse, Response};
    use crate::document::Document;
    use crate::status::Status;
    use crate::version::ProtocolVersion;

    fn response(document: PolicyDocument) -> Response {
        let policy = PolicyResponse {
            policy_type: super::super::POLICY_TYPE_WBXML.into(),
            status: Status(1),
            policy_key: Some("1".into()),
            document: Some(document),
        };
        Response { policy: Some(policy), ..Response::new(Status(1)) }
    }

    #[test]
    fn every_kind_of_element_comes_back() {
        let document = PolicyDocument {
            device_password_enabled: Some(true),
            min_device_password_length: Some(Quantity::Unset),
            max_email_html_body_truncation_size: Some(Quantity::Is(-1)),
            approved_application_list: Some(Hashes { hashes: vec!["ab".into(), "cd".into()] }),
            unapproved_in_rom_application_list: Some(Applications::default()),
            ..PolicyDocument::default()
        };
        let response = response(document);
        for version in ProtocolVersion::ALL {
            assert_eq!(Response::decode(version, &response.encode(version)), Ok(response.clone()));
        }
    }

    #[test]
    fn an_empty_document_is_a_policy_that_allows_everything() {
        let response = response(PolicyDocument::default());
        let octets = response.encode(ProtocolVersion::V14_0);
        assert!(octets.ends_with(b"\x4A\x0D\x01\x01\x01\x01"));
    }
}
