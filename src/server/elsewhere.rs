//! The servers behind us, as the configuration names them: what of the directory lives there, and with what their certificates are
//! verified.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;

use super::StartError;
use super::imap_sign_in::ImapSignIn;
use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::config::{self, Config};
use crate::database::{self, Tx};
use crate::directory::{
    Change, Ldap, LdapSettings, LoginBy, Outside, Place, Security, Source, Verifier,
};
use crate::keyring::Keyring;
use crate::mailbox::imap::link;
use crate::policy;
use crate::secret::Secret;

/// What of the directory lives elsewhere.
pub(super) fn outside(config: &Config, keyring: Option<Keyring>) -> Result<Outside, StartError> {
    let directory = &config.directory;
    let is_ldap =
        directory.source == config::Source::Ldap || directory.sign_in == config::SignIn::Ldap;
    let server = if is_ldap { ldap(&config.ldap)? } else { None };
    let source = match directory.source {
        config::Source::Local => None,
        config::Source::Csv => directory.csv_file.clone().map(Source::Csv),
        config::Source::Ldap => server.clone().map(Source::Ldap),
    };
    let verifier: Option<Arc<dyn Verifier>> = match directory.sign_in {
        config::SignIn::Local => None,
        config::SignIn::Ldap => server.map(|server| Arc::new(server) as Arc<dyn Verifier>),
        config::SignIn::Imap => imap(&config.imap)?,
    };
    let makes_users = directory.make_users
        && directory.sign_in == config::SignIn::Imap
        && directory.source == config::Source::Local;
    let domain = config.server.domains.first().unwrap_or(&config.server.hostname).clone();
    let minutes = |minutes: u32| Duration::from_mins(u64::from(minutes));
    Ok(Outside {
        source,
        every: minutes(directory.refresh_min),
        gone_percent_max: directory.gone_percent_max,
        verifier,
        takes_bearer: directory.bearer,
        login_by: match directory.imap_login {
            config::ImapLogin::Name => LoginBy::Name,
            config::ImapLogin::Address => LoginBy::Address,
        },
        makes_users_at: makes_users.then_some(domain),
        right_for: minutes(directory.remember_min),
        right_for_while_down: Duration::from_hours(u64::from(directory.remember_while_down_h)),
        wrong_for: minutes(directory.remember_wrong_min),
        keyring: keyring.clone(),
        on_change: Arc::new(move |tx, at, change| note(tx, at, change, keyring.as_ref())),
    })
}

/// What becomes of a user stands in the audit log, in the transaction that does it.
fn note(
    tx: &Tx<'_>,
    at: Timestamp,
    change: Change,
    keyring: Option<&Keyring>,
) -> Result<(), database::Error> {
    let (kind, user) = match change {
        Change::Added(user) => ("user.added", user),
        Change::Changed(user) => ("user.changed", user),
        Change::Gone(user) => ("user.disabled", user),
        Change::Back(user) => ("user.enabled", user),
    };
    audit::note(tx, at, &Event::new(kind).id("user", user).text("by", "directory"))?;
    if let Change::Gone(user) = change {
        policy::shut_out_by_directory(tx, user, at)?;
        if let Some(keyring) = keyring.cloned() {
            tx.on_commit(move || keyring.forget(user));
        }
    }
    Ok(())
}

fn ldap(config: &config::Ldap) -> Result<Option<Ldap>, StartError> {
    let Some(host) = &config.host else { return Ok(None) };
    let (security, port) = match config.security {
        config::Security::Starttls => (Security::StartTls, 389),
        config::Security::Tls => (Security::Tls, 636),
        config::Security::Plain => (Security::Plain, 389),
    };
    let password = match (&config.bind_password, &config.bind_password_file) {
        (Some(password), _) => Some(password.clone()),
        (None, Some(path)) => Some(secret_in(path)?),
        (None, None) => None,
    };
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    Ok(Some(Ldap::new(LdapSettings {
        place: Place { host: host.clone(), port: config.port.unwrap_or(port), security },
        tls: tls(config.roots.as_deref())?,
        bind: config.bind_dn.clone().zip(password),
        base: config.base.clone(),
        groups_base: config.groups_base.clone().unwrap_or_else(|| config.base.clone()),
        users_filter: config.users_filter.clone(),
        groups_filter: config.groups_filter.clone(),
        attributes: config.attributes(),
        admins: config.admins_group.clone(),
        sign_in_max: seconds(config.sign_in_s_max),
        look_max: seconds(config.look_s_max),
        page_entries: config.page_entries,
    })))
}

fn imap(config: &config::Imap) -> Result<Option<Arc<dyn Verifier>>, StartError> {
    let Some(place) = imap_place(config) else { return Ok(None) };
    Ok(Some(Arc::new(ImapSignIn { place, tls: tls(config.roots.as_deref())? })))
}

/// Where the IMAP server is, if there is one.
pub(crate) fn imap_place(config: &config::Imap) -> Option<link::Place> {
    let (security, port) = match config.security {
        config::Security::Starttls => (link::Security::StartTls, 143),
        config::Security::Tls => (link::Security::Tls, 993),
        config::Security::Plain => (link::Security::None, 143),
    };
    let port = config.port.unwrap_or(port);
    Some(link::Place { host: config.host.clone()?, port, security })
}

/// What a server's certificate is verified with: the authorities of a PEM file, else those of the system.
pub(super) fn tls(roots: Option<&Path>) -> Result<Arc<ClientConfig>, StartError> {
    let wrong = |error: &dyn std::fmt::Display| StartError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?;
    let Some(path) = roots else {
        let verified = builder.with_platform_verifier().map_err(|error| wrong(&error))?;
        return Ok(Arc::new(verified.with_no_client_auth()));
    };
    let in_file = |error: &dyn std::fmt::Display| StartError::Io {
        what: path.display().to_string(),
        error: io::Error::other(error.to_string()),
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| in_file(&error))? {
        let certificate = certificate.map_err(|error| in_file(&error))?;
        store.add(certificate).map_err(|error| in_file(&error))?;
    }
    if store.is_empty() {
        return Err(in_file(&"there is no certificate in it"));
    }
    Ok(Arc::new(builder.with_root_certificates(store).with_no_client_auth()))
}

/// The secret in a file, without the end of its line.
pub(super) fn secret_in(path: &Path) -> Result<Secret, StartError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| StartError::Io { what: path.display().to_string(), error })?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
