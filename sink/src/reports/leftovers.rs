//! Uploads in parts that a killed process began and nobody will end: invisible, but stored and paid for.
//!
//! The client library cannot list them, so the API is asked itself, with the library's signature and transport. A store
//! that does not answer keeps them: then the bucket's own rule for unfinished uploads serves.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use object_store::aws::AmazonS3;
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::signer::{Method, SignedUrlOptions, Signer as _};

use super::attempts::Failure;
use super::bucket::Bucket;

/// How long the signature of the one request is good for.
const SIGNATURE_AGE_MAX: Duration = Duration::from_secs(60);

/// An upload that has begun and has not ended.
#[derive(Debug, PartialEq, Eq)]
struct Upload {
    key: String,
    id: String,
    begun: Timestamp,
}

impl Bucket {
    /// Gives back the parts of uploads below `folder` that began at least `age` ago, and reports how many. Looks at the
    /// first thousand.
    pub(super) fn remove_leftovers(&self, folder: &str, age: Duration, deadline: Instant) -> Result<usize, Failure> {
        let answer = self.within(deadline, list(&self.store, &self.http, &self.joined(folder)))?;
        let latest = Timestamp::now() - age;
        let mut removed = 0;
        for upload in begun_by(latest, &answer) {
            let key = Path::parse(&upload.key).map_err(|error| Failure::Refused("the key is odd", error.into()))?;
            match self.within(deadline, self.store.abort_multipart(&key, &upload.id)) {
                Ok(()) | Err(Failure::Missing) => removed += 1, // missing: another process was faster
                Err(failure) => return Err(failure),
            }
        }
        Ok(removed)
    }
}

/// The answer of `ListMultipartUploads`: XML.
async fn list(store: &AmazonS3, http: &HttpClient, prefix: &str) -> object_store::Result<String> {
    let query = SignedUrlOptions::new().with_query([("prefix", prefix), ("uploads", "")]);
    let url = store.signed_url_opts(Method::GET, &Path::default(), SIGNATURE_AGE_MAX, &query).await?;
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic { store: "S3", source };
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.uri_mut() = url.as_str().parse().map_err(|error| failed(Box::new(error)))?;
    // The library's own text would show the signed address.
    let response = http.execute(request).await.map_err(|error| failed(format!("{:?}", error.kind()).into()))?;
    let status = response.status();
    let body = response.into_body().bytes().await.map_err(|error| failed(format!("{:?}", error.kind()).into()))?;
    let body = String::from_utf8_lossy(&body).into_owned();
    if status.is_success() { Ok(body) } else { Err(failed(format!("status code: {status}: {body}").into())) }
}

/// The uploads of an answer that had begun at that moment. Elements are read where they stand; an upload that does not
/// parse is left alone.
fn begun_by(latest: Timestamp, answer: &str) -> Vec<Upload> {
    let parts = answer.split("<Upload>").skip(1).filter_map(|rest| rest.split("</Upload>").next());
    let upload = |part| {
        Some(Upload {
            key: unescape(element(part, "Key")?),
            id: unescape(element(part, "UploadId")?),
            begun: element(part, "Initiated")?.parse().ok()?,
        })
    };
    parts.filter_map(upload).filter(|upload| upload.begun <= latest).collect()
}

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let rest = xml.split_once(&format!("<{name}>"))?.1;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// The five entities of XML; keys of ours hold no other.
fn unescape(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_list_of_uploads() {
        let upload = |key: &str, begun: &str| {
            format!(
                "<Upload><Key>{key}</Key><UploadId>i&amp;1</UploadId><Owner><ID>o</ID></Owner><Initiated>{begun}</Initiated></Upload>"
            )
        };
        let answer = format!(
            "<ListMultipartUploadsResult><Bucket>b</Bucket>{}{}{}</ListMultipartUploadsResult>",
            upload("drift/v=1/a%2Fb.parquet", "2026-05-01T01:00:00.000Z"),
            upload("young", "2026-05-01T01:00:00.001Z"),
            upload("odd", "yesterday"),
        );
        let begun: Timestamp = "2026-05-01T01:00:00Z".parse().expect("a time");
        let expected = Upload { key: "drift/v=1/a%2Fb.parquet".to_owned(), id: "i&1".to_owned(), begun };
        assert_eq!(begun_by(begun, &answer), [expected], "nobody ends an upload that may still go on");
        assert!(begun_by(begun, "<html>nothing of the kind</html>").is_empty());
    }
}
