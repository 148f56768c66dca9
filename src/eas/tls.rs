//! TLS for the phone listener: rustls with the ring provider, passed explicitly, TLS 1.2 and 1.3, ALPN `http/1.1` only.
//!
//! Guarantees: a configuration that is returned has a key that fits its certificate; [`Identity::replace`] takes effect with
//! the next handshake and touches no open connection.

use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

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

/// A fresh self-signed certificate for `names` (host names or addresses) and its key, both PEM.
pub fn self_signed(names: &[String]) -> Result<(String, String), TlsError> {
    let made = rcgen::generate_simple_self_signed(names.to_vec())?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
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

    fn pair() -> (String, String) {
        self_signed(&["mail.example.org".to_owned(), "127.0.0.1".to_owned()]).unwrap()
    }

    #[test]
    fn a_self_signed_pair_makes_a_configuration() {
        let (certificate, key) = pair();
        let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        let config = server_config(Arc::new(identity)).unwrap();
        assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
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
