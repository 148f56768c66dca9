//! A look at a certificate: whether phones would trust it, now and in three weeks, and why not.
//!
//! For a look alone the connection is let stand whatever the verdict, so that the verdict can be told; nothing but a handshake passes over
//! it. What carries a password is strict.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Whom phones trust.
#[derive(Clone, Debug)]
pub(super) struct Trust(Arc<dyn ServerCertVerifier>);

/// What a certificate is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Phones trust it.
    Good,
    /// They do, and will not in three weeks.
    EndsSoon(String),
    /// They do not.
    Bad(Fault),
}

/// Why phones do not trust a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has ended, or not begun.
    Time(String),
    /// It is for other names.
    Name(String),
    /// Nobody they know vouches for it.
    Issuer,
    /// Something else.
    Other(String),
}

impl Trust {
    /// What the system trusts.
    pub(super) fn of_system() -> Result<Trust, Error> {
        let verifier = rustls_platform_verifier::Verifier::new(provider())?;
        Ok(Trust(Arc::new(verifier)))
    }

    /// These certificates alone.
    pub(super) fn of(certificates: &[Vec<u8>]) -> io::Result<Trust> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate.clone().into()).map_err(io::Error::other)?;
        }
        let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        Ok(Trust(built.build().map_err(io::Error::other)?))
    }

    /// What the system trusts, and those who signed these certificates.
    pub(super) fn of_system_and(certificates: &[Vec<u8>]) -> Result<Trust, Error> {
        let more = certificates.iter().map(|der| CertificateDer::from(der.clone()));
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(more, provider())?;
        Ok(Trust(Arc::new(verifier)))
    }

    /// A client that trusts them, for everything that carries a password.
    pub(super) fn client(&self) -> Result<Arc<ClientConfig>, Error> {
        let mut config = config(self.0.clone())?;
        config.alpn_protocols = HTTP.map(<[u8]>::to_vec).to_vec();
        Ok(Arc::new(config))
    }

    /// A client that lets no line stand whose certificate they do not trust, and what it thought of that.
    pub(super) fn strict_client(&self) -> Result<(Arc<ClientConfig>, Arc<Witness>), Error> {
        let witness = Arc::new(Witness::new(self, false));
        Ok((Arc::new(config(witness.clone())?), witness))
    }
}

/// Shakes hands and says what the certificate is like.
pub(super) async fn look(trust: &Trust, address: SocketAddr, host: &str) -> io::Result<Verdict> {
    let witness = Arc::new(Witness::new(trust, true));
    let mut config = config(witness.clone()).map_err(io::Error::other)?;
    config.alpn_protocols = HTTP.map(<[u8]>::to_vec).to_vec();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let shaking = async {
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    };
    let shaken = timeout(PATIENCE, shaking).await;
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    shaken.map_err(|_| late())??;
    witness.verdict().ok_or_else(|| io::Error::other("it shows no certificate"))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn config(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, Error> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Asks whom phones trust, twice, and lets the handshake go on if it may.
#[derive(Debug)]
pub(super) struct Witness {
    trust: Trust,
    /// Whether the line is let stand whatever the verdict.
    is_lenient: bool,
    seen: Mutex<Option<Verdict>>,
}

impl Witness {
    fn new(trust: &Trust, is_lenient: bool) -> Witness {
        Witness { trust: trust.clone(), is_lenient, seen: Mutex::new(None) }
    }

    /// What the certificate was like that was shown last, if one was.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.seen.lock().clone()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let at = |time| {
            self.trust.0.verify_server_cert(end_entity, intermediates, name, ocsp, time).map(drop)
        };
        let soon = Duration::from_secs(now.as_secs()).saturating_add(SOON);
        let verdict = match (at(now), at(UnixTime::since_unix_epoch(soon))) {
            (Err(error), _) => Verdict::Bad(fault(error)),
            (Ok(()), Err(error)) => Verdict::EndsSoon(fault(error).to_string()),
            (Ok(()), Ok(())) => Verdict::Good,
        };
        let is_let_stand = self.is_lenient || !matches!(verdict, Verdict::Bad(_));
        *self.seen.lock() = Some(verdict);
        match is_let_stand {
            true => Ok(ServerCertVerified::assertion()),
            false => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.0.supported_verify_schemes()
    }
}

fn fault(error: Error) -> Fault {
    match error {
        Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::NotValidYet => {
                Fault::Time(why.to_string())
            }
            CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYetContext { .. } => Fault::Time(why.to_string()),
            CertificateError::NotValidForName => Fault::Name("it is for other names".to_owned()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                Fault::Name(format!("it is for {}", presented.join(", ")))
            }
            // The latter where an authority has the issuer's name and another key.
            CertificateError::UnknownIssuer
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Fault::Issuer
            }
            other => Fault::Other(other.to_string()),
        },
        other => Fault::Other(other.to_string()),
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Time(words) | Fault::Name(words) | Fault::Other(words) => f.write_str(words),
            Fault::Issuer => f.write_str("nobody phones trust vouches for it"),
        }
    }
}

/// What is spoken with gateways.
const HTTP: [&[u8]; 1] = [b"http/1.1"];
/// How long a server may take to shake hands.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long before its end a certificate is worth a word.
const SOON: Duration = Duration::from_hours(21 * 24);
