//! What `retract init` is told or asks about the servers that are there already, and the sections it writes of them.
//!
//! Passwords are named by their files; none is asked for in the clear, and none is written.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Failure, question_on_terminal};
use crate::cli::doctor::servers::Trial;
use crate::cli::phone::place;

#[derive(Debug, clap::Args)]
pub(super) struct ServerArgs {
    /// The IMAP server people's mail is on; "none" keeps mail in the data directory.
    #[arg(long, value_name = "HOST[:PORT]")]
    imap: Option<String>,
    /// How its line is secured; by its port where nothing is said (143: STARTTLS, else TLS).
    #[arg(long, value_parser = SECURITIES)]
    imap_security: Option<String>,
    /// PEM file of the authorities its certificate may come from, instead of the system's.
    #[arg(long, value_name = "FILE")]
    imap_roots: Option<PathBuf>,
    /// The SMTP server that takes what phones send; "none" for none.
    #[arg(long, value_name = "HOST[:PORT]")]
    smtp: Option<String>,
    /// How its line is secured; by its port where nothing is said (465: TLS, else STARTTLS).
    #[arg(long, value_parser = SECURITIES)]
    smtp_security: Option<String>,
    /// PEM file of an authority its certificate may come from, besides the system's.
    #[arg(long, value_name = "FILE")]
    smtp_authority: Option<PathBuf>,
    /// As whom mail is handed over: as the user whose mail it is (usual in front of an IMAP server), as one for all, or as nobody.
    #[arg(long, value_parser = ["user", "service", "none"])]
    smtp_credentials: Option<String>,
    /// The one user for all, with --smtp-credentials service.
    #[arg(long, value_name = "NAME", requires = "smtp_password_file")]
    smtp_user: Option<String>,
    /// A file with that user's password.
    #[arg(long, value_name = "FILE", requires = "smtp_user")]
    smtp_password_file: Option<PathBuf>,
    /// A user of the IMAP server who may open every mailbox, so that recall reaches those whose owner is not connected.
    #[arg(long, value_name = "NAME", requires = "master_password_file")]
    master_user: Option<String>,
    /// A file with that user's password.
    #[arg(long, value_name = "FILE", requires = "master_user")]
    master_password_file: Option<PathBuf>,
    /// How the server is told for whom: in the name (Dovecot) or as the SASL authorisation identity (Cyrus).
    #[arg(long, value_parser = ["separator", "authorization_id"])]
    master_style: Option<String>,
    #[command(flatten)]
    pub(super) trial: Trial,
    /// Writes the file even where a server cannot be used.
    #[arg(long)]
    anyway: bool,
}

const SECURITIES: [&str; 3] = ["tls", "starttls", "plain"];
const STYLES: [&str; 2] = ["separator", "authorization_id"];

/// What is settled.
#[derive(Debug, Default)]
pub(super) struct Servers {
    imap: Option<Server>,
    smtp: Option<Server>,
    master: Option<(String, PathBuf, String)>,
    submission: Option<(String, PathBuf)>,
    credentials: &'static str,
    /// Whether users are called by their addresses there.
    by_address: bool,
}

#[derive(Debug)]
struct Server {
    host: String,
    port: u16,
    security: String,
    authorities: Option<PathBuf>,
}

impl ServerArgs {
    /// Asks what was not given.
    pub(super) fn ask(&mut self) -> Result<(), Failure> {
        let optional = |given: &mut Option<String>, question: &str, usual: &str| {
            if given.is_none() {
                *given = Some(question_on_terminal(question, usual)?);
            }
            Ok::<bool, Failure>(given.as_deref().is_some_and(|answer| answer != NONE))
        };
        let has_imap = optional(&mut self.imap, "The IMAP server people's mail is on", NONE)?;
        if has_imap {
            let usual = usual_security(self.imap.as_deref(), "143", "starttls", "tls");
            optional(&mut self.imap_security, "Its security: tls, starttls or plain", usual)?;
            let master = "A master user there, so that recall reaches everybody's mailbox";
            if optional(&mut self.master_user, master, NONE)? {
                file(&mut self.master_password_file, "A file with the master user's password")?;
                let style = "How the server is told for whom: separator or authorization_id";
                optional(&mut self.master_style, style, STYLES[0])?;
            }
        }
        if optional(&mut self.smtp, "The SMTP server that takes what phones send", NONE)? {
            let usual = usual_security(self.smtp.as_deref(), "465", "tls", "starttls");
            optional(&mut self.smtp_security, "Its security: tls, starttls or plain", usual)?;
            let usual = if has_imap { "user" } else { NONE };
            let whose = "As whom mail is handed over: user or none";
            if self.smtp_user.is_none() {
                optional(&mut self.smtp_credentials, whose, usual)?;
            }
        }
        if has_imap && optional(&mut self.trial.try_user, "A user to try the servers with", NONE)? {
            file(&mut self.trial.try_password_file, "A file with that user's password")?;
        }
        Ok(())
    }

    /// What was given and asked, made sense of.
    pub(super) fn settled(&mut self) -> Result<Servers, Failure> {
        for one in [&mut self.imap, &mut self.smtp, &mut self.master_user, &mut self.trial.try_user]
        {
            one.take_if(|answer| answer == NONE);
        }
        let usual = usual_security(self.imap.as_deref(), "143", "starttls", "tls");
        let imap =
            server(&self.imap, &self.imap_security, usual, &self.imap_roots, [993, 143, 143])?;
        let usual = usual_security(self.smtp.as_deref(), "465", "tls", "starttls");
        let smtp =
            server(&self.smtp, &self.smtp_security, usual, &self.smtp_authority, [465, 587, 25])?;
        if imap.is_none() && self.master_user.is_some() {
            return Err(Failure::Usage("--master-user goes with --imap".to_owned()));
        }
        let style = self.master_style.clone().unwrap_or_else(|| STYLES[0].to_owned());
        one_of(&style, &STYLES)?;
        let absolute = |path: &Path| std::path::absolute(path);
        let master = self.master_user.clone().zip(self.master_password_file.as_deref());
        let master = master.map(|(user, path)| Ok::<_, Failure>((user, absolute(path)?, style)));
        let submission = self.smtp_user.clone().zip(self.smtp_password_file.as_deref());
        let submission = submission.map(|(user, path)| Ok::<_, Failure>((user, absolute(path)?)));
        let credentials = match (self.smtp_credentials.as_deref(), &submission) {
            (Some("service"), None) => {
                let words = "--smtp-credentials service goes with --smtp-user";
                return Err(Failure::Usage(words.to_owned()));
            }
            (Some("user"), _) => "user",
            (Some(NONE), _) => NONE,
            (_, Some(_)) => "service",
            _ if imap.is_some() => "user",
            _ => NONE,
        };
        Ok(Servers {
            imap,
            smtp,
            master: master.transpose()?,
            submission: submission.transpose()?,
            credentials,
            by_address: self.trial.try_user.as_ref().is_some_and(|user| user.contains('@')),
        })
    }

    /// Whether the file is to be written although a server cannot be used.
    pub(super) fn goes_on_anyway(&self, asks: bool) -> Result<bool, Failure> {
        if self.anyway || !asks {
            return Ok(self.anyway);
        }
        Ok(question_on_terminal("Write the file all the same? yes or no", "no")? == "yes")
    }
}

impl Servers {
    /// Whether there is anything to try.
    pub(super) fn is_any(&self) -> bool {
        self.imap.is_some() || self.smtp.is_some()
    }

    /// Whether mail lies on an IMAP server, which verifies passwords then.
    pub(super) fn is_imap(&self) -> bool {
        self.imap.is_some()
    }

    /// Their sections of the configuration.
    pub(super) fn sections(&self) -> String {
        let mut out = String::new();
        if let Some(imap) = &self.imap {
            let mut keys = vec![("backend", text("imap"))];
            if let Some((user, file, style)) = &self.master {
                keys.push(("access", text("master")));
                keys.push(("master_user", text(user)));
                keys.push(("master_password_file", path(file)));
                keys.push(("master_style", text(style)));
            }
            section(&mut out, "mailbox", &keys);
            section(&mut out, "imap", &imap.keys("roots"));
            let mut keys = vec![("sign_in", text("imap"))];
            if self.by_address {
                keys.push(("imap_login", text("address")));
            }
            section(&mut out, "directory", &keys);
        }
        if let Some(smtp) = &self.smtp {
            let mut keys = smtp.keys("authority");
            keys.push(("credentials", text(self.credentials)));
            if let (Some((user, file)), "service") = (&self.submission, self.credentials) {
                keys.push(("user", text(user)));
                keys.push(("password_file", path(file)));
            }
            section(&mut out, "relay", &keys);
        }
        out
    }
}

impl Server {
    fn keys(&self, authorities: &'static str) -> Vec<(&'static str, String)> {
        let mut keys = vec![
            ("host", text(&self.host)),
            ("port", self.port.to_string()),
            ("security", text(&self.security)),
        ];
        keys.extend(self.authorities.as_deref().map(|file| (authorities, path(file))));
        keys
    }
}

/// A server, if one is named; `ports` are the usual ones with TLS, with STARTTLS and in plain.
fn server(
    named: &Option<String>,
    security: &Option<String>,
    usual: &str,
    authorities: &Option<PathBuf>,
    ports: [u16; 3],
) -> Result<Option<Server>, Failure> {
    let Some(named) = named else { return Ok(None) };
    let security = security.clone().unwrap_or_else(|| usual.to_owned());
    let at = one_of(&security, &SECURITIES)?;
    let (host, port) = place(named, ports[at])?;
    if host.is_empty() {
        return Err(Failure::Usage(format!("{named:?} names no server")));
    }
    let authorities = authorities.as_deref().map(std::path::absolute).transpose()?;
    Ok(Some(Server { host, port, security, authorities }))
}

/// How a line is secured where nothing is said: one way at one port, the other at all others.
fn usual_security<'a>(named: Option<&str>, port: &str, there: &'a str, else_: &'a str) -> &'a str {
    let is_there = named.and_then(|named| named.rsplit_once(':')).is_some_and(|(_, p)| p == port);
    if is_there { there } else { else_ }
}

fn one_of(word: &str, words: &[&str]) -> Result<usize, Failure> {
    let at = words.iter().position(|one| *one == word);
    at.ok_or_else(|| Failure::Usage(format!("{word:?} is none of {}", words.join(", "))))
}

fn file(given: &mut Option<PathBuf>, question: &str) -> Result<(), Failure> {
    if given.is_none() {
        let answer = question_on_terminal(question, NONE)?;
        *given = Some(answer).filter(|answer| answer != NONE).map(PathBuf::from);
    }
    Ok(())
}

fn section(out: &mut String, name: &str, keys: &[(&str, String)]) {
    // Writing to a text never fails.
    let _fits = write!(out, "\n[{name}]\n");
    for (key, value) in keys {
        let _fits = writeln!(out, "{key} = {value}");
    }
}

fn text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn path(path: &Path) -> String {
    text(&path.display().to_string())
}

/// The answer that there is none.
const NONE: &str = "none";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::{Access, Backend, Config, ImapLogin, RelayCredentials, Security, SignIn};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ServerArgs,
    }

    fn settled(line: &str) -> Result<Servers, Failure> {
        let line = format!("x {line}");
        Line::try_parse_from(line.split_whitespace()).unwrap().args.settled()
    }

    fn written(line: &str) -> Config {
        let text = settled(line).unwrap().sections();
        Config::parse(&text, "test", std::iter::empty()).unwrap()
    }

    #[test]
    fn two_names_are_enough() {
        let config = written("--imap imap.x.example --smtp smtp.x.example --try-user ann");
        assert_eq!((config.mailbox.backend, config.mailbox.access), (Backend::Imap, Access::Owner));
        assert_eq!((config.imap.port, config.imap.security), (Some(993), Security::Tls));
        assert_eq!((config.relay.port, config.relay.security), (Some(587), Security::Starttls));
        assert_eq!(config.relay.credentials(), RelayCredentials::User);
        assert_eq!(config.directory.sign_in, SignIn::Imap);
        assert_eq!(config.directory.imap_login, ImapLogin::Name);
        let config = written("--imap [::1]:143 --smtp x:465 --try-user ann@x.example");
        assert_eq!((config.imap.host.as_deref(), config.imap.port), (Some("::1"), Some(143)));
        assert_eq!(
            (config.imap.security, config.relay.security),
            (Security::Starttls, Security::Tls)
        );
        assert_eq!(config.directory.imap_login, ImapLogin::Address);
    }

    #[test]
    fn without_servers_nothing_is_said_of_them() {
        for line in ["", "--imap none --smtp none"] {
            assert_eq!(settled(line).unwrap().sections(), "");
        }
        let config = written("--smtp localhost --smtp-security plain");
        assert_eq!((config.mailbox.backend, config.relay.port), (Backend::Embedded, Some(25)));
        assert_eq!(config.relay.credentials(), RelayCredentials::None);
    }

    #[test]
    fn passwords_stay_in_their_files() {
        let line = "--imap localhost --imap-security plain --master-user m --master-password-file /m \
            --master-style authorization_id --smtp x --smtp-user s --smtp-password-file /s";
        let config = written(line);
        assert_eq!(config.mailbox.access, Access::Master);
        assert_eq!(config.mailbox.master_password_file.as_deref(), Some(Path::new("/m")));
        assert!(config.mailbox.master_password.is_none() && config.relay.password.is_none());
        assert_eq!(config.relay.credentials(), RelayCredentials::Service);
        assert_eq!(config.relay.password_file.as_deref(), Some(Path::new("/s")));
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for line in [
            "--master-user m --master-password-file /m",
            "--imap x:none",
            "--imap :143",
            "--smtp x --smtp-credentials service",
        ] {
            assert!(matches!(settled(line), Err(Failure::Usage(_))), "{line}");
        }
        let text = settled("--imap imap.x.example --imap-security plain").unwrap().sections();
        let refused = Config::parse(&text, "test", std::iter::empty());
        assert!(refused.unwrap_err().to_string().contains("passwords go over TLS"));
    }
}
