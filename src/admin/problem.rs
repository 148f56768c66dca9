//! Every refusal is a problem document (RFC 9457) with a code of ours.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::database;
use crate::directory::{DirectoryError, SourceError};
use crate::mailbox::MailboxError;
use crate::policy::NotDone;
use crate::recall::{OrderRefused, ReasonCode, RecallError};

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `urn:retract:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every problem of this status.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What programs tell problems apart by.
    pub code: String,
    /// What is wrong here.
    pub detail: String,
    /// The number of copies, where the brakes want it typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl Problem {
    /// A problem of this status and code.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Problem {
        Problem {
            kind: format!("urn:retract:{code}"),
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            count: None,
        }
    }

    /// The request itself makes no sense.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// What was named is not there.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// Something that is there already stands against it.
    pub fn conflict(code: &str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, code, detail)
    }

    /// Whoever asks may not.
    pub fn forbidden(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Nobody knows who asks.
    pub fn unauthorized(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// Our own fault.
    pub fn ours(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "ours", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            tracing::error!(code = self.code, detail = self.detail, "an operator's request failed");
        }
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"retract\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::INSUFFICIENT_STORAGE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
        }
        response
    }
}

impl From<database::Error> for Problem {
    fn from(error: database::Error) -> Problem {
        use database::Error::{Busy, Full, Overloaded, Stopped};
        let detail = error.to_string();
        match error {
            Full => Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", detail),
            Busy | Overloaded | Stopped => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
            }
            _ => Problem::ours(detail),
        }
    }
}

impl From<RecallError> for Problem {
    fn from(error: RecallError) -> Problem {
        match error {
            RecallError::Refused(refused) => refused.into(),
            RecallError::NoSuchOrder => Problem::not_found(error.to_string()),
            RecallError::Database(error) => error.into(),
            other => Problem::ours(other.to_string()),
        }
    }
}

impl From<OrderRefused> for Problem {
    fn from(refused: OrderRefused) -> Problem {
        let status = match refused.code {
            ReasonCode::BadRequest => StatusCode::BAD_REQUEST,
            ReasonCode::NotOwner | ReasonCode::NotEnabled | ReasonCode::TooOld => {
                StatusCode::FORBIDDEN
            }
            ReasonCode::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::CONFLICT,
        };
        Problem {
            count: refused.count,
            ..Problem::new(status, refused.code.text(), refused.message)
        }
    }
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Problem {
        let detail = error.to_string();
        match error {
            DirectoryError::NoSuchUser => Problem::not_found(detail),
            DirectoryError::NameTaken => Problem::conflict("name_taken", detail),
            DirectoryError::AddressTaken => Problem::conflict("address_taken", detail),
            DirectoryError::NotValid(_) => Problem::bad_request(detail),
            DirectoryError::FromOutside(_) => Problem::conflict("from_outside", detail),
            DirectoryError::Source(SourceError::Wrong(_)) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "source_wrong", detail)
            }
            DirectoryError::Source(SourceError::Down(_)) => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "source_down", detail)
            }
            DirectoryError::Ours(error) => error.into(),
        }
    }
}

impl From<NotDone> for Problem {
    fn from(error: NotDone) -> Problem {
        let (code, detail) = (error.code(), error.to_string());
        match error {
            NotDone::NoSuchDevice | NotDone::NoSuchUser | NotDone::NoSuchPolicy => {
                Problem::new(StatusCode::NOT_FOUND, code, detail)
            }
            NotDone::BadName | NotDone::BadRule(_) | NotDone::BadRules(_) => {
                Problem::new(StatusCode::BAD_REQUEST, code, detail)
            }
            NotDone::Ours(error) => error.into(),
            _ => Problem::conflict(code, detail),
        }
    }
}

impl From<MailboxError> for Problem {
    fn from(error: MailboxError) -> Problem {
        Problem::ours(error.to_string())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Problem {
        let code = match rejection.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "wrong_media_type",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            _ => "bad_request",
        };
        Problem::new(rejection.status(), code, rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Problem {
        Problem::bad_request(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Problem {
        Problem::not_found("there is nothing by that name")
    }
}

/// The media type of RFC 9457.
const PROBLEM_JSON: &str = "application/problem+json";
