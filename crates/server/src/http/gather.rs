//! A body is read into one piece of memory, however many chunks it comes in. Whoever keeps each chunk as it is pays
//! many times its bytes where they are tiny, and a client decides how tiny they are.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is longer than it may be.
    TooLong,
    /// It ended before its end.
    Broken,
}

/// Reads a body of at most so many bytes.
pub async fn gather(body: Body, most: usize) -> Result<Bytes, Unread> {
    let mut body = Limited::new(body, most);
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| if error.is::<LengthLimitError>() { Unread::TooLong } else { Unread::Broken })?;
        if let Ok(chunk) = frame.into_data() {
            whole.extend_from_slice(&chunk);
        }
    }
    Ok(whole.freeze())
}
