//! A client that is not ours: `pyactivesync` from PyPI goes through what it can do, and lets go of a recalled mail.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use activesync_phone::Profile;
use retract::recall::State;
use tokio::sync::mpsc;

use super::town::{PASSWORD, PATIENCE, Town};

/// The interpreter that has what `tests/run` installs.
fn python() -> PathBuf {
    let named = std::env::var_os("RETRACT_TEST_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python")
    });
    assert!(python.exists(), "{} is not there: tests/run installs it", python.display());
    python
}

/// The client, and the places it says it has come to.
struct Foreign {
    process: Child,
    places: mpsc::UnboundedReceiver<String>,
}

impl Foreign {
    fn start(town: &Town, user: &str) -> Foreign {
        let certificate = town.dir.path().join("foreign.pem");
        std::fs::write(&certificate, town.server.certificate_pem.as_deref().unwrap()).unwrap();
        let port = town.server.addresses.phones.unwrap().port();
        let mut process = Command::new(python())
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories/a_foreign_client.py"))
            .arg(format!("localhost:{port}"))
            .arg(certificate)
            .args([user, PASSWORD])
            // It would trust these instead.
            .env_remove("REQUESTS_CA_BUNDLE")
            .env_remove("CURL_CA_BUNDLE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (says, places) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            // Who does not listen any more has seen enough.
            lines.map_while(Result::ok).try_for_each(|line| says.send(line)).ok();
        });
        Foreign { process, places }
    }

    /// Waits until it has come to a place; what it complained of where it does not.
    async fn comes_to(&mut self, place: &str) {
        let said = tokio::time::timeout(PATIENCE, self.places.recv()).await;
        if said.as_ref().is_ok_and(|said| said.as_deref() == Some(place)) {
            return;
        }
        let _gone = self.process.kill();
        let mut complaint = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        panic!("it never came to {place:?}, but to {said:?}: {complaint}");
    }

    fn goes_on(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

const WITH_A_FILE: &str = "From: Bob <bob@b.example>\r\nTo: ann@a.example\r\nSubject: with a file\r\n\
    Message-ID: <file@b.example>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n\
    --b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=plan.csv\r\n\r\nname;salary\r\n\r\n--b--\r\n";

#[tokio::test]
async fn pyactivesync_syncs_sends_and_lets_go_of_a_recalled_mail() {
    let town = Town::open().await;
    for name in ["kept", "moved", "secret"] {
        town.mail(name).await;
    }
    town.post(&["ann"], WITH_A_FILE).await;
    let mut client = Foreign::start(&town, "ann");
    client.comes_to("pings").await;
    client.goes_on();
    town.until_waiting(1).await;
    let order = town.recall("secret").await;
    client.comes_to("has let go").await;
    let pair = town.until_state(order, "ann", State::Acknowledged).await;
    assert_eq!(pair.device_name, "pyactivesync client");
    client.goes_on();
    client.comes_to("done").await;
    let again = town.until_state(order, "ann", State::Acknowledged).await;
    assert_ne!(again.acknowledged_key, pair.acknowledged_key, "asked for again, and let go again");
    let mut ben = town.phone("ben", Profile::ios()).await;
    town.server.house.outbox.run_due().await.unwrap();
    ben.catch_up().await;
    assert_eq!(ben.subjects(), ["hello from Python"]);
    client.goes_on();
    let ended = tokio::task::spawn_blocking(move || client.process.wait()).await.unwrap().unwrap();
    assert!(ended.success());
}
