//! `retract doctor`: looks at an installation from outside, as a phone that knows an address and a password would, and says in words
//! what to mend. With `--servers` it looks at the servers behind the gateway instead, or as well.
//!
//! The password travels over no connection whose certificate phones would not trust.

pub mod check;
mod dns;
mod endpoint;
mod finding;
pub(super) mod servers;
mod witness;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use self::dns::Resolver;
use self::endpoint::Place;
pub(super) use self::finding::Finding;
use self::finding::{Chart, Outcome};
use self::servers::Trial;
use self::witness::Trust;
use super::Failure;
use super::phone::{certificates, place};
use super::show::{self, Say};
use super::user::Password;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// The mail address of an account.
    #[arg(required_unless_present = "servers")]
    address: Option<String>,
    /// Tries the IMAP and SMTP servers of the configuration (--config): what they can do, and what follows for recall.
    #[arg(long)]
    servers: bool,
    #[command(flatten)]
    trial: Trial,
    /// The user to sign in as, where it is not the address.
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    password: Password,
    /// The server as an owner would type it by hand; then what Autodiscover lacks is no fault.
    #[arg(long, value_name = "HOST[:PORT]")]
    server: Option<String>,
    /// The port of HTTPS; phones use no other than 443.
    #[arg(long, default_value_t = 443)]
    port: u16,
    /// Asks this DNS server instead of the system's.
    #[arg(long, value_name = "ADDRESS:PORT")]
    resolver: Option<SocketAddr>,
    /// Trusts exactly the certificates in this PEM file, instead of the system's.
    #[arg(long, value_name = "FILE")]
    insecure_certificate: Option<PathBuf>,
    /// Waits in a Ping for so long, to find proxies and firewalls that cut waiting phones.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    hold: u32,
}

const HELP: &str = "Checked are: the address of autodiscover.<domain> and the SRV record _autodiscover._tcp.<domain>; the certificate (who vouches \
    for it, its names, its end); Autodiscover in XML and in JSON; OPTIONS without and with the password; a whole set-up and sync of \
    the Inbox; with --hold, a wait. Without --password-file only what a stranger sees is checked.\n\n\
    Run it from outside your network. It signs in as a device called retractdoctor that is on the list of devices from then on and \
    that is given the mail of the Inbox: use an account without mail for it.\n\n\
    With --servers, on the gateway's host, the IMAP and SMTP servers of the configuration are tried: the line and its certificate, what they \
    offer, folders and extensions, the master user; nothing is sent. Exit code 6 where something is not well.\n\n\
    Examples:\n  retract doctor check@example.org --password-file pw\n  \
    retract doctor check@example.org --password-file pw --hold 1200\n  \
    retract doctor check@example.org --user check --password-file pw --server mail.example.org --json\n  \
    retract --config retract.toml doctor --servers --try-user ann --try-password-file pw";

/// What is examined, and how.
struct Patient {
    address: String,
    domain: String,
    user: String,
    password: Option<String>,
    server: Option<(String, u16)>,
    port: u16,
    resolver: Resolver,
    trust: Trust,
    hold_s: u32,
}

pub(super) async fn run(args: Args, config: Option<PathBuf>, say: &Say) -> Result<(), Failure> {
    let (asks_servers, address) = (args.servers, args.address.clone());
    let bar = say.progress("looking");
    let mut findings = Vec::new();
    if asks_servers {
        findings = servers::examine(&super::config(config)?, &args.trial).await?;
    }
    if let Some(address) = &address {
        let password = args.password.read()?;
        findings.extend(examine(&patient(args, address.clone(), password)?).await);
    }
    bar.finish_and_clear();
    let report = report(address.as_deref(), asks_servers, &findings);
    say.either(&report, in_words)?;
    if is_well(&findings) { Ok(()) } else { Err(Failure::NotWell) }
}

/// Whether nothing was found that cannot be got over.
pub(super) fn is_well(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.outcome != Outcome::Bad)
}

/// The findings as a document; of a phone's address, of the servers behind us, or of both.
fn report(address: Option<&str>, of_servers: bool, findings: &[Finding]) -> Value {
    let checks: Vec<Value> = findings.iter().map(Finding::document).collect();
    let well = is_well(findings);
    json!({ "address": address, "servers": of_servers, "well": well, "checks": checks })
}

fn patient(args: Args, address: String, password: Option<String>) -> Result<Patient, Failure> {
    let words = || Failure::Usage(format!("{address:?} is no mail address"));
    let (local, domain) = address.rsplit_once('@').ok_or_else(words)?;
    if local.is_empty() || domain.is_empty() {
        return Err(words());
    }
    let server = args.server.as_deref().map(|server| place(server, args.port)).transpose()?;
    let trust = match &args.insecure_certificate {
        Some(path) => Trust::of(&certificates(path)?)?,
        None => Trust::of_system()?,
    };
    Ok(Patient {
        domain: domain.to_ascii_lowercase(),
        user: args.user.unwrap_or_else(|| address.clone()),
        address,
        password,
        server,
        port: args.port,
        resolver: Resolver { named: args.resolver },
        trust,
        hold_s: args.hold,
    })
}

/// Everything, in the order phones go.
async fn examine(patient: &Patient) -> Vec<Finding> {
    let mut chart = Chart::default();
    let told = match discover(patient, &mut chart).await {
        Some(found) => endpoint::discovery(patient, &found, &mut chart).await,
        None => None,
    };
    let by_hand = patient.server.clone();
    let Some((host, port)) = by_hand.or(told) else {
        chart.skipped("endpoint", "no server is known");
        return chart.findings;
    };
    if let Some(server) = reach(patient, &host, port, &mut chart).await {
        endpoint::examine(patient, &server, &mut chart).await;
    }
    chart.findings
}

/// Where Autodiscover is: at the name made of the domain, at what the service record says, or at the domain itself.
async fn discover(patient: &Patient, chart: &mut Chart) -> Option<Place> {
    let Patient { domain, port, .. } = patient;
    let name = format!("autodiscover.{domain}");
    let services = format!("_autodiscover._tcp.{domain}");
    let direct = patient.resolver.addresses(&name).await;
    if let Ok(addresses) = &direct
        && let Some(address) = addresses.first()
    {
        chart.good("dns", format!("{name} is {address}"));
        return reach(patient, &name, *port, chart).await;
    }
    match patient.resolver.services(&services).await {
        Ok(found) if !found.is_empty() => {
            let target = &found[0].target;
            let said =
                format!("{name} has no address; {services} names {target}:{}", found[0].port);
            chart.good("dns", said);
            return reach(patient, target, found[0].port, chart).await;
        }
        Ok(_) => {}
        Err(error) => chart.warning("dns", format!("{services}: {error}"), String::new()),
    }
    let why = match direct {
        Ok(_) => format!("{name} has no address, and there is no record {services}"),
        Err(error) => format!("{name}: {error}"),
    };
    let host = patient.server.as_ref().map_or("the name of your gateway", |(host, _)| host);
    let mend = format!("put into the DNS: {name}. CNAME {host}. (and name it in the certificate)");
    match &patient.server {
        Some(_) => chart.warning("dns", why, mend),
        None => chart.bad("dns", why, mend),
    }
    None
}

/// A place phones can speak to: its name has an address, and its certificate is one they trust.
async fn reach(patient: &Patient, host: &str, port: u16, chart: &mut Chart) -> Option<Place> {
    let addresses = patient.resolver.addresses(host).await.unwrap_or_default();
    let Some(ip) = addresses.first() else {
        let mend = format!("put an address record for {host} into the DNS");
        chart.bad("dns", format!("{host} has no address"), mend);
        return None;
    };
    let address = SocketAddr::new(*ip, port);
    if !finding::certificate(patient, address, host, chart).await {
        return None;
    }
    let client = patient.trust.client().ok()?;
    Some(Place::new(host, address, client))
}

/// For people: a line for each check, and below it what to do.
pub(super) fn in_words(report: &Value) -> String {
    let mut lines = Vec::new();
    for check in show::rows(report, "checks") {
        let text = |name| show::text(check, name);
        lines.push(format!("{:<8} {:<13} {}", text("outcome"), text("check"), text("what")));
        if check["mend"].is_string() {
            lines.push(format!("{:<22} to mend it: {}", "", text("mend")));
        }
    }
    lines.push(verdict(report).to_owned());
    lines.join("\n")
}

fn verdict(report: &Value) -> &'static str {
    match (report["servers"] == true, report["address"].is_string(), report["well"] == true) {
        (false, _, true) => "Phones can be set up with this address.",
        (false, _, false) => "Phones cannot be set up with this address as it is.",
        (true, false, true) => "The gateway can work with these servers.",
        (true, false, false) => "The gateway cannot work with these servers as they are.",
        (true, true, true) => {
            "The gateway can work with these servers, and phones can be set up with this address."
        }
        (true, true, false) => "Something has to be mended first.",
    }
}
