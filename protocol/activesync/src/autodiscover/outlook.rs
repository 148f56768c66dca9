//! What Outlook and other mail programs are answered ([MS-OXDSCLI] 2.2.4): one account with the protocols to use.

use super::Error;
use super::request::OUTLOOK_RESPONSE_2006A;
use super::xml::{Node, Writer};

/// What a mail program is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// The name of the mailbox to show.
    pub display_name: Option<String>,
    /// The address that was found, where it is another than the one asked for.
    pub auto_discover_smtp_address: Option<String>,
    /// What to do.
    pub account: Account,
}

/// What to do ([MS-OXDSCLI] 2.2.4.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// Use one of these protocols, the first best.
    Settings(Vec<Protocol>),
    /// Start over with this address.
    RedirectAddress(String),
    /// Ask there.
    RedirectUrl(String),
}

impl Default for Account {
    fn default() -> Self {
        Self::Settings(Vec::new())
    }
}

/// A protocol and its server ([MS-OXDSCLI] 2.2.4.1.1.2.4). What is not said is as usual for the protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// `IMAP`, `SMTP`, `POP3`, `MobileSync` and others.
    pub kind: String,
    /// The host, or the end point.
    pub server: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The name to sign in with.
    pub login_name: Option<String>,
    /// Whether the password must not travel as it is.
    pub spa: Option<bool>,
    /// Whether TLS is spoken from the first octet.
    pub ssl: Option<bool>,
    /// `SSL`, `TLS`, `Auto` or `None`; counts more than `ssl`.
    pub encryption: Option<String>,
    /// Whether one has to sign in.
    pub auth_required: Option<bool>,
}

impl Outlook {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.container(&format!("Response xmlns=\"{OUTLOOK_RESPONSE_2006A}\""), |writer| {
            writer.container("User", |writer| {
                writer.opt_text("DisplayName", self.display_name.as_deref());
                let address = self.auto_discover_smtp_address.as_deref();
                writer.opt_text("AutoDiscoverSMTPAddress", address);
            });
            writer.container("Account", |writer| {
                writer.text("AccountType", "email");
                self.account.write(writer);
            });
        });
    }

    pub(super) fn read(response: &Node) -> Result<Self, Error> {
        let user = response.child("User")?.ok_or(Error::Incomplete)?;
        let account = response.child("Account")?.ok_or(Error::Incomplete)?;
        Ok(Self {
            display_name: user.child_text("DisplayName")?,
            auto_discover_smtp_address: user.child_text("AutoDiscoverSMTPAddress")?,
            account: Account::read(account)?,
        })
    }
}

impl Account {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Settings(protocols) => {
                writer.text("Action", "settings");
                protocols.iter().for_each(|protocol| protocol.write(writer));
            }
            Self::RedirectAddress(address) => {
                writer.text("Action", "redirectAddr");
                writer.text("RedirectAddr", address);
            }
            Self::RedirectUrl(url) => {
                writer.text("Action", "redirectUrl");
                writer.text("RedirectUrl", url);
            }
        }
    }

    fn read(account: &Node) -> Result<Self, Error> {
        let action = account.child_text("Action")?.ok_or(Error::Incomplete)?;
        let text = |name| account.child_text(name)?.ok_or(Error::Incomplete);
        if action.eq_ignore_ascii_case("redirectAddr") {
            return text("RedirectAddr").map(Self::RedirectAddress);
        }
        if action.eq_ignore_ascii_case("redirectUrl") {
            return text("RedirectUrl").map(Self::RedirectUrl);
        }
        account.all("Protocol").map(Protocol::read).collect::<Result<_, _>>().map(Self::Settings)
    }
}

impl Protocol {
    fn write(&self, writer: &mut Writer) {
        writer.container("Protocol", |writer| {
            writer.text("Type", &self.kind);
            writer.opt_text("Server", self.server.as_deref());
            writer.opt_text("Port", self.port.map(|port| port.to_string()).as_deref());
            writer.opt_text("LoginName", self.login_name.as_deref());
            writer.opt_text("SPA", self.spa.map(switch));
            writer.opt_text("SSL", self.ssl.map(switch));
            writer.opt_text("Encryption", self.encryption.as_deref());
            writer.opt_text("AuthRequired", self.auth_required.map(switch));
        });
    }

    fn read(protocol: &Node) -> Result<Self, Error> {
        let switch = |name| {
            let text = protocol.child_text(name)?;
            Ok(text.map(|text| text.eq_ignore_ascii_case("on")))
        };
        let port = protocol.child_text("Port")?;
        Ok(Self {
            kind: protocol.child_text("Type")?.ok_or(Error::Incomplete)?,
            server: protocol.child_text("Server")?,
            port: port.map(|port| port.parse().map_err(|_| Error::Incomplete)).transpose()?,
            login_name: protocol.child_text("LoginName")?,
            spa: switch("SPA")?,
            ssl: switch("SSL")?,
            encryption: protocol.child_text("Encryption")?,
            auth_required: switch("AuthRequired")?,
        })
    }
}

/// How this schema spells a boolean.
fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autodiscover::Response;

    fn comes_back(account: Account) {
        let response = Response::Outlook(Outlook {
            display_name: Some("Anat Kerry".into()),
            auto_discover_smtp_address: Some("anat@contoso.example".into()),
            account,
        });
        let xml = response.encode();
        assert_eq!(Response::decode(xml.as_bytes()), Ok(response), "{xml}");
    }

    #[test]
    fn accounts_come_back() {
        let submission = Protocol {
            kind: "SMTP".into(),
            server: Some("mail.contoso.example".into()),
            port: Some(465),
            login_name: Some("anat".into()),
            spa: Some(false),
            ssl: Some(true),
            encryption: Some("SSL".into()),
            auth_required: Some(true),
        };
        let phones = Protocol { kind: "MobileSync".into(), ..Protocol::default() };
        comes_back(Account::Settings(vec![submission, phones]));
        comes_back(Account::default());
        comes_back(Account::RedirectAddress("anat@fabrikam.example".into()));
        comes_back(Account::RedirectUrl("https://fabrikam.example/autodiscover/".into()));
    }

    #[test]
    fn an_account_is_needed() {
        let xml = format!(
            "<Autodiscover><Response xmlns='{OUTLOOK_RESPONSE_2006A}'><User/></Response></Autodiscover>"
        );
        assert_eq!(Response::decode(xml.as_bytes()), Err(Error::Incomplete));
    }
}
