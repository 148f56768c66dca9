//! The families of clients, as far as they differ in what a server notices.

use activesync::version::ProtocolVersion;

/// How a client keeps in touch while nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// Ping, then a Sync of the folders it names.
    Ping,
    /// A Sync that hangs (HeartbeatInterval).
    HangingSync,
    /// A hanging Sync, repeated without a body.
    EmptySync,
}

/// How a client behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What it is called in a report.
    pub name: &'static str,
    /// DeviceType.
    pub device_type: &'static str,
    /// User-Agent.
    pub user_agent: &'static str,
    /// The version it speaks.
    pub version: ProtocolVersion,
    /// Whether its queries are base64.
    pub base64_query: bool,
    /// How it waits.
    pub push: Push,
    /// WindowSize it asks for.
    pub window_size: u32,
    /// TruncationSize of its HTML preference; bodies are fetched when a mail is opened.
    pub truncation_size: u32,
    /// Whether it opens, and so fetches and marks read, mail as it comes.
    pub opens_mail: bool,
    /// A modified client: it advances keys and deletes nothing.
    pub keeps_deleted: bool,
}

impl Profile {
    /// Mail on iOS: plain queries, Ping, a Sync per folder.
    pub fn ios() -> Profile {
        Profile {
            name: "iOS Mail",
            device_type: "iPhone",
            user_agent: "Apple-iPhone17C1/2301.341",
            version: ProtocolVersion::V16_1,
            base64_query: false,
            push: Push::Ping,
            window_size: 25,
            truncation_size: 500,
            opens_mail: true,
            keeps_deleted: false,
        }
    }

    /// The Exchange client that Android's mail apps derive from.
    pub fn android() -> Profile {
        Profile {
            name: "Android Mail",
            device_type: "Android",
            user_agent: "Android-Mail/2026.10.11",
            version: ProtocolVersion::V14_1,
            base64_query: false,
            push: Push::Ping,
            window_size: 10,
            truncation_size: 20_480,
            opens_mail: false,
            keeps_deleted: false,
        }
    }

    /// Samsung Email: waits in a hanging Sync.
    pub fn samsung() -> Profile {
        Profile {
            name: "Samsung Email",
            device_type: "SAMSUNGSMG998B",
            user_agent: "SAMSUNG-SM-G998B/101.130000",
            version: ProtocolVersion::V16_0,
            base64_query: false,
            push: Push::HangingSync,
            window_size: 50,
            truncation_size: 51_200,
            opens_mail: false,
            keeps_deleted: false,
        }
    }

    /// Nine: base64 queries, a hanging Sync repeated without a body.
    pub fn nine() -> Profile {
        Profile {
            name: "Nine",
            device_type: "Android",
            user_agent: "Nine-4.9.4c",
            version: ProtocolVersion::V14_1,
            base64_query: true,
            push: Push::EmptySync,
            window_size: 100,
            truncation_size: 51_200,
            opens_mail: false,
            keeps_deleted: false,
        }
    }

    /// An old client of 14.0.
    pub fn old() -> Profile {
        Profile {
            name: "Windows Phone",
            device_type: "WP8",
            user_agent: "MSFT-WP/8.10.14157",
            version: ProtocolVersion::V14_0,
            base64_query: true,
            push: Push::Ping,
            window_size: 50,
            truncation_size: 5_120,
            opens_mail: false,
            keeps_deleted: false,
        }
    }

    /// The mail app of Android in its first years, of 12.1: mail sent as it is, attachments by GetAttachment.
    pub fn oldest() -> Profile {
        Profile {
            name: "Android 2 Mail",
            device_type: "Android",
            user_agent: "Android/2.3.6-EAS-1.2",
            version: ProtocolVersion::V12_1,
            base64_query: false,
            push: Push::Ping,
            window_size: 10,
            truncation_size: 20_480,
            opens_mail: false,
            keeps_deleted: false,
        }
    }

    /// All of them but the oldest, whose SmartReply and SendMail have no ClientId.
    pub fn families() -> [Profile; 5] {
        [Profile::ios(), Profile::android(), Profile::samsung(), Profile::nine(), Profile::old()]
    }
}
