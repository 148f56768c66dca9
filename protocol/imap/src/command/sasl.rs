//! Signing in: secrets, and the mechanisms that send one message (RFC 4616, RFC 7628, and Google's XOAUTH2).

use std::fmt;

use zeroize::Zeroizing;

use crate::base64;

/// Octets nobody may see: `Debug` prints nothing of them, and memory is wiped when they go.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Keeps octets secret from here on.
    pub fn new(octets: impl Into<Vec<u8>>) -> Secret {
        Secret(Zeroizing::new(octets.into()))
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A SASL mechanism with what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sasl {
    /// A user and a password.
    Plain {
        /// As whom to act, if not as the user.
        act_as: Option<String>,
        /// Whose password it is.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token of OAuth (RFC 7628).
    OAuthBearer {
        /// As whom to act.
        user: String,
        /// The host that was connected to.
        host: String,
        /// Its port.
        port: u16,
        /// The token.
        token: Secret,
    },
    /// A token of OAuth, as Google and Microsoft had it first.
    XOAuth2 {
        /// As whom to act.
        user: String,
        /// The token.
        token: Secret,
    },
}

impl Sasl {
    /// The name of the mechanism, which a server that has it offers as `AUTH=` and the name.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Sasl::Plain { .. } => "PLAIN",
            Sasl::OAuthBearer { .. } => "OAUTHBEARER",
            Sasl::XOAuth2 { .. } => "XOAUTH2",
        }
    }

    /// The one message of the client, in Base64.
    pub(crate) fn response(&self) -> Zeroizing<Vec<u8>> {
        let mut message = Zeroizing::new(Vec::new());
        let mut put = |part: &[u8]| message.extend_from_slice(part);
        match self {
            Sasl::Plain { act_as, user, password } => {
                put(act_as.as_deref().unwrap_or_default().as_bytes());
                put(b"\0");
                put(user.as_bytes());
                put(b"\0");
                put(password.octets());
            }
            Sasl::OAuthBearer { user, host, port, token } => {
                let user = user.replace('=', "=3D").replace(',', "=2C");
                put(format!("n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer ").as_bytes());
                put(token.octets());
                put(b"\x01\x01");
            }
            Sasl::XOAuth2 { user, token } => {
                put(format!("user={user}\x01auth=Bearer ").as_bytes());
                put(token.octets());
                put(b"\x01\x01");
            }
        }
        Zeroizing::new(base64::encode(&message))
    }

    /// What to say to a second challenge, which tells why the first answer was not good enough: the server then says NO.
    pub(crate) fn surrender(&self) -> &'static [u8] {
        match self {
            Sasl::Plain { .. } => b"*",
            // RFC 7628 3.2.3: the octet 1.
            Sasl::OAuthBearer { .. } => b"AQ==",
            Sasl::XOAuth2 { .. } => b"",
        }
    }
}
