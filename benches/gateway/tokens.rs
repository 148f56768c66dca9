//! WBXML: a Sync answer of 100 mails, decoded token by token and encoded from its tokens.

use std::hint::black_box;
use std::time::Duration;

use activesync::code_pages::PAGES;
use activesync_phone::activesync;
use anyhow::{Context as _, Result, ensure};
use wbxml::{Limits, Reader, Tag, Token, Writer};

use crate::line::{say, thread_cpu};

/// Measures both directions, at bodies of two sizes.
pub(crate) fn run(times: usize) -> Result<()> {
    for body_octets in [0, 500, 20_000] {
        let document = document(body_octets)?;
        let tokens = read(&document)?;
        let began = thread_cpu();
        for _ in 0..times {
            black_box(count(black_box(&document))?);
        }
        let decode = speed(document.len() * times, began);
        let began = thread_cpu();
        for _ in 0..times {
            black_box(write(black_box(&tokens)));
        }
        let encode = speed(document.len() * times, began);
        ensure!(write(&tokens) == document, "what was read is written again");
        say(&format!(
            "WBXML, a Sync answer of {MAILS} mails with bodies of {body_octets} octets ({} kB, {} tokens): decode {decode:.0} MB/s, encode {encode:.0} MB per second of one core",
            document.len() / 1000,
            tokens.len()
        ));
    }
    Ok(())
}

fn speed(octets: usize, began: Duration) -> f64 {
    octets as f64 / 1e6 / thread_cpu().saturating_sub(began).as_secs_f64()
}

fn count(document: &[u8]) -> Result<usize> {
    let mut reader = Reader::new(document, &PAGES, Limits::DEFAULT)?;
    let mut seen = 0;
    while let Some(token) = reader.next_token()? {
        seen += match token {
            Token::Text(text) => text.to_str()?.len(),
            Token::Opaque(octets) => octets.len(),
            _ => 1,
        };
    }
    Ok(seen)
}

fn read(document: &[u8]) -> Result<Vec<Token<'_>>> {
    let mut reader = Reader::new(document, &PAGES, Limits::DEFAULT)?;
    let mut tokens = Vec::new();
    while let Some(token) = reader.next_token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

fn write(tokens: &[Token<'_>]) -> Vec<u8> {
    let mut writer = Writer::new(&PAGES);
    for token in tokens {
        match token {
            Token::Start { tag, .. } => writer.start(*tag),
            Token::End => writer.end(),
            Token::Text(text) => writer.text(text.to_str().unwrap_or_default()),
            Token::Opaque(octets) => writer.opaque(octets),
            Token::Entity(_) => {}
        }
    }
    writer.finish()
}

/// A Sync answer as a server gives it.
fn document(body_octets: usize) -> Result<Vec<u8>> {
    let tag = |namespace: &str, name: &str| -> Result<Tag> {
        PAGES.tag(namespace, name).with_context(|| format!("{namespace}:{name}"))
    };
    let body = "The engine weaves algebraic patterns. ".repeat(body_octets / 38 + 1);
    let mut writer = Writer::new(&PAGES);
    for name in ["Sync", "Collections", "Collection", "Commands"] {
        writer.start(tag("AirSync", name)?);
    }
    for number in 0..MAILS {
        writer.start(tag("AirSync", "Add")?);
        leaf(&mut writer, tag("AirSync", "ServerId")?, &format!("1:{number}"));
        writer.start(tag("AirSync", "ApplicationData")?);
        for (name, value) in FIELDS {
            leaf(&mut writer, tag("Email", name)?, value);
        }
        writer.start(tag("AirSyncBase", "Body")?);
        leaf(&mut writer, tag("AirSyncBase", "Type")?, "2");
        leaf(&mut writer, tag("AirSyncBase", "EstimatedDataSize")?, "19000");
        leaf(&mut writer, tag("AirSyncBase", "Truncated")?, "1");
        if body_octets > 0 {
            leaf(&mut writer, tag("AirSyncBase", "Data")?, &body[..body_octets]);
        }
        writer.end();
        leaf(&mut writer, tag("AirSyncBase", "NativeBodyType")?, "2");
        writer.end();
        writer.end();
    }
    for _ in 0..4 {
        writer.end();
    }
    Ok(writer.finish())
}

fn leaf(writer: &mut Writer<'_>, tag: Tag, value: &str) {
    writer.start(tag);
    writer.text(value);
    writer.end();
}

/// Mails in the answer.
const MAILS: usize = 100;
/// What a mail says of itself.
const FIELDS: [(&str, &str); 8] = [
    ("To", "\"Everybody\" <all@example.org>"),
    ("From", "\"Ada Lovelace\" <ada@example.org>"),
    ("Subject", "The engine, and what it weaves"),
    ("DateReceived", "2026-11-24T08:00:00.000Z"),
    ("DisplayTo", "Everybody"),
    ("ThreadTopic", "The engine, and what it weaves"),
    ("Importance", "1"),
    ("Read", "0"),
];
