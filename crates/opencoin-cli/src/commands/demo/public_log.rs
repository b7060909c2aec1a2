//! The public log in the demo: a witness, and the look of the holders at what the witness has cosigned.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use opencoin_issuer::log::{IssuerLog, LogOptions, Rhythm};
use opencoin_keys::{Clock, Cosigners, Currency, Directory, LogKeys, Passphrase, SystemClock, Witness};
use opencoin_ledger::{HistoryId, LogStore};
use opencoin_wallet::{LogStatus, Wallet};
use opencoin_witness::{WitnessFolder, WitnessServer, WitnessServerOptions, serve};
use rand::rngs::OsRng;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const WITNESS: &str = "witness.example/demo";

/// The shortest rhythm, so that the demo does not wait.
const RHYTHM: Rhythm = Rhythm {
    every: Duration::from_secs(1),
    leaves_min: 1,
    latest: Duration::from_secs(1),
};

/// How often a holder looks for the promised leaves at most.
const LOOKS_MAX: usize = 40;
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// A witness that runs.
pub(super) struct RunningWitness {
    folder: WitnessFolder,
    passphrase: String,
    listener: TcpListener,
    described: Witness,
}

impl RunningWitness {
    /// Makes the keys of a witness, and its address.
    pub(super) async fn create(folder: &Path, passphrase: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("cannot listen on loopback")?;
        let folder = WitnessFolder::new(folder);
        let name = WITNESS.parse().context("the name of the witness")?;
        let keys = folder
            .create(&name, false, passphrase.as_bytes(), &mut OsRng)
            .await?;
        let key = keys.vkeys().first().context("a witness has a key")?.clone();
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self {
            folder,
            passphrase,
            listener,
            described: Witness { key, url },
        })
    }

    /// A log that this witness cosigns.
    pub(super) fn log(&self) -> Cosigners {
        Cosigners {
            witnesses: vec![self.described.clone()],
            quorum: 1,
            ..Cosigners::default()
        }
    }

    /// Tells the witness of the log, and starts it.
    pub(super) async fn start(self, currency: &Currency) -> Result<StartedWitness> {
        let block = currency.log().context("the currency has a log")?;
        let log = block.policy().logs().first().context("the log has a key")?;
        let store = self.folder.store().await?;
        store
            .add_log(block.origin().as_str(), &log.key.to_string().parse()?, None)
            .await?;
        let keys = self.folder.keys(self.passphrase.as_bytes())?;
        let now = || u64::try_from(SystemClock.now().timestamp()).unwrap_or(0);
        let witness = opencoin_witness::Witness::new(keys, store, Arc::new(now));
        let server = WitnessServer::new(witness, WitnessServerOptions::default());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        let served = tokio::spawn(serve(self.listener, None, server, shutdown));
        Ok(StartedWitness { stop, served })
    }
}

/// A witness that answers.
pub(super) struct StartedWitness {
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl StartedWitness {
    pub(super) async fn stop(self) -> Result<()> {
        drop(self.stop);
        Ok(self.served.await?)
    }
}

/// Opens the log of the currency for its server.
pub(super) fn open(
    directory: &Directory,
    currency: &Currency,
    passphrase: &Passphrase,
    store: Arc<dyn LogStore>,
    history: HistoryId,
) -> Result<IssuerLog> {
    let block = currency.log().context("the currency has a log")?;
    let folder = directory.log_folder();
    let options = LogOptions {
        keys: LogKeys::open(&folder, block.origin(), passphrase)?,
        block: block.clone(),
        rhythm: RHYTHM,
        folder: &folder,
        history,
    };
    Ok(IssuerLog::new(options, store, Arc::new(SystemClock), &mut OsRng)?)
}

/// Looks into the log until all that was promised to this holder is there.
pub(super) async fn find_promised(wallet: &mut Wallet) -> Result<LogStatus> {
    for _ in 0..LOOKS_MAX {
        let status = wallet.check_log(None, None).await?;
        ensure!(
            status.faults.is_empty(),
            "the wallet finds faults in the public log: {:?}",
            status.faults
        );
        if let Some(problem) = status.problem {
            return Err(problem).context("the public log cannot be checked");
        }
        if status.open == 0 && status.unverified == 0 {
            return Ok(status);
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    bail!("what was promised does not appear in the public log")
}
