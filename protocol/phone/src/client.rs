//! A thin HTTP client: one connection, kept alive, over TCP or TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::exchange::{Exchange, HttpAnswer};

/// Where a server is, and how to speak to it.
#[derive(Clone)]
pub struct Server {
    address: SocketAddr,
    host: String,
    tls: Option<Arc<ClientConfig>>,
}

impl Server {
    /// Plain HTTP.
    pub fn plain(address: SocketAddr) -> Server {
        Server { address, host: address.to_string(), tls: None }
    }

    /// TLS, trusting exactly these certificates (DER); `host` is the name the certificate must bear.
    pub fn tls(address: SocketAddr, host: &str, roots: &[Vec<u8>]) -> io::Result<Server> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root.clone().into()).map_err(io::Error::other)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(Server { address, host: host.to_owned(), tls: Some(Arc::new(config)) })
    }

    /// The same over a client configuration of the caller's.
    pub fn tls_with(address: SocketAddr, host: &str, config: Arc<ClientConfig>) -> Server {
        Server { address, host: host.to_owned(), tls: Some(config) }
    }

    /// Opens a connection.
    pub async fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let sender = match &self.tls {
            None => handshake(stream).await?,
            Some(config) => {
                let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
                let connector = TlsConnector::from(config.clone());
                handshake(connector.connect(name, stream).await?).await?
            }
        };
        Ok(Connection { sender, host: self.host.clone() })
    }
}

async fn handshake<S>(stream: S) -> io::Result<SendRequest<Full<Bytes>>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        // Its errors reach the request that waits.
        let _ = connection.await;
    });
    Ok(sender)
}

/// One connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    /// Sends a request and reads the whole answer.
    pub async fn send(&mut self, exchange: &Exchange) -> io::Result<HttpAnswer> {
        let mut request = hyper::Request::builder()
            .method(exchange.method)
            .uri(&exchange.target)
            .header("host", &self.host);
        for (name, value) in &exchange.headers {
            request = request.header(name, value);
        }
        let body = Full::new(Bytes::from(exchange.body.clone()));
        let request = request.body(body).map_err(io::Error::other)?;
        self.sender.ready().await.map_err(io::Error::other)?;
        let answer = self.sender.send_request(request).await.map_err(io::Error::other)?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let body =
            answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
        Ok(HttpAnswer { status, headers, body })
    }

    /// Whether another request may be sent on it.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }
}
