//! What goes into a statement and comes out of a row: integers, text and bytes, and the id types that are integers.
//!
//! Ours rather than SQLite's, so that another database can stand in without a room noticing.

use std::borrow::Cow;

use super::Error;
use crate::clock::Timestamp;
use crate::ids::{
    CollectionNumber, DeviceId, FolderId, IdentityId, ItemNumber, MailboxId, OrderId, UserId,
};

/// One parameter of a statement; write `params![device, "text", &bytes[..]]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Param<'a> {
    /// NULL.
    Null,
    /// A BIGINT.
    Integer(i64),
    /// A TEXT.
    Text(Cow<'a, str>),
    /// A BLOB.
    Blob(Cow<'a, [u8]>),
}

/// One column of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column<'a> {
    /// NULL.
    Null,
    /// A BIGINT.
    Integer(i64),
    /// A TEXT.
    Text(&'a str),
    /// A BLOB.
    Blob(&'a [u8]),
}

/// A type that a column can be read as.
pub trait FromColumn: Sized {
    /// The value, or `None` when the column holds something else.
    fn from_column(column: Column<'_>) -> Option<Self>;
}

/// One row of an answer, valid while the closure that reads it runs.
pub struct Row<'r>(&'r rusqlite::Row<'r>);

/// The parameters of a statement, in the order of `?1`, `?2`, ...
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::database::Param::from($value)),*] as &[$crate::database::Param<'_>]
    };
}

impl<'r> Row<'r> {
    pub(super) fn new(row: &'r rusqlite::Row<'r>) -> Row<'r> {
        Row(row)
    }

    /// The column at `index`, from 0, in the order of the SELECT or RETURNING.
    pub fn get<T: FromColumn>(&self, index: usize) -> Result<T, Error> {
        use rusqlite::types::ValueRef;
        let wrong = Error::Column { index, wanted: std::any::type_name::<T>() };
        let column = match self.0.get_ref(index)? {
            ValueRef::Null => Column::Null,
            ValueRef::Integer(value) => Column::Integer(value),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Column::Text(text),
                Err(_) => return Err(wrong),
            },
            ValueRef::Blob(bytes) => Column::Blob(bytes),
            ValueRef::Real(_) => return Err(wrong),
        };
        T::from_column(column).ok_or(wrong)
    }
}

impl rusqlite::ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match self {
            Param::Null => ValueRef::Null,
            Param::Integer(value) => ValueRef::Integer(*value),
            Param::Text(text) => ValueRef::Text(text.as_bytes()),
            Param::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Integers that fit an i64 whole.
macro_rules! integers {
    ($($type:ty),*) => {$(
        impl From<$type> for Param<'_> {
            fn from(value: $type) -> Self {
                Param::Integer(i64::from(value))
            }
        }
        impl FromColumn for $type {
            fn from_column(column: Column<'_>) -> Option<Self> {
                match column {
                    Column::Integer(value) => <$type>::try_from(value).ok(),
                    _ => None,
                }
            }
        }
    )*};
}
integers!(i64, i32, i16, u32, u16, u8);

/// Unsigned 64-bit integers keep their bits; above `i64::MAX` their order in the database is not theirs.
macro_rules! unsigned {
    ($($type:ty),*) => {$(
        impl From<$type> for Param<'_> {
            fn from(value: $type) -> Self {
                Param::Integer((value as u64).cast_signed())
            }
        }
        impl FromColumn for $type {
            fn from_column(column: Column<'_>) -> Option<Self> {
                match column {
                    Column::Integer(value) => <$type>::try_from(value.cast_unsigned()).ok(),
                    _ => None,
                }
            }
        }
    )*};
}
unsigned!(u64, usize);

macro_rules! newtypes {
    ($($type:ident),*) => {$(
        impl From<$type> for Param<'_> {
            fn from(value: $type) -> Self {
                Param::from(value.0)
            }
        }
        impl From<&$type> for Param<'_> {
            fn from(value: &$type) -> Self {
                Param::from(value.0)
            }
        }
        impl FromColumn for $type {
            fn from_column(column: Column<'_>) -> Option<Self> {
                FromColumn::from_column(column).map($type)
            }
        }
    )*};
}
newtypes!(
    UserId,
    MailboxId,
    FolderId,
    DeviceId,
    OrderId,
    IdentityId,
    CollectionNumber,
    ItemNumber,
    Timestamp
);

impl From<bool> for Param<'_> {
    fn from(value: bool) -> Self {
        Param::Integer(i64::from(value))
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Param::Text(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a String> for Param<'a> {
    fn from(value: &'a String) -> Self {
        Param::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Param<'_> {
    fn from(value: String) -> Self {
        Param::Text(Cow::Owned(value))
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(value: &'a [u8]) -> Self {
        Param::Blob(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a Vec<u8>> for Param<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Param::Blob(Cow::Borrowed(value))
    }
}

impl From<Vec<u8>> for Param<'_> {
    fn from(value: Vec<u8>) -> Self {
        Param::Blob(Cow::Owned(value))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Param<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Param::Blob(Cow::Borrowed(value))
    }
}

impl<const N: usize> From<[u8; N]> for Param<'_> {
    fn from(value: [u8; N]) -> Self {
        Param::Blob(Cow::Owned(value.to_vec()))
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Param::Null, Into::into)
    }
}

impl FromColumn for bool {
    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Integer(0) => Some(false),
            Column::Integer(1) => Some(true),
            _ => None,
        }
    }
}

impl FromColumn for String {
    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Blob(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

impl<const N: usize> FromColumn for [u8; N] {
    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Blob(bytes) => bytes.try_into().ok(),
            _ => None,
        }
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Null => Some(None),
            other => T::from_column(other).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_its_column() {
        assert_eq!(params![DeviceId(5)], [Param::Integer(5)]);
        assert_eq!(params![None::<i64>, Some("x")], [Param::Null, Param::Text("x".into())]);
        assert_eq!(params![u64::MAX], [Param::Integer(-1)]);
        assert_eq!(u64::from_column(Column::Integer(-1)), Some(u64::MAX));
        assert_eq!(u32::from_column(Column::Integer(-1)), None);
        assert_eq!(bool::from_column(Column::Integer(2)), None);
        assert_eq!(<[u8; 2]>::from_column(Column::Blob(&[1, 2, 3])), None);
        assert_eq!(Option::<Timestamp>::from_column(Column::Null), Some(None));
    }
}
