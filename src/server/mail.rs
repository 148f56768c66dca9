//! Where mail lies: in the house, or on an IMAP server of which the house keeps a mirror.

use std::sync::Arc;
use std::time::Duration;

use imap_sans::Limits;

use super::StartError;
use super::elsewhere::{imap_place, secret_in, tls};
use crate::config::{self, Config};
use crate::keyring::Keyring;
use crate::mailbox::Mailbox;
use crate::mailbox::embedded::Embedded;
use crate::mailbox::imap::{Access, Imap, LoginName, MasterStyle, PoolSettings};
use crate::recall;
use crate::secret::Secret;

/// The store that phones are served from.
#[derive(Clone)]
pub struct Mail {
    /// It, whatever it is.
    pub store: Arc<dyn Mailbox>,
    /// It, if it is a mirror.
    pub imap: Option<Imap>,
}

/// Opens the store that the configuration names; `rows` is where it keeps what it knows.
pub(super) fn open(
    config: &Config,
    rows: &Embedded,
    keyring: &Keyring,
) -> Result<Mail, StartError> {
    if config.mailbox.backend == config::Backend::Embedded {
        return Ok(Mail { store: Arc::new(rows.clone()), imap: None });
    }
    let settings = settings(config)?;
    let tls = tls(config.imap.roots.as_deref())?;
    let imap = Imap::new(rows.clone(), settings, tls, keyring.clone(), Some(recall::recalled()));
    Ok(Mail { store: Arc::new(imap.clone()), imap: Some(imap) })
}

fn settings(config: &Config) -> Result<PoolSettings, StartError> {
    let mailbox = &config.mailbox;
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    let place = imap_place(&config.imap).ok_or(StartError::NoImapHost)?;
    Ok(PoolSettings {
        login: match config.directory.imap_login {
            config::ImapLogin::Name => LoginName::Name,
            config::ImapLogin::Address => LoginName::Address,
        },
        per_user_max: mailbox.connections_per_user_max,
        in_all_max: mailbox.connections_max,
        kept: seconds(mailbox.connection_kept_s),
        limits: Limits { silence_max: seconds(mailbox.silence_s_max), ..Limits::DEFAULT },
        ..PoolSettings::new(place, access(mailbox)?)
    })
}

/// As whom the gateway signs in at the IMAP server.
pub(crate) fn access(mailbox: &config::Mailbox) -> Result<Access, StartError> {
    if mailbox.access == config::Access::Owner {
        return Ok(Access::Owner);
    }
    let password = match (&mailbox.master_password, &mailbox.master_password_file) {
        (Some(password), _) => password.clone(),
        (None, Some(path)) => secret_in(path)?,
        (None, None) => Secret::default(),
    };
    Ok(Access::Master {
        user: mailbox.master_user.clone().unwrap_or_default(),
        password,
        style: match mailbox.master_style {
            config::MasterStyle::Separator => MasterStyle::Separator(mailbox.master_separator),
            config::MasterStyle::AuthorizationId => MasterStyle::AuthorizationId,
        },
    })
}
