//! The real binary as a process of ours: started, killed, started again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use activesync_phone::client::Server;

use super::relay::Relay;

const BINARY: &str = env!("CARGO_BIN_EXE_retract");
/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(30);

/// One installation and its process.
pub(crate) struct Gateway {
    dir: tempfile::TempDir,
    process: Arc<Mutex<Child>>,
    /// How often the process died.
    pub(crate) deaths: u32,
    /// ann's.
    pub(crate) password: String,
    /// What it sends through.
    pub(crate) relay: Relay,
    addresses: serde_json::Value,
}

impl Gateway {
    /// A fresh installation with one user, served; dies at `failpoint` if one is named.
    pub(crate) fn new(failpoint: Option<&str>) -> Gateway {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let init = command(&dir)
            .args(["init", "--hostname", "localhost", "--domain", "example.org", "--yes"])
            .args(["--listen", "127.0.0.1:0", "--first-user", "ann@example.org", "--data-dir"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        let said = String::from_utf8(init.stdout).unwrap();
        let line = said.lines().find(|line| line.contains("shown only now")).unwrap();
        let password = line.rsplit(' ').next().unwrap().to_owned();
        let relay = Relay::start();
        let process = Arc::new(Mutex::new(serve(&dir, &relay, failpoint)));
        let addresses = serde_json::Value::Null;
        let mut gateway = Gateway { dir, process, deaths: 0, password, relay, addresses };
        if !gateway.is_ready() {
            gateway.revive();
        }
        gateway
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Waits until it listens, or is dead.
    fn is_ready(&mut self) -> bool {
        let (path, end) = (self.data().join("addresses.json"), Instant::now() + START);
        while Instant::now() < end {
            if self.process.lock().unwrap().try_wait().unwrap().is_some() {
                return false;
            }
            if let Some(addresses) =
                std::fs::read(&path).ok().and_then(|b| serde_json::from_slice(&b).ok())
            {
                self.addresses = addresses;
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not start");
    }

    /// Starts it again if it is dead, without a failpoint.
    pub(crate) fn revive(&mut self) {
        let end = Instant::now() + START;
        while Instant::now() < end {
            // A process that is dying may take its connections down first.
            std::thread::sleep(Duration::from_millis(20));
            if self.process.lock().unwrap().try_wait().unwrap().is_none() {
                return;
            }
            self.deaths += 1;
            *self.process.lock().unwrap() = serve(&self.dir, &self.relay, None);
            if self.is_ready() {
                return;
            }
        }
        panic!("it does not come back");
    }

    fn address(&self, which: &str) -> SocketAddr {
        self.addresses[which].as_str().unwrap().parse().unwrap()
    }

    /// How a phone reaches it.
    pub(crate) fn line(&self) -> Server {
        use rustls_pki_types::CertificateDer;
        use rustls_pki_types::pem::PemObject as _;
        let pem = std::fs::read(self.data().join("cert.pem")).unwrap();
        let roots: Vec<Vec<u8>> =
            CertificateDer::pem_slice_iter(&pem).map(|der| der.unwrap().to_vec()).collect();
        Server::tls(self.address("phones"), "localhost", &roots).unwrap()
    }

    /// Runs a command of the shell: exit code and output. One that was killed has code 1.
    pub(crate) fn shell(&self, arguments: &[&str]) -> (i32, String) {
        let done = command(&self.dir).args(arguments).output().unwrap();
        (done.status.code().unwrap_or(1), String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// Hands a mail with this subject in by LMTP; an error when it was not answered 250.
    pub(crate) fn deliver(&self, name: &str) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(self.address("lmtp"))?;
        stream.set_read_timeout(Some(START))?;
        let mut answers = BufReader::new(stream.try_clone()?);
        let mut say = |line: &str| -> std::io::Result<()> {
            stream.write_all(line.as_bytes())?;
            loop {
                let mut answer = String::new();
                if answers.read_line(&mut answer)? == 0 || !answer.starts_with(['2', '3']) {
                    return Err(std::io::Error::other(answer));
                }
                if answer.as_bytes().get(3) != Some(&b'-') {
                    return Ok(());
                }
            }
        };
        say("")?;
        say("LHLO test\r\n")?;
        say("MAIL FROM:<bob@elsewhere.org>\r\n")?;
        say("RCPT TO:<ann@example.org>\r\n")?;
        say("DATA\r\n")?;
        say(&format!(
            "From: bob@elsewhere.org\r\nTo: ann@example.org\r\nSubject: {name}\r\n\
             Message-ID: <{name}@example.org>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\r\nThe words of {name}.\r\n.\r\n"
        ))
    }

    /// Kills the process after a while, unless the story is over by then.
    pub(crate) fn killer(&self, after: Duration, over: Arc<AtomicBool>) -> JoinHandle<()> {
        let process = self.process.clone();
        std::thread::spawn(move || {
            std::thread::sleep(after);
            if !over.load(Ordering::SeqCst) {
                // It may have ended by itself; then there is nothing to kill.
                let _ = process.lock().unwrap().kill();
            }
        })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let mut process = self.process.lock().unwrap();
        let _ = process.kill();
        let _ = process.wait();
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);

fn command(dir: &tempfile::TempDir) -> Command {
    let mut command = Command::new(BINARY);
    command
        .current_dir(dir.path())
        .env("RETRACT_ADMIN_LISTEN", "127.0.0.1:0")
        .env("RETRACT_LMTP_LISTEN", "127.0.0.1:0")
        .env_remove("RETRACT_FAILPOINT")
        .stdin(Stdio::null());
    command
}

fn serve(dir: &tempfile::TempDir, relay: &Relay, failpoint: Option<&str>) -> Child {
    let _ = std::fs::remove_file(dir.path().join("data/addresses.json"));
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let log = std::fs::File::create(dir.path().join(format!("serve-{number}.log"))).unwrap();
    let mut command = command(dir);
    command
        .arg("serve")
        .env("RETRACT_RELAY_HOST", "127.0.0.1")
        .env("RETRACT_RELAY_PORT", relay.port.to_string())
        .env("RETRACT_RELAY_SECURITY", "plain")
        .stdout(Stdio::null())
        .stderr(log);
    if let Some(name) = failpoint {
        command.env("RETRACT_FAILPOINT", name);
    }
    command.spawn().unwrap()
}
