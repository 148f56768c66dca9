//! Protocol versions: which we speak, how they are spelt, and sets of them.

use std::fmt;
use std::str::FromStr;

/// A protocol version of Exchange ActiveSync that this crate speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolVersion {
    /// 12.1, Exchange 2007 SP1: statuses as HTTP codes, mail sent as plain MIME.
    V12_1,
    /// 14.0, Exchange 2010: conversations, common statuses, WBXML SendMail.
    V14_0,
    /// 14.1, Exchange 2010 SP1: BodyPart, rights management, device information in Provision.
    V14_1,
    /// 16.0, Exchange 2016: drafts, attachments in Sync.
    V16_0,
    /// 16.1: Find, account-only wipe, new time proposals.
    V16_1,
}

impl ProtocolVersion {
    /// All versions, ascending: the order of `MS-ASProtocolVersions` ([MS-ASHTTP] 2.2.1.1.2.4).
    pub const ALL: [Self; 5] = [Self::V12_1, Self::V14_0, Self::V14_1, Self::V16_0, Self::V16_1];

    /// The spelling of headers: `14.1`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V12_1 => "12.1",
            Self::V14_0 => "14.0",
            Self::V14_1 => "14.1",
            Self::V16_0 => "16.0",
            Self::V16_1 => "16.1",
        }
    }

    /// The spelling of the base64 query, ten times the version ([MS-ASHTTP] 2.2.1.1.1.1).
    pub fn octet(self) -> u8 {
        match self {
            Self::V12_1 => 121,
            Self::V14_0 => 140,
            Self::V14_1 => 141,
            Self::V16_0 => 160,
            Self::V16_1 => 161,
        }
    }

    /// The version an octet of the base64 query stands for.
    pub fn from_octet(octet: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.octet() == octet)
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A version string that names no version this crate speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownVersion;

impl fmt::Display for UnknownVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a protocol version spoken here")
    }
}

impl std::error::Error for UnknownVersion {}

impl FromStr for ProtocolVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        let text = text.trim();
        Self::ALL.into_iter().find(|version| version.as_str() == text).ok_or(UnknownVersion)
    }
}

/// A set of protocol versions, including 2.5 and 12.0 which are known but not spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions(u8);

impl Versions {
    /// No version: tags of early revisions that nobody may write.
    pub const NONE: Self = Self(0);
    /// 2.5 only.
    pub const ONLY_2_5: Self = Self(0b000_0001);
    /// 2.5 to 12.1.
    pub const UNTIL_12_1: Self = Self(0b000_0111);
    /// 2.5 to 14.1.
    pub const UNTIL_14_1: Self = Self(0b001_1111);
    /// 12.0 and later.
    pub const SINCE_12_0: Self = Self(0b111_1110);
    /// 12.1 and later.
    pub const SINCE_12_1: Self = Self(0b111_1100);
    /// 14.0 and later.
    pub const SINCE_14_0: Self = Self(0b111_1000);
    /// 14.1 and later.
    pub const SINCE_14_1: Self = Self(0b111_0000);
    /// 16.0 and later.
    pub const SINCE_16_0: Self = Self(0b110_0000);
    /// 16.1.
    pub const SINCE_16_1: Self = Self(0b100_0000);
    /// Every version.
    pub const ALL: Self = Self(0b111_1111);

    /// Whether `version` is one of them.
    pub fn contain(self, version: ProtocolVersion) -> bool {
        let bit = match version {
            ProtocolVersion::V12_1 => 0b000_0100,
            ProtocolVersion::V14_0 => 0b000_1000,
            ProtocolVersion::V14_1 => 0b001_0000,
            ProtocolVersion::V16_0 => 0b010_0000,
            ProtocolVersion::V16_1 => 0b100_0000,
        };
        self.0 & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_both_ways() {
        for version in ProtocolVersion::ALL {
            assert_eq!(version.as_str().parse(), Ok(version));
            assert_eq!(ProtocolVersion::from_octet(version.octet()), Some(version));
        }
        assert_eq!(" 14.1 ".parse(), Ok(ProtocolVersion::V14_1));
        for other in ["", "1.0", "2.5", "12.0", "19.1", "16", "16.1,14.1"] {
            assert_eq!(other.parse::<ProtocolVersion>(), Err(UnknownVersion));
        }
        assert_eq!(ProtocolVersion::from_octet(191), None);
    }

    #[test]
    fn sets_hold_what_their_names_say() {
        assert!(Versions::UNTIL_12_1.contain(ProtocolVersion::V12_1));
        assert!(!Versions::UNTIL_12_1.contain(ProtocolVersion::V14_0));
        assert!(!Versions::SINCE_16_0.contain(ProtocolVersion::V14_1));
        assert!(Versions::SINCE_16_1.contain(ProtocolVersion::V16_1));
        assert!(ProtocolVersion::ALL.iter().all(|v| Versions::ALL.contain(*v)));
        assert!(ProtocolVersion::ALL.iter().all(|v| !Versions::ONLY_2_5.contain(*v)));
    }
}
