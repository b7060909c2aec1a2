//! A currency and its issuer processes, which are killed and restarted.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::books::{Books, TRIGGER_END, TRIGGER_MARK, fired};
use crate::program::{self, Output, opencoin};
use crate::tally::Tally;
use crate::{RFC9474, SERVER_LINE, SHORT_LOG_RHYTHM, free_port};

/// The longest time to restart an issuer, whose database may be away part of the time.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before a failed start or operator's command is retried.
const PAUSE: Duration = Duration::from_millis(50);
/// A longer log is renamed when its issuer starts again, and replaces the previous one.
const LOG_BYTES_MAX: u64 = 8 << 20;
/// Texts that must never appear in an issuer's log.
const ALARMS: [&str; 5] = [
    "panic",
    "makes no sense",
    "is corrupt",
    "invariant",
    "cannot be signed",
];

/// A currency and the processes that serve it.
pub(super) struct Issuers {
    pub(super) dir: PathBuf,
    pub(super) books: Books,
    pub(super) ports: Vec<u16>,
    processes: Vec<Mutex<Option<Child>>>,
    tally: Arc<Tally>,
}

impl Issuers {
    /// Makes a currency with the denominations 1, 2, 5, 10 and this URL, and starts its issuers.
    pub(super) fn start(dir: PathBuf, books: Books, count: usize, url: &str, tally: Arc<Tally>) -> Self {
        let ports = (0..count).map(|_| free_port()).collect();
        let processes = (0..count).map(|_| Mutex::new(None)).collect();
        let issuers = Self {
            dir,
            books,
            ports,
            processes,
            tally,
        };
        let address = issuers.books.address();
        let init = [
            "init",
            "--name",
            "OpenCent",
            "--divisor",
            "1",
            "--denominations",
            "1,2,5,10",
            "--url",
            url,
        ];
        let distributed: &[&str] = if issuers.books.is_distributed() {
            &["--distributed"]
        } else {
            &[]
        };
        let database = ["--database", &address, "--cipher-suite", RFC9474];
        let _ = issuers
            .operate(&[&init[..], &database, distributed].concat())
            .success();
        (0..count).for_each(|index| issuers.revive(index));
        issuers
    }

    pub(super) fn count(&self) -> usize {
        self.processes.len()
    }

    /// Ends an issuer as a crash does.
    pub(super) fn kill(&self, index: usize) {
        if let Some(mut process) = self.processes[index].lock().unwrap().take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Starts an issuer that was killed. Retries, because its database may be away.
    pub(super) fn revive(&self, index: usize) {
        let mut process = self.processes[index].lock().unwrap();
        let begun = Instant::now();
        while process.is_none() {
            *process = self.try_start(index);
            if process.is_none() {
                self.tally.count("issuer start failed, tried again");
                assert!(
                    begun.elapsed() < PATIENCE,
                    "an issuer does not start any more; see its log"
                );
                thread::sleep(PAUSE);
            }
        }
    }

    /// Reports issuers that ended by themselves.
    pub(super) fn check_alive(&self) {
        for process in &self.processes {
            if let Some(status) = process
                .lock()
                .unwrap()
                .as_mut()
                .and_then(|process| process.try_wait().unwrap())
            {
                self.tally.violate(format!("an issuer ended by itself: {status}"));
            }
        }
    }

    fn try_start(&self, index: usize) -> Option<Child> {
        let mut process = program::command()
            .args([
                "issuer",
                "serve",
                "--listen",
                &format!("127.0.0.1:{}", self.ports[index]),
                "--dir",
            ])
            .arg(&self.dir)
            .env("OPENCOIN_LOG", "warn")
            .envs(SHORT_LOG_RHYTHM)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (process.stdout.take().unwrap(), process.stderr.take().unwrap());
        let log = self.dir.with_file_name(format!("issuer-{index}.log"));
        let tally = Arc::clone(&self.tally);
        thread::spawn(move || watch_log(stderr, log, &tally));
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        if line.starts_with(SERVER_LINE) {
            return Some(process);
        }
        process.wait().unwrap();
        None
    }

    /// Runs `opencoin issuer ARGUMENTS --dir D`, and counts the triggers that its errors mention.
    pub(super) fn operate(&self, arguments: &[&str]) -> Output {
        let output = opencoin(&[&["issuer"], arguments, &["--dir", self.dir.to_str().unwrap()]].concat());
        output
            .stderr
            .lines()
            .for_each(|line| count_trigger(line, &self.tally));
        output
    }

    /// Runs an operator's command until it succeeds. It must be idempotent.
    pub(super) fn operate_until_done(&self, arguments: &[&str]) -> Output {
        let begun = Instant::now();
        loop {
            let output = self.operate(arguments);
            if output.code == Some(0) || begun.elapsed() > PATIENCE {
                return output.success();
            }
            self.tally.count("operator's command failed, tried again");
            thread::sleep(PAUSE);
        }
    }

    /// Opens an account, credits it, and returns its token.
    pub(super) fn account(&self, name: &str, amount: u64) -> String {
        let created: Value = self
            .operate(&["account", "create", name, "--json"])
            .success()
            .json();
        let (amount, reference) = (amount.to_string(), format!("opening {name}"));
        let _ = self.operate_until_done(&["account", "credit", name, &amount, "--reference", &reference]);
        created["token"].as_str().unwrap().to_owned()
    }

    pub(super) fn balance(&self, name: &str) -> u64 {
        self.operate_until_done(&["account", "show", name, "--json"])
            .json()["balance"]
            .as_u64()
            .unwrap()
    }

    /// Runs the audit, which must not find a fault. Its database may be away, unless `must_answer`.
    pub(super) fn audit(&self, must_answer: bool) {
        let output = self.operate(&["audit", "--json"]);
        let report: Option<Value> = serde_json::from_str(&output.stdout).ok();
        match report {
            Some(report) if report["holds"] == true && output.code == Some(0) => {
                self.tally.count("audit holds")
            }
            Some(report) => self.tally.violate(format!("the audit does not hold: {report:#}")),
            None if must_answer => self
                .tally
                .violate(format!("the audit gives no report: {}", output.stderr)),
            None => self.tally.count("audit found no database"),
        }
    }
}

impl Drop for Issuers {
    fn drop(&mut self) {
        (0..self.count()).for_each(|index| self.kill(index));
    }
}

/// Writes the log to a file, counts the triggers that it mentions, and searches it for alarms.
fn watch_log(stderr: ChildStderr, path: PathBuf, tally: &Tally) {
    if fs::metadata(&path).is_ok_and(|file| file.len() > LOG_BYTES_MAX) {
        fs::rename(&path, path.with_extension("log.old")).unwrap();
    }
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    let mut written = 0;
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if written < LOG_BYTES_MAX {
            writeln!(file, "{line}").unwrap();
            written += line.len() as u64;
        }
        count_trigger(&line, tally);
        if ALARMS.iter().any(|alarm| line.contains(alarm)) {
            tally.violate(format!("an issuer's log says: {line}"));
        }
    }
}

fn count_trigger(line: &str, tally: &Tally) {
    let name = line
        .split_once(TRIGGER_MARK)
        .and_then(|(_, rest)| rest.split_once(TRIGGER_END));
    if let Some((name, _)) = name {
        tally.count(&fired(name));
    }
}
