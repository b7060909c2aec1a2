//! Measures the speed of the engine without an issuer, to which the speed of the issuer is compared.
//!
//! Uses the engine through the same interface as an issuer. A signer process checks that requests are in the books, so
//! they are recorded there.

use std::process;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use opencoin_config::SignerProcess;
use opencoin_crypto::{AcceptedBlinds, Signer};
use opencoin_keys::PublicKeys;
use opencoin_signer::{Endpoint, RemoteSigner, RemoteSignerOptions};
use serde::Serialize;
use tokio::task::JoinSet;

use super::child_process::ChildProcess;
use super::currency::Currency;
use super::engine::Engine;
use super::mint_keys::SigningKey;
use super::processes;
use super::raw::RawRsa;

/// Blinds per request.
const BLINDS: usize = 64;
/// Concurrent requests: enough that no thread of the engine waits for work.
const REQUESTS_AT_ONCE: usize = 16;
/// Requests of the warm-up, from which the number of requests is planned.
const WARM_UP_REQUESTS: usize = 2 * REQUESTS_AT_ONCE;
/// The warm-up normally ends earlier, when its requests are answered.
const WARM_UP_DURATION_MAX: Duration = Duration::from_secs(60);
/// A warm engine is faster than during the warm-up, so more requests are prepared.
const PLAN_FACTOR: f64 = 1.5;

/// Rate and cost of an engine's signatures with one key.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct EngineRate {
    pub(super) engine: Engine,
    pub(super) key_bits: usize,
    pub(super) signatures_per_second: f64,
    /// CPU time of the process that runs the engine, without the work of a hardware token.
    pub(super) cpu_us_per_signature: f64,
}

/// Measures for about `duration`. `process` is the signer process, if there is one.
pub(super) async fn measure(
    currency: &Currency,
    key: &SigningKey,
    process: Option<&ChildProcess>,
    duration: Duration,
) -> Result<EngineRate> {
    let (signer, worker) = match process {
        Some(process) => (
            Arc::new(connected(currency).await?) as Arc<dyn Signer>,
            process.id(),
        ),
        None => (Arc::clone(&currency.mint_keys.signer), process::id()),
    };
    let requests = currency.accept(key, WARM_UP_REQUESTS, BLINDS).await?;
    let warm_up = drive(&signer, requests, WARM_UP_DURATION_MAX).await?;
    let planned =
        (warm_up.per_second() / BLINDS as f64 * PLAN_FACTOR * duration.as_secs_f64()).ceil() as usize;
    let requests = currency
        .accept(key, planned.max(WARM_UP_REQUESTS), BLINDS)
        .await?;
    let begun = processes::cpu_time(worker)?;
    let signed = drive(&signer, requests, duration).await?;
    let used = processes::cpu_time(worker)? - begun;
    Ok(EngineRate {
        engine: currency.engine.engine,
        key_bits: key.public.modulus_bits(),
        signatures_per_second: signed.per_second(),
        cpu_us_per_signature: used.as_secs_f64() * 1e6 / signed.signatures as f64,
    })
}

impl EngineRate {
    /// The engine without lanes: AWS-LC on all cores.
    pub(super) fn without_lanes(raw: &RawRsa) -> Self {
        Self {
            engine: Engine::Memory,
            key_bits: raw.key_bits,
            signatures_per_second: raw.private.all_cores_per_second,
            cpu_us_per_signature: raw.private.cpu_us,
        }
    }

    /// The line above the rows.
    pub(super) fn text(&self) -> String {
        format!(
            "engine {}, {REQUESTS_AT_ONCE} requests of {BLINDS} blinds at once: {:.1} us of CPU; {:.0} signatures/s",
            self.engine, self.cpu_us_per_signature, self.signatures_per_second
        )
    }
}

async fn connected(currency: &Currency) -> Result<RemoteSigner> {
    let directory = &currency.directory;
    let Some(SignerProcess::Socket { path }) = &currency.config.signer.process else {
        bail!("the signer of a benchmark listens on a socket");
    };
    let keys = PublicKeys::new(directory.clone(), &directory.currency()?);
    let remote = RemoteSigner::start(
        Endpoint::Unix(directory.root().join(path)),
        Arc::new(move |id| keys.get(id)),
        RemoteSignerOptions::default(),
    );
    remote.connected().await;
    Ok(remote)
}

struct Signed {
    signatures: usize,
    elapsed: Duration,
}

impl Signed {
    fn per_second(&self) -> f64 {
        self.signatures as f64 / self.elapsed.as_secs_f64()
    }
}

/// Signs requests until all are signed or the time limit is over.
async fn drive(signer: &Arc<dyn Signer>, requests: Vec<AcceptedBlinds>, limit: Duration) -> Result<Signed> {
    let requests = Arc::new(Mutex::new(requests));
    let mut running = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..REQUESTS_AT_ONCE {
        running.spawn(client(Arc::clone(signer), Arc::clone(&requests), begun + limit));
    }
    let mut signatures = 0;
    while let Some(signed) = running.join_next().await {
        signatures += signed??;
    }
    Ok(Signed {
        signatures,
        elapsed: begun.elapsed(),
    })
}

async fn client(
    signer: Arc<dyn Signer>,
    requests: Arc<Mutex<Vec<AcceptedBlinds>>>,
    end: Instant,
) -> Result<usize> {
    let next = || requests.lock().expect("nothing panics while it is held").pop();
    let mut signatures = 0;
    while let Some(request) = next().filter(|_| Instant::now() < end) {
        signatures += signer
            .sign(request)
            .await
            .context("the engine does not sign")?
            .len();
    }
    Ok(signatures)
}
