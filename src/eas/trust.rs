//! Whether a certificate of mail is to be trusted ([MS-ASCMD] 2.2.1.22): its chain up to a root the operator named, its times, its use, and
//! whether it was revoked as far as the operator's lists say.
//!
//! Nothing is fetched from the network: an address in a certificate is somebody else's choice. Without roots nothing is trusted.

pub(in crate::eas) mod check;
mod facts;

use std::time::Duration;

use activesync::status::{Status, certificate as status};
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, ExtendedKeyUsageValidator,
    KeyPurposeId, KeyPurposeIdIter, OwnedCertRevocationList, RequiredEkuNotFoundContext,
    RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use crate::clock::Timestamp;
use facts::Facts;

/// The certification authorities whose certificates of mail are trusted, and what they revoked.
#[derive(Default)]
pub struct Trust {
    roots: Vec<TrustAnchor<'static>>,
    lists: Vec<CertRevocationList<'static>>,
}

/// Why a file of roots or of revocation lists cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotTrust {
    /// It is not PEM.
    #[error("it is not PEM: {0}")]
    Pem(String),
    /// What is in it is no certificate, or no revocation list.
    #[error("entry {number} cannot be used: {error}")]
    Entry {
        /// Which one, counted from 1.
        number: usize,
        /// Why.
        error: Error,
    },
    /// There is nothing of the kind in it.
    #[error("there is none in it")]
    Empty,
}

impl Trust {
    /// Trusts the authorities of a PEM file.
    pub fn with_roots(mut self, pem: &[u8]) -> Result<Trust, NotTrust> {
        for (index, der) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let der = der.map_err(|error| NotTrust::Pem(error.to_string()))?;
            let anchor = webpki::anchor_from_trusted_cert(&der)
                .map_err(|error| NotTrust::Entry { number: index + 1, error })?;
            self.roots.push(anchor.to_owned());
        }
        if self.roots.is_empty() { Err(NotTrust::Empty) } else { Ok(self) }
    }

    /// Trusts one authority; `None` where that is no certificate of one.
    fn trusting(mut self, der: &[u8]) -> Option<Trust> {
        let der = CertificateDer::from(der);
        self.roots.push(webpki::anchor_from_trusted_cert(&der).ok()?.to_owned());
        Some(self)
    }

    /// Knows the revocation lists of a PEM file.
    pub fn with_lists(mut self, pem: &[u8]) -> Result<Trust, NotTrust> {
        for (index, der) in CertificateRevocationListDer::pem_slice_iter(pem).enumerate() {
            let der = der.map_err(|error| NotTrust::Pem(error.to_string()))?;
            let list = OwnedCertRevocationList::from_der(&der)
                .map_err(|error| NotTrust::Entry { number: index + 1, error })?;
            self.lists.push(list.into());
        }
        if self.lists.is_empty() { Err(NotTrust::Empty) } else { Ok(self) }
    }

    /// What is to be thought of a certificate, given certificates of issuers; `strict` is CheckCRL: a revocation that cannot be looked
    /// up counts as one ([MS-ASCMD] 2.2.3.26).
    pub fn judge(&self, der: &[u8], chain: &[Vec<u8>], strict: bool, now: Timestamp) -> Status {
        let Some(facts) = Facts::read(der) else { return status::INFO_MISSING };
        if !facts.is_for_mail || !facts.may_sign {
            return status::NOT_FOR_SIGNING;
        }
        let der = CertificateDer::from(der);
        let certificate = match EndEntityCert::try_from(&der) {
            Ok(certificate) => certificate,
            Err(error) => return self.verdict(&error, &facts, now),
        };
        let chain: Vec<CertificateDer<'_>> =
            chain.iter().map(|der| CertificateDer::from(&der[..])).collect();
        let judged = self.verify(&certificate, &chain, strict, RevocationCheckDepth::Chain, now);
        match judged {
            Ok(()) if strict && self.lists.is_empty() => status::REVOCATION_UNKNOWN,
            Ok(()) => status::SUCCESS,
            // Its own revocation, or that of an authority above it?
            Err(Error::CertRevoked) => {
                let depth = RevocationCheckDepth::EndEntity;
                match self.verify(&certificate, &chain, false, depth, now) {
                    Err(Error::CertRevoked) => status::REVOKED,
                    _ => status::CHAIN_REVOKED,
                }
            }
            Err(error) => self.verdict(&error, &facts, now),
        }
    }

    fn verify(
        &self,
        certificate: &EndEntityCert<'_>,
        chain: &[CertificateDer<'_>],
        strict: bool,
        depth: RevocationCheckDepth,
        now: Timestamp,
    ) -> Result<(), Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms.all;
        let seconds = u64::try_from(now.seconds()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let lists: Vec<&CertRevocationList<'_>> = self.lists.iter().collect();
        let revocation = revocation(&lists, strict, depth);
        certificate
            .verify_for_usage(algorithms, &self.roots, chain, time, ForMail, revocation, None)
            .map(|_| ())
    }

    /// [MS-ASCMD] 2.2.3.177.18.
    fn verdict(&self, error: &Error, facts: &Facts, now: Timestamp) -> Status {
        match error {
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } => {
                match facts.is_valid_at(now) {
                    true => status::INCONSISTENT_TIMES,
                    false => status::EXPIRED_OR_NOT_YET_VALID,
                }
            }
            Error::UnknownIssuer => status::UNTRUSTED_SOURCE,
            Error::InvalidSignatureForPublicKey
            | Error::SignatureAlgorithmMismatch
            | Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                status::INVALID_SIGNATURE
            }
            Error::CaUsedAsEndEntity | Error::EndEntityUsedAsCa => status::CA_ROLE_WRONG,
            // The certificate itself was looked at before: it is one above it.
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                status::USED_INCORRECTLY
            }
            Error::UnknownRevocationStatus | Error::CrlExpired { .. } => status::REVOCATION_UNKNOWN,
            Error::PathLenConstraintViolated
            | Error::NameConstraintViolation
            | Error::MaximumPathDepthExceeded
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumSignatureChecksExceeded
            | Error::MaximumNameConstraintComparisonsExceeded => status::INVALID_CHAIN,
            _ => status::INFO_MISSING,
        }
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trust({} roots, {} lists)", self.roots.len(), self.lists.len())
    }
}

fn revocation<'a>(
    lists: &'a [&'a CertRevocationList<'a>],
    strict: bool,
    depth: RevocationCheckDepth,
) -> Option<RevocationOptions<'a>> {
    let options = RevocationOptionsBuilder::new(lists).ok()?.with_depth(depth);
    let options = match strict {
        true => options
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Enforce),
        false => options
            .with_status_policy(UnknownStatusPolicy::Allow)
            .with_expiration_policy(ExpirationPolicy::Ignore),
    };
    Some(options.build())
}

/// Good for mail, or for everything (RFC 5280 4.2.1.12).
struct ForMail;

impl ExtendedKeyUsageValidator for ForMail {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let (mail, any) = (KeyPurposeId::new(facts::EMAIL), KeyPurposeId::new(facts::ANY));
        let mut present = Vec::new();
        for purpose in purposes {
            let purpose = purpose?;
            if purpose == mail || purpose == any {
                return Ok(());
            }
            present.push(purpose.to_decoded_oid());
        }
        match present.is_empty() {
            true => Ok(()),
            false => Err(Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext {
                required: webpki::KeyUsage::required_if_present(facts::EMAIL),
                present,
            })),
        }
    }
}

#[cfg(test)]
mod tests;
