//! `[mailbox]`: where mail lies, and how the gateway signs in there.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Imap, Security};
use crate::secret::Secret;

/// `[mailbox]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mailbox {
    /// Where mail lies.
    pub backend: Backend,
    /// As whom the gateway signs in at the IMAP server.
    pub access: Access,
    /// The name of the master user.
    pub master_user: Option<String>,
    /// The master user's password; better a file.
    pub master_password: Option<Secret>,
    /// A file that holds the password.
    pub master_password_file: Option<PathBuf>,
    /// How the server is told for whom the master user signs in.
    pub master_style: MasterStyle,
    /// What stands between a user's name and the master's, where the name says both.
    pub master_separator: char,
    /// Connections of one user at most; IMAP servers limit them too.
    pub connections_per_user_max: usize,
    /// Connections in all at most.
    pub connections_max: usize,
    /// For how long a connection that nobody uses is kept, in seconds.
    pub connection_kept_s: u32,
    /// How long the server may be silent while it is asked something, in seconds.
    pub silence_s_max: u32,
}

impl Default for Mailbox {
    fn default() -> Mailbox {
        Mailbox {
            backend: Backend::default(),
            access: Access::default(),
            master_user: None,
            master_password: None,
            master_password_file: None,
            master_style: MasterStyle::default(),
            master_separator: '*',
            connections_per_user_max: 5,
            connections_max: 10_000,
            connection_kept_s: 60,
            silence_s_max: 60,
        }
    }
}

/// Where mail lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// In the data directory.
    #[default]
    Embedded,
    /// On the server of `[imap]`.
    Imap,
}

/// As whom the gateway signs in at the IMAP server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// As the user, with what their phone signed in with; kept in memory only.
    #[default]
    Owner,
    /// As a master user, for anybody at any time.
    Master,
}

/// How the server is told for whom the master user signs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MasterStyle {
    /// In the name, such as `anna*master`: Dovecot's `auth_master_user_separator`.
    #[default]
    Separator,
    /// As the SASL authorisation identity: Cyrus, and Dovecot too.
    AuthorizationId,
}

/// Fewer connections of a user than this, and one who waits would keep all others out.
const CONNECTIONS_PER_USER_MIN: usize = 2;

impl Mailbox {
    pub(super) fn check(&self, imap: &Imap) -> Result<(), String> {
        if self.backend == Backend::Embedded {
            return Ok(());
        }
        if imap.host.is_none() {
            return Err("mailbox: backend = \"imap\" needs [imap] host".to_owned());
        }
        if imap.security == Security::Plain && !imap.is_here() {
            return Err("imap: passwords go over TLS, or to a server on this host".to_owned());
        }
        if self.master_password.is_some() && self.master_password_file.is_some() {
            return Err("mailbox: either master_password or master_password_file".to_owned());
        }
        let has_password = self.master_password.is_some() || self.master_password_file.is_some();
        let is_master = self.access == Access::Master;
        if is_master != self.master_user.is_some() || is_master != has_password {
            return Err(
                "mailbox: access = \"master\" goes with master_user and its password".to_owned()
            );
        }
        if self.connections_per_user_max < CONNECTIONS_PER_USER_MIN
            || self.connections_max < self.connections_per_user_max
        {
            return Err(format!(
                "mailbox: connections_per_user_max is at least {CONNECTIONS_PER_USER_MIN}, connections_max no less"
            ));
        }
        if self.silence_s_max == 0 {
            return Err("mailbox: silence_s_max is at least 1".to_owned());
        }
        Ok(())
    }
}
