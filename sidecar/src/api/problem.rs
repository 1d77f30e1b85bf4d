//! Errors as the API tells them: RFC 9457, with the way out in `detail`.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::escape;
use crate::daemon::{Gone, RequestError};

/// An answer that is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, detail: detail.into() }
    }

    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "the request cannot be understood", detail)
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not allowed", detail)
    }

    pub(super) fn stranger() -> Self {
        Self::forbidden(
            "only root, the daemon's own user and members of the API's group are answered; \
             ask as root, or have an administrator put you into the group",
        )
    }

    pub(super) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many connections",
            "every seat is taken; end a `picket events` that nobody reads, or try again later",
        )
    }
}

impl From<Gone> for Problem {
    fn from(gone: Gone) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the daemon is ending",
            format!("{gone}; ask again when it runs again"),
        )
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Gone(gone) => gone.into(),
            RequestError::Unknown(sandbox) => Self::new(
                StatusCode::NOT_FOUND,
                "no such sandbox",
                format!("sandbox {sandbox} is not watched; GET /v1/sandboxes has those that are"),
            ),
            RequestError::Refused(why) => {
                Self::new(StatusCode::CONFLICT, "the daemon refuses", why)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = escape::json(&json!({
            "title": self.title, "status": self.status.as_u16(), "detail": self.detail,
        }));
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}
