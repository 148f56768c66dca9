//! TLS for the phone listener: rustls with the ring provider, passed explicitly, TLS 1.2 and 1.3, ALPN `http/1.1` only.
//!
//! Guarantees: a configuration that is returned has a key that fits its certificate; [`Identity::replace`] takes effect with
//! the next handshake and touches no open connection.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::clock::Timestamp;

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file is not PEM, or holds no certificate.
    #[error("no certificate in the PEM file: {0}")]
    Certificate(String),
    /// The key file is not PEM, or holds no private key.
    #[error("no private key in the PEM file: {0}")]
    Key(String),
    /// Certificate and key do not belong together, or are of a kind we cannot sign with.
    #[error("certificate and key cannot be used: {0}")]
    Mismatch(#[from] rustls::Error),
    /// A self-signed certificate could not be made.
    #[error("cannot make a self-signed certificate: {0}")]
    SelfSigned(#[from] rcgen::Error),
}

/// Our certificate and key, exchangeable while the listener runs.
#[derive(Debug)]
pub struct Identity(RwLock<Arc<CertifiedKey>>);

impl Identity {
    /// Reads a certificate chain and its key, both PEM.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Identity, TlsError> {
        Ok(Identity(RwLock::new(certified(certificates, key)?)))
    }

    /// Uses another chain and key from the next handshake on; on an error the old pair stays.
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let fresh = certified(certificates, key)?;
        *self.0.write() = fresh;
        Ok(())
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

/// The configuration of the phone listener. Sessions resume by tickets, so that a storm of reconnecting phones costs no
/// memory between connections and little signing.
pub fn server_config(identity: Arc<Identity>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new()?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// For how long a self-signed certificate is good, in days. iOS trusts none, not even by hand, that is good for more than 825.
pub const SELF_SIGNED_DAYS: u64 = 820;
/// How long before it is made it is good already: phones' clocks are late.
const EARLY: Duration = Duration::from_hours(24);

/// A fresh self-signed certificate for `names` (host names or addresses) and its key, both PEM. It says that it is for a server and
/// how long it is good, as phones want it of a certificate that their owner trusts by hand.
pub fn self_signed(names: &[String], now: Timestamp) -> Result<(String, String), TlsError> {
    let mut params = rcgen::CertificateParams::new(names.to_vec())?;
    let name = names.first().map_or("retract", String::as_str);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_millis(now.0.max(0).unsigned_abs());
    params.not_before = epoch + now.saturating_sub(EARLY);
    params.not_after = epoch + now + Duration::from_hours(24 * SELF_SIGNED_DAYS);
    let key = rcgen::KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn certified(certificates: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::Certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(TlsError::Certificate("it is empty".to_owned()));
    }
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &ring::default_provider())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 24 November 2026, 12:00 UTC.
    const NOW: Timestamp = Timestamp(1_795_521_600_000);

    fn pair() -> (String, String) {
        self_signed(&["mail.example.org".to_owned(), "127.0.0.1".to_owned()], NOW).unwrap()
    }

    #[test]
    fn a_self_signed_pair_makes_a_configuration() {
        let (certificate, key) = pair();
        let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        let config = server_config(Arc::new(identity)).unwrap();
        assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
    }

    /// iOS lets nobody trust a certificate by hand that is not said to be for a server (1.3.6.1.5.5.7.3.1), or is good for more
    /// than 825 days.
    #[test]
    fn a_self_signed_certificate_is_one_a_phone_can_be_told_to_trust() {
        let (certificate, _) = pair();
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let contains = |octets: &[u8]| der.windows(octets.len()).any(|window| window == octets);
        assert!(contains(&[0x2b, 6, 1, 5, 5, 7, 3, 1]));
        assert!(contains(b"mail.example.org"));
        // A day before it was made, and 820 days after it.
        assert!(contains(b"261123120000Z") && contains(b"290221120000Z"));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let ((certificate, key), (_, other)) = (pair(), pair());
        let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        let refused = identity.replace(certificate.as_bytes(), other.as_bytes());
        assert!(matches!(refused, Err(TlsError::Mismatch(_))), "{refused:?}");
    }

    #[test]
    fn files_without_pem_are_refused() {
        let (certificate, key) = pair();
        let empty = Identity::from_pem(b"", key.as_bytes());
        assert!(matches!(empty, Err(TlsError::Certificate(_))));
        let keyless = Identity::from_pem(certificate.as_bytes(), b"nothing");
        assert!(matches!(keyless, Err(TlsError::Key(_))));
    }
}
