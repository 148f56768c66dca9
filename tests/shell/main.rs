//! The binary from end to end: an installation is made, serves, loses a mail to a recall and gets it back, and lives on in a backup.

// A test that finds something wrong is meant to panic.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

mod servers;

/// Delivers one mail, by the standard library of another language.
const DELIVER: &str = "
import smtplib, sys
host, port = sys.argv[1].rsplit(':', 1)
mail = b'From: ann@example.org\\r\\nTo: bob@example.org\\r\\nSubject: Salaries\\r\\n' \
       b'Message-ID: <m1@example.org>\\r\\nDate: Tue, 24 Nov 2026 08:00:00 +0000\\r\\n\\r\\nhello\\r\\n'
with smtplib.LMTP(host, int(port)) as lmtp:
    assert lmtp.sendmail('ann@example.org', ['bob@example.org'], mail) == {}
";

struct Shell {
    dir: tempfile::TempDir,
    data: PathBuf,
}

/// A server, killed when the test is over.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

impl Shell {
    fn new() -> Shell {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        Shell { dir, data }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retract"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("RETRACT_SERVER_DATA_DIR", &self.data)
            .env("RETRACT_LMTP_LISTEN", "127.0.0.1:0")
            .env("RETRACT_ADMIN_LISTEN", "127.0.0.1:0")
            .env_remove("RETRACT_CONFIG")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command that must end with this code; its standard output.
    fn run(&self, code: i32, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr));
        assert_eq!(status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        out
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let out = self.run(code, &[arguments, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{out}"))
    }

    /// Starts a server, and comes back when it says that it is ready.
    fn serve(&self) -> Server {
        let mut child = self.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let server = Server(child);
        let mut said = String::new();
        while !said.contains(" ready") {
            let length = said.len();
            log.read_line(&mut said).unwrap();
            assert!(said.len() > length, "the server ended:\n{said}");
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        server
    }

    fn address(&self, of: &str) -> String {
        let told = std::fs::read(self.data.join("addresses.json")).unwrap();
        let told: Value = serde_json::from_slice(&told).unwrap();
        told[of].as_str().unwrap().to_owned()
    }

    /// Subjects in the cache of a phone that syncs now.
    fn phone(&self) -> Vec<String> {
        let address = self.address("phones");
        let certificate = self.dir.path().join("data/cert.pem");
        let shown = self.json(
            0,
            &[
                "phone",
                &address,
                "--host",
                "localhost",
                "--insecure-certificate",
                path(&certificate),
                "--user",
                "bob",
                "--password-file",
                "pw",
                "--state",
                "phone.json",
                "sync",
                "show",
            ],
        );
        let folders = shown["folders"].as_array().unwrap().iter();
        let items = folders.flat_map(|folder| folder["items"].as_array().unwrap());
        items.map(|item| item["subject"].as_str().unwrap().to_owned()).collect()
    }

    fn deliver(&self) {
        let address = self.address("lmtp");
        let done = Command::new("python3").args(["-c", DELIVER, &address]).status().unwrap();
        assert!(done.success());
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn init(shell: &Shell) {
    let made = shell.json(
        0,
        &[
            "init",
            "--yes",
            "--hostname",
            "localhost",
            "--domain",
            "example.org",
            "--data-dir",
            path(&shell.data),
            "--listen",
            "127.0.0.1:0",
            "--first-user",
            "ann@example.org",
        ],
    );
    assert!(made["user"]["password"].as_str().unwrap().len() >= 16);
    // Nothing is overwritten.
    shell.run(4, &["init", "--yes"]);
    // Without a server the command does it itself.
    std::fs::write(shell.dir.path().join("pw"), "correct horse\n").unwrap();
    shell.run(0, &["user", "add", "bob", "--address", "bob@example.org", "--password-file", "pw"]);
    shell.run(4, &["user", "add", "bob", "--address", "bob@example.org"]);
}

#[test]
fn an_installation_from_beginning_to_backup() {
    let mut shell = Shell::new();
    init(&shell);
    let server = shell.serve();
    let tokens = shell.run(0, &["token", "create", "soc", "--role", "operator"]);
    assert!(tokens.starts_with("retract_"));
    shell.run(4, &["token", "create", "soc"]);
    shell.deliver();
    assert_eq!(shell.phone(), ["Salaries"]);
    assert_eq!(shell.json(0, &["device", "list"])["devices"][0]["user_name"], "bob");
    shell.run(4, &["device", "wipe", "1", "--scope", "full"]);

    let foreseen = shell.json(0, &["recall", "--message-id", "<m1@example.org>", "--dry-run"]);
    assert_eq!(foreseen["copies"], 1);
    assert_eq!(foreseen["devices_exposed"], 1);
    assert!(shell.json(0, &["orders"])["orders"].as_array().unwrap().is_empty());
    let recall = ["recall", "--message-id", "m1@example.org", "--reason", "wrong attachment"];
    // The device is not there to let go of it.
    let report = shell.json(3, &[&recall[..], &["--wait", "--timeout", "1"]].concat());
    assert_eq!(report["devices"][0]["state"], "queued");
    assert!(shell.phone().is_empty());
    let report = shell.json(0, &["coverage", "1"]);
    // Its state lies in a file: the second invocation was the same device, which took the Delete in and proved it.
    assert_eq!(report["devices"][0]["state"], "acknowledged");
    assert_eq!(shell.json(0, &["device", "list"])["devices"].as_array().unwrap().len(), 1);
    shell.run(1, &["coverage", "99"]);
    shell.run(2, &["recall", "--message-id", "m1@example.org"]);

    let report = shell.json(0, &["cancel", "1", "--wait"]);
    assert_eq!((&report["restored"], &report["to_restore"]), (&1.into(), &0.into()));
    assert_eq!(shell.json(0, &["orders"])["orders"][0]["state"], "cancelled");
    let typo = ["recall", "--message-id", "typo@example.org", "--reason", "mistyped", "--wait"];
    assert!(shell.json(5, &typo)["percent"].is_null(), "nothing has been taken back");
    assert_eq!(shell.phone(), ["Salaries"]);
    let verified = shell.json(0, &["audit", "verify"]);
    assert_eq!(verified["ok"], true);

    let backup = shell.dir.path().join("backup");
    shell.run(0, &["backup", path(&backup)]);
    drop(server);
    shell.data = shell.dir.path().join("restored");
    shell.run(0, &["restore", path(&backup)]);
    shell.run(1, &["restore", path(&backup)]);
    let _server = shell.serve();
    assert_eq!(shell.json(0, &["user", "list"])["users"].as_array().unwrap().len(), 2);
    assert_eq!(shell.json(0, &["audit", "verify"])["ok"], true);
    assert_eq!(shell.phone(), ["Salaries"]);
}

#[test]
fn without_an_installation_commands_say_so() {
    let shell = Shell::new();
    shell.run(1, &["orders"]);
    shell.run(2, &["no-such-command"]);
    shell.run(0, &["--help"]);
}

#[test]
fn the_doctor_and_the_rules_of_policies() {
    let shell = Shell::new();
    init(&shell);
    let _server = shell.serve();
    let address = shell.address("phones").replace("127.0.0.1", "localhost");
    let certificate = shell.dir.path().join("data/cert.pem");
    let doctor = |code, given: &[&str]| {
        // Nobody answers for the DNS here, and an owner who types the server by hand gets by.
        let usual = ["doctor", "bob@example.org", "--user", "bob", "--resolver", "127.0.0.1:9"];
        let where_to = ["--server", &address, "--insecure-certificate", path(&certificate)];
        shell.json(code, &[&usual[..], &where_to, given].concat())
    };
    let report = doctor(0, &["--password-file", "pw"]);
    assert_eq!(report["well"], true);
    let of = |report: &Value, check: &str| {
        let checks = report["checks"].as_array().unwrap().iter();
        let found = checks.rev().find(|one| one["check"] == check);
        found.unwrap_or_else(|| panic!("no {check} in {report}"))["outcome"].clone()
    };
    assert_eq!((of(&report, "dns"), of(&report, "sync")), ("warning".into(), "ok".into()));
    std::fs::write(shell.dir.path().join("wrong"), "wrong horse\n").unwrap();
    let report = doctor(6, &["--password-file", "wrong"]);
    assert_eq!((&report["well"], of(&report, "sign-in")), (&false.into(), "BAD".into()));
    shell.run(2, &["doctor", "bob"]);

    let rules = "[groups]\nboard = [\"bob\"]\n[[rule]]\ngroup = \"board\"\npolicy = \"strict\"\n";
    std::fs::write(shell.dir.path().join("rules.toml"), rules).unwrap();
    shell.run(1, &["policy", "rules", "--file", "rules.toml"]);
    shell.run(0, &["policy", "put", "strict", "--rule", "password_required=true"]);
    shell.run(0, &["policy", "rules", "--file", "rules.toml"]);
    assert_eq!(shell.json(0, &["policy", "rules"])["rule"][0]["policy"], "strict");
    let device = &shell.json(0, &["device", "list"])["devices"][0];
    assert_eq!((&device["user_name"], &device["policy"]), (&"bob".into(), &"strict".into()));
}

#[test]
fn users_come_from_a_file() {
    let shell = Shell::new();
    init(&shell);
    // Nothing comes from elsewhere yet.
    shell.run(2, &["directory", "sync"]);
    let (config, file) = (shell.dir.path().join("retract.toml"), shell.dir.path().join("u.csv"));
    let section = "\n[directory]\nsource = \"csv\"\ncsv_file = \"u.csv\"\n";
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}{section}")).unwrap();
    let lines = "name,address,groups\nbob,bob@example.org,staff\ncas,cas@example.org,staff\n\
        dan,dan@example.org,\n";
    std::fs::write(&file, lines).unwrap();
    let foreseen = shell.json(0, &["directory", "check"]);
    assert_eq!((&foreseen["added"], &foreseen["changed"]), (&2.into(), &1.into()));
    assert_eq!(shell.json(0, &["user", "list"])["users"].as_array().unwrap().len(), 2);
    let taken = shell.run(0, &["directory", "sync"]);
    assert!(taken.contains("new 2, changed 1, shut out 0"), "{taken}");
    let staff = shell.json(0, &["directory", "show", "--group", "staff"]);
    assert_eq!(staff["members"].as_array().unwrap().len(), 2);
    assert!(shell.run(0, &["directory", "show", "--groups"]).contains("staff"));
    shell.run(4, &["user", "alias", "bob", "b@example.org"]);
    shell.run(0, &["user", "alias", "ann", "a@example.org"]);
    // What is wrong is said, and what was known stays.
    std::fs::write(&file, "name,address\nbob,nowhere\n").unwrap();
    shell.run(4, &["directory", "sync"]);
    let shown = shell.run(0, &["directory", "show"]);
    assert!(
        shown.contains("3 of them, 0 gone") && shown.contains("line 2, column address"),
        "{shown}"
    );
    // All gone at once is nothing to believe without a word.
    std::fs::write(&file, "name,address\n").unwrap();
    shell.run(4, &["directory", "sync"]);
    assert!(!shell.run(0, &["user", "list"]).contains("gone"));
    shell.run(0, &["directory", "sync", "--confirm"]);
    assert!(shell.run(0, &["user", "list"]).contains("gone"));
    shell.run(4, &["user", "enable", "bob"]);
}
