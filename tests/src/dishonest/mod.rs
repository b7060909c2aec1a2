//! A dishonest issuer as a server on loopback, whose every answer a test determines.
//!
//! It has a log of [`LogBuilder`], which its witnesses cosign whatever it says, and answers holders and auditors as a real
//! issuer does. A test can commit frauds in the log, show another history or an older one to everybody or to one reader,
//! stop the log, leave out what was promised, and hand out keys that are not in the log.

mod auditor;
mod http;

use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use opencoin_log::promise::PROMISE_HEADER;
use opencoin_testkit::log_builder::{Conduct, Desk, LogBuilder, LogCurrency, LogTerms};

pub use self::auditor::DishonestAuditor;
use self::http::{Answer, Asked};

/// An issuer in a thread, which ends with the test program.
pub struct DishonestIssuer {
    state: Arc<Mutex<State>>,
    url: String,
}

/// What the issuer shows, and to whom.
pub struct State {
    /// The log. What waits in it is shown after a seal.
    pub log: LogBuilder,
    /// What holders get.
    pub desk: Desk,
    /// How holders are treated.
    pub conduct: Conduct,
    /// When witnesses cosign what is shown, in seconds since 1970; now if there is no time.
    pub cosigned_s: Option<u64>,
    /// A checkpoint that is shown instead of that of the whole log.
    pub shown: Option<String>,
    /// Where everything was asked, as `GET /path`.
    pub asked: Vec<String>,
}

/// The seconds since 1970.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the real program has the clock of the machine"
)]
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl DishonestIssuer {
    /// Serves the currency of this host, with the log that `begin` makes. The same host has the same keys.
    #[must_use]
    pub fn start(host: &str, terms: LogTerms, begin: impl FnOnce(Arc<LogCurrency>) -> LogBuilder) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = url_of(&listener);
        let log = begin(Arc::new(LogCurrency::on_terms(host, &url, terms)));
        let desk = Desk::new(log.cddc().cddc().clone());
        Self::serve(listener, log, desk)
    }

    /// Another server of the same issuer, which shows the same until a test changes that. The description that it hands out
    /// names this server, and is signed like the other one. So the issuer shows what it likes to each of two readers.
    #[must_use]
    pub fn for_another_reader(&self) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = url_of(&listener);
        let log = self.state().log.fork();
        let described = log.currency().described(|cdd| {
            cdd.additional_info = cdd.additional_info.replace(&self.url, &url);
            cdd.cdd_location.clone_from(&url);
            for services in [
                &mut cdd.info_service,
                &mut cdd.mint_service,
                &mut cdd.redeem_service,
                &mut cdd.renew_service,
            ] {
                for service in services {
                    service.1.clone_from(&url);
                }
            }
        });
        let desk = Desk::new(described.cddc().clone());
        Self::serve(listener, log, desk)
    }

    fn serve(listener: TcpListener, log: LogBuilder, desk: Desk) -> Self {
        let url = url_of(&listener);
        let state = Arc::new(Mutex::new(State {
            log,
            desk,
            conduct: Conduct {
                enters: true,
                signs: true,
                takes: true,
                promised_s: now_s(),
            },
            cosigned_s: None,
            shown: None,
            asked: Vec::new(),
        }));
        let served = Arc::clone(&state);
        thread::spawn(move || http::serve(&listener, |asked| served.lock().unwrap().answer(asked)));
        Self { state, url }
    }

    /// The URL of its services.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it shows. Nobody is answered as long as a test has this.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes the log.
    pub fn log(&self, change: impl FnOnce(&mut LogBuilder)) {
        change(&mut self.state().log);
    }

    /// The number of leaves that are shown.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.state().log.size()
    }
}

impl State {
    /// The checkpoint that is shown.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        let time = self.cosigned_s.unwrap_or_else(now_s);
        let newest = || self.log.checkpoint_at(self.log.size(), time).to_string();
        self.shown.clone().unwrap_or_else(newest)
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        self.asked.push(format!("{} {}", asked.method, asked.path));
        if asked.method == "POST" {
            let answer = self.desk.answer(&mut self.log, &asked.body, self.conduct);
            return answer.map_or_else(Answer::not_found, |answer| Answer {
                status: answer.status,
                headers: [
                    answer.word.map(|word| ("opencoin-error", word.to_owned())),
                    answer.refused.map(|coins| ("opencoin-coins", coins.to_owned())),
                    answer.promise.map(|promise| (PROMISE_HEADER, promise)),
                ]
                .into_iter()
                .flatten()
                .collect(),
                body: answer.body.into_bytes(),
            });
        }
        let file = match asked.path.strip_prefix("/log/") {
            Some("checkpoint") => Some(self.checkpoint().into_bytes()),
            Some(path) => self.log.file(path),
            None => self.desk.document(&self.log, &asked.path).map(String::into_bytes),
        };
        file.map_or_else(Answer::not_found, Answer::ok)
    }
}

fn url_of(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().unwrap())
}
