//! The documents that are measured: an answer of 500 mails, a small Ping, and the requests of the corpus.

use std::sync::LazyLock;

use wbxml::{Limits, Reader, Tag, Token, Writer};

pub(crate) use data::PAGES;

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/documents/data.rs"]
mod data;

/// One thing to measure.
pub(crate) struct Document {
    pub(crate) name: &'static str,
    /// Documents that are read or written one after the other.
    pub(crate) parts: Vec<Vec<u8>>,
}

/// Everything to measure.
pub(crate) fn all() -> &'static [Document] {
    static ALL: LazyLock<Vec<Document>> = LazyLock::new(|| {
        let ping = ["23-ping-request", "24-ping-changes-response"];
        let ping = ping.map(|name| data::hex(&format!("fixtures/{name}.hex"))).to_vec();
        vec![
            Document { name: "sync of 500 mails", parts: vec![sync_of_500()] },
            Document { name: "ping", parts: ping },
            Document { name: "corpus", parts: corpus() },
        ]
    });
    &ALL
}

/// The document of this name.
pub(crate) fn named(name: &str) -> &'static Document {
    all().iter().find(|document| document.name == name).expect("names are those of documents")
}

/// The requests real clients sent, but the one that is none, and Find, whose page libwbxml does not know and cannot write.
fn corpus() -> Vec<Vec<u8>> {
    let names = data::files("corpus", "wbxml").into_iter().filter(|name| !name.contains("-Find-"));
    let octets = names.map(|name| data::octets(&format!("corpus/{name}")));
    octets.filter(|octets| is_sound(octets)).collect()
}

fn is_sound(octets: &[u8]) -> bool {
    let Ok(mut reader) = Reader::new(octets, &PAGES, Limits::DEFAULT) else { return false };
    loop {
        match reader.next_token() {
            Ok(Some(Token::Text(text))) if text.to_str().is_err() => return false,
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// The answer of fixture 13 with its mail 500 times, each with a body of its own length.
fn sync_of_500() -> Vec<u8> {
    const ADD: &str = "Add";
    const DATA: Tag = Tag::new(17, 0x0B);
    let octets = data::hex("fixtures/13-sync-email-add-response.hex");
    let mut reader = Reader::new(&octets, &PAGES, Limits::DEFAULT).expect("a fixture");
    let (mut tokens, mut add) = (Vec::new(), 0..0);
    while let Some(token) = reader.next_token().expect("a fixture") {
        if matches!(token, Token::Start { name: ADD, .. }) && add.is_empty() {
            add.start = tokens.len();
        }
        tokens.push(token);
        if add.end == 0 && add.start > 0 && closes(&tokens[add.start..]) {
            add.end = tokens.len();
        }
    }
    let mut writer = Writer::new(&PAGES);
    write(&mut writer, &tokens[..add.start], 0);
    for item in 0..500 {
        let (mut in_data, mail) = (false, &tokens[add.clone()]);
        for token in mail {
            match token {
                Token::Text(_) if in_data => writer.text(&body(item)),
                token => write(&mut writer, std::slice::from_ref(token), item),
            }
            in_data = matches!(token, Token::Start { tag, .. } if *tag == DATA);
        }
    }
    write(&mut writer, &tokens[add.end..], 0);
    writer.finish()
}

/// Whether these tokens are one whole element.
fn closes(tokens: &[Token<'_>]) -> bool {
    let depth = tokens.iter().map(|token| match token {
        Token::Start { .. } => 1,
        Token::End => -1,
        _ => 0,
    });
    depth.sum::<i32>() == 0
}

fn write(writer: &mut Writer<'_>, tokens: &[Token<'_>], item: usize) {
    for token in tokens {
        match token {
            Token::Start { tag, .. } => writer.start(*tag),
            Token::End => writer.end(),
            Token::Text(text) if text.bytes().starts_with(b"1:") => {
                writer.text(&format!("1:{item}"));
            }
            Token::Text(text) => writer.text(text.to_str().expect("a fixture")),
            Token::Opaque(octets) => writer.opaque(octets),
            Token::Entity(_) => unreachable!("ActiveSync has no entities"),
        }
    }
}

/// A text of up to half a kilobyte, as phones ask for when they fill a list.
fn body(item: usize) -> String {
    let line =
        "Dear all, the numbers of the quarter are attached; please look at them by Friday.\r\n";
    let length = 100 + item * 37 % 412;
    line.chars().cycle().take(length).collect()
}
