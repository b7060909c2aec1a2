//! Two witnesses on loopback, as `opencoin witness serve` runs them, in this process.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use opencoin_keys::{Clock, Cosigners, SystemClock, Witness};
use opencoin_witness::{WitnessFolder, WitnessServer, WitnessServerOptions, serve};
use rand::rngs::OsRng;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::currency::Currency;

/// All of them must cosign.
const WITNESSES: usize = 2;
/// Not a secret: the folders are deleted after the run.
const PASSPHRASE: &[u8] = b"bench";

/// Witnesses that do not know the log yet.
pub(super) struct LocalWitnesses(Vec<LocalWitness>);

struct LocalWitness {
    folder: WitnessFolder,
    listener: TcpListener,
    described: Witness,
}

/// Witnesses that answer.
pub(super) struct RunningWitnesses {
    stop: watch::Sender<()>,
    served: JoinSet<()>,
}

impl LocalWitnesses {
    /// Makes their keys in `folder`, and their addresses.
    pub(super) async fn create(folder: &Path) -> Result<Self> {
        let mut witnesses = Vec::with_capacity(WITNESSES);
        for number in 1..=WITNESSES {
            let listener = TcpListener::bind("127.0.0.1:0")
                .await
                .context("cannot listen on loopback")?;
            let folder = WitnessFolder::new(&folder.join(format!("witness-{number}")));
            let name = format!("witness.example/w{number}").parse()?;
            let keys = folder.create(&name, false, PASSPHRASE, &mut OsRng).await?;
            let key = keys.vkeys().first().context("a witness has a key")?.clone();
            let url = format!("http://{}", listener.local_addr()?);
            witnesses.push(LocalWitness {
                folder,
                listener,
                described: Witness { key, url },
            });
        }
        Ok(Self(witnesses))
    }

    /// A log that all of them cosign.
    pub(super) fn log(&self) -> Cosigners {
        Cosigners {
            witnesses: self.0.iter().map(|witness| witness.described.clone()).collect(),
            quorum: self.0.len(),
            ..Cosigners::default()
        }
    }

    /// Tells them of the log of the currency, and starts them.
    pub(super) async fn start(self, currency: &Currency) -> Result<RunningWitnesses> {
        let currency = currency.directory.currency()?;
        let block = currency.log().context("the currency has a log")?;
        let log = block.policy().logs().first().context("the log has a key")?;
        let (stop, stopped) = watch::channel(());
        let mut served = JoinSet::new();
        for witness in self.0 {
            let store = witness.folder.store().await?;
            store
                .add_log(block.origin().as_str(), &log.key.to_string().parse()?, None)
                .await?;
            let now = || u64::try_from(SystemClock.now().timestamp()).unwrap_or(0);
            let keys = witness.folder.keys(PASSPHRASE)?;
            let witness_of_logs = opencoin_witness::Witness::new(keys, store, Arc::new(now));
            let server = WitnessServer::new(witness_of_logs, WitnessServerOptions::default());
            let mut stopped = stopped.clone();
            // Ends when the sender is dropped.
            let shutdown = async move { while stopped.changed().await.is_ok() {} };
            served.spawn(serve(witness.listener, None, server, shutdown));
        }
        Ok(RunningWitnesses { stop, served })
    }
}

impl RunningWitnesses {
    pub(super) async fn stop(self) -> Result<()> {
        let Self { stop, mut served } = self;
        drop(stop);
        while let Some(ended) = served.join_next().await {
            ended?;
        }
        Ok(())
    }
}
