//! The SMTP server: what is found there, and in one sentence each what follows from it.

use super::super::finding::Chart;
use super::{Check, Tried, is_here, line, trust};
use crate::cli::Failure;
use crate::config::{self, Backend, Config};
use crate::delivery::{Login, NotLetIn, RelaySettings, RelaySurvey, survey};
use crate::keyring::{Credential, CredentialKind};
use crate::server::relay_settings;

const CHECK: Check = Check { server: "smtp", tls: "smtp-tls", roots: "[relay] authority" };

/// Everything, in the order the gateway goes.
pub(super) async fn examine(
    config: &Config,
    tried: &Tried,
    chart: &mut Chart,
) -> Result<(), Failure> {
    let Some(settings) = relay_settings(config)? else {
        nowhere(config, chart);
        return Ok(());
    };
    let security = config.relay.security;
    let (tls, witness) = trust(config.relay.authority.as_deref(), true)?.strict_client()?;
    let credential = credential(&settings, tried);
    let named = format!("{}:{}", settings.host, settings.port);
    let is_private = security != config::Security::Plain || is_here(&named);
    let shown = credential.as_ref().filter(|_| is_private);
    let found = survey(&settings, &tls, shown, tried.patience).await;
    let reached = match &found {
        Ok(_) => Ok(format!("{named} says hello")),
        Err(why) => Err(why.as_str()),
    };
    let is_there = line(&CHECK, &named, security, &witness, reached, chart);
    let (Ok(found), true) = (found, is_there) else {
        chart.skipped("smtp-sign-in", "the server has to be reached first");
        return Ok(());
    };
    if credential.is_some() && !is_private {
        let said = "no password goes to another host without TLS";
        chart.bad("smtp-sign-in", said, "[relay] security = \"starttls\" or \"tls\"");
    } else {
        sign_in(&settings.login, credential.as_ref(), &found, chart);
    }
    abilities(&found, chart);
    Ok(())
}

fn nowhere(config: &Config, chart: &mut Chart) {
    let said = "there is no [relay]: mail to other domains is refused";
    match config.mailbox.backend {
        Backend::Imap => {
            let said = "there is no [relay]: phones can read and cannot send";
            chart.warning("smtp", said, "[relay] host = your submission server");
        }
        Backend::Embedded => chart.skipped("smtp", said),
    }
}

/// What the server is shown.
fn credential(settings: &RelaySettings, tried: &Tried) -> Option<Credential> {
    match &settings.login {
        Login::Nobody => None,
        Login::Service(credential) => Some(credential.clone()),
        Login::User => {
            let (login, secret) = (tried.user.clone()?, tried.password.clone()?);
            Some(Credential { login, kind: CredentialKind::Password, secret })
        }
    }
}

pub(super) fn sign_in(
    login: &Login,
    credential: Option<&Credential>,
    found: &RelaySurvey,
    chart: &mut Chart,
) {
    const CHECK: &str = "smtp-sign-in";
    let takes_passwords = found.auth.iter().any(|way| way == "PLAIN" || way == "LOGIN");
    if *login == Login::Nobody {
        let said = "nobody signs in: the server must trust this host's address, which only a mail would show";
        return chart.good(CHECK, said);
    }
    if !takes_passwords {
        let said = match found.auth.is_empty() {
            true => "the server takes no passwords on this line".to_owned(),
            false => format!("the server takes no passwords, only {}", found.auth.join(", ")),
        };
        let mend = "a submission server (port 587 or 465), or [relay] credentials = \"none\" where it trusts this host";
        return chart.bad(CHECK, said, mend);
    }
    let name = credential.map(|credential| credential.login.as_str()).unwrap_or_default();
    match (&found.signed_in, login) {
        (Some(Ok(())), Login::User) => chart.good(
            CHECK,
            format!("{name} is let in; mail is submitted as its user, and waits for them after a restart"),
        ),
        (Some(Ok(())), _) => chart.good(CHECK, format!("{name} is let in, for everybody's mail")),
        (Some(Err(NotLetIn { is_no, why })), _) => {
            let mend = if *is_no { "see that name and password are right" } else { "try again" };
            chart.bad(CHECK, format!("{name} is not let in: {why}"), mend);
        }
        (None, _) => {
            let said = "nobody to sign in as: --try-user NAME --try-password-file FILE";
            chart.skipped(CHECK, said);
        }
    }
}

/// What follows from what the server can do.
pub(super) fn abilities(found: &RelaySurvey, chart: &mut Chart) {
    if found.start_tls {
        let said = "the line has no TLS, and the server offers STARTTLS";
        chart.warning("smtp-tls", said, "[relay] security = \"starttls\"");
    }
    match found.octets_max {
        Some(octets) if octets < USUAL_OCTETS => {
            let said = format!(
                "takes mail of {} at most; larger ones are refused at the phone",
                in_mb(octets)
            );
            chart.warning("smtp-size", said, "raise its limit: photographs are larger");
        }
        Some(octets) => {
            let said = format!(
                "takes mail of {} at most; larger ones are refused at the phone",
                in_mb(octets)
            );
            chart.good("smtp-size", said);
        }
        None => chart.good("smtp-size", "names no limit to the size of mail"),
    }
    match found.eight_bit {
        true => chart.good("smtp-8bit", "8BITMIME: mail goes as the phone wrote it"),
        false => chart.warning("smtp-8bit", NO_EIGHT_BIT, "turn 8BITMIME on"),
    }
    match found.utf8 {
        true => chart.good("smtp-utf8", "SMTPUTF8: addresses may have letters of any script"),
        false => {
            chart.warning("smtp-utf8", NO_UTF8, "turn SMTPUTF8 on, if anybody has such an address")
        }
    }
}

fn in_mb(octets: u64) -> String {
    format!("{}.{} MB", octets / 1_000_000, octets / 100_000 % 10)
}

const NO_EIGHT_BIT: &str = "without 8BITMIME mail that a phone wrote with 8-bit text bounces";
const NO_UTF8: &str = "without SMTPUTF8 mail to or from addresses with non-ASCII letters bounces";
/// Mail of this size is usual.
const USUAL_OCTETS: u64 = 10_000_000;
