//! What the protection of a mail allows ([MS-ASRM] 2.2.2.14).

use crate::code_pages::rights_management as rm;
use crate::fields::fields;
use crate::types::DateTime;

fields! {
    /// A licence.
    pub struct License {
        /// Whether the user owns the content.
        owner: Option<bool> = rm::OWNER,
        /// Whether it may be answered.
        reply_allowed: Option<bool> = rm::REPLY_ALLOWED,
        /// Whether it may be answered to all.
        reply_all_allowed: Option<bool> = rm::REPLY_ALL_ALLOWED,
        /// Whether it may be forwarded.
        forward_allowed: Option<bool> = rm::FORWARD_ALLOWED,
        /// Whether recipients may be changed when it is answered or forwarded.
        modify_recipients_allowed: Option<bool> = rm::MODIFY_RECIPIENTS_ALLOWED,
        /// Whether content may be copied out.
        extract_allowed: Option<bool> = rm::EXTRACT_ALLOWED,
        /// Whether it may be printed.
        print_allowed: Option<bool> = rm::PRINT_ALLOWED,
        /// Whether it may be edited.
        edit_allowed: Option<bool> = rm::EDIT_ALLOWED,
        /// Whether the protection may be taken off.
        export_allowed: Option<bool> = rm::EXPORT_ALLOWED,
        /// Whether programs may use the content.
        programmatic_access_allowed: Option<bool> = rm::PROGRAMMATIC_ACCESS_ALLOWED,
        /// Until when the licence holds.
        content_expiry_date: Option<DateTime> = rm::CONTENT_EXPIRY_DATE,
        /// Who owns the content.
        content_owner: Option<String> = rm::CONTENT_OWNER,
        /// The id of the template it follows.
        template_id: Option<String> = rm::TEMPLATE_ID,
        /// The name of the template.
        template_name: Option<String> = rm::TEMPLATE_NAME,
        /// What the template says of itself.
        template_description: Option<String> = rm::TEMPLATE_DESCRIPTION,
    }
}
