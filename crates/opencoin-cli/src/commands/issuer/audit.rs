//! `opencoin issuer audit`: checks the invariants of the books, once or repeatedly.
//!
//! Reads certificates and books and changes neither: a copy of the public part of the folder and a read-only database
//! role are enough. Exit codes: 0 all invariants hold, 1 one is broken, 2 wrong command line, 3 the books cannot be
//! read.

mod report;
mod signatures;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use opencoin_audit::{AuditSource, Audited, Auditor, Extent, Sample, decode_state, encode_state};
use opencoin_issuer::open_audit_source;
use opencoin_keys::{Clock, Currency, DirectoryError, SystemClock};
use opencoin_terminal::output::{self, OutputArgs};

use self::report::Report;
use self::signatures::Signatures;
use crate::dir_args::DirArgs;
use crate::service;

/// The exit code for books that cannot be read.
const UNREADABLE: u8 = 3;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
    /// The books to read: a standby, a copy, or with another role. Default: `database` in issuer.toml.
    #[arg(
        long,
        value_name = "URL",
        env = "OPENCOIN_AUDIT_DATABASE",
        hide_env_values = true
    )]
    database: Option<String>,
    /// Also write the report as JSON to this file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// A file for the state of the audit. The next run compares it with the books to detect changes of old entries;
    /// with --follow it continues from there.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Check the signatures of `all` stored acceptances, or of `sample=N` random ones.
    #[arg(long, value_name = "all|sample=N")]
    signatures: Option<Signatures>,
    /// The random seed of the sample. The report shows the seed that was used.
    #[arg(long, requires = "signatures")]
    seed: Option<u64>,
    /// Continue with new entries until an invariant is broken.
    #[arg(long)]
    follow: bool,
    /// The time between two passes.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, requires = "follow")]
    interval: Duration,
    /// The time between two complete passes.
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = humantime::parse_duration, requires = "follow")]
    full_every: Duration,
    /// Report broken invariants and continue.
    #[arg(long, requires = "follow")]
    keep_going: bool,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<ExitCode> {
    let audited = if arguments.follow {
        follow(&arguments, output).await
    } else {
        once(&arguments, output).await
    };
    match audited {
        Err(error) if !output::is_closed(&error) => {
            output::complain(&format!("error: {}", output::error_text(&error)));
            Ok(ExitCode::from(UNREADABLE))
        }
        audited => audited,
    }
}

async fn once(arguments: &Arguments, output: OutputArgs) -> Result<ExitCode> {
    let sources = Sources::open(arguments).await?;
    let mut auditor = sources.auditor(arguments);
    let audited = auditor
        .full(sources.source.as_ref(), sources.sample(arguments))
        .await?;
    let report = sources.report(arguments, audited).await?;
    show(arguments, output, &report, true)?;
    sources.save_state(arguments, &auditor, &report)?;
    Ok(verdict(&report))
}

async fn follow(arguments: &Arguments, output: OutputArgs) -> Result<ExitCode> {
    let stop = service::stop_signal()?;
    tokio::pin!(stop);
    let mut auditor = Sources::open(arguments).await?.auditor(arguments);
    let (mut said, mut last_full) = (None, Instant::now());
    loop {
        let full = auditor.settled().is_none() || last_full.elapsed() >= arguments.full_every;
        tokio::select! {
            passed = pass(arguments, &mut auditor, full) => match passed {
                Ok(report) => {
                    if report.extent() == Extent::Full {
                        last_full = Instant::now();
                    }
                    let news = said.as_ref() != Some(&report.broken());
                    show(arguments, output, &report, news)?;
                    said = Some(report.broken());
                    if !report.holds() && !arguments.keep_going {
                        return Ok(verdict(&report));
                    }
                }
                Err(error) if said.is_none() => return Err(error),
                // A database can be down for a while, and a standby can cancel long queries.
                Err(error) => output::complain(&format!("the pass failed and will be retried: {}", output::error_text(&error))),
            },
            () = &mut stop => return Ok(ExitCode::SUCCESS),
        }
        tokio::select! {
            () = tokio::time::sleep(arguments.interval) => {}
            () = &mut stop => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// One pass. Opens everything again, because there may be new certificates or another database.
async fn pass(arguments: &Arguments, auditor: &mut Auditor, full: bool) -> Result<Report> {
    let sources = Sources::open(arguments).await?;
    let source = sources.source.as_ref();
    let audited = if full {
        auditor.full(source, sources.sample(arguments)).await?
    } else {
        auditor.turn(source).await?
    };
    let report = sources.report(arguments, audited).await?;
    sources.save_state(arguments, auditor, &report)?;
    Ok(report)
}

/// The certificates and the books to check.
struct Sources {
    currency: Result<Currency, DirectoryError>,
    source: Arc<dyn AuditSource>,
    seed: u64,
}

impl Sources {
    async fn open(arguments: &Arguments) -> Result<Self> {
        let directory = arguments.dir.directory()?;
        let database = match &arguments.database {
            Some(database) => database.clone(),
            None => directory.config()?.database,
        };
        let source = open_audit_source(&database, directory.root())
            .await
            .context("cannot read the books")?;
        let seed = arguments
            .seed
            .unwrap_or_else(|| rand::RngCore::next_u64(&mut rand::rngs::OsRng));
        Ok(Self {
            currency: directory.currency(),
            source,
            seed,
        })
    }

    /// The name of these books in a state file.
    fn name(&self) -> Option<String> {
        let currency = self.currency.as_ref().ok()?;
        Some(format!("{} {}", currency.issuer_id(), self.source.database()))
    }

    /// An auditor that continues from the state file, if there is one for these books.
    fn auditor(&self, arguments: &Arguments) -> Auditor {
        let Some((path, name)) = arguments.state.as_ref().zip(self.name()) else {
            return Auditor::new();
        };
        let Ok(bytes) = fs::read(path) else {
            output::complain(&format!(
                "{} does not exist or cannot be read: the audit reads everything",
                path.display()
            ));
            return Auditor::new();
        };
        decode_state(&bytes, &name)
            .map(Auditor::resume)
            .unwrap_or_else(|error| {
                output::complain(&format!(
                    "{}: {error}: the audit reads everything and compares nothing",
                    path.display()
                ));
                Auditor::new()
            })
    }

    fn sample(&self, arguments: &Arguments) -> Option<Sample> {
        arguments
            .signatures
            .as_ref()
            .and_then(|signatures| signatures.sample(self.seed))
    }

    async fn report(&self, arguments: &Arguments, audited: Audited) -> Result<Report> {
        let mut report = Report::new(
            self.currency.as_ref(),
            self.source.database(),
            SystemClock.now(),
            &audited,
        );
        if let (Some(signatures), Ok(currency), Extent::Full) =
            (&arguments.signatures, &self.currency, audited.extent)
        {
            report.add_signatures(
                signatures
                    .check(currency, self.source.as_ref(), &audited.drawn, self.seed)
                    .await?,
            );
        }
        Ok(report)
    }

    /// Writes the state file, unless an invariant is broken, so that the next run finds the fault again.
    fn save_state(&self, arguments: &Arguments, auditor: &Auditor, report: &Report) -> Result<()> {
        if let (Some(path), Some(name), Some(settled)) = (&arguments.state, self.name(), auditor.settled())
            && report.holds()
        {
            opencoin_private_files::write(path, &encode_state(settled, &name))?;
        }
        Ok(())
    }
}

/// Shows a report. `news` is whether it differs from the one before.
fn show(arguments: &Arguments, output: OutputArgs, report: &Report, news: bool) -> Result<()> {
    if let Some(path) = &arguments.report {
        let json = serde_json::to_string(report)? + "\n";
        opencoin_private_files::write(path, json.as_bytes())?;
    }
    if output.json {
        output::json(report)?;
    } else if news {
        report.lines().try_for_each(|line| output::line(&line))?;
    }
    if news && !report.holds() {
        output::complain(&format!(
            "the audit found broken invariants: {}",
            report.broken().join("; ")
        ));
    }
    Ok(())
}

fn verdict(report: &Report) -> ExitCode {
    if report.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
