//! An auditor in the process of the demo.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use opencoin_auditor::{
    Auditor, AuditorFolder, AuditorOptions, AuditorServer, AuditorServerOptions, CurrencySummary,
    add_currency, serve,
};
use opencoin_keys::{Clock, SystemClock, Witness};
use rand::rngs::OsRng;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The demo's key needs no passphrase: its folder is deleted at the end.
const NO_PASSPHRASE: &[u8] = b"";
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// An auditor that has a key and an address, and does not follow anything yet.
pub(super) struct NewAuditor {
    folder: AuditorFolder,
    listener: TcpListener,
    described: Witness,
}

/// An auditor that works.
pub(super) struct RunningAuditor {
    auditor: Arc<Auditor>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl NewAuditor {
    pub(super) async fn make(folder: &Path, number: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("cannot listen on loopback")?;
        let folder = AuditorFolder::new(folder);
        let name = format!("auditor.example/a{number}").parse()?;
        let keys = folder.create(&name, NO_PASSPHRASE, &mut OsRng)?;
        let key = keys.vkeys().first().context("an auditor has a key")?.clone();
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self {
            folder,
            listener,
            described: Witness { key, url },
        })
    }

    /// Key and URL, for the description of the currency.
    pub(super) fn described(&self) -> Witness {
        self.described.clone()
    }

    pub(super) fn url(&self) -> &str {
        &self.described.url
    }

    /// Lets it follow the currency of this issuer, and serves it.
    pub(super) async fn start(self, issuer: &str, peers: Vec<String>) -> Result<RunningAuditor> {
        let options = AuditorOptions {
            look_every: LOOK_EVERY,
            peers,
            ..AuditorOptions::default()
        };
        let keys = self.folder.keys(NO_PASSPHRASE)?;
        let auditor = Arc::new(self.folder.auditor(keys, Arc::new(now_s), options).await?);
        add_currency(auditor.store(), issuer, &[], now_s()).await?;
        let server = AuditorServer::new(Arc::clone(&auditor), AuditorServerOptions::default());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        let make_rng = Box::new(|| Box::new(OsRng) as Box<_>);
        let served = tokio::spawn(serve(self.listener, None, server, make_rng, shutdown));
        Ok(RunningAuditor {
            auditor,
            stop,
            served,
        })
    }
}

impl RunningAuditor {
    pub(super) fn auditor(&self) -> &Auditor {
        &self.auditor
    }

    /// What it knows of its only currency.
    pub(super) async fn summary(&self) -> Result<CurrencySummary> {
        let mut summaries = self.auditor.store().summaries().await?;
        summaries.pop().context("the auditor follows a currency")
    }

    pub(super) async fn stop(self) -> Result<()> {
        drop(self.stop);
        Ok(self.served.await?)
    }
}

fn now_s() -> u64 {
    u64::try_from(SystemClock.now().timestamp()).unwrap_or(0)
}
