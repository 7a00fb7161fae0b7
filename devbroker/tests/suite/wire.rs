//! A client of few lines that can speak any version of any api.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

/// No answer of a broker on this machine takes this long; a test that waits longer has found a hang.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Wire {
    stream: TcpStream,
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("nodelay can be set");
        Self { stream }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn call<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        self.try_call(version, request)
            .unwrap_or_else(|| panic!("api {} version {version}: the broker closed the connection", Q::KEY))
    }

    /// `None` when the broker closes the connection instead of answering.
    pub(crate) fn try_call<Q: Request>(&mut self, version: i16, request: &Q) -> Option<Q::Response> {
        self.send(&encoded(version, request));
        let mut answer = self.receive()?;
        let header_version = <Q::Response as HeaderVersion>::header_version(version);
        let header = ResponseHeader::decode(&mut answer, header_version).expect("an answer has a header");
        assert_eq!(header.correlation_id, 7, "answers carry their request's id");
        let response = Q::Response::decode(&mut answer, version).expect("an answer can be decoded");
        assert!(answer.is_empty(), "api {} version {version}: {} bytes after the answer", Q::KEY, answer.len());
        Some(response)
    }

    /// Sends bytes as one frame.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        let mut framed = BytesMut::with_capacity(frame.len() + 4);
        framed.put_u32(u32::try_from(frame.len()).expect("frames of tests are small"));
        framed.put_slice(frame);
        self.send_raw(&framed);
    }

    /// Sends bytes as they are; the broker may already have closed.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write_all(bytes) {
            assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
        }
    }

    /// The next frame; `None` when the connection is closed.
    pub(crate) fn receive(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("64 bits")];
        self.fill(&mut frame)?;
        Some(Bytes::from(frame))
    }

    /// Tells the broker that nothing more comes.
    pub(crate) fn finish(&self) {
        let closed = self.stream.shutdown(std::net::Shutdown::Write);
        assert!(closed.is_ok() || closed.is_err_and(|error| error.kind() == ErrorKind::NotConnected));
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => None,
            Err(error) => panic!("no answer in {PATIENCE:?}: {error}"),
        }
    }
}

/// A request with its header, without the length in front.
pub(crate) fn encoded<Q: Request>(version: i16, request: &Q) -> Bytes {
    let header = RequestHeader::default()
        .with_request_api_key(Q::KEY)
        .with_request_api_version(version)
        .with_correlation_id(7)
        .with_client_id(Some(StrBytes::from_static_str("wire")));
    let mut out = BytesMut::new();
    header.encode(&mut out, Q::header_version(version)).expect("the header can be encoded");
    let encoded = request.encode(&mut out, version);
    encoded.unwrap_or_else(|error| panic!("api {} version {version} cannot be encoded: {error}", Q::KEY));
    out.freeze()
}

/// Who writes a batch; the default writes outside of any transaction and sequence.
#[derive(Clone, Copy)]
pub(crate) struct Writer {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
    pub(crate) transactional: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self { producer_id: -1, epoch: -1, sequence: -1, transactional: false }
    }
}

/// A batch of records with these values, a millisecond apart.
pub(crate) fn batch(values: &[&'static str], writer: Writer, compression: Compression) -> Bytes {
    let record = |(index, value): (usize, &&'static str)| {
        let index = i32::try_from(index).expect("few records");
        Record {
            transactional: writer.transactional,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: writer.producer_id,
            producer_epoch: writer.epoch,
            timestamp_type: TimestampType::Creation,
            offset: i64::from(index),
            sequence: writer.sequence + index,
            timestamp: now_ms() + i64::from(index),
            key: None,
            value: Some(Bytes::from_static(value.as_bytes())),
            headers: IndexMap::new(),
        }
    };
    let records: Vec<Record> = values.iter().enumerate().map(record).collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression };
    RecordBatchEncoder::encode(&mut out, &records, &options).expect("the batch can be encoded");
    out.freeze()
}

/// Present unix time: records older than `retention.ms` would be let go.
pub(crate) fn now_ms() -> i64 {
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(unix.as_millis()).expect("before the year 292 million")
}

pub(crate) fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}
