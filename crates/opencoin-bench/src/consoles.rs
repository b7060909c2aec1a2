//! Measures what operators cost the wallets: renews alone, and while ten browsers have the console open.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::slice;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use opencoin_issuer::{AdminScope, AdminTokens};
use opencoin_keys::{Clock, SystemClock};
use opencoin_terminal::output;
use rand::rngs::OsRng;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cells::Bench;
use super::child_process::IssuerProcess;
use super::load::{Answers, Connection, Request};
use super::measurement::{Measurement, percentile_ms};
use super::plan::Operation;

/// The browsers, each of another operator.
const BROWSERS: u32 = 10;
/// The pages that each browser has open, and how often their script asks for them again.
const PAGES: [(&str, Duration); 2] = [
    ("/console/figures", Duration::from_secs(10)),
    ("/console", Duration::from_secs(30)),
];
/// Measured in turn without and with the console, so that both have the same share of what else the machine does.
const ROUNDS: usize = 3;
const COINS: usize = 8;
const CLIENTS: usize = 8;

/// Renews without and with the console.
#[derive(Debug, Serialize)]
pub(super) struct Consoles {
    pub(super) alone: Vec<Measurement>,
    pub(super) with_consoles: Vec<Measurement>,
    /// Pages that the browsers got.
    pub(super) pages: usize,
    pub(super) page_p50_ms: f64,
    pub(super) page_p99_ms: f64,
}

/// Measures both. The log of the issuer, which has a listener for operators, goes to `folder`.
pub(super) async fn measure(bench: &Bench<'_>, folder: &Path) -> Result<Consoles> {
    output::line(&format!(
        "alone, then with the console open in {BROWSERS} browsers, {ROUNDS} times:"
    ))?;
    let operators = free_address().await?;
    let listen = operators.to_string();
    let issuer = IssuerProcess::start(bench.currency, folder, &["--admin-listen", &listen])?;
    let bench = Bench {
        issuers: slice::from_ref(&issuer),
        ..*bench
    };
    let tokens = AdminTokens::in_folder(bench.currency.directory.root());
    let mut cookies = Vec::new();
    for number in 1..=BROWSERS {
        let name = format!("browser-{number}")
            .parse()
            .context("a name of an operator")?;
        let token = tokens.create(&name, AdminScope::ALL.into(), SystemClock.now(), &mut OsRng)?;
        cookies.push(log_in(operators, token.expose()).await?);
    }
    let (mut alone, mut with_consoles, mut pages) = (Vec::new(), Vec::new(), Answers::default());
    for _ in 0..ROUNDS {
        alone.push(bench.row(Operation::Renew, COINS, CLIENTS).await?);
        let browsers = Browsers::open(operators, &cookies).await?;
        with_consoles.push(bench.row(Operation::Renew, COINS, CLIENTS).await?);
        pages.append(browsers.close().await?);
    }
    issuer.process.stop()?;
    pages.require_success()?;
    ensure!(
        pages.refused.is_empty(),
        "pages were refused: {:?}",
        pages.refused
    );
    pages.latencies.sort_unstable();
    let measured = Consoles {
        alone,
        with_consoles,
        pages: pages.latencies.len(),
        page_p50_ms: percentile_ms(&pages.latencies, 50),
        page_p99_ms: percentile_ms(&pages.latencies, 99),
    };
    output::line(&measured.text())?;
    Ok(measured)
}

impl Consoles {
    /// The rate with the console relative to the rate alone, and the lowest and highest rate alone relative to its mean.
    fn text(&self) -> String {
        let rates = |rounds: &[Measurement]| -> Vec<f64> {
            rounds.iter().map(|round| round.requests_per_second).collect()
        };
        let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len() as f64;
        let (alone, beside) = (rates(&self.alone), rates(&self.with_consoles));
        let of_mean = |rate: f64| rate / mean(&alone);
        let (least, most) = alone
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(least, most), rate| {
                (least.min(*rate), most.max(*rate))
            });
        format!(
            "renews with the console / alone: {:.3} (alone between {:.3} and {:.3} of their mean)\n\
             {} pages, p50 {:.2} ms, p99 {:.2} ms",
            of_mean(mean(&beside)),
            of_mean(least),
            of_mean(most),
            self.pages,
            self.page_p50_ms,
            self.page_p99_ms
        )
    }
}

/// Browsers that ask for their pages again and again.
struct Browsers {
    closed: watch::Sender<bool>,
    running: JoinSet<Result<Answers>>,
    begun: Instant,
}

impl Browsers {
    async fn open(address: SocketAddr, cookies: &[String]) -> Result<Self> {
        let (closed, open) = watch::channel(false);
        let (mut running, begun) = (JoinSet::new(), Instant::now());
        for (path, interval) in PAGES {
            let connections = Connection::open_many(&[address], cookies.len()).await?;
            let step = interval / BROWSERS;
            for ((connection, cookie), number) in connections.into_iter().zip(cookies).zip(0..) {
                let request = page(path, cookie);
                running.spawn(keep_open(
                    connection,
                    request,
                    (step * number, interval),
                    open.clone(),
                ));
            }
        }
        Ok(Self {
            closed,
            running,
            begun,
        })
    }

    async fn close(self) -> Result<Answers> {
        self.closed.send_replace(true);
        Answers::of_all(self.running, self.begun).await
    }
}

/// Asks for a page after `first`, and then in this interval.
async fn keep_open(
    mut connection: Connection,
    page: Request,
    (first, interval): (Duration, Duration),
    mut open: watch::Receiver<bool>,
) -> Result<Answers> {
    let mut answers = Answers::default();
    let mut next = tokio::time::Instant::now() + first;
    loop {
        tokio::select! {
            _ = open.wait_for(|is_closed| *is_closed) => return Ok(answers),
            () = tokio::time::sleep_until(next) => {}
        }
        let sent = Instant::now();
        let status = connection.exchange(&page).await?;
        answers.add(status, sent.elapsed());
        next += interval;
    }
}

/// As the script of a page asks for it.
fn page(path: &str, cookie: &str) -> Request {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\nopencoin-refresh: 1\r\ncookie: {cookie}\r\n\r\n")
        .into_bytes()
}

/// The cookie of a session of the operator with this token.
async fn log_in(address: SocketAddr, token: &str) -> Result<String> {
    let form = format!("token={token}");
    let request = format!(
        "POST /console/login HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-origin\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{form}",
        form.len()
    );
    let mut stream = TcpStream::connect(address)
        .await
        .context("cannot connect to the console")?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let cookies = answer
        .lines()
        .filter_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookies.filter_map(|cookie| cookie.split(';').next()).next();
    Ok(cookie
        .context("the console does not let the operator in")?
        .to_owned())
}

/// An address that nobody listens on. The issuer does not print that of operators, so it cannot choose one by itself.
async fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}
