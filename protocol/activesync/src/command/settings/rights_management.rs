//! The templates a user may restrict mail with ([MS-ASRM] 2.2.2.16); since 14.1.

use crate::code_pages::rights_management as rm;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::{Element, Field, fields};

/// What is told of rights management.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RightsManagementTemplates {
    /// The templates, at most twenty ([MS-ASRM] 2.2.2.17).
    pub templates: Vec<RightsManagementTemplate>,
}

fields! {
    /// One template.
    pub struct RightsManagementTemplate {
        /// What names it in mail that is to be restricted.
        template_id: Option<String> = rm::TEMPLATE_ID,
        /// Its name.
        template_name: Option<String> = rm::TEMPLATE_NAME,
        /// What it allows, in words.
        template_description: Option<String> = rm::TEMPLATE_DESCRIPTION,
    }
}

impl Element for RightsManagementTemplates {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let read = |cursor: &mut Cursor<'_>| {
            let mut templates = Vec::new();
            while let Some(tag) = cursor.next_child()? {
                match tag {
                    rm::RIGHTS_MANAGEMENT_TEMPLATE => Field::read(&mut templates, cursor)?,
                    _ => return cursor.misplaced(),
                }
            }
            Ok(templates)
        };
        let templates = super::only_child(cursor, rm::RIGHTS_MANAGEMENT_TEMPLATES, read)?;
        Ok(Self { templates })
    }

    fn write(&self, encoder: &mut Encoder, tag: wbxml::Tag) {
        encoder.container(tag, |encoder| {
            encoder.container(rm::RIGHTS_MANAGEMENT_TEMPLATES, |encoder| {
                Field::write(&self.templates, encoder, rm::RIGHTS_MANAGEMENT_TEMPLATE);
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::comes_back;
    use crate::command::settings::{Answer, Response};
    use crate::document::Document;
    use crate::status::{common, settings};
    use crate::version::ProtocolVersion;

    fn response(answer: Answer) -> Response {
        Response { status: settings::SUCCESS, answers: vec![answer] }
    }

    #[test]
    fn templates_come_back_where_the_version_has_them() {
        let template = RightsManagementTemplate {
            template_id: Some("e9d2d0a1".into()),
            template_name: Some("Confidential".into()),
            template_description: Some("Only readers inside".into()),
        };
        let get = RightsManagementTemplates { templates: vec![template.clone(), template] };
        let answer =
            Answer::RightsManagementInformation { status: settings::SUCCESS, get: Some(get) };
        let response = response(answer);
        comes_back(ProtocolVersion::V14_1, &response);
        let older =
            Response::decode(ProtocolVersion::V14_0, &response.encode(ProtocolVersion::V14_0));
        assert_eq!(older.unwrap().answers, []);
    }

    #[test]
    fn there_may_be_none_or_no_rights_management() {
        let get = Some(RightsManagementTemplates::default());
        let none = Answer::RightsManagementInformation { status: settings::SUCCESS, get };
        comes_back(ProtocolVersion::V16_1, &response(none));
        let status = common::IRM_FEATURE_DISABLED;
        let off = Answer::RightsManagementInformation { status, get: None };
        comes_back(ProtocolVersion::V16_1, &response(off));
    }
}
