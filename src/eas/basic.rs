//! Who the phone says it is: the `Authorization` header in every form that clients send ([MS-ASHTTP] 2.2.1.1.2.2).
//!
//! Nothing here decides whether the password is right. Guarantees: whatever octets the header holds, the result is one of
//! [`Authorization`] or `None`; a password is only ever inside a [`Secret`].

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use zeroize::Zeroizing;

use super::endpoint::Answer;
use crate::secret::Secret;

/// What an `Authorization` header held.
#[derive(Debug, PartialEq, Eq)]
pub enum Authorization {
    /// Name and password.
    Basic(Credentials),
    /// A token; `None` when the scheme stood alone, as in a probe for the authority.
    Bearer(Option<Secret>),
    /// Another scheme, or a Basic value that cannot be read.
    Unreadable,
}

/// A name and password as the phone sent them, the name taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The name exactly as sent: `user`, `DOMAIN\user`, `\user` or `user@domain`.
    pub given: String,
    /// What stood before the backslash, unless it was empty.
    pub domain: Option<String>,
    /// The name after the backslash, or all of it; never empty.
    pub user: String,
    /// The password; may be empty and may hold colons.
    pub password: Secret,
}

impl Credentials {
    /// Local part and domain, where the user is written as `user@domain`.
    pub fn address(&self) -> Option<(&str, &str)> {
        let (local, domain) = self.user.rsplit_once('@')?;
        (!local.is_empty() && !domain.is_empty()).then_some((local, domain))
    }

    /// The names to look up, most specific first: as given without a domain prefix, then its local part.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.user.as_str()).chain(self.address().map(|(local, _)| local))
    }

    fn read(encoded: &str) -> Option<Credentials> {
        let octets = Zeroizing::new(LENIENT.decode(encoded.trim()).ok()?);
        let text = Zeroizing::new(text_of(&octets));
        let (given, password) = text.split_once(':')?;
        if given.len() > NAME_BYTES_MAX || given.chars().any(char::is_control) {
            return None;
        }
        let (domain, user) = match given.split_once('\\') {
            Some((domain, user)) => (Some(domain).filter(|domain| !domain.is_empty()), user),
            None => (None, given),
        };
        let user = user.trim();
        (!user.is_empty()).then(|| Credentials {
            given: given.to_owned(),
            domain: domain.map(str::to_owned),
            user: user.to_owned(),
            password: Secret::new(password.to_owned()),
        })
    }
}

/// Reads the `Authorization` header; `None` when there is none, or an empty one.
pub fn authorization(headers: &HeaderMap) -> Option<Authorization> {
    let value = headers.get(AUTHORIZATION)?.as_bytes().trim_ascii();
    if value.is_empty() {
        return None;
    }
    let Ok(value) = std::str::from_utf8(value) else { return Some(Authorization::Unreadable) };
    let (scheme, rest) = value.split_once([' ', '\t']).unwrap_or((value, ""));
    Some(if scheme.eq_ignore_ascii_case("basic") {
        Credentials::read(rest).map_or(Authorization::Unreadable, Authorization::Basic)
    } else if scheme.eq_ignore_ascii_case("bearer") {
        let token = rest.trim();
        Authorization::Bearer((!token.is_empty()).then(|| Secret::new(token.to_owned())))
    } else {
        Authorization::Unreadable
    })
}

/// What a 401 asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    /// What the prompt for a password says.
    pub name: String,
    /// Whether a token may be sent instead.
    pub bearer: bool,
    /// Where an app finds who gives tokens, if that is told.
    pub authority: Option<String>,
}

impl Default for Realm {
    fn default() -> Realm {
        Realm { name: "mail".to_owned(), bearer: false, authority: None }
    }
}

/// The 401 that asks for a name and password, or a token ([MS-ASHTTP] 2.2.2.1.1). The charset makes clients that know RFC 7617 send
/// UTF-8.
pub fn challenge(realm: &Realm) -> Answer {
    let quoted = |text: &str| -> String {
        text.chars().filter(|c| (' '..='~').contains(c) && !matches!(c, '"' | '\\')).collect()
    };
    let name = quoted(&realm.name);
    let basic = header(&format!("Basic realm=\"{name}\", charset=\"UTF-8\""));
    let answer = Answer::empty(StatusCode::UNAUTHORIZED).with(WWW_AUTHENTICATE, basic);
    if !realm.bearer {
        return answer;
    }
    let authority = realm.authority.as_deref().map(quoted);
    let authority =
        authority.map(|uri| format!(", authorization_uri=\"{uri}\"")).unwrap_or_default();
    answer.with(WWW_AUTHENTICATE, header(&format!("Bearer realm=\"{name}\"{authority}")))
}

/// What holds nothing but printable ASCII.
fn header(value: &str) -> HeaderValue {
    HeaderValue::from_str(value)
        .unwrap_or_else(|_| HeaderValue::from_static("Basic realm=\"mail\", charset=\"UTF-8\""))
}

/// Whose token it says it is: the `User` of the query ([MS-ASHTTP] 2.2.1.1.1.1), else a claim of the token, where it is one that can be
/// read (RFC 7519). Neither proves anything: whoever verifies the token decides whether it is theirs.
pub fn login_of_token(query: &str, token: &Secret) -> Option<String> {
    let named = query.split('&').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case("user").then(|| percent_decoded(value)).flatten()
    });
    let named = named.or_else(|| {
        let claims = URL_SAFE.decode(token.reveal().split('.').nth(1)?).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
        let claim = LOGIN_CLAIMS.iter().find_map(|name| claims.get(name)?.as_str());
        claim.map(str::to_owned)
    });
    let named = named.filter(|named| !named.contains(char::is_control))?.trim().to_owned();
    (!named.is_empty() && named.len() <= NAME_BYTES_MAX).then_some(named)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => {
                let digit = |octet: Option<u8>| char::from(octet?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' => b' ',
            octet => octet,
        });
    }
    String::from_utf8(octets).ok()
}

/// UTF-8 as phones send it, else ISO-8859-1 as Outlook does, where each octet is the code point of its value.
fn text_of(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().map(|&octet| char::from(octet)).collect(),
    }
}

/// Longest name taken, in bytes; a mail address has at most 254.
const NAME_BYTES_MAX: usize = 320;

/// Base64 with or without its padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The same in the alphabet of tokens.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Claims of a token that say whose it is, best first.
const LOGIN_CLAIMS: [&str; 3] = ["upn", "preferred_username", "email"];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &[u8]) -> Option<Authorization> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        authorization(&headers)
    }

    fn basic(octets: &[u8]) -> Credentials {
        let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(octets));
        match read(value.as_bytes()) {
            Some(Authorization::Basic(credentials)) => credentials,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_form_of_a_name() {
        for (sent, domain, user) in [
            ("ada:pw", None, "ada"),
            ("CORP\\ada:pw", Some("CORP"), "ada"),
            ("\\ada:pw", None, "ada"),
            ("ada@example.org:pw", None, "ada@example.org"),
            ("CORP\\ada@example.org:pw", Some("CORP"), "ada@example.org"),
        ] {
            let credentials = basic(sent.as_bytes());
            assert_eq!(credentials.domain.as_deref(), domain, "{sent}");
            assert_eq!(credentials.user, user, "{sent}");
            assert_eq!(credentials.password.reveal(), "pw", "{sent}");
        }
    }

    #[test]
    fn an_address_is_looked_up_whole_and_by_its_local_part() {
        let credentials = basic(b"ada@example.org:pw");
        assert_eq!(credentials.address(), Some(("ada", "example.org")));
        assert_eq!(credentials.names().collect::<Vec<_>>(), ["ada@example.org", "ada"]);
        assert_eq!(basic(b"ada:pw").names().collect::<Vec<_>>(), ["ada"]);
    }

    #[test]
    fn a_password_may_hold_colons_and_be_empty() {
        assert_eq!(basic(b"ada:a:b:").password.reveal(), "a:b:");
        assert_eq!(basic(b"ada:").password.reveal(), "");
    }

    #[test]
    fn outlook_sends_latin_1_and_phones_utf_8() {
        assert_eq!(basic(b"j\xf6rg:gr\xfc\xdfe").password.reveal(), "grüße");
        assert_eq!(basic("jörg:grüße".as_bytes()).user, "jörg");
    }

    #[test]
    fn the_scheme_has_no_case_and_padding_may_be_missing() {
        assert!(matches!(read(b"bAsIc   YWRhOnB3"), Some(Authorization::Basic(_))));
        assert!(matches!(read(b"Basic YTpi"), Some(Authorization::Basic(_))));
        assert!(matches!(read(b"Basic YWRhOnB3MQ"), Some(Authorization::Basic(_))));
    }

    #[test]
    fn bearer_is_recognised_with_and_without_a_token() {
        assert_eq!(read(b"Bearer"), Some(Authorization::Bearer(None)));
        let token = Secret::new("abc.def".to_owned());
        assert_eq!(read(b"bearer abc.def"), Some(Authorization::Bearer(Some(token))));
    }

    #[test]
    fn what_cannot_be_read_says_so() {
        assert_eq!(authorization(&HeaderMap::new()), None);
        assert_eq!(read(b"  "), None);
        for bad in [
            b"Basic".as_slice(),
            b"Basic !!!!",
            b"Basic YWRh",
            b"Basic Ont9",
            b"Basic YQA6Yg==",
            b"Negotiate abc",
            b"Basic \xff\xfe",
        ] {
            assert_eq!(read(bad), Some(Authorization::Unreadable), "{bad:?}");
        }
    }

    #[test]
    fn the_challenge_cannot_be_broken_out_of() {
        let name = "Mail \"of\"\r\nEvil: x\\".to_owned();
        let answer = challenge(&Realm { name, ..Realm::default() });
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let [(_, value)] = &answer.headers[..] else { panic!("{:?}", answer.headers) };
        assert_eq!(value, "Basic realm=\"Mail ofEvil: x\", charset=\"UTF-8\"");
    }

    #[test]
    fn who_takes_tokens_says_both() {
        let authority = Some("https://login.example/a\"b".to_owned());
        let answer = challenge(&Realm { bearer: true, authority, ..Realm::default() });
        let said: Vec<_> =
            answer.headers.iter().map(|(_, value)| value.to_str().unwrap()).collect();
        assert_eq!(
            said,
            [
                "Basic realm=\"mail\", charset=\"UTF-8\"",
                "Bearer realm=\"mail\", authorization_uri=\"https://login.example/ab\"",
            ]
        );
    }

    #[test]
    fn a_token_is_of_whom_the_query_names_or_of_whom_it_says_itself() {
        let token = |text: &str| Secret::new(text.to_owned());
        let claims = URL_SAFE.encode(r#"{"sub":"17","email":"ada@example.org"}"#);
        let jwt = token(&format!("e30.{claims}.c2ln"));
        for (query, token, login) in [
            (
                "Cmd=Sync&user=a%64a%40example.org&DeviceId=d",
                token("opaque"),
                Some("ada@example.org"),
            ),
            ("User=CORP%5Cada", jwt.clone(), Some("CORP\\ada")),
            ("jAkJBBBlZ==", jwt.clone(), Some("ada@example.org")),
            ("", jwt, Some("ada@example.org")),
            ("User=", token("opaque"), None),
            ("User=%zz", token("a.b.c"), None),
            ("User=a%0d", token("a.!!.c"), None),
            ("", token(".."), None),
        ] {
            assert_eq!(login_of_token(query, &token).as_deref(), login, "{query}");
        }
    }
}
