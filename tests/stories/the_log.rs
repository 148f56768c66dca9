//! What an administrator finds in the log about a phone that says what no phone should: one line that names the device and the reason,
//! and never what was in a mail or a password.

use std::io::Write;
use std::sync::{Arc, Mutex};

use activesync_phone::activesync::command::sync;
use activesync_phone::activesync::document::Document as _;
use activesync_phone::activesync::types::{CollectionId, SyncKey};
use activesync_phone::{Exchange, Phone, Profile, SyncAsk, Waits};
use tracing_subscriber::fmt::MakeWriter;

use super::in_flight::http;
use super::nonsense::spoken;
use super::town::{Handset, PASSWORD, Town};

/// What was logged by this test's own thread, on which its gateway runs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to listen, at the level of a gateway as it is installed.
    fn listens(&self) -> tracing::subscriber::DefaultGuard {
        let layer = tracing_subscriber::fmt().with_ansi(false).with_writer(self.clone());
        tracing::subscriber::set_default(layer.with_max_level(tracing::Level::INFO).finish())
    }

    /// The lines since it was last asked.
    fn lines(&self) -> Vec<String> {
        // Stories beside this one log to nobody: what they met first must not count as nobody's for ever.
        tracing::callsite::rebuild_interest_cache();
        let said = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(said).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

fn a_sync(phone: &Handset) -> Exchange {
    phone.phone().sync(&[SyncAsk::of(&phone.inbox())], Waits::No)
}

/// The same request about a folder or an item.
fn sync_of(phone: &Handset, collection: sync::Collection) -> Exchange {
    let request = sync::Request { collections: vec![collection], ..Default::default() };
    Exchange { body: request.encode(phone.phone().profile.version), ..a_sync(phone) }
}

#[tokio::test]
async fn a_line_names_the_device_and_the_reason() {
    let log = Log::default();
    let _listens = log.listens();
    let town = Town::open().await;
    town.mail("one").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let good = a_sync(&phone);
    let with =
        |from: &str, to: &str| Exchange { target: good.target.replace(from, to), ..good.clone() };
    let header = |header: &str, to: &str| {
        let mut exchange = good.clone();
        for (name, value) in &mut exchange.headers {
            if name.eq_ignore_ascii_case(header) {
                *value = to.to_owned();
            }
        }
        exchange
    };
    let body = |body: &[u8]| Exchange { body: body.to_vec(), ..good.clone() };
    let deep = [&[0x03, 0x01, 0x6a, 0x00, 0x45][..], &[0x5c; 1_000]].concat();
    let long = vec![0x03, 0x01, 0x6a, 0x00, 0x45, 0xc3, 0x8f, 0xff, 0xff, 0xff, 0x7f];
    let inbox = phone.inbox();
    let begun = |folder: &str, key: &str| {
        sync::Collection::new(CollectionId::new(folder).unwrap(), SyncKey::new(key).unwrap())
    };
    let own_key = phone.phone().cache.collections[&inbox].key.clone().unwrap();
    let about = |command| {
        let commands = vec![command];
        sync_of(&phone, sync::Collection { commands, ..begun(&inbox, own_key.as_str()) })
    };
    let never = format!("{inbox}:999");
    let device = phone.phone().device_id.to_lowercase();
    let said = [
        (body(b"hello, is this the mail?"), "WBXML"),
        (body(&deep), "does not belong here"),
        (body(&long), "octet"),
        (header("content-type", "text/html"), "the wrong type of body"),
        (with("Cmd=Sync", "Cmd=Frobnicate"), "there is no such command"),
        (header("ms-asprotocolversion", "19.1"), "this protocol version is not spoken here"),
        (sync_of(&phone, begun(&inbox, "7.AAAAAAAAAAAAAAAAAAAAAA")), "invalid sync key"),
        (sync_of(&phone, begun("99", "0")), "no such collection"),
        (about(Phone::read(&never, true)), "ObjectNotFound"),
        (about(Phone::sync_fetch(&never)), "ObjectNotFound"),
        (phone.phone().fetch(&inbox, &never), "NotFound"),
    ];
    for (exchange, reason) in said {
        log.lines();
        phone.driver.send(&exchange).await.unwrap();
        one_names(&log.lines(), &device, reason);
    }
    // What cannot come whole: of too much is said how much was announced, and a body breaks off.
    let whole = http(&good);
    let head = String::from_utf8(whole[..whole.len() - good.body.len()].to_vec()).unwrap();
    let length = format!("content-length: {}", good.body.len());
    let huge = head.replace(&length, "content-length: 104857600").into_bytes();
    let cut = whole[..whole.len() - 1].to_vec();
    for (said, reason) in [(huge, "the body is too large"), (cut, "the body broke off")] {
        spoken(&town, &said, b"").await;
        one_names(&log.lines(), &device, reason);
    }
    // And before a head is there, there is an address.
    spoken(&town, &whole[..30], b"").await;
    one_names(&log.lines(), "127.0.0.1", "no whole request came");
}

/// Whether a line names the device and the reason; and none of them a password.
fn one_names(lines: &[String], device: &str, reason: &str) {
    let told = |line: &&String| line.to_lowercase().contains(device) && line.contains(reason);
    assert!(lines.iter().any(|line| told(&line)), "no line about {reason:?} in {lines:#?}");
    let basic = "YW5uOmNvcnJlY3QgaG9yc2U";
    assert!(
        !lines.iter().any(|line| line.contains(PASSWORD) || line.contains(basic)),
        "{lines:#?}"
    );
}
