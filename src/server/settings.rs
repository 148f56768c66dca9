//! What each room is set up with, as the configuration says it.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::StartError;
use super::elsewhere::secret_in;
use crate::config::{self, Config};
use crate::delivery::{LmtpSettings, Login, Relay, RelaySettings};
use crate::eas::{self, Discovery, GatewayLimits, NotTrust, Quirks, Trust};
use crate::keyring::{Credential, CredentialKind};
use crate::recall;
use crate::secret::Secret;

pub(super) fn relay(config: &Config) -> Result<Option<Relay>, StartError> {
    Ok(relay_settings(config)?.map(Relay::new))
}

/// Where the relay is and how it is talked to, if there is one.
pub(crate) fn relay_settings(config: &Config) -> Result<Option<RelaySettings>, StartError> {
    use crate::delivery::Security;
    let relay = &config.relay;
    let Some(host) = &relay.host else { return Ok(None) };
    let (security, port) = match relay.security {
        config::Security::Starttls => (Security::StartTls, 587),
        config::Security::Tls => (Security::Tls, 465),
        config::Security::Plain => (Security::Plain, 25),
    };
    let mut settings = RelaySettings::new(host, relay.port.unwrap_or(port), security);
    settings.hello.clone_from(&config.server.hostname);
    settings.authority_pem = relay.authority.as_deref().map(octets_in).transpose()?;
    let password = match (&relay.password, &relay.password_file) {
        (Some(password), _) => password.clone(),
        (None, Some(path)) => secret_in(path)?,
        (None, None) => Secret::default(),
    };
    settings.login = match (relay.credentials(), &relay.user) {
        (config::RelayCredentials::User, _) => Login::User,
        (config::RelayCredentials::Service, Some(user)) => Login::Service(Credential {
            login: user.clone(),
            kind: CredentialKind::Password,
            secret: password,
        }),
        _ => Login::Nobody,
    };
    Ok(Some(settings))
}

pub(super) fn discovery(config: &Config) -> Discovery {
    let moved = config.autodiscover.moved.iter();
    Discovery {
        base_url: config.base_url(),
        moved: moved.map(|(from, to)| (from.to_ascii_lowercase(), to.clone())).collect(),
        get_redirect: config.autodiscover.get_redirect.clone(),
    }
}

pub(super) fn recall_limits(config: &config::Recall) -> recall::Limits {
    let mut limits = recall::Limits {
        copies_unconfirmed_max: config.brake_copies,
        mailboxes_unconfirmed_permille: u64::from(config.brake_mailboxes_percent) * 10,
        stands_days: config.stands_days,
        ..recall::Limits::default()
    };
    let replays = config.resync_after_replays;
    limits.policy.resync_after_replays = (replays > 0).then_some(replays);
    limits.policy.silent_after = Duration::from_hours(u64::from(config.silent_after_h));
    // When a device asked is written down every hour.
    let unsynced_after_h = config.unsynced_after_h.max(1);
    limits.policy.unsynced_after = Duration::from_hours(u64::from(unsynced_after_h));
    limits
}

pub(super) fn gateway_limits(config: &Config) -> Result<GatewayLimits, StartError> {
    let push = &config.push;
    let quirks_off = Quirks::named(&config.phones.quirks_off).map_err(StartError::NoSuchQuirk)?;
    Ok(GatewayLimits {
        heartbeat_s_min: push.heartbeat_s_min,
        heartbeat_s_max: push.heartbeat_s_max,
        ping_folders_max: push.folders_max,
        removals_coalesce: Duration::from_secs(u64::from(push.removals_coalesce_s)),
        on_send: config.recall.on_send,
        realm: eas::Realm {
            bearer: config.directory.bearer,
            authority: config.directory.bearer_authority.clone(),
            ..eas::Realm::default()
        },
        requests_per_user_max: (config.phones.requests_max / 2).max(1),
        quirks_off,
        ..GatewayLimits::default()
    })
}

/// The authorities whose certificates of mail are trusted, and what they revoked.
pub(super) fn trust(config: &config::Certificates) -> Result<Trust, StartError> {
    let wrong = |path: &Path, error: NotTrust| StartError::Io {
        what: path.display().to_string(),
        error: io::Error::other(error),
    };
    let mut trust = Trust::default();
    if let Some(path) = &config.roots {
        trust = trust.with_roots(&octets_in(path)?).map_err(|error| wrong(path, error))?;
    }
    if let Some(path) = &config.revocation_lists {
        trust = trust.with_lists(&octets_in(path)?).map_err(|error| wrong(path, error))?;
    }
    Ok(trust)
}

pub(super) fn lmtp_settings(config: &config::Lmtp) -> LmtpSettings {
    LmtpSettings {
        message_bytes_max: config.message_bytes_max,
        connections_max: config.connections_max,
        ..LmtpSettings::default()
    }
}

fn octets_in(path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|error| StartError::Io { what: path.display().to_string(), error })
}
