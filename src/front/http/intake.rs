//! The body of a request, read whole within a size and a time.
//!
//! It does not look inside.

use crate::front::http::reply::Refusal;
use bytes::Bytes;
use bytes::BytesMut;
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::time::Duration;

/// Most that is set aside for a body before it comes, in bytes.
const ROOM: usize = 64 << 10;

/// How much is read, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Bytes.
    pub bytes: usize,
    /// From the end of the header to the end of the body.
    pub time: Duration,
}

/// Reads `body`.
///
/// # Errors
/// 413 and 408; the connection is closed after both, because the rest of the body is still on its way.
pub async fn whole(body: Incoming, allowance: Allowance) -> Result<Bytes, Refusal> {
    let limit = allowance.bytes;
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    // The timer starts only when the body is not there yet.
    match tokio::time::timeout(allowance.time, read(body, limit)).await {
        Ok(read) => read,
        Err(_) => {
            let text = format!("the body did not arrive within {} s", allowance.time.as_secs_f64());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text).closing())
        }
    }
}

async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, Refusal> {
    let first = next(&mut body).await?.unwrap_or_default();
    if first.len() <= limit && body.is_end_stream() {
        return Ok(first);
    }
    // What is announced need not come.
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(limit).min(ROOM);
    let mut bytes = BytesMut::with_capacity(first.len() + expected);
    bytes.extend_from_slice(&first);
    drop(first);
    loop {
        if bytes.len() > limit {
            return Err(too_large(limit));
        }
        match next(&mut body).await? {
            Some(more) => bytes.extend_from_slice(&more),
            None => return Ok(bytes.freeze()),
        }
    }
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    while let Some(frame) = body.frame().await {
        let broken = |_| Refusal::new(StatusCode::BAD_REQUEST, "the body broke off").closing();
        // Trailers are of no interest.
        if let Ok(bytes) = frame.map_err(broken)?.into_data() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

fn too_large(limit: usize) -> Refusal {
    let text = format!("the body is larger than {limit} bytes (`gateway.limits.messageBytes`)");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text).closing()
}
