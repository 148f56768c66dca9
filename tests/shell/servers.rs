//! `retract init` and `retract doctor --servers` before real IMAP servers, and before ones that are not what they should be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use super::{Shell, path};

#[path = "../../protocol/imap/tests/rig/mod.rs"]
mod rig;

/// An SMTP server that says what it can do and lets in whoever has the password of the rig; it takes no mail at all.
fn smtp() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            stream.write_all(b"220 relay\r\n").unwrap();
            for line in lines {
                let Ok(line) = line else { break };
                let reply = match line.split(' ').next().unwrap_or_default() {
                    "EHLO" => "250-relay\r\n250-SIZE 30000000\r\n250-8BITMIME\r\n250 AUTH PLAIN",
                    // \0anna\0pw
                    "AUTH" if line.ends_with("AGFubmEAcHc=") => "235 2.7.0 welcome",
                    "AUTH" => "535 5.7.8 wrong",
                    "QUIT" => "221 bye",
                    other => panic!("nothing is sent: {other}"),
                };
                if stream.write_all(format!("{reply}\r\n").as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    port
}

/// A server that takes connections and never says a word.
fn silent() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Until the client has had enough.
            let _ = stream.unwrap().read_to_end(&mut Vec::new());
        }
    });
    port
}

/// `init` in front of these servers, on this machine and without TLS.
fn init(shell: &Shell, code: i32, imap: u16, smtp: u16, more: &[&str]) -> Value {
    std::fs::write(shell.dir.path().join("mail-pw"), "pw\n").unwrap();
    let (imap, smtp) = (format!("127.0.0.1:{imap}"), format!("127.0.0.1:{smtp}"));
    let data = path(&shell.data);
    let usual = ["init", "--yes", "--domain", "example.org", "--data-dir", data];
    let servers = ["--imap", &imap, "--imap-security", "plain"];
    let relay = ["--smtp", &smtp, "--smtp-security", "plain", "--listen", "127.0.0.1:0"];
    shell.json(code, &[&usual[..], &servers, &relay, more].concat())
}

const ANNA: [&str; 4] = ["--try-user", "anna", "--try-password-file", "mail-pw"];

fn of<'a>(report: &'a Value, check: &str) -> (&'a str, &'a str) {
    let checks = report["checks"].as_array().unwrap().iter();
    let found = checks.rev().find(|one| one["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no {check} in {report:#}"));
    (found["outcome"].as_str().unwrap(), found["what"].as_str().unwrap())
}

#[test]
fn in_front_of_dovecot() {
    let Some(server) = rig::dovecot(true) else { return };
    let (shell, smtp) = (Shell::new(), smtp());
    let report = init(&shell, 0, server.port, smtp, &ANNA);
    assert_eq!(report["well"], true, "{report:#}");
    for check in ["imap-recall", "imap-looks", "imap-moves", "imap-keywords", "imap-uids"] {
        assert_eq!(of(&report, check).0, "ok", "{report:#}");
    }
    assert!(of(&report, "imap-folders").1.contains("Sent is \"Sent\", "), "{report:#}");
    assert_eq!(of(&report, "imap-access").0, "warning");
    assert_eq!((of(&report, "imap-tls").0, of(&report, "smtp-tls").0), ("ok", "ok"));
    assert_eq!(of(&report, "smtp-sign-in").0, "ok");
    assert_eq!(of(&report, "smtp-utf8").0, "warning");
    assert!(of(&report, "smtp-size").1.contains("30.0 MB"));
    let written = std::fs::read_to_string(shell.dir.path().join("retract.toml")).unwrap();
    assert!(written.contains("backend = \"imap\"") && written.contains("credentials = \"user\""));
    assert!(!written.contains("pw"), "{written}");
    // Nothing is overwritten, and the same is found again from the file alone.
    shell.run(4, &["init", "--yes"]);
    let again = shell.json(0, &[&["doctor", "--servers"], &ANNA[..]].concat());
    assert_eq!(again["checks"], report["checks"]);
    let said = shell.run(0, &[&["doctor", "--servers"], &ANNA[..]].concat());
    assert!(said.contains("The gateway can work with these servers."), "{said}");
    // A password that is wrong, at both.
    std::fs::write(shell.dir.path().join("mail-pw"), "wrong\n").unwrap();
    let report = shell.json(6, &[&["doctor", "--servers"], &ANNA[..]].concat());
    assert_eq!(of(&report, "imap-sign-in").0, "BAD");
    assert!(of(&report, "smtp-sign-in").1.contains("535"));
    // It works: a gateway starts on what was written.
    let _server = shell.serve();
}

#[test]
fn in_front_of_a_dovecot_without_extensions() {
    let Some(server) = rig::dovecot(false) else { return };
    let shell = Shell::new();
    let report = init(&shell, 0, server.port, smtp(), &ANNA);
    for check in ["imap-news", "imap-looks", "imap-moves"] {
        assert_eq!(of(&report, check).0, "warning", "{report:#}");
    }
    assert!(of(&report, "imap-news").1.contains("within 30 s"));
    // Nobody there is a master: nothing is written.
    let shell = Shell::new();
    let master = ["--master-user", "admin", "--master-password-file", "mail-pw"];
    let report = init(&shell, 6, server.port, smtp(), &[&master[..], &ANNA].concat());
    assert_eq!((of(&report, "imap-access").0, &report["config"]), ("BAD", &Value::Null));
    assert!(!shell.dir.path().join("retract.toml").exists());
}

#[test]
fn in_front_of_cyrus_as_its_admin() {
    let Some(server) = rig::cyrus() else { return };
    let shell = Shell::new();
    let master = ["--master-user", "admin", "--master-password-file", "mail-pw"];
    let how = ["--master-style", "authorization_id", "--try-other", "berta"];
    let more = [&master[..], &how, &ANNA].concat();
    let report = init(&shell, 0, server.port, smtp(), &more);
    let checks = report["checks"].as_array().unwrap();
    let opened =
        checks.iter().filter(|one| one["check"] == "imap-access" && one["outcome"] == "ok");
    assert_eq!(opened.count(), 2, "anna and berta: {report:#}");
    assert_eq!(of(&report, "imap-recall").0, "ok");
}

#[test]
fn servers_that_are_not_what_they_should_be() {
    let shell = Shell::new();
    // Nobody listens on the one, and the other never says a word.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let patience = ["--patience", "1"];
    let more = [&ANNA[..], &patience].concat();
    let report = init(&shell, 6, gone, silent(), &more);
    assert!(of(&report, "imap").1.contains("refused"), "{report:#}");
    assert!(of(&report, "smtp").1.contains("in time"), "{report:#}");
    let report = init(&shell, 6, silent(), gone, &more);
    assert_eq!(of(&report, "imap").0, "BAD");
    assert!(of(&report, "smtp").1.contains("refused"), "{report:#}");
    assert!(!shell.data.exists(), "nothing is made");
    // No password goes in the clear to another host, and nothing is even tried.
    let plain = ["init", "--yes", "--imap", "imap.a.example", "--imap-security", "plain"];
    shell.run(2, &plain);
    let said = shell.command(&plain).output().unwrap().stderr;
    assert!(String::from_utf8_lossy(&said).contains("passwords go over TLS"));
    // Who knows better has the file.
    let report = init(&shell, 0, gone, gone, &["--anyway", "--patience", "1"]);
    assert_eq!(report["well"], false);
    assert!(shell.dir.path().join("retract.toml").exists());
    let report = shell.json(6, &["doctor", "--servers"]);
    assert_eq!(of(&report, "imap-sign-in").0, "skipped");
}
