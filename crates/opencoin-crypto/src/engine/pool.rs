//! Threads that share a queue of jobs fairly: a job is done in pieces, and after each piece the next job has
//! its turn.
//!
//! So a request of one blind waits for one piece of each request before it, not for a thousand blinds of a
//! single one. The queue is bounded by items, not by jobs, because items are what costs time.
//!
//! Each thread has a worker of its own, so that an engine can give each what is used by one thread at a time:
//! a token's session.
//!
//! Failures: an item that fails, or makes its thread panic, fails its job at once and its remaining items are
//! not begun; the thread and its worker go on with other jobs. A job whose caller went away is dropped when
//! its turn comes. When the pool is dropped, pieces in hand are finished and all other callers are told that
//! the pool is not available.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use super::SignError;

/// How many items of a job are done before the next job has its turn. Four RSA operations are about a
/// millisecond at 2048 bits: short for whoever waits, long beside the cost of taking the queue's lock.
pub(super) const PIECE_ITEMS: usize = 4;

/// Turns items of type `T` into results of type `R`: threads that share a queue of jobs fairly, a few items
/// of each in turn.
///
/// Engines are built on it; see [`LocalSigner`](crate::LocalSigner). Dropping it finishes the pieces in hand,
/// tells all other callers that the pool is gone, and waits for its threads to end.
pub struct Pool<T, R> {
    shared: Arc<Shared<T, R>>,
    threads: Vec<JoinHandle<()>>,
}

/// What one thread of a [`Pool`] does to an item. It is called again after an item failed, and after one made
/// it panic.
pub type Worker<T, R> = Box<dyn FnMut(&T) -> Result<R, SignError> + Send>;

/// An answer on its way, out of the pool: nothing when the pool was dropped before.
type JobResult<R> = oneshot::Receiver<Result<Vec<R>, SignError>>;

struct Shared<T, R> {
    items_queued_max: usize,
    queue: Mutex<Queue<T, R>>,
    changed: Condvar,
}

struct Queue<T, R> {
    jobs: VecDeque<Queued<T, R>>,
    /// Items that no thread has taken yet; never more than `items_queued_max`.
    items: usize,
    closed: bool,
}

struct Queued<T, R> {
    job: Arc<Job<T, R>>,
    /// The first item that no thread has taken yet.
    next: usize,
}

/// Some items of a job, for the thread that took them.
struct Piece<T, R> {
    job: Arc<Job<T, R>>,
    items: Range<usize>,
}

struct Job<T, R> {
    items: Vec<T>,
    progress: Mutex<JobState<R>>,
}

struct JobState<R> {
    results: Vec<Option<R>>,
    missing: usize,
    /// Gone once the job is answered.
    answer: Option<oneshot::Sender<Result<Vec<R>, SignError>>>,
}

impl<T: Send + Sync + 'static, R: Send + 'static> Pool<T, R> {
    /// Starts a thread for each worker, called `name-0`, `name-1` and so on. Of all jobs together at most
    /// `items_queued_max` items wait.
    ///
    /// # Errors
    /// When the system gives no more threads.
    ///
    /// # Panics
    /// When there are no workers.
    pub fn start(name: &str, workers: Vec<Worker<T, R>>, items_queued_max: usize) -> io::Result<Self> {
        assert!(!workers.is_empty(), "a pool without threads answers nobody");
        let queue = Mutex::new(Queue {
            jobs: VecDeque::new(),
            items: 0,
            closed: false,
        });
        let shared = Arc::new(Shared {
            items_queued_max,
            queue,
            changed: Condvar::new(),
        });
        // Made before its threads, so that those already running are stopped when one cannot be started.
        let mut pool = Self {
            shared,
            threads: Vec::with_capacity(workers.len()),
        };
        for (number, worker) in workers.into_iter().enumerate() {
            let shared = Arc::clone(&pool.shared);
            pool.threads.push(
                Builder::new()
                    .name(format!("{name}-{number}"))
                    .spawn(move || shared.run(worker))?,
            );
        }
        Ok(pool)
    }

    /// Does a job: the results come in the order of the items. Dropping the future cancels what has not been
    /// begun.
    ///
    /// # Errors
    /// [`SignError::Busy`] when the items do not fit into the queue, [`SignError::Failed`] when a worker
    /// panicked, [`SignError::Unavailable`] when the pool was dropped meanwhile; or what a worker says.
    pub async fn run(&self, items: Vec<T>) -> Result<Vec<R>, SignError> {
        // The pool drops the question without an answer only when it is closed.
        self.submit(items)?.await.unwrap_or(Err(SignError::Unavailable))
    }

    /// Queues a job, or refuses it as busy when its items do not fit into the queue.
    fn submit(&self, items: Vec<T>) -> Result<JobResult<R>, SignError> {
        let (sender, answer) = oneshot::channel();
        if items.is_empty() {
            // The receiver is in our hands, so this cannot fail.
            let _ = sender.send(Ok(Vec::new()));
            return Ok(answer);
        }
        let mut queue = lock(&self.shared.queue);
        if queue.items + items.len() > self.shared.items_queued_max {
            queue.forget_abandoned();
        }
        if queue.items + items.len() > self.shared.items_queued_max {
            return Err(SignError::Busy);
        }
        queue.items += items.len();
        queue.jobs.push_back(Queued {
            job: Arc::new(Job::new(items, sender)),
            next: 0,
        });
        drop(queue);
        self.shared.changed.notify_all();
        Ok(answer)
    }
}

impl<T, R> fmt::Debug for Pool<T, R> {
    /// What is queued is secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pool")
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

impl<T, R> Drop for Pool<T, R> {
    fn drop(&mut self) {
        lock(&self.shared.queue).closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to do either.
            let _ = thread.join();
        }
    }
}

impl<T, R> Shared<T, R> {
    fn run(&self, mut worker: Worker<T, R>) {
        while let Some(Piece { job, items }) = self.take_piece() {
            job.work_on(items, &mut worker);
        }
    }

    /// The next piece of the job at the front, which goes to the back; waits for one. `None` when the pool
    /// closes.
    fn take_piece(&self) -> Option<Piece<T, R>> {
        let mut queue = lock(&self.queue);
        loop {
            if queue.closed {
                return None;
            }
            if let Some(piece) = queue.take_piece() {
                return Some(piece);
            }
            queue = self.changed.wait(queue).expect(NEVER_POISONED);
        }
    }
}

impl<T, R> Queue<T, R> {
    fn take_piece(&mut self) -> Option<Piece<T, R>> {
        loop {
            let Queued { job, next } = self.jobs.pop_front()?;
            let left = job.items.len() - next;
            if job.is_over() {
                self.items -= left;
                continue;
            }
            let items = next..next + left.min(PIECE_ITEMS);
            self.items -= items.len();
            if items.end < job.items.len() {
                self.jobs.push_back(Queued {
                    job: Arc::clone(&job),
                    next: items.end,
                });
            }
            return Some(Piece { job, items });
        }
    }

    fn forget_abandoned(&mut self) {
        self.jobs.retain(|queued| !queued.job.is_over());
        self.items = self
            .jobs
            .iter()
            .map(|queued| queued.job.items.len() - queued.next)
            .sum();
    }
}

impl<T, R> Job<T, R> {
    fn new(items: Vec<T>, answer: oneshot::Sender<Result<Vec<R>, SignError>>) -> Self {
        let missing = items.len();
        let results = items.iter().map(|_| None).collect();
        Self {
            items,
            progress: Mutex::new(JobState {
                results,
                missing,
                answer: Some(answer),
            }),
        }
    }

    /// Whether it was answered already, or nobody waits for the answer any more.
    fn is_over(&self) -> bool {
        lock(&self.progress)
            .answer
            .as_ref()
            .is_none_or(oneshot::Sender::is_closed)
    }

    fn work_on(&self, items: Range<usize>, worker: &mut Worker<T, R>) {
        for index in items {
            // A panic must not take the thread with it, or the callers that wait for it would wait for ever.
            let result = catch_unwind(AssertUnwindSafe(|| worker(&self.items[index])));
            match result.unwrap_or(Err(SignError::Failed)) {
                Ok(result) => lock(&self.progress).done(index, result),
                Err(error) => return lock(&self.progress).fail(error),
            }
        }
    }
}

impl<R> JobState<R> {
    fn done(&mut self, index: usize, result: R) {
        let earlier = self.results[index].replace(result);
        assert!(earlier.is_none(), "an item is taken once");
        self.missing -= 1;
        if self.missing == 0
            && let Some(answer) = self.answer.take()
        {
            let results = self
                .results
                .drain(..)
                .map(|result| result.expect("none is missing"))
                .collect();
            // Whoever asked may be gone; then nobody needs the answer.
            let _ = answer.send(Ok(results));
        }
    }

    fn fail(&mut self, error: SignError) {
        if let Some(answer) = self.answer.take() {
            let _ = answer.send(Err(error));
        }
    }
}

const NEVER_POISONED: &str = "nothing panics while it holds a lock of the pool";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect(NEVER_POISONED)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// One thread whose every item waits until the test lets it go, and which notes what it did in which
    /// order.
    struct Bench {
        pool: Pool<&'static str, String>,
        /// Let one item go, or all that follow by dropping it.
        go: Sender<()>,
        /// The items, as they are begun.
        begun: Receiver<&'static str>,
    }

    impl Bench {
        fn new(items_queued_max: usize) -> Self {
            let (go, gate) = channel();
            let (log, begun) = channel();
            let gate = Mutex::new(gate);
            let work = move |item: &&'static str| {
                let _ = log.send(*item);
                let _ = gate.lock().unwrap().recv();
                match *item {
                    "panic" => panic!("an item that panics"),
                    "fail" => Err(SignError::Failed),
                    item => Ok(item.to_uppercase()),
                }
            };
            let pool = Pool::start("bench", vec![Box::new(work)], items_queued_max).unwrap();
            Self { pool, go, begun }
        }

        /// Occupies the thread, so that what is queued now waits.
        fn occupied(items_queued_max: usize) -> (Self, JobResult<String>) {
            let bench = Self::new(items_queued_max);
            let answer = bench.pool.submit(vec!["first"]).unwrap();
            assert_eq!(bench.begun.recv(), Ok("first"));
            (bench, answer)
        }

        fn queue(&self, item: &'static str, count: usize) -> JobResult<String> {
            self.pool.submit(vec![item; count]).unwrap()
        }

        /// Lets everything run and gives the order in which it did.
        fn run(self) -> Vec<&'static str> {
            let Self { pool, go, begun } = self;
            drop(go);
            while lock(&pool.shared.queue).items > 0 {
                std::thread::yield_now();
            }
            drop(pool);
            begun.iter().collect()
        }
    }

    #[test]
    fn a_short_job_waits_for_one_piece_of_a_long_one() {
        let (bench, _first) = Bench::occupied(100);
        let long = bench.queue("long", 3 * PIECE_ITEMS);
        let short = bench.queue("short", 1);
        let other = bench.queue("other", PIECE_ITEMS + 1);
        let order = bench.run();
        let expected = [
            vec!["long"; PIECE_ITEMS],
            vec!["short"],
            vec!["other"; PIECE_ITEMS],
            vec!["long"; PIECE_ITEMS],
            vec!["other"],
            vec!["long"; PIECE_ITEMS],
        ];
        assert_eq!(order, expected.concat());
        for (answer, count) in [(long, 3 * PIECE_ITEMS), (short, 1), (other, PIECE_ITEMS + 1)] {
            assert_eq!(answer.blocking_recv().unwrap().unwrap().len(), count);
        }
    }

    #[test]
    fn results_come_in_the_order_of_the_items_from_many_threads() {
        let work = |item: &usize| {
            // The later an item, the sooner it is done.
            std::thread::sleep(std::time::Duration::from_micros(200 - 2 * *item as u64));
            Ok(item * item)
        };
        let workers = (0..4)
            .map(|_| -> Worker<usize, usize> { Box::new(work) })
            .collect();
        let pool = Pool::start("many", workers, 1000).unwrap();
        let answers: Vec<_> = (0..3).map(|_| pool.submit((0..100).collect()).unwrap()).collect();
        for answer in answers {
            assert_eq!(
                answer.blocking_recv().unwrap().unwrap(),
                (0..100).map(|item| item * item).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn no_items_are_done_at_once() {
        let (bench, _first) = Bench::occupied(1);
        assert_eq!(bench.queue("none", 0).blocking_recv(), Ok(Ok(vec![])));
        bench.run();
    }

    #[test]
    fn a_full_queue_is_busy_until_items_are_taken() {
        let (bench, _first) = Bench::occupied(8);
        let _waiting = bench.queue("waiting", 5);
        assert!(matches!(bench.pool.submit(vec!["more"; 4]), Err(SignError::Busy)));
        let _fits = bench.queue("fits", 3);
        assert!(matches!(bench.pool.submit(vec!["more"]), Err(SignError::Busy)));
        // One item done: the thread takes the first piece of what waits.
        bench.go.send(()).unwrap();
        assert_eq!(bench.begun.recv(), Ok("waiting"));
        let _now_fits = bench.queue("now fits", PIECE_ITEMS);
        bench.run();
    }

    #[test]
    fn a_job_whose_caller_went_away_is_not_done_and_leaves_its_place() {
        let (bench, _first) = Bench::occupied(8);
        let abandoned = bench.queue("abandoned", 8);
        drop(abandoned);
        let wanted = bench.queue("wanted", 8);
        assert_eq!(bench.run(), vec!["wanted"; 8]);
        assert!(wanted.blocking_recv().unwrap().is_ok());
    }

    #[test]
    fn a_job_that_is_abandoned_half_way_is_not_finished() {
        let (bench, _first) = Bench::occupied(100);
        let long = bench.queue("long", 3 * PIECE_ITEMS);
        bench.go.send(()).unwrap();
        assert_eq!(bench.begun.recv(), Ok("long"));
        drop(long);
        let order = bench.run();
        assert_eq!(order.len(), PIECE_ITEMS - 1, "the piece in hand, and no other");
    }

    #[test]
    fn a_panic_fails_its_job_and_nothing_else() {
        let (bench, _first) = Bench::occupied(100);
        let panicking = bench.queue("panic", 2 * PIECE_ITEMS);
        let sound = bench.queue("sound", 1);
        let order = bench.run();
        assert_eq!(
            order,
            ["panic", "sound"],
            "the rest of the failed job is not begun"
        );
        assert_eq!(panicking.blocking_recv(), Ok(Err(SignError::Failed)));
        assert_eq!(sound.blocking_recv(), Ok(Ok(vec!["SOUND".to_owned()])));
    }

    #[test]
    fn a_failure_is_answered_once() {
        let (bench, _first) = Bench::occupied(100);
        let failing = bench.pool.submit(vec!["good", "fail", "good"]).unwrap();
        assert_eq!(bench.run(), ["good", "fail"]);
        assert_eq!(failing.blocking_recv(), Ok(Err(SignError::Failed)));
    }

    #[test]
    fn closing_finishes_what_is_in_hand_and_leaves_no_caller_waiting() {
        let (bench, first) = Bench::occupied(100);
        let waiting = bench.queue("waiting", 1);
        let Bench { pool, go, begun } = bench;
        let shared = Arc::clone(&pool.shared);
        let dropping = std::thread::spawn(move || drop(pool));
        // The gate opens only once the pool is closed, so its thread must find it closed when it comes back.
        while !lock(&shared.queue).closed {
            std::thread::yield_now();
        }
        assert!(!dropping.is_finished(), "closing waits for the item in hand");
        drop((go, shared));
        dropping.join().unwrap();
        assert_eq!(first.blocking_recv(), Ok(Ok(vec!["FIRST".to_owned()])));
        assert!(waiting.blocking_recv().is_err());
        assert!(begun.recv().is_err(), "the waiting job was not begun");
    }
}
