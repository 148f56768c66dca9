//! What a phone is answered ([MS-ASCMD] 2.2.3.153.1).

use super::Error;
use super::outlook::Outlook;
use super::request::{MOBILE_SYNC_RESPONSE, OUTLOOK_RESPONSE};
use super::xml::{Node, Writer};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// To a phone.
    MobileSync(MobileSync),
    /// To Outlook and other mail programs.
    Outlook(Outlook),
    /// That the request was none, or one nobody here answers.
    Error(FrameworkError),
}

/// What a phone is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MobileSync {
    /// The language of texts in it, such as `en:us`.
    pub culture: Option<String>,
    /// Whose mailbox it is.
    pub user: Option<User>,
    /// What the phone is to do.
    pub action: Option<Action>,
}

/// Whose mailbox it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The name to show.
    pub display_name: Option<String>,
    /// The address.
    pub email_address: String,
}

/// What a phone is to do ([MS-ASCMD] 2.2.3.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start over with the domain of this address.
    Redirect(String),
    /// Use these servers.
    Settings(Vec<Server>),
    /// Give up.
    Error(ActionError),
}

/// A server to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// `MobileSync` or `CertEnroll`.
    pub kind: Option<String>,
    /// Its end point.
    pub url: Option<String>,
    /// Its end point too where it synchronises; else the name of the server.
    pub name: Option<String>,
    /// The template of certificates, where it gives them.
    pub server_data: Option<String>,
}

/// Why a phone is to give up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionError {
    /// 1 for success, 2 for a protocol error ([MS-ASCMD] 2.2.3.177.1).
    pub status: Option<u16>,
    /// Why, in the language of the answer.
    pub message: Option<String>,
    /// For people who look for faults.
    pub debug_data: Option<String>,
    /// 1 and above: 1 that the address is unknown here.
    pub error_code: Option<u16>,
}

/// That there is no provider for what was asked ([MS-ASCMD] 2.2.3.62).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameworkError {
    /// The time of day it happened, `hh:mm:ss.fffffff`.
    pub time: Option<String>,
    /// A number that names it in logs.
    pub id: Option<u32>,
    /// [`FrameworkError::INVALID_REQUEST`] or [`FrameworkError::PROVIDER_NOT_AVAILABLE`].
    pub code: u16,
    /// Why, in words.
    pub message: String,
    /// For people who look for faults.
    pub debug_data: Option<String>,
}

impl FrameworkError {
    /// The request was none.
    pub const INVALID_REQUEST: u16 = 600;
    /// Nobody here answers in the schema that was asked for.
    pub const PROVIDER_NOT_AVAILABLE: u16 = 601;

    /// An error without a time and a number.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), ..Self::default() }
    }
}

impl MobileSync {
    /// Tells a phone its end point.
    pub fn settings(display_name: &str, email_address: &str, endpoint: &str) -> Self {
        let server = Server {
            kind: Some("MobileSync".to_owned()),
            url: Some(endpoint.to_owned()),
            name: Some(endpoint.to_owned()),
            server_data: None,
        };
        let user = User {
            display_name: Some(display_name.to_owned()),
            email_address: email_address.to_owned(),
        };
        Self {
            culture: Some("en:us".to_owned()),
            user: Some(user),
            action: Some(Action::Settings(vec![server])),
        }
    }
}

impl Response {
    /// Writes the answer.
    pub fn encode(&self) -> String {
        let mut writer = Writer::new();
        writer.container(&format!("Autodiscover xmlns=\"{RESPONSE}\""), |writer| match self {
            Self::MobileSync(answer) => answer.write(writer),
            Self::Outlook(answer) => answer.write(writer),
            Self::Error(error) => error.write(writer),
        });
        writer.finish()
    }

    /// Reads an answer, as a client does.
    pub fn decode(document: &[u8]) -> Result<Self, Error> {
        let root = Node::read(document)?;
        if root.name != "Autodiscover" {
            return Err(Error::NotAutodiscover);
        }
        let response = root.child("Response")?.ok_or(Error::Incomplete)?;
        let namespace = response.namespace.as_deref();
        if namespace.is_some_and(|namespace| namespace.starts_with(OUTLOOK_RESPONSE)) {
            return Outlook::read(response).map(Self::Outlook);
        }
        match response.child("Error")? {
            Some(error) => FrameworkError::read(error).map(Self::Error),
            None => MobileSync::read(response).map(Self::MobileSync),
        }
    }
}

impl MobileSync {
    fn write(&self, writer: &mut Writer) {
        writer.container(&format!("Response xmlns=\"{MOBILE_SYNC_RESPONSE}\""), |writer| {
            writer.opt_text("Culture", self.culture.as_deref());
            if let Some(user) = &self.user {
                writer.container("User", |writer| {
                    writer.opt_text("DisplayName", user.display_name.as_deref());
                    writer.text("EMailAddress", &user.email_address);
                });
            }
            if let Some(action) = &self.action {
                writer.container("Action", |writer| action.write(writer));
            }
        });
    }

    fn read(response: &Node) -> Result<Self, Error> {
        let user = response.child("User")?.map(|user| {
            Ok(User {
                display_name: user.child_text("DisplayName")?,
                email_address: user.child_text("EMailAddress")?.ok_or(Error::Incomplete)?,
            })
        });
        let action = match response.child("Action")? {
            Some(action) => Action::read(action)?,
            None => None,
        };
        Ok(Self { culture: response.child_text("Culture")?, user: user.transpose()?, action })
    }
}

impl Action {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Redirect(address) => writer.text("Redirect", address),
            Self::Settings(servers) => writer.container("Settings", |writer| {
                for server in servers {
                    writer.container("Server", |writer| {
                        writer.opt_text("Type", server.kind.as_deref());
                        writer.opt_text("Url", server.url.as_deref());
                        writer.opt_text("Name", server.name.as_deref());
                        writer.opt_text("ServerData", server.server_data.as_deref());
                    });
                }
            }),
            Self::Error(error) => writer.container("Error", |writer| {
                writer.opt_text("Status", error.status.map(|n| n.to_string()).as_deref());
                writer.opt_text("Message", error.message.as_deref());
                writer.opt_text("DebugData", error.debug_data.as_deref());
                writer.opt_text("ErrorCode", error.error_code.map(|n| n.to_string()).as_deref());
            }),
        }
    }

    /// The first of what the element may hold, as a client looks for it.
    fn read(action: &Node) -> Result<Option<Self>, Error> {
        if let Some(redirect) = action.child_text("Redirect")? {
            return Ok(Some(Self::Redirect(redirect)));
        }
        if let Some(settings) = action.child("Settings")? {
            let servers: Result<_, Error> = settings
                .all("Server")
                .map(|server| {
                    Ok(Server {
                        kind: server.child_text("Type")?,
                        url: server.child_text("Url")?,
                        name: server.child_text("Name")?,
                        server_data: server.child_text("ServerData")?,
                    })
                })
                .collect();
            return servers.map(|servers| Some(Self::Settings(servers)));
        }
        let Some(error) = action.child("Error")? else { return Ok(None) };
        Ok(Some(Self::Error(ActionError {
            status: number(error, "Status")?,
            message: error.child_text("Message")?,
            debug_data: error.child_text("DebugData")?,
            error_code: number(error, "ErrorCode")?,
        })))
    }
}

impl FrameworkError {
    fn write(&self, writer: &mut Writer) {
        writer.container("Response", |writer| {
            let time = self.time.as_deref().map(quick_xml::escape::escape);
            let time = time.map_or_else(String::new, |time| format!(" Time=\"{time}\""));
            let id = self.id.map_or_else(String::new, |id| format!(" Id=\"{id}\""));
            writer.container(&format!("Error{time}{id}"), |writer| {
                writer.text("ErrorCode", &self.code.to_string());
                writer.text("Message", &self.message);
                writer.text("DebugData", self.debug_data.as_deref().unwrap_or_default());
            });
        });
    }

    fn read(error: &Node) -> Result<Self, Error> {
        Ok(Self {
            time: error.attribute("Time").map(str::to_owned),
            id: error.attribute("Id").and_then(|id| id.parse().ok()),
            code: number(error, "ErrorCode")?.ok_or(Error::Incomplete)?,
            message: error.child_text("Message")?.unwrap_or_default(),
            debug_data: error.child_text("DebugData")?.filter(|text| !text.is_empty()),
        })
    }
}

/// The number in the child of this name.
fn number(parent: &Node, name: &str) -> Result<Option<u16>, Error> {
    let text = parent.child_text(name)?;
    text.map(|text| text.parse().map_err(|_| Error::Incomplete)).transpose()
}

/// The namespace of the outer element of every answer.
const RESPONSE: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_back(response: Response) -> String {
        let xml = response.encode();
        assert_eq!(Response::decode(xml.as_bytes()), Ok(response), "{xml}");
        xml
    }

    #[test]
    fn settings_are_spelt_as_exchange_spells_them() {
        let endpoint = "https://eas.contoso.example/Microsoft-Server-ActiveSync";
        let answer = MobileSync::settings("Anat Kerry", "anat@contoso.example", endpoint);
        let xml = comes_back(Response::MobileSync(answer));
        assert_eq!(
            xml,
            format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"{RESPONSE}\">\
                 <Response xmlns=\"{MOBILE_SYNC_RESPONSE}\"><Culture>en:us</Culture><User>\
                 <DisplayName>Anat Kerry</DisplayName><EMailAddress>anat@contoso.example</EMailAddress>\
                 </User><Action><Settings><Server><Type>MobileSync</Type><Url>{endpoint}</Url>\
                 <Name>{endpoint}</Name></Server></Settings></Action></Response></Autodiscover>"
            )
        );
    }

    #[test]
    fn other_actions_and_errors_come_back() {
        let act = |action| Response::MobileSync(MobileSync { action, ..MobileSync::default() });
        comes_back(act(None));
        comes_back(act(Some(Action::Redirect("anat@fabrikam.example".into()))));
        comes_back(act(Some(Action::Error(ActionError {
            status: Some(2),
            message: Some("no such <mailbox>".into()),
            debug_data: Some("x".into()),
            error_code: Some(1),
        }))));
        let error = FrameworkError {
            time: Some("12:34:56.0000000".into()),
            id: Some(2_477_272_013),
            ..FrameworkError::new(
                FrameworkError::PROVIDER_NOT_AVAILABLE,
                "Provider is not available",
            )
        };
        let xml = comes_back(Response::Error(error));
        assert!(xml.contains(" Time=\"12:34:56.0000000\" Id=\"2477272013\"><ErrorCode>601<"));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let read = |xml: &str| Response::decode(xml.as_bytes());
        assert_eq!(read("<html/>"), Err(Error::NotAutodiscover));
        assert_eq!(read("<Autodiscover/>"), Err(Error::Incomplete));
        let no_code = "<Autodiscover><Response><Error/></Response></Autodiscover>";
        assert_eq!(read(no_code), Err(Error::Incomplete));
    }
}
