//! What the doctor finds: a check, how it went, and what to do where it went wrong.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::Patient;
use super::witness::{self, Fault, Verdict};

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Good,
    /// Some phones will have trouble, or all of them later.
    Warning,
    /// Phones cannot be set up.
    Bad,
    /// Something else has to be mended first.
    Skipped,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Good => "ok",
            Outcome::Warning => "warning",
            Outcome::Bad => "BAD",
            Outcome::Skipped => "skipped",
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Finding {
    pub(super) check: &'static str,
    pub(super) outcome: Outcome,
    pub(super) what: String,
    pub(super) mend: Option<String>,
}

impl Finding {
    /// For programs.
    pub(in crate::cli) fn document(&self) -> Value {
        json!({
            "check": self.check,
            "outcome": self.outcome.name(),
            "what": self.what,
            "mend": self.mend,
        })
    }
}

/// All findings, in the order of the checks.
#[derive(Debug, Default)]
pub(super) struct Chart {
    pub(super) findings: Vec<Finding>,
}

impl Chart {
    fn note(&mut self, check: &'static str, outcome: Outcome, what: String, mend: Option<String>) {
        self.findings.push(Finding { check, outcome, what, mend });
    }

    pub(super) fn good(&mut self, check: &'static str, what: impl Into<String>) {
        self.note(check, Outcome::Good, what.into(), None);
    }

    pub(super) fn skipped(&mut self, check: &'static str, what: impl Into<String>) {
        self.note(check, Outcome::Skipped, what.into(), None);
    }

    /// An empty `mend` is none.
    pub(super) fn warning(
        &mut self,
        check: &'static str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let mend = Some(mend.into()).filter(|mend| !mend.is_empty());
        self.note(check, Outcome::Warning, what.into(), mend);
    }

    pub(super) fn bad(
        &mut self,
        check: &'static str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.note(check, Outcome::Bad, what.into(), Some(mend.into()));
    }
}

/// Looks at a certificate; whether phones trust it.
pub(super) async fn certificate(
    patient: &Patient,
    address: SocketAddr,
    host: &str,
    chart: &mut Chart,
) -> bool {
    let said = format!("that of {host} ({address})");
    match witness::look(&patient.trust, address, host).await {
        Ok(Verdict::Good) => chart.good("certificate", format!("{said} is trusted")),
        Ok(Verdict::EndsSoon(why)) => {
            let mend = "renew it, and have the gateway read it again (SIGHUP)";
            chart.warning("certificate", format!("{said} ends within three weeks: {why}"), mend);
        }
        Ok(Verdict::Bad(fault)) => {
            chart.bad("certificate", format!("{said} is not trusted: {fault}"), mend(&fault, host));
            return false;
        }
        Err(error) => {
            let mend = format!(
                "see that the gateway runs, that it listens on port {}, and that firewalls and proxies let phones through",
                address.port()
            );
            chart.bad("connection", format!("{host} ({address}): {error}"), mend);
            return false;
        }
    }
    true
}

fn mend(fault: &Fault, host: &str) -> String {
    match fault {
        Fault::Time(_) => "renew it, and have the gateway read it again (SIGHUP); see that the clocks are right".to_owned(),
        Fault::Name(_) => format!("get a certificate that names {host} as well"),
        Fault::Issuer => {
            "use a certificate of a public authority, with its whole chain in the file (often called fullchain.pem); \
             a self-signed one has to be trusted by hand on every phone"
                .to_owned()
        }
        Fault::Other(_) => "look at the certificate and its key".to_owned(),
    }
}
