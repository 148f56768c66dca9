//! The newer Autodiscover: the question stands in the address, the answer is a little JSON.
//!
//! It is part of no open specification; what is here was observed. Nobody signs in for it, so an answer must not tell
//! whether an address exists.

use serde_json::{Value, json};

use super::{DOCUMENT_OCTETS_MAX, Error};
use crate::http::plain_query::percent_decode;

/// What a client asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The address of the mailbox.
    pub email: Option<String>,
    /// The protocol it wants to speak.
    pub protocol: Option<String>,
    /// How often it was sent elsewhere already.
    pub redirect_count: u32,
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With 200: where the protocol is spoken.
    Endpoint {
        /// The protocol.
        protocol: String,
        /// Where.
        url: String,
    },
    /// With 400: why not.
    Error {
        /// One word, such as [`INVALID_PROTOCOL`].
        code: String,
        /// Why, in words.
        message: String,
    },
}

/// The protocol of phones.
pub const ACTIVE_SYNC: &str = "ActiveSync";
/// The older Autodiscover as a protocol.
pub const AUTODISCOVER_V1: &str = "AutodiscoverV1";
/// Nobody knows such a protocol.
pub const INVALID_PROTOCOL: &str = "InvalidProtocol";
/// The protocol is known but not spoken here.
pub const PROTOCOL_NOT_SUPPORTED: &str = "ProtocolNotSupported";
/// The question lacks its protocol.
pub const MANDATORY_PARAMETER_MISSING: &str = "MandatoryParameterMissing";
/// A client that was sent elsewhere this often is not sent on.
pub const REDIRECTS_MAX: u32 = 10;

impl Query {
    /// Reads what stands in the address behind [`super::JSON_PATH`], and in the query, which has no question mark here.
    /// Names are compared without regard to case, and the first of two equal ones counts.
    pub fn decode(rest_of_path: &str, raw_query: &str) -> Self {
        let value = |wanted: &str| {
            raw_query.split('&').find_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                name.eq_ignore_ascii_case(wanted).then(|| percent_decode(value))
            })
        };
        let given = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let in_path = rest_of_path.trim_matches('/').split_once('/').map(|(_, address)| address);
        let in_path = in_path.map(percent_decode);
        let count = value("RedirectCount").and_then(|count| count.trim().parse().ok());
        Self {
            email: in_path.and_then(given).or_else(|| value("Email").and_then(given)),
            protocol: value("Protocol").and_then(given),
            redirect_count: count.unwrap_or_default(),
        }
    }

    /// Whether the protocol is this one, in any case.
    pub fn wants(&self, protocol: &str) -> bool {
        self.protocol.as_deref().is_some_and(|wanted| wanted.eq_ignore_ascii_case(protocol))
    }

    /// The address without its domain's server, from the path on, as a client asks.
    pub fn encode(&self) -> String {
        let mut address = format!("{}?", super::JSON_PATH);
        for (name, value) in [("Email", &self.email), ("Protocol", &self.protocol)] {
            let Some(value) = value else { continue };
            address += &format!("{name}=");
            crate::http::plain_query::percent_encode(value, &mut address);
            address.push('&');
        }
        match self.redirect_count {
            0 => address.truncate(address.len() - 1),
            count => address += &format!("RedirectCount={count}"),
        }
        address
    }
}

impl Answer {
    /// The status of HTTP that goes with it.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Endpoint { .. } => 200,
            Self::Error { .. } => 400,
        }
    }

    /// Writes the answer.
    pub fn encode(&self) -> String {
        match self {
            Self::Endpoint { protocol, url } => json!({ "Protocol": protocol, "Url": url }),
            Self::Error { code, message } => json!({ "ErrorCode": code, "ErrorMessage": message }),
        }
        .to_string()
    }

    /// Reads an answer, as a client does.
    pub fn decode(document: &[u8]) -> Result<Self, Error> {
        if document.len() > DOCUMENT_OCTETS_MAX {
            return Err(Error::TooLarge);
        }
        let value: Value = serde_json::from_slice(document).map_err(|_| Error::NotJson)?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        match (text("Protocol"), text("Url"), text("ErrorCode")) {
            (Some(protocol), Some(url), None) => Ok(Self::Endpoint { protocol, url }),
            (_, _, Some(code)) => {
                Ok(Self::Error { code, message: text("ErrorMessage").unwrap_or_default() })
            }
            _ => Err(Error::NotJson),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_stands_in_the_path_or_in_the_query() {
        let asked = Query {
            email: Some("anat+1@contoso.example".into()),
            protocol: Some(ACTIVE_SYNC.into()),
            redirect_count: 2,
        };
        let query = "email=anat%2B1%40contoso.example&PROTOCOL=ActiveSync&redirectcount=2";
        assert_eq!(Query::decode("", query), asked);
        let path = "/v1.0/anat+1@contoso.example";
        assert_eq!(Query::decode(path, "Protocol=ActiveSync&RedirectCount=2"), asked);
        assert!(asked.wants("activesync") && !Query::default().wants("activesync"));
        let address = asked.encode();
        let (path, query) = address.split_once('?').unwrap();
        assert_eq!((path, Query::decode("", query)), (crate::autodiscover::JSON_PATH, asked));
        assert_eq!(Query::decode("", &Query::default().encode()), Query::default());
    }

    #[test]
    fn odd_questions_ask_for_nothing() {
        for query in ["", "&&", "Email&Protocol", "Email=&Protocol=%20", "RedirectCount=-1"] {
            assert_eq!(Query::decode("/v1.0/", query), Query::default(), "{query}");
        }
    }

    #[test]
    fn answers_come_back() {
        let endpoint = Answer::Endpoint {
            protocol: ACTIVE_SYNC.into(),
            url: "https://eas.contoso.example/Microsoft-Server-ActiveSync".into(),
        };
        let error = Answer::Error { code: INVALID_PROTOCOL.into(), message: "no \"x\"".into() };
        assert_eq!((endpoint.http_status(), error.http_status()), (200, 400));
        for answer in [endpoint, error] {
            assert_eq!(Answer::decode(answer.encode().as_bytes()), Ok(answer));
        }
        for json in ["", "[]", "{}", "{\"Protocol\":\"x\"}", "{\"Url\":1}"] {
            assert_eq!(Answer::decode(json.as_bytes()), Err(Error::NotJson), "{json}");
        }
    }
}
