//! A look at an SMTP server before anything depends on it: what it says it can do, and whether a credential is good there. No mail is named
//! and none is sent.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::wire::{Connection, Failure};
use super::{RelaySettings, Security, words};
use crate::keyring::Credential;

/// What a server says it can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelaySurvey {
    /// The most octets of a mail, where there is a limit.
    pub octets_max: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// SMTPUTF8 (RFC 6531).
    pub utf8: bool,
    /// STARTTLS (RFC 3207), of a line that has no TLS.
    pub start_tls: bool,
    /// The mechanisms of AUTH (RFC 4954), in capitals.
    pub auth: Vec<String>,
    /// Whether it let the credential in, if one was given: else its words, and whether they say no for good.
    pub signed_in: Option<Result<(), NotLetIn>>,
}

/// Why a credential was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotLetIn {
    /// The server said no, and for good.
    pub is_no: bool,
    /// In words.
    pub why: String,
}

/// Looks; no answer may take longer than `patience`.
///
/// # Errors
/// In words, when there is no server that says hello.
pub async fn survey(
    settings: &RelaySettings,
    tls: &Arc<ClientConfig>,
    credential: Option<&Credential>,
    patience: Duration,
) -> Result<RelaySurvey, String> {
    let settings = RelaySettings {
        command_timeout: patience,
        dialog_timeout: patience * ANSWERS,
        ..settings.clone()
    };
    let opening = Connection::open(&settings, Some(tls));
    let mut connection = match tokio::time::timeout(settings.dialog_timeout, opening).await {
        Ok(opened) => opened.map_err(|failure| words(&failure))?,
        Err(_) => return Err("the relay did not answer in time".to_owned()),
    };
    let signed_in = match credential {
        Some(credential) => Some(connection.sign_in(credential, &settings.hello).await),
        None => None,
    };
    let features = connection.features().clone();
    connection.quit().await;
    Ok(RelaySurvey {
        octets_max: features.octets_max,
        eight_bit: features.eight_bit,
        utf8: features.utf8,
        start_tls: features.start_tls && settings.security == Security::Plain,
        auth: features.auth,
        signed_in: signed_in.map(|result| result.map_err(|failure| not_let_in(&failure))),
    })
}

fn not_let_in(failure: &Failure) -> NotLetIn {
    let is_no = matches!(failure, Failure::Said(reply) if reply.is_for_good());
    NotLetIn { is_no, why: words(failure) }
}

/// A survey may take so many answers' time in all.
const ANSWERS: u32 = 6;
