//! Audits of the books that operators start while the issuer serves.
//!
//! An audit is what `opencoin issuer audit` does once: a full pass over one snapshot of the books. It has connections and a
//! thread of its own, and only reads, so requests wait for neither. The books record who started it and how it ended.

mod certificates;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opencoin_audit::{AuditSource, Audited, Auditor, Check};
use opencoin_keys::{Clock, Currency, DirectoryError, ledger_time};
use opencoin_ledger::{
    Action, ActionDetail, ActionFilter, ActionKind, ActionSubject, LedgerError, LedgerTime, OperatorName,
    Operators, RecordedAction,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub use self::certificates::certificates_check;

/// How many audits run at once.
pub const AUDITS_AT_ONCE_MAX: usize = 1;
/// How long an audit may take. Larger books need `opencoin issuer audit`.
pub const AUDIT_DURATION_MAX: Duration = Duration::from_secs(60 * 60);
/// What actions of audits change, in the record of what operators do.
pub const AUDIT_SUBJECT: &str = "audit";
/// How many actions are read to find the last result: audits that were started and have no result are among them.
const ACTIONS_READ: u32 = 20;

/// The books, opened for one audit.
pub type OpenedSource = Pin<Box<dyn Future<Output = Result<Arc<dyn AuditSource>, LedgerError>> + Send>>;

/// Reads the certificates of an audit.
pub(crate) type ReadCurrency = Box<dyn FnOnce() -> Result<Arc<Currency>, DirectoryError> + Send>;

/// The audits of a server. Clones share them.
#[derive(Clone)]
pub(crate) struct Audits(Arc<Inner>);

struct Inner {
    open: Box<dyn Fn() -> OpenedSource + Send + Sync>,
    operators: Arc<dyn Operators>,
    clock: Arc<dyn Clock>,
    turns: Arc<Semaphore>,
    /// Held while an audit is started, so that whoever is told that one runs was told after it was recorded.
    starting: tokio::sync::Mutex<()>,
    state: Mutex<AuditState>,
}

/// The audit that runs, and the last one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditState {
    /// The audit that runs in this process.
    pub running: Option<RunningAudit>,
    /// The last audit that ended, in any process at these books.
    pub last: Option<EndedAudit>,
}

/// An audit that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningAudit {
    /// When it began.
    pub since: LedgerTime,
    /// Who started it.
    pub operator: OperatorName,
}

/// An audit that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedAudit {
    /// When it ended.
    pub at: LedgerTime,
    /// Who started it.
    pub operator: OperatorName,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The same in words: what was read, what is broken, or why there is no result.
    pub detail: String,
    /// Every invariant. Empty if another process made the audit, or this one before its last start.
    pub checks: Vec<Check>,
}

/// How an audit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// Every invariant holds.
    Holds,
    /// An invariant is broken.
    Broken,
    /// The books could not be read, or not in time.
    Failed,
}

impl AuditOutcome {
    const fn action(self) -> ActionKind {
        match self {
            Self::Holds => ActionKind::AuditHolds,
            Self::Broken => ActionKind::AuditBroken,
            Self::Failed => ActionKind::AuditFailed,
        }
    }

    fn of_action(kind: &str) -> Option<Self> {
        let all = [Self::Holds, Self::Broken, Self::Failed];
        all.into_iter().find(|outcome| outcome.action().word() == kind)
    }
}

impl Audits {
    pub(crate) fn new(
        open: Box<dyn Fn() -> OpenedSource + Send + Sync>,
        operators: Arc<dyn Operators>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            open,
            operators,
            clock,
            turns: Arc::new(Semaphore::new(AUDITS_AT_ONCE_MAX)),
            starting: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        }))
    }

    /// What runs, and how the last audit ended.
    pub(crate) async fn state(&self) -> Result<AuditState, LedgerError> {
        let recorded = last_recorded(self.0.operators.as_ref()).await?;
        let mut state = self.0.state().clone();
        if let Some(recorded) = recorded
            && state.last.as_ref().is_none_or(|last| last.at < recorded.at)
        {
            state.last = Some(recorded);
        }
        Ok(state)
    }

    /// Starts an audit, unless one runs.
    pub(crate) async fn start(
        &self,
        operator: &OperatorName,
        currency: ReadCurrency,
    ) -> Result<(), LedgerError> {
        let _starting = self.0.starting.lock().await;
        let Ok(turn) = Arc::clone(&self.0.turns).try_acquire_owned() else {
            return Ok(());
        };
        let since = ledger_time(self.0.clock.now());
        self.0.record(operator, ActionKind::RunAudit, since, None).await?;
        self.0.state().running = Some(RunningAudit {
            since,
            operator: operator.clone(),
        });
        tokio::spawn(Arc::clone(&self.0).run(operator.clone(), currency, turn));
        Ok(())
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, AuditState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn record(
        &self,
        operator: &OperatorName,
        kind: ActionKind,
        at: LedgerTime,
        detail: Option<&str>,
    ) -> Result<(), LedgerError> {
        let action = Action {
            operator: operator.clone(),
            kind,
            subject: ActionSubject::new(AUDIT_SUBJECT),
            amount: None,
            detail: detail.map(ActionDetail::new),
            at,
        };
        self.operators.record(&action).await
    }

    async fn run(
        self: Arc<Self>,
        operator: OperatorName,
        currency: ReadCurrency,
        turn: OwnedSemaphorePermit,
    ) {
        let ended = on_a_thread(bounded((self.open)(), currency)).await;
        let at = ledger_time(self.clock.now());
        let EndedPass {
            outcome,
            detail,
            checks,
        } = ended;
        match outcome {
            AuditOutcome::Holds => tracing::info!(%operator, detail, "an audit found that the books hold"),
            AuditOutcome::Broken => {
                tracing::error!(%operator, detail, "ALARM: an audit found broken invariants");
            }
            AuditOutcome::Failed => tracing::error!(%operator, detail, "an audit has no result"),
        }
        let recorded = self.record(&operator, outcome.action(), at, Some(&detail)).await;
        if let Err(error) = recorded {
            tracing::error!(%error, "the result of an audit could not be recorded");
        }
        let last = EndedAudit {
            at,
            operator,
            outcome,
            detail,
            checks,
        };
        *self.state() = AuditState {
            running: None,
            last: Some(last),
        };
        drop(turn); // only now may the next one start, so that its state is not overwritten
    }
}

/// How the last audit ended that any process at these books has made.
pub(crate) async fn last_recorded(operators: &dyn Operators) -> Result<Option<EndedAudit>, LedgerError> {
    let filter = ActionFilter::Of(ActionSubject::new(AUDIT_SUBJECT));
    let actions = operators.actions(filter, None, ACTIONS_READ).await?;
    Ok(actions.into_iter().find_map(EndedAudit::of_action))
}

impl EndedAudit {
    fn of_action(action: RecordedAction) -> Option<Self> {
        Some(Self {
            outcome: AuditOutcome::of_action(&action.kind)?,
            at: action.at,
            operator: action.operator,
            detail: action
                .detail
                .map_or_else(String::new, |detail| detail.as_str().to_owned()),
            checks: Vec::new(),
        })
    }

    /// The invariants that are known to be broken.
    pub fn broken(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.holds)
    }
}

/// What a pass has found.
struct EndedPass {
    outcome: AuditOutcome,
    detail: String,
    checks: Vec<Check>,
}

impl EndedPass {
    fn failed(detail: &str) -> Self {
        Self {
            outcome: AuditOutcome::Failed,
            detail: detail.to_owned(),
            checks: Vec::new(),
        }
    }
}

/// Does the work on a thread of its own, with a runtime of its own.
async fn on_a_thread(work: impl Future<Output = EndedPass> + Send + 'static) -> EndedPass {
    let (send, ended) = oneshot::channel();
    let thread = std::thread::Builder::new().name("audit".to_owned());
    let started =
        thread.spawn(
            move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => drop(send.send(runtime.block_on(work))),
                Err(error) => tracing::error!(%error, "an audit cannot begin"),
            },
        );
    if let Err(error) = started {
        tracing::error!(%error, "an audit cannot begin");
    }
    ended
        .await
        .unwrap_or_else(|_| EndedPass::failed("it did not begin, or ended in a panic; the log says why"))
}

async fn bounded(opened: OpenedSource, currency: ReadCurrency) -> EndedPass {
    match tokio::time::timeout(AUDIT_DURATION_MAX, pass(opened, currency)).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => {
            tracing::error!(%error, "the books cannot be read for an audit");
            EndedPass::failed("the books could not be read; the log says why")
        }
        Err(_elapsed) => {
            let minutes = AUDIT_DURATION_MAX.as_secs() / 60;
            EndedPass::failed(&format!(
                "it took longer than {minutes} minutes; use `opencoin issuer audit`"
            ))
        }
    }
}

async fn pass(opened: OpenedSource, currency: ReadCurrency) -> Result<EndedPass, LedgerError> {
    let source = opened.await?;
    let currency = currency();
    let Audited {
        facts,
        report,
        rows_read,
        ..
    } = Auditor::new().full(source.as_ref(), None).await?;
    let mut checks = vec![certificates_check(currency.as_deref(), &facts)];
    checks.extend(report.checks);
    let broken: Vec<&str> = (checks.iter().filter(|check| !check.holds))
        .map(|check| check.name)
        .collect();
    let (outcome, detail) = if broken.is_empty() {
        let count = checks.len();
        (
            AuditOutcome::Holds,
            format!("{count} invariants hold; {rows_read} records were read"),
        )
    } else {
        (AuditOutcome::Broken, format!("broken: {}", broken.join("; ")))
    };
    Ok(EndedPass {
        outcome,
        detail,
        checks,
    })
}
