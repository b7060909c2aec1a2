//! `opencoin issuer audit`: whether the books hold, once or again and again.
//!
//! It reads certificates and books and writes nothing to either: a copy of the public part of the folder and
//! a role that may read are enough. Exit codes: 0 everything holds, 1 something does not, 2 a wrong command
//! line, 3 the books could not be read, so nothing is known.

mod report;
mod signatures;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
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

/// The exit code for books that could not be read.
const UNREADABLE: u8 = 3;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
    /// Read the books here: a standby, a copy, or with another role. Otherwise `database` in issuer.toml says
    /// where they are.
    #[arg(
        long,
        value_name = "URL",
        env = "OPENCOIN_AUDIT_DATABASE",
        hide_env_values = true
    )]
    database: Option<String>,
    /// Write the report as JSON into this file, too.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keep here what was read, so that the next run notices if the past has changed; with --follow it goes
    /// on there.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Check the stored acceptances one by one: `all` of them, or `sample=N` drawn at random.
    #[arg(long, value_name = "all|sample=N")]
    signatures: Option<Signatures>,
    /// Draw the sample of this seed; the report says which was drawn.
    #[arg(long, requires = "signatures")]
    seed: Option<u64>,
    /// Go on, reading what is new, until something does not hold.
    #[arg(long)]
    follow: bool,
    /// How long to wait between two passes.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, requires = "follow")]
    interval: Duration,
    /// How often to read everything again.
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = humantime::parse_duration, requires = "follow")]
    full_every: Duration,
    /// Say what does not hold, and go on.
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
    let books = Books::open(arguments).await?;
    let mut auditor = books.auditor(arguments);
    let audited = auditor
        .full(books.source.as_ref(), books.sample(arguments))
        .await?;
    let report = books.report(arguments, audited).await?;
    show(arguments, output, &report, true)?;
    books.keep(arguments, &auditor, &report)?;
    Ok(verdict(&report))
}

async fn follow(arguments: &Arguments, output: OutputArgs) -> Result<ExitCode> {
    let stop = service::stop_signal()?;
    tokio::pin!(stop);
    let mut auditor = Books::open(arguments).await?.auditor(arguments);
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
                // A database may go away for a while, and a standby may cancel what takes it too long.
                Err(error) => output::complain(&format!("not read, it is tried again: {}", output::error_text(&error))),
            },
            () = &mut stop => return Ok(ExitCode::SUCCESS),
        }
        tokio::select! {
            () = tokio::time::sleep(arguments.interval) => {}
            () = &mut stop => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// One pass. Everything is opened anew: certificates come, databases move.
async fn pass(arguments: &Arguments, auditor: &mut Auditor, full: bool) -> Result<Report> {
    let books = Books::open(arguments).await?;
    let source = books.source.as_ref();
    let audited = if full {
        auditor.full(source, books.sample(arguments)).await?
    } else {
        auditor.turn(source).await?
    };
    let report = books.report(arguments, audited).await?;
    books.keep(arguments, auditor, &report)?;
    Ok(report)
}

/// What is read.
struct Books {
    currency: Result<Currency, DirectoryError>,
    source: Arc<dyn AuditSource>,
    seed: u64,
}

impl Books {
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

    /// What a state file belongs to.
    fn name(&self) -> Option<String> {
        let currency = self.currency.as_ref().ok()?;
        Some(format!("{} {}", currency.issuer_id(), self.source.database()))
    }

    /// One that goes on with what was kept, if it was.
    fn auditor(&self, arguments: &Arguments) -> Auditor {
        let Some((path, name)) = arguments.state.as_ref().zip(self.name()) else {
            return Auditor::new();
        };
        let Ok(bytes) = fs::read(path) else {
            output::complain(&format!(
                "{} is not there yet or cannot be read: everything is read",
                path.display()
            ));
            return Auditor::new();
        };
        decode_state(&bytes, &name)
            .map(Auditor::resume)
            .unwrap_or_else(|error| {
                output::complain(&format!(
                    "{}: {error}: everything is read, and not compared",
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

    /// Keeps what was read, unless something does not hold: then the next run is to find it as well.
    fn keep(&self, arguments: &Arguments, auditor: &Auditor, report: &Report) -> Result<()> {
        let (Some(path), Some(name), Some(settled)) = (&arguments.state, self.name(), auditor.settled())
        else {
            return Ok(());
        };
        if report.holds() {
            write(path, &encode_state(settled, &name))
        } else {
            Ok(())
        }
    }
}

fn show(arguments: &Arguments, output: OutputArgs, report: &Report, news: bool) -> Result<()> {
    let json = serde_json::to_string(report)?;
    if let Some(path) = &arguments.report {
        write(path, format!("{json}\n").as_bytes())?;
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

/// Writes a file for its owner alone, the old one or the new one being there at any moment.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let written = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    };
    written()
        .map(|_| ())
        .with_context(|| format!("cannot write {}", path.display()))
}
