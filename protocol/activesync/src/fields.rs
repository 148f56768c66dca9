//! Structs whose fields are elements: one list that reads and writes.
//!
//! `fields!` makes a struct, its reader and its writer from one list of `field: type = TAG`, so
//! that the two directions cannot drift apart, and what the fuzz targets choose its values by. An `Option` is a child that may stand once, a `Vec`
//! one that may repeat, a `bool` an empty tag; on input any order is taken, on output the order of
//! the list is kept.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use wbxml::Tag;

use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::status::Status;
use crate::types::{
    Base64, ByteRange, ClassName, ClientId, CollectionId, CompactDateTime, DateTime, FileReference,
    InstanceText, LongId, RangeText, RecipientText, SearchId, Secret, ServerId, SyncKey,
};

/// A value that is one element: a leaf, or a container with fields.
pub(crate) trait Element: Sized {
    /// Consumes the element entered last.
    fn read(cursor: &mut Cursor<'_>) -> Result<Self>;
    /// Writes the element as `tag`.
    fn write(&self, encoder: &mut Encoder, tag: Tag);
}

/// A field of a struct: how often its element may stand.
pub(crate) trait Field {
    /// Consumes the element entered last into the field.
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()>;
    /// Writes the field's elements, as `tag`.
    fn write(&self, encoder: &mut Encoder, tag: Tag);
}

impl<T: Element> Field for Option<T> {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.once(self, T::read)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        if let Some(value) = self {
            value.write(encoder, tag);
        }
    }
}

impl<T: Element> Field for Vec<T> {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        self.push(T::read(cursor)?);
        Ok(())
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        for value in self {
            value.write(encoder, tag);
        }
    }
}

impl Field for bool {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.flag(self)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.flag(tag, *self);
    }
}

impl<T: Element> Element for Box<T> {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        T::read(cursor).map(Box::new)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        (**self).write(encoder, tag);
    }
}

/// Text for people; see [`Cursor::text_lossy`].
impl Element for String {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.text_lossy()
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.text(tag, self);
    }
}

impl Element for bool {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.boolean()
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.boolean(tag, *self);
    }
}

impl Element for Vec<u8> {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.bytes().map(Into::into)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.opaque(tag, self);
    }
}

impl Element for DateTime {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.time()
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.time(tag, *self);
    }
}

impl Element for CompactDateTime {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.time().map(Self)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.compact_time(tag, self.0);
    }
}

impl Element for Status {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.number().map(Status)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.number(tag, self.0);
    }
}

impl Element for ByteRange {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.value()
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.text(tag, self.to_string());
    }
}

impl Element for Base64 {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let octets = BASE64.decode(cursor.bytes()?.trim_ascii());
        octets.map(Self).map_err(|_| cursor.problem(Problem::Value))
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.text(tag, BASE64.encode(&self.0));
    }
}

impl Element for Secret {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.text_lossy().map(Self::new)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.text(tag, self.reveal());
    }
}

macro_rules! numbers {
    ($($type:ty)*) => {
        $(impl Element for $type {
            fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
                cursor.number()
            }

            fn write(&self, encoder: &mut Encoder, tag: Tag) {
                encoder.number(tag, *self);
            }
        })*
    };
}

numbers! { u8 u16 u32 i32 i64 }

macro_rules! texts {
    ($($type:ty)*) => {
        $(impl Element for $type {
            fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
                cursor.value()
            }

            fn write(&self, encoder: &mut Encoder, tag: Tag) {
                encoder.text(tag, self);
            }
        })*
    };
}

texts! {
    SyncKey ServerId CollectionId ClientId LongId FileReference RangeText ClassName InstanceText RecipientText SearchId
}

/// Makes an enum whose values are numbers on the wire.
macro_rules! number_enum {
    (
        $(#[$doc:meta])*
        pub enum $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $number,)*
        }

        impl $name {
            /// The value a number stands for.
            pub fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl $crate::check::Arbitrary for $name {
            fn arbitrary(tape: &mut $crate::check::Tape<'_>) -> Self {
                *tape.pick(&[$(Self::$variant),*])
            }
        }

        impl $crate::fields::Element for $name {
            fn read(cursor: &mut $crate::element::Cursor<'_>) -> $crate::element::Result<Self> {
                let number = cursor.number()?;
                let value = Self::from_number(number);
                value.ok_or_else(|| cursor.problem($crate::error::Problem::Value))
            }

            fn write(&self, encoder: &mut $crate::encoder::Encoder, tag: wbxml::Tag) {
                encoder.number(tag, *self as u8);
            }
        }
    };
}
pub(crate) use number_enum;

/// Makes a struct of elements; see the head of the file.
macro_rules! fields {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $tag:path,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $name {
            /// Reads the child entered last; says whether it is one of ours.
            pub(crate) fn read_child(
                &mut self,
                cursor: &mut $crate::element::Cursor<'_>,
                tag: wbxml::Tag,
            ) -> $crate::element::Result<bool> {
                match tag {
                    $($tag => $crate::fields::Field::read(&mut self.$field, cursor)?,)*
                    _ => return Ok(false),
                }
                Ok(true)
            }

            /// Writes the fields, in the order of the list.
            pub(crate) fn write_children(&self, encoder: &mut $crate::encoder::Encoder) {
                $($crate::fields::Field::write(&self.$field, encoder, $tag);)*
            }
        }

        impl $crate::check::Arbitrary for $name {
            fn arbitrary(tape: &mut $crate::check::Tape<'_>) -> Self {
                Self { $($field: tape.of($tag),)* }
            }
        }

        impl $crate::fields::Element for $name {
            fn read(cursor: &mut $crate::element::Cursor<'_>) -> $crate::element::Result<Self> {
                let mut value = Self::default();
                while let Some(tag) = cursor.next_child()? {
                    if !value.read_child(cursor, tag)? {
                        return cursor.misplaced();
                    }
                }
                Ok(value)
            }

            fn write(&self, encoder: &mut $crate::encoder::Encoder, tag: wbxml::Tag) {
                encoder.container(tag, |encoder| self.write_children(encoder));
            }
        }
    };
}
pub(crate) use fields;
