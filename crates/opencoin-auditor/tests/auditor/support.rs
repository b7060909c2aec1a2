//! A log on loopback, and auditors that follow it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode, Uri};
use opencoin_auditor::{
    AuditorFolder, AuditorOptions, AuditorServer, AuditorServerOptions, MakeRng, add_currency, serve,
};
use opencoin_log::tile::{Resource, TilePath};
use opencoin_log::witness::checkpoint_path;
use opencoin_schema::{Cdd, Cddc, Mkc, text};
use opencoin_testkit::log_builder::{LogBuilder, LogCurrency};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What happens soon happens within this time, on a busy machine too.
const SOON: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a server of a log does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mischief {
    None,
    /// It answers nothing but the description and the checkpoint.
    NoFiles,
    /// One byte of each bundle is wrong.
    WrongBundles,
    /// One byte of each tile is wrong.
    WrongTiles,
    /// Files are longer than they may be.
    Endless,
    /// Files are shorter than they should be.
    Short,
    /// Everything is a redirect.
    Redirects,
    /// Nothing is answered.
    Away,
}

struct Served {
    log: LogBuilder,
    /// How many leaves it shows.
    shown: u64,
    mischief: Mischief,
    asked: Vec<String>,
    /// The description that it shows, if it is not that of the log.
    cddc: Option<Cddc>,
    /// The mint keys that it hands out.
    mkcs: Vec<Mkc>,
    /// How much later than now the witnesses cosign, in seconds.
    ahead_s: u64,
}

/// An issuer's log on loopback.
#[derive(Clone)]
pub(crate) struct LogServer {
    pub(crate) url: String,
    served: Arc<Mutex<Served>>,
}

/// The present time, so that cosignatures are not in the future.
pub(crate) fn now_s() -> u64 {
    UNIX_EPOCH.elapsed().unwrap().as_secs()
}

impl LogServer {
    /// Serves the log that `make` makes of a currency at the server's URL.
    pub(crate) async fn start(make: impl FnOnce(Arc<LogCurrency>) -> LogBuilder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = make(Arc::new(LogCurrency::new("issuer.test", &url)));
        let shown = log.size();
        let served = Arc::new(Mutex::new(Served {
            log,
            shown,
            mischief: Mischief::None,
            asked: Vec::new(),
            cddc: None,
            mkcs: Vec::new(),
            ahead_s: 0,
        }));
        let server = Self { url, served };
        let answer = {
            let server = server.clone();
            move |uri: Uri| {
                let server = server.clone();
                async move { server.answer(uri.path()) }
            }
        };
        let router = Router::new().fallback(answer);
        tokio::spawn(async move { axum_serve(listener, router).await });
        server
    }

    fn lock(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the log and shows all of it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut LogBuilder) -> T) -> T {
        let mut served = self.lock();
        let changed = change(&mut served.log);
        served.shown = served.log.size();
        changed
    }

    /// Shows another log instead.
    pub(crate) fn replace(&self, log: LogBuilder) {
        let mut served = self.lock();
        served.shown = log.size();
        served.log = log;
    }

    /// Shows a description that names this server, whatever the log's own one names.
    pub(crate) fn name_itself(&self) {
        let mut served = self.lock();
        let own = served.log.cddc().cdd().cdd_location.clone();
        let cddc = served.log.currency().described(|cdd| {
            cdd.additional_info = cdd.additional_info.replace(&own, &self.url);
        });
        served.cddc = Some(cddc.cddc().clone());
    }

    /// Shows a changed description, which is not in the log.
    pub(crate) fn describe(&self, change: impl FnOnce(&mut Cdd)) {
        let mut served = self.lock();
        let cddc = served.log.currency().described(change);
        served.cddc = Some(cddc.cddc().clone());
    }

    /// Hands out these mint keys.
    pub(crate) fn hand_out(&self, mkcs: Vec<Mkc>) {
        self.lock().mkcs = mkcs;
    }

    /// Lets the witnesses cosign with a clock that is ahead. Auditors bear five minutes.
    pub(crate) fn cosign_ahead(&self, ahead_s: u64) {
        self.lock().ahead_s = ahead_s;
    }

    pub(crate) fn show(&self, size: u64) {
        self.lock().shown = size;
    }

    pub(crate) fn misbehave(&self, mischief: Mischief) {
        self.lock().mischief = mischief;
    }

    pub(crate) fn size(&self) -> u64 {
        self.lock().log.size()
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.lock().asked.clone()
    }

    fn answer(&self, path: &str) -> Response<Body> {
        let mut served = self.lock();
        served.asked.push(path.to_owned());
        let missing = || reply(StatusCode::NOT_FOUND, Vec::new());
        if served.mischief == Mischief::Away {
            return reply(StatusCode::SERVICE_UNAVAILABLE, Vec::new());
        }
        if served.mischief == Mischief::Redirects {
            let mut response = reply(StatusCode::FOUND, Vec::new());
            let elsewhere = "http://127.0.0.1:1/".parse().unwrap();
            response.headers_mut().insert("location", elsewhere);
            return response;
        }
        if path == "/cddc" {
            let cddc = served.cddc.as_ref().unwrap_or(served.log.cddc().cddc());
            let cddc = text::compact(cddc);
            return reply(StatusCode::OK, cddc.into_bytes());
        }
        if path == "/mkcs" {
            return reply(StatusCode::OK, text::pretty(&served.mkcs).into_bytes());
        }
        let Some(path) = path.strip_prefix("/log/") else {
            return missing();
        };
        if path == "checkpoint" {
            let note = served.log.checkpoint_at(served.shown, now_s() + served.ahead_s);
            return reply(StatusCode::OK, note.to_string().into_bytes());
        }
        let Ok(TilePath { resource, .. }) = path.parse() else {
            return missing();
        };
        // Also tiles of the beginning of the log, whose widths are others than at its end.
        let Some(mut bytes) = served.log.file(path) else {
            return missing();
        };
        match (served.mischief, resource) {
            (Mischief::NoFiles, _) => return missing(),
            (Mischief::WrongBundles, Resource::Entries(_)) | (Mischief::WrongTiles, Resource::Tile(_)) => {
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
            }
            (Mischief::Endless, _) => bytes.resize(20_000_000, 0),
            (Mischief::Short, _) => bytes.truncate(bytes.len() / 2),
            _ => {}
        }
        reply(StatusCode::OK, bytes)
    }
}

fn reply(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

async fn axum_serve(listener: TcpListener, router: Router) {
    use opencoin_connections::{ConnectionLimits, accept_until};
    let limits = ConnectionLimits {
        connections_max: 256.try_into().unwrap(),
        head_duration_max: SOON,
        answer_duration_max: SOON,
    };
    accept_until(listener, None, router, limits, std::future::pending(), || ()).await;
}

/// An auditor that runs.
pub(crate) struct RunningAuditor {
    pub(crate) url: String,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    client: reqwest::Client,
}

impl RunningAuditor {
    /// Starts an auditor in a folder, which need not have one yet, that follows these issuers.
    pub(crate) async fn start(folder: &Path, issuers: &[&LogServer], options: AuditorOptions) -> Self {
        let folder = AuditorFolder::new(folder);
        if folder.vkeys().unwrap().is_none() {
            let name = "auditor.test/a1".parse().unwrap();
            folder.create(&name, b"", &mut StdRng::seed_from_u64(7)).unwrap();
        }
        let keys = folder.keys(b"").unwrap();
        let auditor = Arc::new(folder.auditor(keys, Arc::new(now_s), options).await.unwrap());
        for issuer in issuers {
            add_currency(auditor.store(), &issuer.url, &[], now_s())
                .await
                .unwrap();
        }
        let server = AuditorServer::new(auditor, AuditorServerOptions::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let make_rng: MakeRng = Box::new(|| Box::new(StdRng::seed_from_u64(11)));
        let task = tokio::spawn(serve(listener, None, server, make_rng, async {
            let _ = stopped.await;
        }));
        Self {
            url,
            stop: Some(stop),
            task,
            client: reqwest::Client::new(),
        }
    }

    /// Stops it in order.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        (&mut self.task).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let answer = self
            .client
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (status, answer.bytes().await.unwrap().to_vec())
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        String::from_utf8(body).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> u16 {
        let request = self.client.post(format!("{}{path}", self.url)).body(body);
        request.send().await.unwrap().status().as_u16()
    }

    /// What it says of its first currency.
    pub(crate) async fn status(&self) -> Value {
        let status: Value = serde_json::from_str(&self.text("/status.json").await).unwrap();
        status["currencies"][0].clone()
    }

    /// Waits until what it says of its first currency is so.
    pub(crate) async fn wait_for(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + SOON;
        loop {
            let status = self.status().await;
            if is_so(&status) {
                return status;
            }
            assert!(tokio::time::Instant::now() < deadline, "not {what}: {status:#}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until it has cosigned so many entries.
    pub(crate) async fn wait_for_cosigned(&self, size: u64) -> Value {
        let is_cosigned = |status: &Value| status["cosigned"]["size"] == size;
        self.wait_for("cosigned", is_cosigned).await
    }

    /// The path of what it has cosigned.
    pub(crate) fn cosigned_path(&self) -> String {
        format!("/{}", checkpoint_path("issuer.test/log"))
    }
}

pub(crate) fn options() -> AuditorOptions {
    AuditorOptions {
        look_every: LOOK_EVERY,
        ..AuditorOptions::default()
    }
}

/// The texts of all findings.
pub(crate) fn findings(status: &Value) -> Vec<String> {
    let findings = status["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["text"].as_str().unwrap().to_owned())
        .collect()
}

/// Changes the database of an auditor with statements of SQL.
pub(crate) async fn change_database(folder: &Path, sql: &str) {
    let url = format!("sqlite:{}", folder.join("auditor.sqlite").display());
    let database = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::raw_sql(sql).execute(&database).await.unwrap();
    database.close().await;
}
