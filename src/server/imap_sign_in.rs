//! Whether a password or token is somebody's at the IMAP server: a sign-in there, and nothing else.
//!
//! A NO that says "wrong" is an answer; whatever else goes wrong is nobody's wrong password.

use std::sync::Arc;

use imap_sans::{Command, Limits, Sasl, Secret};
use rustls::ClientConfig;

use crate::directory::{Down, Verdict, Verifier};
use crate::keyring::{Credential, CredentialKind};
use crate::mailbox::MailboxError;
use crate::mailbox::imap::link::{Link, Place, is_wrong_credential};

/// An IMAP server that is asked who somebody is.
pub(super) struct ImapSignIn {
    /// Where it is.
    pub(super) place: Place,
    /// What its certificate is verified with.
    pub(super) tls: Arc<ClientConfig>,
}

impl Verifier for ImapSignIn {
    fn verify<'a>(&'a self, credential: &'a Credential) -> Verdict<'a> {
        Box::pin(async move {
            if has_nul(&credential.login) || has_nul(credential.secret.reveal()) {
                return Ok(false);
            }
            let down = |error: MailboxError| Down(error.to_string());
            let mut link =
                Link::connect(&self.place, &self.tls, Limits::DEFAULT).await.map_err(down)?;
            // What is offered before a sign-in may not have been said with the greeting.
            link.run(Command::Capability).await.map_err(down)?;
            let signed_in = self.sign_in(&mut link, credential).await?;
            if signed_in {
                // The server closes the line in any case when it is gone.
                let _polite = link.run(Command::Logout).await;
            }
            Ok(signed_in)
        })
    }
}

impl ImapSignIn {
    async fn sign_in(&self, link: &mut Link, credential: &Credential) -> Result<bool, Down> {
        let user = credential.login.clone();
        let secret = Secret::new(credential.secret.reveal());
        let command = match credential.kind {
            CredentialKind::Password if link.offers("AUTH=PLAIN") => {
                Command::Authenticate(Sasl::Plain { act_as: None, user, password: secret })
            }
            CredentialKind::Password if link.offers("LOGINDISABLED") => {
                return Err(Down("the IMAP server takes no passwords on this line".to_owned()));
            }
            CredentialKind::Password => Command::Login { user, password: secret },
            CredentialKind::Bearer if link.offers("AUTH=OAUTHBEARER") => {
                let (host, port) = (self.place.host.clone(), self.place.port);
                Command::Authenticate(Sasl::OAuthBearer { user, host, port, token: secret })
            }
            CredentialKind::Bearer if link.offers("AUTH=XOAUTH2") => {
                Command::Authenticate(Sasl::XOAuth2 { user, token: secret })
            }
            CredentialKind::Bearer => {
                return Err(Down("the IMAP server takes no tokens".to_owned()));
            }
        };
        match link.run(command).await {
            Ok(_) => Ok(true),
            Err(error) if is_wrong_credential(&error) => Ok(false),
            Err(error) => Err(Down(error.to_string())),
        }
    }
}

fn has_nul(text: &str) -> bool {
    text.contains('\0')
}
