//! ValidateCert ([MS-ASCMD] 2.2.1.22): whether the certificates of a signed or encrypted mail are to be trusted.
//!
//! Each certificate has its own verdict; the answer holds nothing out of a mailbox.

use activesync::command::validate_cert::{Request, Response};
use activesync::status::{certificate, validate_cert as status};

use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    let (desk, now) = (ask.desk.clone(), ask.desk.engine.clock.now());
    // Signatures take time: a hundred of them not on a thread that serves sockets.
    let judged = tokio::task::spawn_blocking(move || {
        // An issuer that is none may yet be missed by nobody.
        let chain: Vec<Vec<u8>> =
            request.chain.iter().filter_map(|certificate| certificate.der()).collect();
        let strict = request.check_crl.unwrap_or(false);
        let verdicts = request.certificates.iter().map(|one| match one.der() {
            Some(der) => desk.trust.judge(&der, &chain, strict, now),
            None => certificate::INFO_MISSING,
        });
        verdicts.collect::<Vec<_>>()
    });
    let response = match judged.await {
        Ok(certificates) => Response { status: status::SUCCESS, certificates },
        Err(_) => Response { status: status::FAILURE, certificates: Vec::new() },
    };
    Ok(ask.plain(&response).into())
}
