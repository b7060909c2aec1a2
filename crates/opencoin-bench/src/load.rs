//! A closed-loop load generator: sends prepared requests over persistent connections. It shares the machine with the
//! measured processes, so it uses as little CPU time as possible and parses only the status and length of answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub(super) const OK: u16 = 200;
/// The largest head of an answer, ten times as large as usual.
const HEAD_BYTES_MAX: usize = 8 * 1024;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// An HTTP request, head and body.
pub(super) type Request = Vec<u8>;

/// The answers to many requests.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// From the first request to the last answer.
    pub(super) elapsed: Duration,
    /// The latency of each answer with status 200.
    pub(super) latencies: Vec<Duration>,
    /// The number of answers with each other status.
    pub(super) refused: BTreeMap<u16, usize>,
}

impl Answers {
    pub(super) fn add(&mut self, status: u16, latency: Duration) {
        match status {
            OK => self.latencies.push(latency),
            status => *self.refused.entry(status).or_default() += 1,
        }
    }

    /// Fails if no request succeeded, so that nothing was measured.
    pub(super) fn require_success(&self) -> Result<()> {
        ensure!(
            !self.latencies.is_empty(),
            "no request was answered with status 200, but {:?}",
            self.refused
        );
        Ok(())
    }

    /// Waits for the answers of all clients, which began at `begun`.
    pub(super) async fn of_all(mut running: JoinSet<Result<Self>>, begun: Instant) -> Result<Self> {
        let mut all = Self::default();
        while let Some(answers) = running.join_next().await {
            all.append(answers??);
        }
        all.elapsed = begun.elapsed();
        all.latencies.sort_unstable();
        Ok(all)
    }

    /// Adds those of another load. The latencies are not sorted afterwards.
    pub(super) fn append(&mut self, other: Self) {
        self.elapsed += other.elapsed;
        self.latencies.extend(other.latencies);
        for (status, count) in other.refused {
            *self.refused.entry(status).or_default() += count;
        }
    }
}

/// Sends the requests from this many concurrent clients, each of which waits for its answer before its next request.
/// The clients are spread evenly over the issuers at these addresses. Ends when all requests are sent or the time limit
/// is over.
pub(super) async fn drive(
    addresses: &[SocketAddr],
    clients: usize,
    requests: Vec<Request>,
    limit: Duration,
) -> Result<Answers> {
    let connections = Connection::open_many(addresses, clients).await?;
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let mut running = JoinSet::new();
    let begun = Instant::now();
    for connection in connections {
        running.spawn(client(
            connection,
            Arc::clone(&requests),
            Arc::clone(&next),
            begun + limit,
        ));
    }
    Answers::of_all(running, begun).await
}

async fn client(
    mut connection: Connection,
    requests: Arc<Vec<Request>>,
    next: Arc<AtomicUsize>,
    end: Instant,
) -> Result<Answers> {
    let mut answers = Answers::default();
    loop {
        let sent = Instant::now();
        let Some(request) = requests
            .get(next.fetch_add(1, Ordering::Relaxed))
            .filter(|_| sent < end)
        else {
            return Ok(answers);
        };
        let status = connection.exchange(request).await?;
        answers.add(status, sent.elapsed());
    }
}

/// A persistent connection to the issuer.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) async fn open_many(addresses: &[SocketAddr], count: usize) -> Result<Vec<Self>> {
        let mut connections = Vec::with_capacity(count);
        for address in addresses.iter().cycle().take(count) {
            connections.push(Self::open(*address).await?);
        }
        Ok(connections)
    }

    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .context("cannot connect to the issuer")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends a request and returns the status of the answer.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        self.send_and_read(request)
            .await
            .context("the issuer's connection broke")
    }

    async fn send_and_read(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head_bytes = loop {
            if let Some(end) = self
                .buffer
                .windows(END_OF_HEAD.len())
                .position(|bytes| bytes == END_OF_HEAD)
            {
                break end + END_OF_HEAD.len();
            }
            ensure!(
                self.buffer.len() <= HEAD_BYTES_MAX,
                "the head of an answer does not end"
            );
            self.read_more().await?;
        };
        let (status, body_bytes) =
            parse_head(&self.buffer[..head_bytes]).context("not an answer of an issuer")?;
        while self.buffer.len() < head_bytes + body_bytes {
            self.read_more().await?;
        }
        Ok(status)
    }

    async fn read_more(&mut self) -> Result<()> {
        let count = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(count > 0, "closed by the issuer");
        Ok(())
    }
}

/// Status and `Content-Length`.
fn parse_head(head: &[u8]) -> Option<(u16, usize)> {
    let mut lines = str::from_utf8(head).ok()?.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    Some((status, length?.1.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_and_the_length_are_parsed() {
        let head = b"HTTP/1.1 202 Accepted\r\nRetry-After: 1\r\ncontent-LENGTH: 42\r\n\r\n";
        assert_eq!(parse_head(head), Some((202, 42)));
        for wrong in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/2 200\r\ncontent-length: 1\r\n\r\n",
            "HTTP/1.1 2\r\n\r\n",
            "",
        ] {
            assert_eq!(parse_head(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
