//! Threads that share a queue of jobs fairly: they work on a few items of a job (a *piece*) at a time, then on the
//! next job.
//!
//! So a request of one blind waits for one piece of each earlier request, not for a request of a thousand blinds.
//! The limit of the queue counts items, because they determine the time.
//!
//! Each thread has its own worker, which can own something that only one thread may use at a time, such as a
//! token's session.
//!
//! Failures: an item that fails or panics fails its job at once. The remaining items of the job are not started, and
//! the thread continues with other jobs. A job whose caller has dropped its future is discarded when its turn comes.
//! When the pool is dropped, the threads finish their pieces, and all other callers get
//! [`SignError::Unavailable`].

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use super::SignError;

/// The number of items in a piece. Four RSA operations at 2048 bits take about a millisecond: short for a waiting
/// caller, long compared with the cost of the queue's lock.
pub(super) const PIECE_ITEMS: usize = 4;

/// Turns items of type `T` into results of type `R`, on threads that share a queue of jobs fairly. Engines such as
/// [`LocalSigner`](crate::LocalSigner) use it.
///
/// Dropping it waits for the threads to finish their pieces. All other callers get [`SignError::Unavailable`].
pub struct Pool<T, R> {
    shared: Arc<Shared<T, R>>,
    threads: Vec<JoinHandle<()>>,
}

/// Processes the items of one thread of a [`Pool`]. It is called again after an error or a panic.
pub type Worker<T, R> = Box<dyn FnMut(&T) -> Result<R, SignError> + Send>;

/// The future result of a job. It is closed when the pool is dropped first.
type JobResult<R> = oneshot::Receiver<Result<Vec<R>, SignError>>;

struct Shared<T, R> {
    items_queued_max: usize,
    queue: Mutex<Queue<T, R>>,
    changed: Condvar,
}

struct Queue<T, R> {
    jobs: VecDeque<Queued<T, R>>,
    /// The number of items that no thread has taken yet, at most `items_queued_max`.
    items: usize,
    closed: bool,
}

struct Queued<T, R> {
    job: Arc<Job<T, R>>,
    /// The first item that no thread has taken yet.
    next: usize,
}

/// Items of a job that one thread has taken.
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
    /// `None` once the job is answered.
    answer: Option<oneshot::Sender<Result<Vec<R>, SignError>>>,
}

impl<T: Send + Sync + 'static, R: Send + 'static> Pool<T, R> {
    /// Starts a thread for each worker, named `name-0`, `name-1` and so on. At most `items_queued_max` items of all
    /// jobs may wait.
    ///
    /// # Errors
    /// When the system cannot start the threads.
    ///
    /// # Panics
    /// When there are no workers.
    pub fn start(name: &str, workers: Vec<Worker<T, R>>, items_queued_max: usize) -> io::Result<Self> {
        assert!(!workers.is_empty(), "a pool without threads never answers");
        let queue = Queue {
            jobs: VecDeque::new(),
            items: 0,
            closed: false,
        };
        let shared = Arc::new(Shared {
            items_queued_max,
            queue: Mutex::new(queue),
            changed: Condvar::new(),
        });
        // Its drop stops the running threads when another one cannot be started.
        let mut pool = Self {
            shared,
            threads: Vec::with_capacity(workers.len()),
        };
        for (number, worker) in workers.into_iter().enumerate() {
            let shared = Arc::clone(&pool.shared);
            let thread = Builder::new().name(format!("{name}-{number}"));
            pool.threads.push(thread.spawn(move || shared.run(worker))?);
        }
        Ok(pool)
    }

    /// Processes the items and returns the results in their order. Dropping the future cancels items that have not
    /// been started.
    ///
    /// # Errors
    /// [`SignError::Busy`] when the items do not fit into the queue, [`SignError::Failed`] when a worker
    /// panicked, [`SignError::Unavailable`] when the pool was dropped meanwhile, or the error of a worker.
    pub async fn run(&self, items: Vec<T>) -> Result<Vec<R>, SignError> {
        // The pool drops the sender without an answer only when it is closed.
        self.submit(items)?.await.unwrap_or(Err(SignError::Unavailable))
    }

    /// Queues a job. [`SignError::Busy`] when its items do not fit into the queue.
    fn submit(&self, items: Vec<T>) -> Result<JobResult<R>, SignError> {
        let (sender, answer) = oneshot::channel();
        if items.is_empty() {
            // Cannot fail, because we hold the receiver.
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
    /// Hides the queue, because its items are secret.
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
            // A thread that panicked has ended as well.
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

    /// Waits for a job and takes the next piece of it. `None` when the pool closes.
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
    /// Takes a piece of the first job. The rest of the job goes to the end of the queue.
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

    /// Whether the job is answered or its caller no longer waits.
    fn is_over(&self) -> bool {
        lock(&self.progress)
            .answer
            .as_ref()
            .is_none_or(oneshot::Sender::is_closed)
    }

    fn work_on(&self, items: Range<usize>, worker: &mut Worker<T, R>) {
        for index in items {
            // If a panic ended the thread, waiting callers would wait forever.
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
            // Fails when the caller no longer waits.
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

    /// A pool of one thread that records the order of the items. Each item waits until the test releases it.
    struct Bench {
        pool: Pool<&'static str, String>,
        /// A message releases one item; dropping it releases all.
        go: Sender<()>,
        /// The items that were started.
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

        /// A bench whose thread is busy with an item, so that all later items wait.
        fn occupied(items_queued_max: usize) -> (Self, JobResult<String>) {
            let bench = Self::new(items_queued_max);
            let answer = bench.pool.submit(vec!["first"]).unwrap();
            assert_eq!(bench.begun.recv(), Ok("first"));
            (bench, answer)
        }

        fn queue(&self, item: &'static str, count: usize) -> JobResult<String> {
            self.pool.submit(vec![item; count]).unwrap()
        }

        /// Releases all items and returns the order in which they ran.
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
            // Later items take less time.
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
    fn a_job_without_items_is_answered_at_once() {
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
        // After the first item, the thread takes the first piece of the next job.
        bench.go.send(()).unwrap();
        assert_eq!(bench.begun.recv(), Ok("waiting"));
        let _now_fits = bench.queue("now fits", PIECE_ITEMS);
        bench.run();
    }

    #[test]
    fn a_cancelled_job_does_not_run_and_frees_its_room() {
        let (bench, _first) = Bench::occupied(8);
        let abandoned = bench.queue("abandoned", 8);
        drop(abandoned);
        let wanted = bench.queue("wanted", 8);
        assert_eq!(bench.run(), vec!["wanted"; 8]);
        assert!(wanted.blocking_recv().unwrap().is_ok());
    }

    #[test]
    fn a_job_that_is_cancelled_while_it_runs_is_not_finished() {
        let (bench, _first) = Bench::occupied(100);
        let long = bench.queue("long", 3 * PIECE_ITEMS);
        bench.go.send(()).unwrap();
        assert_eq!(bench.begun.recv(), Ok("long"));
        drop(long);
        let order = bench.run();
        assert_eq!(
            order.len(),
            PIECE_ITEMS - 1,
            "only the piece under way is finished"
        );
    }

    #[test]
    fn a_panic_fails_only_its_own_job() {
        let (bench, _first) = Bench::occupied(100);
        let panicking = bench.queue("panic", 2 * PIECE_ITEMS);
        let sound = bench.queue("sound", 1);
        let order = bench.run();
        assert_eq!(
            order,
            ["panic", "sound"],
            "the rest of the failed job is not started"
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
    fn closing_finishes_the_current_item_and_answers_all_other_callers() {
        let (bench, first) = Bench::occupied(100);
        let waiting = bench.queue("waiting", 1);
        let Bench { pool, go, begun } = bench;
        let shared = Arc::clone(&pool.shared);
        let dropping = std::thread::spawn(move || drop(pool));
        // The item is released only after the pool is closed, so the thread starts no other.
        while !lock(&shared.queue).closed {
            std::thread::yield_now();
        }
        assert!(!dropping.is_finished(), "closing waits for the current item");
        drop((go, shared));
        dropping.join().unwrap();
        assert_eq!(first.blocking_recv(), Ok(Ok(vec!["FIRST".to_owned()])));
        assert!(waiting.blocking_recv().is_err());
        assert!(begun.recv().is_err(), "the waiting job was not started");
    }
}
