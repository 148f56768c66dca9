//! The servers behind the gateway, tried for real as the configuration names them: what they can and cannot do, and what follows for recall.
//!
//! Nothing is sent and nothing is made there. A password travels over no line that others can read, and stands in no report.

mod imap;
mod smtp;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::{Chart, Finding};
use super::witness::{Fault, Trust, Verdict, Witness};
use crate::cli::Failure;
use crate::cli::phone::certificates;
use crate::cli::user::password_in;
use crate::config::{Backend, Config, Security, SignIn};
use crate::secret::Secret;

/// As whom the servers are tried, and how long they may take.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Trial {
    /// Signs in to the IMAP and SMTP servers as this user, to see what they can do.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) try_user: Option<String>,
    /// A file with that user's password; "-" is standard input.
    #[arg(long, value_name = "FILE", requires = "try_user")]
    pub(in crate::cli) try_password_file: Option<PathBuf>,
    /// One more user whose mailbox a master user must reach.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) try_other: Option<String>,
    /// How long a server may take for one answer.
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(in crate::cli) patience: u32,
}

/// Whom the servers are tried as.
struct Tried {
    user: Option<String>,
    password: Option<Secret>,
    other: Option<String>,
    patience: Duration,
}

/// Tries the servers that the configuration names.
pub(in crate::cli) async fn examine(
    config: &Config,
    trial: &Trial,
) -> Result<Vec<Finding>, Failure> {
    let password = trial.try_password_file.as_deref().map(password_in).transpose()?;
    let tried = Tried {
        user: trial.try_user.clone(),
        password: password.map(Secret::new),
        other: trial.try_other.clone(),
        patience: Duration::from_secs(u64::from(trial.patience)),
    };
    let mut chart = Chart::default();
    imap::examine(config, &tried, &mut chart).await?;
    smtp::examine(config, &tried, &mut chart).await?;
    Ok(chart.findings)
}

/// Whether the configuration has an IMAP server do anything.
fn asks_imap(config: &Config) -> bool {
    config.mailbox.backend == Backend::Imap || config.directory.sign_in == SignIn::Imap
}

/// Whom a server's certificate may come from: those of a file alone, or as well as those of the system.
fn trust(file: Option<&Path>, and_system: bool) -> Result<Trust, Failure> {
    Ok(match file {
        Some(path) if and_system => Trust::of_system_and(&certificates(path)?)?,
        Some(path) => Trust::of(&certificates(path)?)?,
        None => Trust::of_system()?,
    })
}

/// The names of the checks of one server, and what its settings are called.
struct Check {
    server: &'static str,
    tls: &'static str,
    /// The key for a file of authorities.
    roots: &'static str,
}

/// What is to be said of the line itself; whether the server could be spoken to.
fn line(
    check: &Check,
    place: &str,
    security: Security,
    witness: &Witness,
    reached: Result<String, &str>,
    chart: &mut Chart,
) -> bool {
    match witness.verdict() {
        Some(Verdict::Bad(fault)) => {
            let said = format!("the certificate of {place} is not trusted: {}", who(&fault));
            chart.bad(check.tls, said, mend_certificate(&fault, check, place));
            return false;
        }
        Some(Verdict::EndsSoon(why)) => {
            let said = format!("the certificate of {place} ends within three weeks: {why}");
            chart.warning(check.tls, said, "renew it");
        }
        Some(Verdict::Good) => {
            chart.good(check.tls, format!("TLS; this host trusts the certificate of {place}"));
        }
        None if security == Security::Plain && is_here(place) => {
            chart.good(check.tls, "no TLS, and none is needed: the server is on this host");
        }
        None if security == Security::Plain => {
            let said = format!("no TLS: whatever goes to {place} can be read on the way");
            chart.warning(check.tls, said, "let it be a server on this host, or use TLS");
        }
        None => {}
    }
    match reached {
        Ok(said) => {
            chart.good(check.server, said);
            true
        }
        Err(why) => {
            let said = format!("{place}: {why}");
            chart.bad(check.server, said, mend_line(why, security));
            false
        }
    }
}

/// Whether a place is reached without leaving this host.
fn is_here(place: &str) -> bool {
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn who(fault: &Fault) -> String {
    match fault {
        Fault::Issuer => "nobody this host trusts vouches for it".to_owned(),
        other => other.to_string(),
    }
}

fn mend_certificate(fault: &Fault, check: &Check, place: &str) -> String {
    let name = place.rsplit_once(':').map_or(place, |(name, _)| name);
    match fault {
        Fault::Time(_) => "renew it; see that the clocks are right".to_owned(),
        Fault::Name(_) => {
            format!("name the server as its certificate does, or have it name {name} as well")
        }
        Fault::Issuer => format!(
            "name the authority that signed it: {} = a PEM file; or have the server send its whole chain",
            check.roots
        ),
        Fault::Other(_) => "look at the certificate and its key".to_owned(),
    }
}

fn mend_line(why: &str, security: Security) -> String {
    let how = match security {
        Security::Tls => "TLS from the first octet is spoken there, and not STARTTLS",
        Security::Starttls => "STARTTLS is offered there, and not TLS from the first octet",
        Security::Plain => "it speaks without TLS there",
    };
    match why.to_ascii_lowercase() {
        why if why.contains("refused") => {
            "see that the server runs, that the port is right, and that no firewall is between"
                .to_owned()
        }
        why if why.contains("lookup") || why.contains("name or service") => {
            "see that the name is right and has an address".to_owned()
        }
        _ => format!("see that it is the right server and port, and that {how}"),
    }
}
