//! `retract wbxml`: what phones say, readable, and back.
//!
//! Octets are taken as they come: raw, as hexadecimal digits (also with blanks and `0x`), as base64, or as a whole HTTP message with
//! its head, as a proxy or a capture shows it. A multipart answer is read by its first part, which is the document.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use activesync::http::Query;
use activesync::{code_pages, multipart};
use anyhow::{Context, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use wbxml::{Limits, Reader, xml};

use super::Failure;
use super::show::{self, Say};
use crate::database::hex;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// WBXML to readable XML.
    #[command(after_help = "Examples:\n  retract wbxml decode sync.wbxml\n  \
        echo 03016A00455C4F4B033000010101 | retract wbxml decode\n  retract wbxml decode --form http request.txt")]
    Decode(DecodeArgs),
    /// Readable XML to WBXML.
    #[command(
        after_help = "Example: retract wbxml decode sync.wbxml | retract wbxml encode --form hex"
    )]
    Encode(EncodeArgs),
}

#[derive(Debug, Args)]
pub(super) struct DecodeArgs {
    /// The file; standard input when not given or "-".
    file: Option<PathBuf>,
    /// How the octets come.
    #[arg(long, value_enum, default_value = "auto")]
    form: InForm,
}

#[derive(Debug, Args)]
pub(super) struct EncodeArgs {
    /// The file; standard input when not given or "-".
    file: Option<PathBuf>,
    /// How the octets go out.
    #[arg(long, value_enum, default_value = "binary")]
    form: OutForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum InForm {
    /// Whatever it looks like.
    Auto,
    /// Raw.
    Binary,
    /// Hexadecimal digits.
    Hex,
    /// Base64.
    Base64,
    /// An HTTP request or answer with its head.
    Http,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutForm {
    /// Raw.
    Binary,
    /// Hexadecimal digits.
    Hex,
    /// Base64.
    Base64,
}

pub(super) fn run(command: Command, say: &Say) -> Result<(), Failure> {
    match command {
        Command::Decode(args) => {
            let read = decode(&read(args.file.as_deref())?, args.form)?;
            if say.is_json() {
                return say.document(&json!({ "request": read.request, "xml": read.xml }));
            }
            if let Some(request) = &read.request {
                show::complain(request);
            }
            say.line(&read.xml)
        }
        Command::Encode(args) => {
            let octets = encode(&read(args.file.as_deref())?)?;
            match args.form {
                OutForm::Binary => say.octets(&octets),
                OutForm::Hex => say.line(&hex(&octets)),
                OutForm::Base64 => say.line(&STANDARD.encode(&octets)),
            }
        }
    }
}

/// A document, and what the head of its request said.
#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    xml: String,
    request: Option<String>,
}

fn decode(octets: &[u8], form: InForm) -> Result<Decoded, Failure> {
    let form = if form == InForm::Auto { looks_like(octets) } else { form };
    let mut request = None;
    let document = match form {
        InForm::Hex => Cow::Owned(from_hex(octets)?),
        InForm::Base64 => Cow::Owned(from_base64(octets)?),
        InForm::Http => {
            let message = Message::read(octets)?;
            request = message.request();
            message.document()?
        }
        InForm::Auto | InForm::Binary => Cow::Borrowed(octets),
    };
    if document.is_empty() {
        let words = "there is no body: an empty request repeats the one before, an empty answer has no news";
        return Ok(Decoded { xml: format!("<!-- {words} -->"), request });
    }
    let reader = Reader::new(&document, &code_pages::PAGES, Limits::DEFAULT)?;
    Ok(Decoded { xml: xml::to_xml(reader)?, request })
}

fn encode(octets: &[u8]) -> Result<Vec<u8>, Failure> {
    let text = std::str::from_utf8(octets).context("XML is UTF-8 here")?;
    Ok(xml::from_xml(text, &code_pages::PAGES, Limits::DEFAULT)?)
}

/// A WBXML document begins with its version, which is no printable character; the other forms are text.
fn looks_like(octets: &[u8]) -> InForm {
    let is_hex = |b: &u8| b.is_ascii_hexdigit() || b.is_ascii_whitespace() || b":,xX".contains(b);
    let is_base64 =
        |b: &u8| b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"+/=".contains(b);
    let first_line = octets.split(|b| *b == b'\n').next().unwrap_or_default();
    let first_line = String::from_utf8_lossy(first_line);
    if first_line.starts_with("HTTP/1.")
        || first_line.trim_end().ends_with(" HTTP/1.1")
        || first_line.trim_end().ends_with(" HTTP/1.0")
    {
        InForm::Http
    } else if octets.iter().all(|b| b.is_ascii_whitespace()) {
        InForm::Binary
    } else if octets.iter().all(is_hex) {
        InForm::Hex
    } else if octets.iter().all(is_base64) {
        InForm::Base64
    } else {
        InForm::Binary
    }
}

fn from_hex(octets: &[u8]) -> Result<Vec<u8>, Failure> {
    let text = String::from_utf8_lossy(octets).replace("0x", " ").replace("0X", " ");
    let is_between = |c: &char| !(c.is_whitespace() || ":,".contains(*c));
    let digits: Vec<char> = text.chars().filter(is_between).collect();
    if !digits.len().is_multiple_of(2) {
        return Err(anyhow!("an odd number of hexadecimal digits").into());
    }
    let octet = |pair: &[char]| Some((pair[0].to_digit(16)? << 4 | pair[1].to_digit(16)?) as u8);
    let octets = digits.chunks_exact(2).map(octet).collect::<Option<Vec<u8>>>();
    Ok(octets.ok_or_else(|| anyhow!("not hexadecimal digits"))?)
}

fn from_base64(octets: &[u8]) -> Result<Vec<u8>, Failure> {
    let text: Vec<u8> = octets.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let decoded = STANDARD.decode(&text).or_else(|_| STANDARD_NO_PAD.decode(&text));
    Ok(decoded.context("not base64")?)
}

/// An HTTP message, taken apart.
struct Message<'a> {
    first_line: String,
    headers: Vec<(String, String)>,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// A head that ends with an empty line, whatever the ends of its lines are.
    fn read(octets: &'a [u8]) -> Result<Message<'a>, Failure> {
        let end = |mark: &[u8]| {
            octets.windows(mark.len()).position(|w| w == mark).map(|at| (at, mark.len()))
        };
        let ends = [end(b"\r\n\r\n"), end(b"\n\n")];
        let (at, length) = ends.into_iter().flatten().min().unwrap_or((octets.len(), 0));
        let head = String::from_utf8_lossy(&octets[..at]);
        let mut lines = head.lines();
        let first_line = lines.next().unwrap_or_default().to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(Message { first_line, headers: headers.collect(), body: &octets[at + length..] })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// What the request line asks, with a base64 query made plain.
    fn request(&self) -> Option<String> {
        let mut words = self.first_line.split_whitespace();
        let (method, target) = (words.next()?, words.next()?);
        if method.starts_with("HTTP/") {
            return Some(self.first_line.clone());
        }
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let plain = Query::decode(query).ok().map(|query| query.encode_plain());
        Some(format!("{method} {}", plain.unwrap_or_else(|| target.to_owned())))
    }

    /// The document of the body: unchunked, and the first part of a multipart answer.
    fn document(&self) -> Result<Cow<'a, [u8]>, Failure> {
        if self.header("content-encoding").is_some_and(|coding| coding != "identity") {
            return Err(anyhow!("the body is compressed; decompress it first").into());
        }
        let is_chunked = self
            .header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        let body = match is_chunked {
            true => Cow::Owned(unchunk(self.body)?),
            false => Cow::Borrowed(self.cut()),
        };
        let kind = self.header("content-type").unwrap_or_default().to_ascii_lowercase();
        if kind.starts_with("application/vnd.ms-sync.multipart") {
            let parts = multipart::decode(&body)?;
            return Ok(Cow::Owned(parts.first().map(|part| part.to_vec()).unwrap_or_default()));
        }
        Ok(body)
    }

    /// The body as long as the head says, where that is shorter than what is there.
    fn cut(&self) -> &'a [u8] {
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        self.body.get(..length.unwrap_or(self.body.len())).unwrap_or(self.body)
    }
}

fn unchunk(mut rest: &[u8]) -> Result<Vec<u8>, Failure> {
    let broken = || anyhow!("the chunks of the body are broken");
    let mut body = Vec::new();
    loop {
        let end = rest.iter().position(|b| *b == b'\n').ok_or_else(broken)?;
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| broken())?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| broken())?;
        rest = &rest[end + 1..];
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(rest.get(..size).ok_or_else(broken)?);
        rest = &rest[size..];
        rest =
            rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).ok_or_else(broken)?;
    }
}

fn read(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    match file {
        Some(path) if path.as_os_str() != "-" => {
            let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
            file.take(FILE_BYTES_MAX).read_to_end(&mut octets)?;
        }
        _ => {
            std::io::stdin().lock().take(FILE_BYTES_MAX).read_to_end(&mut octets)?;
        }
    }
    Ok(octets)
}

/// Octets read at most: a document of 64 MiB in hexadecimal, with blanks.
const FILE_BYTES_MAX: u64 = 200 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// The first Sync of a folder.
    const OCTETS: &[u8] =
        b"\x03\x01\x6A\x00\x45\x5C\x4F\x4B\x030\x00\x01\x52\x035\x00\x01\x01\x01\x01";

    fn http(head: &str, body: &[u8]) -> Vec<u8> {
        [head.as_bytes(), body].concat()
    }

    #[test]
    fn every_form_is_recognised_and_reads_the_same() {
        let plain = decode(OCTETS, InForm::Auto).unwrap().xml;
        assert!(
            plain.contains("<SyncKey>0</SyncKey>") && plain.contains("xmlns=\"AirSync\""),
            "{plain}"
        );
        let spaced: String = hex(OCTETS)
            .as_bytes()
            .chunks(2)
            .map(|pair| format!("0x{} ", String::from_utf8_lossy(pair)))
            .collect();
        let chunked = http(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            &[format!("{:x}\r\n", OCTETS.len()).as_bytes(), OCTETS, b"\r\n0\r\n\r\n"].concat(),
        );
        let whole = http(
            &format!(
                "POST /Microsoft-Server-ActiveSync?Cmd=Sync&User=ann&DeviceId=d1&DeviceType=t HTTP/1.1\r\nContent-Length: {}\r\n\r\n",
                OCTETS.len()
            ),
            OCTETS,
        );
        let parts = http(
            "HTTP/1.1 200 OK\nContent-Type: application/vnd.ms-sync.multipart\n\n",
            &multipart::encode(OCTETS, &[b"part"]).unwrap(),
        );
        for form in [
            hex(OCTETS).into_bytes(),
            spaced.into_bytes(),
            STANDARD.encode(OCTETS).into_bytes(),
            chunked,
            whole,
            parts,
        ] {
            let read = decode(&form, InForm::Auto).unwrap();
            assert_eq!(read.xml, plain, "{}", String::from_utf8_lossy(&form));
        }
    }

    #[test]
    fn what_is_decoded_is_encoded_again() {
        let xml = decode(OCTETS, InForm::Binary).unwrap().xml;
        assert_eq!(encode(xml.as_bytes()).unwrap(), OCTETS);
        let edited = xml.replace("<SyncKey>0</SyncKey>", "<SyncKey>7.x</SyncKey>");
        assert!(
            decode(&encode(edited.as_bytes()).unwrap(), InForm::Auto).unwrap().xml.contains("7.x")
        );
    }

    #[test]
    fn the_request_line_is_made_plain() {
        let head = "POST /Microsoft-Server-ActiveSync?Cmd=Ping&User=ann&DeviceId=d1&DeviceType=t HTTP/1.1\r\n\r\n";
        let read = decode(head.as_bytes(), InForm::Auto).unwrap();
        assert!(read.request.unwrap().contains("Cmd=Ping"));
        assert!(read.xml.starts_with("<!--"), "{}", read.xml);
    }

    #[test]
    fn what_is_broken_is_an_error() {
        for (octets, form) in [
            (&b"0"[..], InForm::Hex),
            (b"zz", InForm::Hex),
            (b"====", InForm::Base64),
            (b"\x03\x01\x6A\x00\x45", InForm::Binary),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc", InForm::Http),
            (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nabc", InForm::Http),
        ] {
            assert!(decode(octets, form).is_err(), "{form:?}");
        }
        assert!(encode(b"<Sync").is_err());
    }

    #[test]
    fn every_fixture_is_read_in_every_form() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol/activesync/tests/data/corpus");
        let mut count = 0;
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "wbxml") {
                continue;
            }
            let octets = std::fs::read(&path).unwrap();
            let raw = match decode(&octets, InForm::Binary) {
                Ok(raw) => raw,
                // What was captured broken is refused in every form.
                Err(_) => {
                    assert!(decode(hex(&octets).as_bytes(), InForm::Auto).is_err());
                    continue;
                }
            };
            for form in [hex(&octets).into_bytes(), STANDARD.encode(&octets).into_bytes()] {
                assert_eq!(decode(&form, InForm::Auto).unwrap(), raw, "{}", path.display());
            }
            let again = encode(raw.xml.as_bytes()).unwrap();
            assert_eq!(decode(&again, InForm::Binary).unwrap(), raw, "{}", path.display());
            count += 1;
        }
        assert!(count > 20, "{count} captures");
    }
}
