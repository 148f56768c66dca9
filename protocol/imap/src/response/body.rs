//! BODYSTRUCTURE: which parts a message has, without its octets (RFC 9051 7.5.2).
//!
//! Servers describe broken messages in broken ways; what has no meaning here makes this one item unreadable and nothing else.

use super::envelope::{self, Envelope};
use crate::value::Value;

/// A message or one of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// What kind of part it is.
    pub kind: BodyKind,
    /// The media type in lower case, such as `text`.
    pub media_type: String,
    /// The subtype in lower case, such as `plain`.
    pub subtype: String,
    /// The parameters, names in lower case.
    pub parameters: Vec<(String, Vec<u8>)>,
    /// Content-Disposition.
    pub disposition: Option<Disposition>,
    /// Content-ID.
    pub id: Option<Vec<u8>>,
    /// Content-Description.
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding in lower case.
    pub encoding: String,
    /// Its octets before decoding.
    pub size: u64,
}

/// What kind of part a [`Body`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// Parts in a row.
    Multipart(Vec<Body>),
    /// A message in a message.
    Message {
        /// Its envelope.
        envelope: Box<Envelope>,
        /// Its body.
        body: Box<Body>,
    },
    /// Anything else.
    Single,
}

/// Content-Disposition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// `inline` or `attachment`, in lower case.
    pub kind: String,
    /// The parameters, names in lower case.
    pub parameters: Vec<(String, Vec<u8>)>,
}

/// A part and how it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its number, such as 1.2; empty for a message that is one multipart.
    pub path: Vec<u32>,
    /// The part.
    pub body: &'a Body,
}

impl Body {
    /// This body and every part in it with its number, in the order of the message.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        let mut open = vec![(Vec::new(), self, true)];
        while let Some((path, body, is_message)) = open.pop() {
            let mut inner = Vec::new();
            let own = match &body.kind {
                BodyKind::Multipart(children) => {
                    for (nth, child) in (1..).zip(children) {
                        inner.push((extended(&path, nth), child, false));
                    }
                    path
                }
                // A message that is no multipart has one part, number 1 (RFC 9051 6.4.5.1).
                kind => {
                    let own = if is_message { extended(&path, 1) } else { path };
                    if let BodyKind::Message { body, .. } = kind {
                        inner.push((own.clone(), body, true));
                    }
                    own
                }
            };
            open.extend(inner.into_iter().rev());
            parts.push(Part { path: own, body });
        }
        parts
    }
}

fn extended(path: &[u32], number: u32) -> Vec<u32> {
    [path, &[number]].concat()
}

pub(super) fn read(value: &Value<'_>) -> Option<Body> {
    let values = value.list()?;
    match values.first()? {
        Value::List(_) => multipart(values),
        // A multipart without parts: its subtype comes first, and no second string follows.
        Value::Text(_) | Value::Atom(_)
            if !matches!(values.get(1)?, Value::Text(_) | Value::Atom(_)) =>
        {
            multipart(values)
        }
        _ => single(values),
    }
}

fn multipart(values: &[Value<'_>]) -> Option<Body> {
    let count = values.iter().take_while(|value| matches!(value, Value::List(_))).count();
    let (children, rest) = values.split_at(count);
    let children = children.iter().map(read).collect::<Option<Vec<Body>>>()?;
    let rest_at = |at: usize| rest.get(at);
    Some(Body {
        kind: BodyKind::Multipart(children),
        media_type: "multipart".to_owned(),
        subtype: lower(rest_at(0))?,
        parameters: parameters(rest_at(1)),
        disposition: rest_at(2).and_then(disposition),
        id: None,
        description: None,
        encoding: String::new(),
        size: 0,
    })
}

fn single(values: &[Value<'_>]) -> Option<Body> {
    let [media_type, subtype, fields, id, description, encoding, size, rest @ ..] = values else {
        return None;
    };
    let media_type = lower(Some(media_type))?;
    let subtype = lower(Some(subtype))?;
    let mut kind = BodyKind::Single;
    // Lines follow a text; envelope, body and lines follow a message; then a hash, then the disposition.
    let mut lines = usize::from(media_type == "text");
    if let [inner_envelope, inner, ..] = rest
        && media_type == "message"
        && matches!(inner_envelope, Value::List(_))
    {
        let envelope = Box::new(envelope::read(inner_envelope)?);
        kind = BodyKind::Message { envelope, body: Box::new(read(inner)?) };
        lines = 3;
    }
    Some(Body {
        kind,
        media_type,
        subtype,
        parameters: parameters(Some(fields)),
        disposition: rest.get(lines + 1).and_then(disposition),
        id: envelope::text(id)?,
        description: envelope::text(description)?,
        encoding: lower(Some(encoding)).unwrap_or_default(),
        size: size.number().unwrap_or(0),
    })
}

fn disposition(value: &Value<'_>) -> Option<Disposition> {
    let values = value.list()?;
    Some(Disposition { kind: lower(values.first())?, parameters: parameters(values.get(1)) })
}

fn parameters(value: Option<&Value<'_>>) -> Vec<(String, Vec<u8>)> {
    let values = value.and_then(Value::list).unwrap_or_default();
    let (pairs, _) = values.as_chunks::<2>();
    let pair =
        |[name, value]: &[Value<'_>; 2]| Some((lower(Some(name))?, value.octets()?.to_vec()));
    pairs.iter().filter_map(pair).collect()
}

fn lower(value: Option<&Value<'_>>) -> Option<String> {
    Some(value?.string()?.to_ascii_lowercase())
}
