//! Who the user is: addresses and accounts ([MS-ASCMD] 2.2.3.192).
//!
//! Until 14.0 there are only addresses, since 14.1 they belong to accounts.

use wbxml::Tag;

use crate::code_pages::settings::*;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::{Element, Field, fields};
use crate::version::ProtocolVersion;

/// The accounts of the user; until 14.0 one account, with nothing but its addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInformation {
    /// The accounts, the one that is signed in first.
    pub accounts: Vec<Account>,
}

fields! {
    /// One account.
    pub struct Account {
        /// Its id; the account that is signed in has none.
        account_id: Option<String> = ACCOUNT_ID,
        /// Its name.
        account_name: Option<String> = ACCOUNT_NAME,
        /// The user's name in it.
        user_display_name: Option<String> = USER_DISPLAY_NAME,
        /// Whether no mail may be sent from it.
        send_disabled: Option<bool> = SEND_DISABLED,
        /// Its addresses.
        email_addresses: Option<EmailAddresses> = EMAIL_ADDRESSES,
    }
}

fields! {
    /// Addresses of one account.
    pub struct EmailAddresses {
        /// All of them.
        smtp_addresses: Vec<String> = SMTP_ADDRESS,
        /// The one mail is sent from; since 14.1.
        primary_smtp_address: Option<String> = PRIMARY_SMTP_ADDRESS,
    }
}

impl Element for UserInformation {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let has_accounts = cursor.version() >= ProtocolVersion::V14_1;
        let (mut accounts, mut email_addresses) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                ACCOUNTS => cursor.once(&mut accounts, read_accounts)?,
                EMAIL_ADDRESSES if !has_accounts => Field::read(&mut email_addresses, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        if email_addresses.is_some() {
            return Ok(Self { accounts: vec![Account { email_addresses, ..Account::default() }] });
        }
        Ok(Self { accounts: accounts.unwrap_or_default() })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        let has_accounts = encoder.version() >= ProtocolVersion::V14_1;
        encoder.container(tag, |encoder| {
            if has_accounts {
                encoder.container(ACCOUNTS, |encoder| self.accounts.write(encoder, ACCOUNT));
            } else {
                self.write_addresses(encoder);
            }
        });
    }
}

impl UserInformation {
    /// Writes the addresses of all accounts as if they were one.
    fn write_addresses(&self, encoder: &mut Encoder) {
        let addresses = self.accounts.iter().filter_map(|account| account.email_addresses.as_ref());
        encoder.container(EMAIL_ADDRESSES, |encoder| {
            for address in addresses.flat_map(|addresses| &addresses.smtp_addresses) {
                encoder.text(SMTP_ADDRESS, address);
            }
        });
    }
}

fn read_accounts(cursor: &mut Cursor<'_>) -> Result<Vec<Account>> {
    let mut accounts = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        match tag {
            ACCOUNT => Field::read(&mut accounts, cursor)?,
            _ => return cursor.misplaced(),
        }
    }
    Ok(accounts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back};
    use crate::command::settings::{Answer, Response};
    use crate::document::Document;
    use crate::status::settings;

    fn response(primary_smtp_address: Option<String>) -> Response {
        let smtp_addresses = vec!["anat@contoso.example".into(), "a.kerry@contoso.example".into()];
        let email_addresses = Some(EmailAddresses { smtp_addresses, primary_smtp_address });
        let account = Account { email_addresses, ..Account::default() };
        let get = Some(UserInformation { accounts: vec![account] });
        let answers = vec![Answer::UserInformation { status: settings::SUCCESS, get }];
        Response { status: settings::SUCCESS, answers }
    }

    #[test]
    fn accounts_are_a_known_answer() {
        both_ways("46", ProtocolVersion::V14_1, response(Some("anat@contoso.example".into())));
    }

    #[test]
    fn older_versions_have_addresses_without_accounts() {
        let octets = comes_back(ProtocolVersion::V14_0, &response(None));
        let primary = response(Some("anat@contoso.example".into()));
        assert_eq!(primary.encode(ProtocolVersion::V14_0), octets);
        assert!(Response::decode(ProtocolVersion::V14_1, &octets).is_err());
    }
}
