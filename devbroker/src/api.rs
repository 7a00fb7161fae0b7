//! The table of what this broker answers, and the way of one request through it: outline check, decode, handle, encode.
//!
//! Each api has one implementation of [`Handle`] in a module below. The table is what `ApiVersions` tells clients, and every
//! version in it is implemented and tested.

mod cluster;
mod configs;
mod fetch;
mod groups;
mod list_offsets;
mod membership;
mod offsets;
mod produce;
mod records;
mod topics;
mod transactions;
mod versions;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{self, ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

use crate::clock::Millis;
use crate::fault::FaultKind;
use crate::rights::{Resource, Right};
use crate::state::{Shared, Wait};

/// Who is at the other end of a connection.
pub(crate) struct Client {
    /// As DescribeGroups shows it: a slash and the address.
    pub(crate) host: String,
}

/// One request on its way.
pub(crate) struct Call<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) client: &'a Client,
    pub(crate) client_id: String,
    pub(crate) version: i16,
}

/// What goes back over the connection.
pub(crate) enum RawResponse {
    Answer(Bytes),
    Silence,
    Close(String),
}

/// What a handler decides.
pub(crate) enum Reply<R> {
    Answer(R),
    /// The client wants no answer (acks=0).
    Silence,
    Close(&'static str),
}

/// How one kind of request is answered.
pub(crate) trait Handle: Request {
    fn handle(self, call: &Call<'_>) -> impl Future<Output = Reply<Self::Response>> + Send;

    /// An answer that says `code` wherever the response has room for an error.
    fn refuse(&self, code: i16) -> Self::Response;

    /// The rights without which all of the request is refused; handlers look at those of single topics.
    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        Vec::new()
    }
}

/// The table: api, first and last version told to clients, its request type. Produce has a row of its own in `versions.rs`.
macro_rules! table {
    ($($api:ident $min:literal $max:literal $request:ident)*) => {
        /// Api, first and last version that this broker answers.
        pub(crate) const ANSWERED: &[(ApiKey, i16, i16)] = &[$((ApiKey::$api, $min, $max)),*];

        async fn dispatch(api: ApiKey, call: &Call<'_>, fault: Option<FaultKind>, frame: Frame) -> RawResponse {
            match api {
                $(ApiKey::$api => run::<messages::$request>(call, fault, frame).await,)*
                _ => RawResponse::Close(format!("{api:?} is not answered here")),
            }
        }
    };
}

table! {
    Produce 3 11 ProduceRequest
    Fetch 4 18 FetchRequest
    ListOffsets 1 10 ListOffsetsRequest
    Metadata 0 13 MetadataRequest
    OffsetCommit 2 9 OffsetCommitRequest
    OffsetFetch 1 9 OffsetFetchRequest
    FindCoordinator 0 5 FindCoordinatorRequest
    JoinGroup 0 9 JoinGroupRequest
    Heartbeat 0 4 HeartbeatRequest
    LeaveGroup 0 5 LeaveGroupRequest
    SyncGroup 0 5 SyncGroupRequest
    DescribeGroups 0 6 DescribeGroupsRequest
    ListGroups 0 5 ListGroupsRequest
    ApiVersions 0 4 ApiVersionsRequest
    CreateTopics 2 7 CreateTopicsRequest
    DeleteTopics 1 6 DeleteTopicsRequest
    DeleteRecords 0 2 DeleteRecordsRequest
    InitProducerId 0 5 InitProducerIdRequest
    OffsetForLeaderEpoch 2 4 OffsetForLeaderEpochRequest
    AddPartitionsToTxn 0 3 AddPartitionsToTxnRequest
    AddOffsetsToTxn 0 4 AddOffsetsToTxnRequest
    EndTxn 0 4 EndTxnRequest
    TxnOffsetCommit 0 4 TxnOffsetCommitRequest
    DescribeConfigs 1 4 DescribeConfigsRequest
    CreatePartitions 0 3 CreatePartitionsRequest
    DeleteGroups 0 2 DeleteGroupsRequest
    DescribeCluster 0 2 DescribeClusterRequest
}

/// A request's body, and the id its answer carries.
pub(crate) struct Frame {
    body: Bytes,
    correlation_id: i32,
}

/// Answers one request as it came off the wire (without the length in front).
pub(crate) async fn answer(shared: &Shared, client: &Client, mut frame: Bytes) -> RawResponse {
    let Some(prefix) = frame.first_chunk::<4>() else {
        return RawResponse::Close("a request too short to name its api".to_owned());
    };
    let key = i16::from_be_bytes([prefix[0], prefix[1]]);
    let version = i16::from_be_bytes([prefix[2], prefix[3]]);
    let Ok(api) = ApiKey::try_from(key) else { return RawResponse::Close(format!("unknown api {key}")) };
    let Some((_, min, max)) = ANSWERED.iter().find(|(answered, _, _)| *answered == api) else {
        return RawResponse::Close(format!("{api:?} is not answered here"));
    };
    let known = (*min..=*max).contains(&version);
    if !known && api != ApiKey::ApiVersions {
        return RawResponse::Close(format!("{api:?} version {version} is not answered here"));
    }
    // ApiVersions of a version from the future: its header is read like that of the last version known.
    let header_version = api.request_header_version(if known { version } else { *max });
    let Ok(header) = RequestHeader::decode(&mut frame, header_version) else {
        return RawResponse::Close(format!("malformed header of {api:?} version {version}"));
    };
    if !known {
        // The table, in the oldest form.
        let response = messages::ApiVersionsRequest::default().refuse(ResponseError::UnsupportedVersion.code());
        return encode::<messages::ApiVersionsRequest>(&response, 0, header.correlation_id);
    }
    if let Err(malformed) = shared.shapes.check(api, version, &frame) {
        return RawResponse::Close(format!("malformed {api:?} version {version}: {malformed}"));
    }
    let fault = shared.with(|state, _| {
        state.count_call(api);
        state.faults.on_call(api)
    });
    let client_id = header.client_id.map(|id| id.to_string()).unwrap_or_default();
    let call = Call { shared, client, client_id, version };
    dispatch(api, &call, fault, Frame { body: frame, correlation_id: header.correlation_id }).await
}

async fn run<Q: Handle>(call: &Call<'_>, fault: Option<FaultKind>, mut frame: Frame) -> RawResponse {
    let request = match Q::decode(&mut frame.body, call.version) {
        Ok(request) => request,
        Err(error) => return RawResponse::Close(format!("undecodable request: {error}")),
    };
    match fault {
        Some(FaultKind::DropConnectionBefore) => return RawResponse::Close("injected fault".to_owned()),
        Some(FaultKind::ErrorCode(code)) => {
            return encode::<Q>(&request.refuse(code), call.version, frame.correlation_id);
        }
        Some(FaultKind::Delay(span)) => tokio::time::sleep(span).await,
        Some(FaultKind::Hold) => held(call.shared).await,
        Some(FaultKind::DropConnectionAfterEffect | FaultKind::ErrorCodeAfterEffect(_) | FaultKind::DelayAnswer(_))
        | None => {}
    }
    let needed = request.needs();
    let denied = call.shared.with(|state, _| {
        needed.iter().find_map(|(resource, name, right)| state.rights.check(*resource, name, *right).err())
    });
    drop(needed);
    if let Some(denied) = denied {
        return encode::<Q>(&request.refuse(denied.code()), call.version, frame.correlation_id);
    }
    let refused = match fault {
        Some(FaultKind::ErrorCodeAfterEffect(code)) => Some(request.refuse(code)),
        _ => None,
    };
    let reply = request.handle(call).await;
    match fault {
        Some(FaultKind::DropConnectionAfterEffect) => return RawResponse::Close("injected fault".to_owned()),
        Some(FaultKind::DelayAnswer(span)) => tokio::time::sleep(span).await,
        _ => {}
    }
    if let Some(refused) = refused {
        return encode::<Q>(&refused, call.version, frame.correlation_id);
    }
    match reply {
        Reply::Answer(response) => encode::<Q>(&response, call.version, frame.correlation_id),
        Reply::Silence => RawResponse::Silence,
        Reply::Close(reason) => RawResponse::Close(reason.to_owned()),
    }
}

/// Returns when held requests are released.
async fn held(shared: &Shared) {
    shared.wait_for(Wait::Faults, Millis::MAX, |state, _| (!state.faults.is_holding()).then_some(())).await;
}

fn encode<Q: Request>(response: &Q::Response, version: i16, correlation_id: i32) -> RawResponse {
    let mut out = BytesMut::with_capacity(256);
    out.put_i32(0); // the length, once it is known
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    let header_version = <Q::Response as HeaderVersion>::header_version(version);
    let encoded = header.encode(&mut out, header_version).and_then(|()| {
        out.reserve(response.compute_size(version)?);
        response.encode(&mut out, version)
    });
    let length = i32::try_from(out.len() - 4);
    match (encoded, length) {
        (Ok(()), Ok(length)) => {
            out[..4].copy_from_slice(&length.to_be_bytes());
            RawResponse::Answer(out.freeze())
        }
        (Err(error), _) => {
            tracing::error!(api = Q::KEY, version, %error, "failed to encode a response");
            RawResponse::Close("failed to encode a response".to_owned())
        }
        (_, Err(_)) => RawResponse::Close("response too large".to_owned()),
    }
}

/// The wire's number for an outcome; 0 stands for success.
pub(crate) fn code<T>(result: &Result<T, ResponseError>) -> i16 {
    result.as_ref().err().map_or(0, ResponseError::code)
}

pub(crate) fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}
