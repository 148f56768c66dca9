//! What must hold for any octets at all that strangers hand this room: the properties that tests and fuzz targets share.

pub use super::convert::check::invitation;
pub use super::look::check::kql;
pub use super::parking::check::proxy_header;
pub use super::trust::check::certificate;
