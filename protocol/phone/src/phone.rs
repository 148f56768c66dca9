//! The device itself: who it is, what it holds, and how it spells a request.

use activesync::command::CommandName;
use activesync::http::{self, Query};
use activesync::types::ClientId;
use activesync::version::ProtocolVersion;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cache::Cache;
use crate::exchange::Exchange;
use crate::profile::Profile;

/// What left the server outside the folders: a fetched body or attachment that no Delete of a folder need touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchCopy {
    /// ServerId, LongId or FileReference it was fetched by.
    pub id: String,
    /// The octets.
    pub octets: Vec<u8>,
}

/// A device. A clone is a backup: put it in place of the original and the device has been restored.
#[derive(Clone, Debug)]
pub struct Phone {
    /// How it behaves.
    pub profile: Profile,
    /// The user it signs in as.
    pub user: String,
    password: String,
    /// DeviceId.
    pub device_id: String,
    /// The policy key it has.
    pub policy_key: Option<u32>,
    /// What it holds.
    pub cache: Cache,
    /// What it fetched outside its folders.
    pub copies: Vec<SearchCopy>,
    /// Whether it was told to wipe and did.
    pub wiped: bool,
    pub(crate) client_ids: u64,
}

impl Phone {
    /// A new device with an empty cache.
    pub fn new(profile: Profile, user: &str, password: &str, device_id: &str) -> Phone {
        Phone {
            profile,
            user: user.to_owned(),
            password: password.to_owned(),
            device_id: device_id.to_owned(),
            policy_key: None,
            cache: Cache::default(),
            copies: Vec::new(),
            wiped: false,
            client_ids: 0,
        }
    }

    /// Signs in with another password from now on.
    pub fn set_password(&mut self, password: &str) {
        password.clone_into(&mut self.password);
    }

    /// A ClientId that this device has not used before.
    pub fn next_client_id(&mut self) -> ClientId {
        self.client_ids += 1;
        let text = format!("{}-{}", self.device_id, self.client_ids);
        let tail = text.len().saturating_sub(40);
        ClientId::new(&text[tail..]).unwrap_or_default()
    }

    /// How many ClientIds it has used.
    pub fn client_ids(&self) -> u64 {
        self.client_ids
    }

    /// Goes on after so many ClientIds: the same device, in another process.
    pub fn set_client_ids(&mut self, used: u64) {
        self.client_ids = used;
    }

    /// The `Authorization` value.
    pub fn authorization(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)))
    }

    pub(crate) fn post(&self, command: CommandName, body: Vec<u8>) -> Exchange {
        self.post_with(command, body, |_| {})
    }

    pub(crate) fn post_with(
        &self,
        command: CommandName,
        body: Vec<u8>,
        change: impl FnOnce(&mut Query),
    ) -> Exchange {
        let mut query = Query::new(command, &*self.device_id, self.profile.device_type);
        query.user = Some(self.user.clone());
        query.version = Some(self.profile.version);
        query.policy_key = Some(self.policy_key.unwrap_or(0));
        change(&mut query);
        let mut headers = vec![
            ("authorization".to_owned(), self.authorization()),
            ("user-agent".to_owned(), self.profile.user_agent.to_owned()),
        ];
        let spelled = if self.profile.base64_query { query.encode_base64() } else { None };
        let spelled = spelled.unwrap_or_else(|| {
            headers.extend(query.headers().into_iter().map(|(n, v)| (n.to_owned(), v)));
            query.encode_plain()
        });
        if !body.is_empty() {
            let is_mail = self.profile.version < ProtocolVersion::V14_0
                && matches!(
                    command,
                    CommandName::SendMail | CommandName::SmartReply | CommandName::SmartForward
                );
            let content_type = if is_mail { http::MAIL } else { http::WBXML };
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        let target = format!("{}?{spelled}", http::ENDPOINT);
        Exchange { method: "POST", target, headers, body, command: Some(command) }
    }
}
