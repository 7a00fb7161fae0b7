//! ApiVersions: what this broker answers.

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use super::{ANSWERED, Call, Handle, Reply};

impl Handle for ApiVersionsRequest {
    async fn handle(self, _call: &Call<'_>) -> Reply<ApiVersionsResponse> {
        Reply::Answer(ApiVersionsResponse::default().with_api_keys(table()))
    }

    fn refuse(&self, code: i16) -> ApiVersionsResponse {
        ApiVersionsResponse::default().with_error_code(code).with_api_keys(table())
    }
}

fn table() -> Vec<ApiVersion> {
    ANSWERED.iter().map(|(api, min, max)| row(*api, *min, *max)).collect()
}

fn row(api: ApiKey, min: i16, max: i16) -> ApiVersion {
    // Apache Kafka 4 also claims Produce from version 0 on (KAFKA-18659): librdkafka before 2.11 takes a missing version 0
    // for missing compression. No client sends these versions; both brokers would disconnect it.
    let min = if api == ApiKey::Produce { 0 } else { min };
    ApiVersion::default().with_api_key(api as i16).with_min_version(min).with_max_version(max)
}
