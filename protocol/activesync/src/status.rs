//! Status values: what a server says about a request, a collection or an item.
//!
//! A [`Status`] is the number on the wire; each command's meanings are constants in a module of its
//! own (`status::sync::INVALID_SYNC_KEY`), because the same number means different things in
//! different commands. Numbers from 101 mean the same everywhere and are in [`common`].

use std::fmt;

mod tables;
pub use tables::*;

/// A status on the wire: 1 to 99 belong to a command, 101 and above to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u16);

impl Status {
    /// The first of the values every command shares ([MS-ASCMD] 2.2.2).
    pub const FIRST_COMMON: u16 = 101;

    /// Whether the value means the same in every command.
    pub fn is_common(self) -> bool {
        self.0 >= Self::FIRST_COMMON
    }

    /// The name of a common status, as [MS-ASCMD] 2.2.2 prints it.
    pub fn common_name(self) -> Option<&'static str> {
        name_in(common::NAMES, self)
    }

    /// The HTTP status that says the same to clients of 12.1 and older, which know no common
    /// statuses ([MS-ASCMD] 2.2.2). `None` where only a newer client can cause the status.
    pub fn http_below_14(self) -> Option<u16> {
        Some(match self.0 {
            101..=109 | 138 | 147 | 149 => 400,
            110 | 115..=122 | 134..=136 | 146 | 150..=154 => 500,
            111 | 114 | 133 => 503,
            112 | 123 | 125..=132 | 139 | 145 | 148 => 403,
            113 => 507,
            124 => 401,
            137 => 501,
            140..=144 => 449,
            _ => return None,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name a table such as [`sync::NAMES`] gives to `status`.
pub fn name_in(table: &[(Status, &'static str)], status: Status) -> Option<&'static str> {
    table.iter().find(|(value, _)| *value == status).map(|(_, name)| *name)
}

/// Makes one module of named statuses.
macro_rules! statuses {
    ($module:ident $command:literal {
        $($constant:ident $value:literal $name:literal $meaning:literal)*
    }) => {
        #[doc = concat!("Statuses of ", $command, " (", stringify!($module), ").")]
        pub mod $module {
            use crate::status::Status;
            $(
                #[doc = concat!("`", $name, "`: ", $meaning, ".")]
                pub const $constant: Status = Status($value);
            )*
            /// Every value of this module with its name, ascending.
            pub const NAMES: &[(Status, &str)] = &[$(($constant, $name)),*];
        }
    };
}
use statuses;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_names_of_the_specification() {
        assert_eq!(common::INVALID_WBXML.common_name(), Some("InvalidWBXML"));
        assert_eq!(name_in(sync::NAMES, Status(3)), Some("InvalidSyncKey"));
        assert_eq!(name_in(move_items::NAMES, Status(3)), Some("Success"));
        assert_eq!(Status(100).common_name(), None);
    }

    #[test]
    fn tables_ascend_and_only_common_values_are_common() {
        for table in [common::NAMES, sync::NAMES, item_operations::NAMES, ping::NAMES] {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
        assert!(common::NAMES.iter().all(|(status, _)| status.is_common()));
    }

    #[test]
    fn old_clients_hear_http() {
        assert_eq!(common::DEVICE_NOT_PROVISIONED.http_below_14(), Some(449));
        assert_eq!(common::MAILBOX_QUOTA_EXCEEDED.http_below_14(), Some(507));
        assert_eq!(common::COMMAND_NOT_SUPPORTED.http_below_14(), Some(501));
        assert_eq!(common::INVALID_RECIPIENTS.http_below_14(), None);
    }
}
