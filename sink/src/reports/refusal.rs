//! What an S3 API's answer means: ask again, give up with advice, or there is nothing of that name.
//!
//! The client library gives a kind and a text; the text holds the API's own error code, which says more.

use object_store::Error;
use service::chain;

use super::attempts::Failure;

const NO_BUCKET: &str = "there is no such bucket: create it, or correct reports.url";
const NO_ACCESS: &str = "access is denied: allow s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and \
                         s3:AbortMultipartUpload on its objects";
const BAD_CREDENTIALS: &str = "the credentials are not accepted: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
                               AWS_SESSION_TOKEN";
const OTHER_REGION: &str = "the bucket is in another region: set reports.region";
const BAD_NAME: &str = "the store does not accept this bucket name: correct reports.url";
const UNKNOWN_SERVER: &str =
    "the store's certificate is not trusted: add its CA to the system's, or name it in SSL_CERT_FILE";
const NOT_UNDERSTOOD: &str = "the store does not understand the request: is reports.endpoint an S3 API?";

/// No credentials were found where they usually are.
#[derive(Debug, thiserror::Error)]
#[error("no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where the machine has a role")]
struct NoCredentials(#[source] Error);

/// Judges an error of the client library.
pub(super) fn judge(error: Error) -> Failure {
    let text = chain(&error);
    if let Some(remedy) = code(&text).and_then(judge_code) {
        return remedy.failure(error);
    }
    let remedy = match &error {
        Error::NotFound { .. } => return Failure::Missing,
        Error::PermissionDenied { .. } => Remedy::Refused(NO_ACCESS),
        Error::Unauthenticated { .. } => Remedy::Refused(BAD_CREDENTIALS),
        Error::NotSupported { .. } | Error::NotImplemented { .. } | Error::InvalidPath { .. } => {
            Remedy::Refused(NOT_UNDERSTOOD)
        }
        _ if text.contains("invalid peer certificate") => Remedy::Refused(UNKNOWN_SERVER),
        _ if text.contains("Received redirect without LOCATION") => Remedy::Refused(OTHER_REGION),
        // The address at which a cloud's machines are told who they are, and the last place that is asked.
        _ if text.contains("169.254.") => return Failure::Again(Box::new(NoCredentials(error))),
        _ => status(&text).map_or(Remedy::Again, judge_status),
    };
    remedy.failure(error)
}

/// What to do, without the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    Again,
    Refused(&'static str),
}

impl Remedy {
    fn failure(self, error: Error) -> Failure {
        match self {
            Self::Again => Failure::Again(error.into()),
            Self::Refused(advice) => Failure::Refused(advice, error.into()),
        }
    }
}

/// What a code of the API means; `None` leaves it to the status.
fn judge_code(code: &str) -> Option<Remedy> {
    Some(match code {
        "NoSuchBucket" => Remedy::Refused(NO_BUCKET),
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Remedy::Refused(NO_ACCESS),
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" => Remedy::Refused(BAD_CREDENTIALS),
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            Remedy::Refused(OTHER_REGION)
        }
        "InvalidBucketName" => Remedy::Refused(BAD_NAME),
        // Clocks and temporary credentials recover by themselves, and an upload that another process ended starts again.
        "ExpiredToken"
        | "RequestTimeTooSkewed"
        | "RequestExpired"
        | "RequestTimeout"
        | "SlowDown"
        | "InternalError"
        | "ServiceUnavailable"
        | "OperationAborted"
        | "NoSuchUpload" => Remedy::Again,
        _ => return None,
    })
}

fn judge_status(status: u16) -> Remedy {
    match status {
        401 => Remedy::Refused(BAD_CREDENTIALS),
        403 => Remedy::Refused(NO_ACCESS),
        408 | 409 | 425 | 429 => Remedy::Again,
        400..=499 => Remedy::Refused(NOT_UNDERSTOOD),
        _ => Remedy::Again,
    }
}

/// The code of an S3 error: `<Error><Code>NoSuchBucket</Code>...`.
fn code(text: &str) -> Option<&str> {
    Some(text.split_once("<Code>")?.1.split_once("</Code>")?.0)
}

/// The status in the client library's text.
fn status(text: &str) -> Option<u16> {
    text.split_once("status code: ")?.1.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.into() }
    }

    fn check(error: Error, expected: Option<&str>) {
        let text = error.to_string();
        match (judge(error), expected) {
            (Failure::Again(_), None) => {}
            (Failure::Refused(advice, _), Some(expected)) if advice == expected => {}
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn the_code_says_more_than_the_kind() {
        let not_found = |code: &str| Error::NotFound {
            path: "k".to_owned(),
            source: format!("status code: 404 Not Found: <Error><Code>{code}</Code></Error>").into(),
        };
        check(not_found("NoSuchBucket"), Some(NO_BUCKET));
        check(not_found("NoSuchUpload"), None);
        assert!(matches!(judge(not_found("NoSuchKey")), Failure::Missing));
    }

    #[test]
    fn every_answer_has_one_meaning() {
        check(generic("status code: 403 Forbidden: <Code>ExpiredToken</Code>"), None);
        check(generic("status code: 403 Forbidden: <Code>SignatureDoesNotMatch</Code>"), Some(BAD_CREDENTIALS));
        check(generic("status code: 403 Forbidden: "), Some(NO_ACCESS));
        check(generic("status code: 429 Too Many Requests: "), None);
        check(generic("status code: 503 Service Unavailable: <Code>SlowDown</Code>"), None);
        check(generic("status code: 400 Bad Request: <html>"), Some(NOT_UNDERSTOOD));
        check(generic("error sending request: connection refused"), None);
        check(generic("client error (Connect): invalid peer certificate: UnknownIssuer"), Some(UNKNOWN_SERVER));
        check(generic("Received redirect without LOCATION, this normally"), Some(OTHER_REGION));
    }

    #[test]
    fn missing_credentials_are_called_that() {
        let Failure::Again(cause) = judge(generic("PUT http://169.254.169.254/latest/api/token timed out")) else {
            panic!("a machine's identity may come in a moment")
        };
        assert!(cause.to_string().contains("AWS_ACCESS_KEY_ID"), "{cause}");
    }
}
