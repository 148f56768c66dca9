//! The message class: what kind of mail it is, in the words phones know ([MS-ASEMAIL] 2.2.2.49).

use super::Message;
use super::headers::Header;
use super::mime::Part;

/// The class of a message; `IPM.Note` for everything ordinary.
pub(crate) fn of(message: &Message) -> &'static str {
    let root = &message.parts()[0];
    if is_encrypted(root) {
        let kind = root.media.parameter("smime-type").unwrap_or("");
        let receipt = kind.eq_ignore_ascii_case("signed-receipt");
        return if receipt { "IPM.Note.Receipt.SMIME" } else { "IPM.Note.SMIME" };
    }
    if is_clear_signed(root) {
        return "IPM.Note.SMIME.MultipartSigned";
    }
    if root.is("multipart/report") {
        return report(message).unwrap_or(NOTE);
    }
    meeting(message).unwrap_or(NOTE)
}

/// Encrypted, or signed: only the untouched MIME can be verified or read.
pub(crate) fn is_smime(root: &Part) -> bool {
    is_encrypted(root) || is_clear_signed(root)
}

fn is_encrypted(root: &Part) -> bool {
    let named_so = || {
        root.is("application/octet-stream")
            && root.file_name().is_some_and(|name| name.to_ascii_lowercase().ends_with(".p7m"))
    };
    root.is("application/pkcs7-mime") || root.is("application/x-pkcs7-mime") || named_so()
}

/// PGP signs the same way, but no phone's S/MIME view can do anything with it.
fn is_clear_signed(root: &Part) -> bool {
    let protocol = root.media.parameter("protocol").unwrap_or("").to_ascii_lowercase();
    root.is("multipart/signed") && (protocol.is_empty() || protocol.contains("pkcs7-signature"))
}

fn report(message: &Message) -> Option<&'static str> {
    let mut parts = message.parts().iter();
    let status = parts.find(|part| {
        [
            "message/delivery-status",
            "message/global-delivery-status",
            "message/disposition-notification",
        ]
        .contains(&part.media.token.as_str())
    })?;
    let text = message.part_text(status).to_ascii_lowercase();
    if status.is("message/disposition-notification") {
        let disposition = value_in(&text, "disposition")?;
        let kind = disposition.rsplit(';').next().unwrap_or("").trim();
        return Some(if kind.starts_with("displayed") {
            "REPORT.IPM.NOTE.IPNRN"
        } else {
            "REPORT.IPM.NOTE.IPNNRN"
        });
    }
    Some(match value_in(&text, "action")? {
        "failed" => "REPORT.IPM.NOTE.NDR",
        "delayed" => "REPORT.IPM.NOTE.DELAYED",
        _ => "REPORT.IPM.NOTE.DR",
    })
}

/// A field anywhere in a status part, whose field groups are separated by empty lines.
fn value_in<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().take(STATUS_LINES_MAX).filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

fn meeting(message: &Message) -> Option<&'static str> {
    let part = message.parts().iter().find(|part| part.is("text/calendar"))?;
    let stated = part.media.parameter("method").map(str::to_ascii_uppercase);
    let calendar = message.part_text(part);
    let method = match stated {
        Some(method) => method,
        None => property(&calendar, "METHOD")?,
    };
    Some(match method.as_str() {
        "REQUEST" => "IPM.Schedule.Meeting.Request",
        "CANCEL" => "IPM.Schedule.Meeting.Canceled",
        "COUNTER" => "IPM.Schedule.Meeting.Resp.Tent",
        "REPLY" => answer(&calendar),
        _ => return None,
    })
}

fn answer(calendar: &str) -> &'static str {
    let unfolded = calendar.replace("\r\n ", "").replace("\n ", "").to_ascii_uppercase();
    if unfolded.contains("PARTSTAT=ACCEPTED") {
        "IPM.Schedule.Meeting.Resp.Pos"
    } else if unfolded.contains("PARTSTAT=DECLINED") {
        "IPM.Schedule.Meeting.Resp.Neg"
    } else {
        "IPM.Schedule.Meeting.Resp.Tent"
    }
}

fn property(calendar: &str, name: &str) -> Option<String> {
    let header = Header::parse(calendar.as_bytes(), 0, |_| false);
    let value = header.find(calendar.as_bytes(), name)?;
    Some(String::from_utf8_lossy(value).trim().to_ascii_uppercase())
}

const NOTE: &str = "IPM.Note";
/// Lines of a status part that are looked at.
const STATUS_LINES_MAX: usize = 500;
