//! What a client asks ([MS-ASCMD] 2.2.3.150.1, [MS-OXDSCLI] 2.2.3).

use super::xml::{Node, Writer};
use super::{Error, FrameworkError};

/// Asks for the settings of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The schema the answer is to be in.
    pub schema: Schema,
    /// The address of the mailbox.
    pub email_address: Option<String>,
    /// Another name of the mailbox, from the old directory; only in the Outlook schema, where it counts more.
    pub legacy_dn: Option<String>,
}

/// A schema of answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// The one of phones.
    MobileSync,
    /// The one of Outlook and of other mail programs, in any edition.
    Outlook,
    /// Another one, which is answered with [`FrameworkError::PROVIDER_NOT_AVAILABLE`].
    Other(String),
}

impl Schema {
    /// The schema of a client that names an answer's namespace.
    fn of_response(namespace: &str) -> Self {
        if namespace == MOBILE_SYNC_RESPONSE {
            Self::MobileSync
        } else if namespace.starts_with(OUTLOOK_RESPONSE) {
            Self::Outlook
        } else {
            Self::Other(namespace.to_owned())
        }
    }

    /// The namespaces of request and answer.
    fn namespaces(&self) -> (&str, &str) {
        match self {
            Self::MobileSync => (MOBILE_SYNC_REQUEST, MOBILE_SYNC_RESPONSE),
            Self::Outlook => (OUTLOOK_REQUEST, OUTLOOK_RESPONSE_2006A),
            Self::Other(response) => (MOBILE_SYNC_REQUEST, response),
        }
    }
}

impl Request {
    /// A phone's request.
    pub fn mobile_sync(email_address: impl Into<String>) -> Self {
        let email_address = Some(email_address.into());
        Self { schema: Schema::MobileSync, email_address, legacy_dn: None }
    }

    /// Reads what a client posted. The schema is that of `AcceptableResponseSchema`; where there is none, that of the
    /// request's own namespace, and else the one of phones.
    pub fn decode(document: &[u8]) -> Result<Self, Error> {
        let root = Node::read(document)?;
        if root.name != "Autodiscover" {
            return Err(Error::NotAutodiscover);
        }
        let request = root.child("Request")?.ok_or(Error::Incomplete)?;
        let text = |name| Ok(request.child_text(name)?.filter(|text| !text.is_empty()));
        let schema = match text("AcceptableResponseSchema")? {
            Some(response) => Schema::of_response(&response),
            None if root.namespace.as_deref() == Some(OUTLOOK_REQUEST) => Schema::Outlook,
            None => Schema::MobileSync,
        };
        Ok(Self { schema, email_address: text("EMailAddress")?, legacy_dn: text("LegacyDN")? })
    }

    /// Writes the request.
    pub fn encode(&self) -> String {
        let (request, response) = self.schema.namespaces();
        let mut writer = Writer::new();
        writer.container(&format!("Autodiscover xmlns=\"{request}\""), |writer| {
            writer.container("Request", |writer| {
                writer.opt_text("EMailAddress", self.email_address.as_deref());
                writer.opt_text("LegacyDN", self.legacy_dn.as_deref());
                writer.text("AcceptableResponseSchema", response);
            });
        });
        writer.finish()
    }
}

impl Error {
    /// What to answer to a document that is none.
    pub fn answer(self) -> FrameworkError {
        FrameworkError::new(FrameworkError::INVALID_REQUEST, "Invalid Request")
    }
}

pub(super) const MOBILE_SYNC_REQUEST: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006";
pub(super) const MOBILE_SYNC_RESPONSE: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006";
pub(super) const OUTLOOK_REQUEST: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006";
/// Without the letter of the edition.
pub(super) const OUTLOOK_RESPONSE: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006";
pub(super) const OUTLOOK_RESPONSE_2006A: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(root: &str, request: &str) -> Result<Request, Error> {
        Request::decode(format!("<Autodiscover {root}>{request}</Autodiscover>").as_bytes())
    }

    #[test]
    fn requests_come_back() {
        let outlook = Request {
            schema: Schema::Outlook,
            legacy_dn: Some("/o=contoso/cn=anat".into()),
            ..Request::mobile_sync("anat@contoso.example")
        };
        let other = Request {
            schema: Schema::Other("urn:other".into()),
            ..Request::mobile_sync("a&b@contoso.example")
        };
        for request in [Request::mobile_sync("anat@contoso.example"), outlook, other] {
            assert_eq!(Request::decode(request.encode().as_bytes()), Ok(request));
        }
    }

    #[test]
    fn the_accepted_schema_counts_whatever_the_namespace() {
        let mixed = format!(
            "<Request><EMailAddress> anat@contoso.example\n</EMailAddress>\
             <AcceptableResponseSchema>\n {MOBILE_SYNC_RESPONSE} </AcceptableResponseSchema></Request>"
        );
        let request = read(&format!("xmlns='{OUTLOOK_REQUEST}'"), &mixed);
        assert_eq!(request, Ok(Request::mobile_sync("anat@contoso.example")));
        let bare = "<Request><EMailAddress>a@b</EMailAddress></Request>";
        assert_eq!(read("", bare), Ok(Request::mobile_sync("a@b")));
        let outlook = read(&format!("xmlns='{OUTLOOK_REQUEST}'"), bare).unwrap();
        assert_eq!(outlook.schema, Schema::Outlook);
    }

    #[test]
    fn one_request_is_needed_and_only_one() {
        assert_eq!(read("", ""), Err(Error::Incomplete));
        assert_eq!(read("", "<Request/><Request/>"), Err(Error::Incomplete));
        assert_eq!(Request::decode(b"<html/>"), Err(Error::NotAutodiscover));
        assert_eq!(Error::NotXml.answer().code, FrameworkError::INVALID_REQUEST);
        // Who asks is for the server to miss: the address may be that of the one who signed in.
        assert_eq!(read("", "<Request/>").map(|request| request.email_address), Ok(None));
    }
}
