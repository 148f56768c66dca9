//! What an address list says of a person ([MS-ASCMD] 2.2.3.139): results of Search and of Find, and their pictures.

use wbxml::Tag;

use crate::code_pages::gal;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::{Field, fields};
use crate::status::Status;

fields! {
    /// One entry of the address list. What is not known of the person is left out.
    pub struct GalEntry {
        /// The name to show.
        display_name: Option<String> = gal::DISPLAY_NAME,
        /// The telephone at work.
        phone: Option<String> = gal::PHONE,
        /// Where the office is.
        office: Option<String> = gal::OFFICE,
        /// The title.
        title: Option<String> = gal::TITLE,
        /// The company.
        company: Option<String> = gal::COMPANY,
        /// The short name, often the part of the address before the `@`.
        alias: Option<String> = gal::ALIAS,
        /// The given name.
        first_name: Option<String> = gal::FIRST_NAME,
        /// The family name.
        last_name: Option<String> = gal::LAST_NAME,
        /// The telephone at home.
        home_phone: Option<String> = gal::HOME_PHONE,
        /// The mobile telephone.
        mobile_phone: Option<String> = gal::MOBILE_PHONE,
        /// The mail address.
        email_address: Option<String> = gal::EMAIL_ADDRESS,
        /// The picture, if pictures were asked for; since 14.1.
        picture: Option<Picture> = gal::PICTURE,
    }
}

fields! {
    /// The picture of a person, or why there is none ([MS-ASCMD] 2.2.3.135).
    pub struct Picture {
        /// What came of it: [`crate::status::picture`].
        status: Option<Status> = gal::STATUS,
        /// The picture.
        data: Option<Vec<u8>> = gal::DATA,
    }
}

/// Which pictures are wanted ([MS-ASCMD] 2.2.3.135): Search, Find and ResolveRecipients each spell it in their own page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureOptions {
    /// No picture of more octets.
    pub max_size: Option<u32>,
    /// No more pictures than this.
    pub max_pictures: Option<u32>,
}

/// The elements of [`PictureOptions`] in the page of one command.
pub(crate) struct PictureTags {
    pub(crate) max_size: Tag,
    pub(crate) max_pictures: Tag,
}

impl PictureOptions {
    /// Consumes the element entered last.
    pub(crate) fn read(cursor: &mut Cursor<'_>, tags: &PictureTags) -> Result<Self> {
        let mut options = Self::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                _ if tag == tags.max_size => Field::read(&mut options.max_size, cursor)?,
                _ if tag == tags.max_pictures => Field::read(&mut options.max_pictures, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(options)
    }

    /// Writes the element as `tag`.
    pub(crate) fn write(self, encoder: &mut Encoder, tag: Tag, tags: &PictureTags) {
        encoder.container(tag, |encoder| {
            encoder.opt_number(tags.max_size, self.max_size);
            encoder.opt_number(tags.max_pictures, self.max_pictures);
        });
    }
}
