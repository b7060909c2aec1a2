//! Frames on a connection: a length in four bytes, then the content. Each side first sends a greeting, so that
//! another program or version is detected before the first request.
//!
//! A length above the limit, or an end inside a frame, is an error that ends the connection.

use std::io;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The greeting: a name and the version of the protocol.
pub(crate) const GREETING: [u8; 8] = *b"OCSIGN\0\x01";

const LENGTH_BYTES: usize = 4;
/// The least room in the buffer for a read.
const READ_BYTES: usize = 16 * 1024;

/// Why a connection cannot go on.
#[derive(Debug, Error)]
pub(crate) enum FrameError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("a frame of {0} bytes is longer than the protocol allows")]
    TooLong(usize),
    #[error("the connection ended inside a frame")]
    Cut,
    #[error("the other side is another program or another version")]
    Greeting,
}

/// A connection of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Sends the greeting.
pub(crate) async fn send_greeting(stream: &mut (impl AsyncWrite + Unpin)) -> Result<(), FrameError> {
    stream.write_all(&GREETING).await?;
    Ok(stream.flush().await?)
}

/// Reads and checks the greeting of the other side.
pub(crate) async fn expect_greeting(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), FrameError> {
    let mut greeting = [0; GREETING.len()];
    stream.read_exact(&mut greeting).await?;
    if greeting == GREETING {
        Ok(())
    } else {
        Err(FrameError::Greeting)
    }
}

/// Puts this content into a frame.
///
/// # Panics
/// When the content has 4 GiB. Every message has a limit far below.
pub(crate) fn frame(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("messages are far shorter than 4 GiB");
    [&length.to_be_bytes(), content].concat()
}

/// Reads frames from a connection.
pub(crate) struct FrameReader<R> {
    stream: R,
    content_bytes_max: usize,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(stream: R, content_bytes_max: usize) -> Self {
        Self {
            stream,
            content_bytes_max,
            buffer: Vec::new(),
        }
    }

    /// The content of the next frame; `None` when the connection has ended between two frames. Cancel-safe: dropping
    /// the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        loop {
            if let Some(content) = self.take()? {
                return Ok(Some(content));
            }
            self.buffer.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(FrameError::Cut)
                };
            }
        }
    }

    fn take(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let Some((length, rest)) = self.buffer.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > self.content_bytes_max {
            return Err(FrameError::TooLong(length));
        }
        let Some(content) = rest.get(..length).map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        self.buffer.drain(..LENGTH_BYTES + length);
        Ok(Some(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(bytes: &[u8], content_bytes_max: usize) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
        let mut reader = FrameReader::new(bytes, content_bytes_max);
        let mut contents = Vec::new();
        loop {
            match reader.next().await {
                Ok(Some(content)) => contents.push(content),
                Ok(None) => return (contents, Ok(())),
                Err(error) => return (contents, Err(error)),
            }
        }
    }

    #[tokio::test]
    async fn frames_are_read_as_they_were_written() {
        let long = vec![7; 3 * READ_BYTES];
        let bytes = [frame(b"one"), frame(b""), frame(&long)].concat();
        let (contents, end) = read_all(&bytes, long.len()).await;
        assert_eq!(contents, [b"one".to_vec(), Vec::new(), long]);
        assert!(end.is_ok());
    }

    #[tokio::test]
    async fn a_frame_that_is_too_long_or_cut_ends_the_connection() {
        let (contents, end) = read_all(&[frame(b"1234"), frame(b"12345")].concat(), 4).await;
        assert_eq!(contents, [b"1234"]);
        assert!(matches!(end, Err(FrameError::TooLong(5))), "{end:?}");
        let whole = [frame(b"1234"), frame(b"56")].concat();
        for cut in 9..whole.len() {
            let (contents, end) = read_all(&whole[..cut], 4).await;
            assert_eq!(contents.len(), 1);
            assert!(matches!(end, Err(FrameError::Cut)), "{cut}: {end:?}");
        }
    }
}
