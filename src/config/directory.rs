//! `[directory]`, `[ldap]` and `[imap]`: where users come from, who verifies their passwords, and the servers that are asked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Security;
use crate::directory::Attributes;
use crate::secret::Secret;

/// `[directory]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Directory {
    /// Where users come from besides administrators.
    pub source: Source,
    /// The file they come from.
    pub csv_file: Option<PathBuf>,
    /// How often the source is looked at, in minutes; a file besides whenever it changes.
    pub refresh_min: u32,
    /// The share of users, in percent, that may be gone from the source at once without anybody's word.
    pub gone_percent_max: u8,
    /// Who verifies passwords.
    pub sign_in: SignIn,
    /// How long a verified password is believed without asking again, in minutes; of passwords that are verified elsewhere.
    pub remember_min: u32,
    /// How long a wrong one is called wrong without asking again, in minutes.
    pub remember_wrong_min: u32,
    /// How long a verified one is believed while nobody can be asked, in hours.
    pub remember_while_down_h: u32,
    /// What users are called at the IMAP server.
    pub imap_login: ImapLogin,
    /// Whether somebody unknown whom the IMAP server lets in becomes a user.
    pub make_users: bool,
    /// Whether phones may send tokens instead of passwords; the IMAP server verifies them.
    pub bearer: bool,
    /// Where apps find who gives tokens.
    pub bearer_authority: Option<String>,
}

impl Default for Directory {
    fn default() -> Directory {
        Directory {
            source: Source::default(),
            csv_file: None,
            refresh_min: 15,
            gone_percent_max: 10,
            sign_in: SignIn::default(),
            remember_min: 15,
            remember_wrong_min: 30,
            remember_while_down_h: 8,
            imap_login: ImapLogin::default(),
            make_users: true,
            bearer: false,
            bearer_authority: None,
        }
    }
}

/// Where users come from besides administrators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// From nowhere else.
    #[default]
    Local,
    /// A CSV file.
    Csv,
    /// A directory server.
    Ldap,
}

/// Who verifies passwords.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignIn {
    /// We do.
    #[default]
    Local,
    /// A directory server.
    Ldap,
    /// An IMAP server.
    Imap,
}

/// What users are called at the IMAP server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImapLogin {
    /// By the name they sign in with here.
    #[default]
    Name,
    /// By their address.
    Address,
}

/// `[ldap]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ldap {
    /// The directory server.
    pub host: Option<String>,
    /// Its port; 636 with TLS, 389 else where none is given.
    pub port: Option<u16>,
    /// How the connection is secured.
    pub security: Security,
    /// PEM file of the authorities whose certificates it may have; those of the system where none is given.
    pub roots: Option<PathBuf>,
    /// The DN we bind with to look; anonymously where there is none.
    pub bind_dn: Option<String>,
    /// Its password; better a file.
    pub bind_password: Option<Secret>,
    /// A file that holds the password.
    pub bind_password_file: Option<PathBuf>,
    /// The entry below which people are.
    pub base: String,
    /// The filter of people.
    pub users_filter: String,
    /// The entry below which groups are; that of people where none is given.
    pub groups_base: Option<String>,
    /// The filter of groups; empty for no groups.
    pub groups_filter: String,
    /// The name of the group whose members may administer here.
    pub admins_group: Option<String>,
    /// How long a sign-in may take, in seconds.
    pub sign_in_s_max: u32,
    /// How long a look at everybody may take, in seconds.
    pub look_s_max: u32,
    /// Entries of a page.
    pub page_entries: u16,
    /// What a person signs in with; of each list the first attribute that an entry has.
    pub name_attributes: Vec<String>,
    /// Their own address, and that of a group.
    pub address_attributes: Vec<String>,
    /// What others see of a person or group.
    pub display_name_attributes: Vec<String>,
    /// Other addresses, of all attributes named.
    pub alias_attributes: Vec<String>,
    /// The given name.
    pub first_name_attributes: Vec<String>,
    /// The family name.
    pub last_name_attributes: Vec<String>,
    /// The telephone at work.
    pub phone_attributes: Vec<String>,
    /// The mobile telephone.
    pub mobile_phone_attributes: Vec<String>,
    /// The telephone at home.
    pub home_phone_attributes: Vec<String>,
    /// The title.
    pub title_attributes: Vec<String>,
    /// The company.
    pub company_attributes: Vec<String>,
    /// Where the office is.
    pub office_attributes: Vec<String>,
    /// The name of a group.
    pub group_name_attributes: Vec<String>,
    /// Its members, of all attributes named: by DN, or by what they sign in with.
    pub member_attributes: Vec<String>,
}

impl Default for Ldap {
    fn default() -> Ldap {
        let usual = Attributes::default();
        Ldap {
            host: None,
            port: None,
            security: Security::default(),
            roots: None,
            bind_dn: None,
            bind_password: None,
            bind_password_file: None,
            base: String::new(),
            users_filter: "(&(|(objectClass=inetOrgPerson)(objectClass=user))(mail=*))".to_owned(),
            groups_base: None,
            groups_filter: "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)\
                (objectClass=posixGroup)(objectClass=group))"
                .to_owned(),
            admins_group: None,
            sign_in_s_max: 10,
            look_s_max: 120,
            page_entries: 500,
            name_attributes: usual.name,
            address_attributes: usual.address,
            display_name_attributes: usual.display_name,
            alias_attributes: usual.aliases,
            first_name_attributes: usual.first_name,
            last_name_attributes: usual.last_name,
            phone_attributes: usual.phone,
            mobile_phone_attributes: usual.mobile_phone,
            home_phone_attributes: usual.home_phone,
            title_attributes: usual.title,
            company_attributes: usual.company,
            office_attributes: usual.office,
            group_name_attributes: usual.group_name,
            member_attributes: usual.members,
        }
    }
}

impl Ldap {
    /// What the attributes of entries mean.
    pub fn attributes(&self) -> Attributes {
        Attributes {
            name: self.name_attributes.clone(),
            address: self.address_attributes.clone(),
            display_name: self.display_name_attributes.clone(),
            aliases: self.alias_attributes.clone(),
            first_name: self.first_name_attributes.clone(),
            last_name: self.last_name_attributes.clone(),
            phone: self.phone_attributes.clone(),
            mobile_phone: self.mobile_phone_attributes.clone(),
            home_phone: self.home_phone_attributes.clone(),
            title: self.title_attributes.clone(),
            company: self.company_attributes.clone(),
            office: self.office_attributes.clone(),
            group_name: self.group_name_attributes.clone(),
            members: self.member_attributes.clone(),
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.host.is_none() || self.base.trim().is_empty() {
            return Err("ldap: host and base must be given".to_owned());
        }
        if self.bind_password.is_some() && self.bind_password_file.is_some() {
            return Err("ldap: either bind_password or bind_password_file".to_owned());
        }
        let has_password = self.bind_password.is_some() || self.bind_password_file.is_some();
        if self.bind_dn.is_some() != has_password {
            return Err("ldap: bind_dn and its password go together".to_owned());
        }
        if self.name_attributes.is_empty() || self.address_attributes.is_empty() {
            return Err("ldap: name_attributes and address_attributes name one at least".to_owned());
        }
        let lists = self.attributes();
        let named = lists.name.iter().chain(&lists.address).chain(&lists.members);
        let is_name = |name: &String| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-.;".contains(c))
        };
        if let Some(wrong) = named.into_iter().find(|name| !is_name(name)) {
            return Err(format!("ldap: {wrong:?} is no name of an attribute"));
        }
        if self.sign_in_s_max == 0 || self.look_s_max == 0 || self.page_entries == 0 {
            return Err(
                "ldap: sign_in_s_max, look_s_max and page_entries are at least 1".to_owned()
            );
        }
        Ok(())
    }
}

/// `[imap]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Imap {
    /// The IMAP server.
    pub host: Option<String>,
    /// Its port; 993 with TLS, 143 else where none is given.
    pub port: Option<u16>,
    /// How the connection is secured.
    pub security: Security,
    /// PEM file of the authorities whose certificates it may have; those of the system where none is given.
    pub roots: Option<PathBuf>,
}

impl Imap {
    /// Whether the server is reached without leaving this host.
    pub(super) fn is_here(&self) -> bool {
        let host = self.host.as_deref().unwrap_or("localhost");
        let is_loopback = |address: std::net::IpAddr| address.is_loopback();
        host == "localhost" || host.parse().is_ok_and(is_loopback)
    }
}

/// Whether the three make sense together.
pub(super) fn check(directory: &Directory, ldap: &Ldap, imap: &Imap) -> Result<(), String> {
    if directory.source == Source::Csv && directory.csv_file.is_none() {
        return Err("directory: source = \"csv\" needs csv_file".to_owned());
    }
    if directory.source == Source::Ldap || directory.sign_in == SignIn::Ldap {
        ldap.check()?;
    }
    if directory.sign_in == SignIn::Imap && imap.host.is_none() {
        return Err("directory: sign_in = \"imap\" needs [imap] host".to_owned());
    }
    if directory.bearer && directory.sign_in != SignIn::Imap {
        return Err(
            "directory: bearer needs sign_in = \"imap\": nobody else verifies tokens".to_owned()
        );
    }
    if directory.source == Source::Ldap && directory.sign_in == SignIn::Local {
        let words = "directory: users of source = \"ldap\" have no password here; sign_in is \"ldap\" or \"imap\"";
        return Err(words.to_owned());
    }
    if directory.refresh_min == 0 || directory.gone_percent_max > 100 {
        return Err("directory: refresh_min is at least 1, gone_percent_max at most 100".to_owned());
    }
    Ok(())
}
