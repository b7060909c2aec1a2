//! Threads that share a queue of jobs fairly: they work on a few items of a job (a *piece*) at a time, then on the
//! next job.
//!
//! So a request of one blind waits for one piece of each earlier request, not for a request of a thousand blinds.
//! The limit of the queue counts items, because they determine the time.
//!
//! A piece is one item, or a group of items that a worker processes together in less time than one after the other. A
//! group takes items of the first job, and then those of other jobs that belong to it. A thread never waits for a group
//! to become larger: if the queue has too few items for a group, it takes one of them.
//!
//! Each thread has its own worker, which can own something that only one thread may use at a time, such as a
//! token's session.
//!
//! Failures: an item that fails or panics fails its job at once. The remaining items of the job are not started, and
//! the thread continues with other jobs. If a group panics, its items are processed again one by one. A job whose caller
//! has dropped its future is discarded when its turn comes. When the pool is dropped, the threads finish their pieces,
//! and all other callers get [`SignError::Unavailable`].

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use super::SignError;

/// The most jobs that are searched for items of a group, so that a long queue does not make taking a piece slow.
const JOBS_SEARCHED_MAX: usize = 256;

/// Something that a [`Pool`] processes.
pub trait PoolItem: Send + Sync + 'static {
    /// The most items that a worker processes together.
    const GROUP_MAX: usize;

    /// Whether a worker can process both together.
    fn joins(&self, other: &Self) -> bool;

    /// The fewest items like this one that are worth processing together.
    fn group_min(&self) -> usize;
}

/// Turns items of type `T` into results of type `R`, on threads that share a queue of jobs fairly. Engines such as
/// [`LocalSigner`](crate::LocalSigner) use it.
///
/// Dropping it waits for the threads to finish their pieces. All other callers get [`SignError::Unavailable`].
pub struct Pool<T, R> {
    shared: Arc<Shared<T, R>>,
    threads: Vec<JoinHandle<()>>,
}

/// Processes the items of one thread of a [`Pool`]: one item, or a group of at most [`PoolItem::GROUP_MAX`] that join
/// each other. Returns a result for each. It is called again after an error or a panic.
pub type Worker<T, R> = Box<dyn FnMut(&[&T]) -> Vec<Result<R, SignError>> + Send>;

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
    /// The items that no thread has taken yet, as places in the job, by the group to which they belong. The last place
    /// of a group is taken first. No group is empty.
    groups: VecDeque<Vec<usize>>,
}

/// An item that a thread has taken.
struct Taken<T, R> {
    job: Arc<Job<T, R>>,
    place: usize,
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

impl<T: PoolItem, R: Send + 'static> Pool<T, R> {
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
        let (count, groups) = (items.len(), groups_of(&items));
        let mut queue = lock(&self.shared.queue);
        if queue.items + count > self.shared.items_queued_max {
            queue.forget_abandoned();
        }
        if queue.items + count > self.shared.items_queued_max {
            return Err(SignError::Busy);
        }
        queue.items += count;
        queue.jobs.push_back(Queued {
            job: Arc::new(Job::new(items, sender)),
            groups,
        });
        drop(queue);
        if count == 1 {
            self.shared.changed.notify_one();
        } else {
            self.shared.changed.notify_all();
        }
        Ok(answer)
    }
}

/// The places of the items, by the group to which they belong, each in reverse order.
fn groups_of<T: PoolItem>(items: &[T]) -> VecDeque<Vec<usize>> {
    let mut groups: VecDeque<Vec<usize>> = VecDeque::new();
    for (place, item) in items.iter().enumerate() {
        match groups.iter_mut().find(|group| items[group[0]].joins(item)) {
            Some(group) => group.push(place),
            None => groups.push_back(vec![place]),
        }
    }
    groups.iter_mut().for_each(|group| group.reverse());
    groups
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

impl<T: PoolItem, R> Shared<T, R> {
    fn run(&self, mut worker: Worker<T, R>) {
        while let Some(piece) = self.take_piece() {
            work_on(&piece, &mut worker);
        }
    }

    /// Waits for a job and takes a piece. `None` when the pool closes.
    fn take_piece(&self) -> Option<Vec<Taken<T, R>>> {
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

impl<T: PoolItem, R> Queue<T, R> {
    /// Takes a piece that begins with the first job. The rest of that job goes to the end of the queue.
    fn take_piece(&mut self) -> Option<Vec<Taken<T, R>>> {
        let mut first = loop {
            let queued = self.jobs.pop_front()?;
            if queued.job.is_over() {
                self.items -= queued.items();
            } else if !queued.groups.is_empty() {
                break queued;
            }
        };
        let job = Arc::clone(&first.job);
        let example = &job.items[first.groups[0][0]];
        let available = first.groups[0].len() + self.count(example, T::GROUP_MAX);
        let size = if available < example.group_min() {
            1
        } else {
            T::GROUP_MAX
        };
        let mut piece = Vec::with_capacity(size);
        first.take(0, size, &mut piece);
        for queued in self.jobs.iter_mut().take(JOBS_SEARCHED_MAX) {
            if piece.len() == size {
                break;
            }
            if let Some(group) = queued.group_of(example) {
                queued.take(group, size, &mut piece);
            }
        }
        self.items -= piece.len();
        if !first.groups.is_empty() {
            self.jobs.push_back(first);
        }
        Some(piece)
    }

    /// The number of queued items that join `example`, counted no further than `enough`.
    fn count(&self, example: &T, enough: usize) -> usize {
        let mut count = 0;
        for queued in self.jobs.iter().take(JOBS_SEARCHED_MAX) {
            if count >= enough {
                break;
            }
            count += queued
                .group_of(example)
                .map_or(0, |group| queued.groups[group].len());
        }
        count
    }

    fn forget_abandoned(&mut self) {
        self.jobs.retain(|queued| !queued.job.is_over());
        self.items = self.jobs.iter().map(Queued::items).sum();
    }
}

impl<T: PoolItem, R> Queued<T, R> {
    /// The number of items that no thread has taken yet.
    fn items(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }

    /// The group that joins `example`, if the job still has one and is not over.
    fn group_of(&self, example: &T) -> Option<usize> {
        let group = self
            .groups
            .iter()
            .position(|group| self.job.items[group[0]].joins(example))?;
        (!self.job.is_over()).then_some(group)
    }

    /// Takes items of a group until `piece` has `size` items or none is left.
    fn take(&mut self, group: usize, size: usize, piece: &mut Vec<Taken<T, R>>) {
        while piece.len() < size
            && let Some(place) = self.groups[group].pop()
        {
            let job = Arc::clone(&self.job);
            piece.push(Taken { job, place });
        }
        if self.groups[group].is_empty() {
            self.groups.remove(group);
        }
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
}

fn work_on<T, R>(piece: &[Taken<T, R>], worker: &mut Worker<T, R>) {
    let items: Vec<&T> = piece.iter().map(|taken| &taken.job.items[taken.place]).collect();
    // If a panic ended the thread, waiting callers would wait forever.
    let results = catch_unwind(AssertUnwindSafe(|| {
        let results = worker(&items);
        assert_eq!(
            results.len(),
            items.len(),
            "a worker returns a result for each item"
        );
        results
    }));
    match results {
        Ok(results) => {
            for (taken, result) in piece.iter().zip(results) {
                lock(&taken.job.progress).add(taken.place, result);
            }
        }
        Err(_) if piece.len() > 1 => {
            for taken in piece.iter().filter(|taken| !taken.job.is_over()) {
                work_on(std::slice::from_ref(taken), worker);
            }
        }
        Err(_) => lock(&piece[0].job.progress).add(piece[0].place, Err(SignError::Failed)),
    }
}

impl<R> JobState<R> {
    fn add(&mut self, place: usize, result: Result<R, SignError>) {
        let result = match result {
            Ok(result) => result,
            Err(error) => {
                if let Some(answer) = self.answer.take() {
                    // Fails when the caller no longer waits.
                    let _ = answer.send(Err(error));
                }
                return;
            }
        };
        let earlier = self.results[place].replace(result);
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
            let _ = answer.send(Ok(results));
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

    /// The group of an item is its text without digits. Texts that begin with "lone" are never grouped.
    impl PoolItem for &'static str {
        const GROUP_MAX: usize = 4;

        fn joins(&self, other: &Self) -> bool {
            let name = |text: &str| text.trim_end_matches(char::is_numeric).to_owned();
            name(self) == name(other)
        }

        fn group_min(&self) -> usize {
            if self.starts_with("lone") { usize::MAX } else { 3 }
        }
    }

    /// A pool of one thread that records its pieces. Each piece waits until the test releases it.
    struct Bench {
        pool: Pool<&'static str, String>,
        /// A message releases one piece; dropping it releases all.
        go: Sender<()>,
        /// The pieces that were started.
        begun: Receiver<Vec<&'static str>>,
    }

    impl Bench {
        fn new(items_queued_max: usize) -> Self {
            let (go, gate) = channel();
            let (log, begun) = channel();
            let gate = Mutex::new(gate);
            let work = move |items: &[&&'static str]| {
                let _ = log.send(items.iter().map(|item| **item).collect());
                let _ = gate.lock().unwrap().recv();
                let result = |item: &&&'static str| match **item {
                    "panic" => panic!("an item that panics"),
                    "fail" => Err(SignError::Failed),
                    item => Ok(item.to_uppercase()),
                };
                items.iter().map(result).collect()
            };
            let pool = Pool::start("bench", vec![Box::new(work)], items_queued_max).unwrap();
            Self { pool, go, begun }
        }

        /// A bench whose thread is busy with an item, so that all later items wait.
        fn occupied(items_queued_max: usize) -> (Self, JobResult<String>) {
            let bench = Self::new(items_queued_max);
            let answer = bench.pool.submit(vec!["lone first"]).unwrap();
            assert_eq!(bench.begun.recv(), Ok(vec!["lone first"]));
            (bench, answer)
        }

        fn queue(&self, item: &'static str, count: usize) -> JobResult<String> {
            self.pool.submit(vec![item; count]).unwrap()
        }

        /// Releases all items and returns the pieces in the order in which they ran.
        fn run(self) -> Vec<Vec<&'static str>> {
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
        let long = bench.queue("long", 12);
        let short = bench.queue("lone", 1);
        let other = bench.queue("other", 5);
        let order = bench.run();
        let expected = [
            vec!["long"; 4],
            vec!["lone"],
            vec!["other"; 4],
            vec!["long"; 4],
            vec!["other"],
            vec!["long"; 4],
        ];
        assert_eq!(order, expected);
        for (answer, count) in [(long, 12), (short, 1), (other, 5)] {
            assert_eq!(answer.blocking_recv().unwrap().unwrap().len(), count);
        }
    }

    #[test]
    fn a_group_takes_items_of_several_jobs() {
        let (bench, _first) = Bench::occupied(100);
        let answers: Vec<_> = ["a1", "lone b", "a2", "a3"]
            .into_iter()
            .map(|item| bench.queue(item, 1))
            .collect();
        let both = bench.pool.submit(vec!["c1", "a4", "c2", "a5", "c3"]).unwrap();
        assert_eq!(
            bench.run(),
            [
                vec!["a1", "a2", "a3", "a4"],
                vec!["lone b"],
                vec!["c1", "c2", "c3"],
                vec!["a5"]
            ]
        );
        let results = answers
            .into_iter()
            .map(|answer| answer.blocking_recv().unwrap().unwrap().concat());
        assert_eq!(results.collect::<Vec<_>>(), ["A1", "LONE B", "A2", "A3"]);
        assert_eq!(
            both.blocking_recv().unwrap().unwrap(),
            ["C1", "A4", "C2", "A5", "C3"]
        );
    }

    #[test]
    fn too_few_items_for_a_group_are_taken_one_by_one() {
        let (bench, _first) = Bench::occupied(100);
        let _few = bench.queue("few", 2);
        let _lone = bench.queue("lone", 4);
        assert_eq!(
            bench.run(),
            [["few"], ["lone"], ["few"], ["lone"], ["lone"], ["lone"]]
        );
    }

    #[test]
    fn results_come_in_the_order_of_the_items_from_many_threads() {
        let work = |items: &[&&'static str]| {
            let result = |item: &&&'static str| {
                // Later items take less time.
                let number: u64 = item
                    .trim_start_matches(|c| c != '9' && !char::is_numeric(c))
                    .parse()
                    .unwrap();
                std::thread::sleep(std::time::Duration::from_micros(200 - 2 * number));
                Ok(number)
            };
            items.iter().map(result).collect()
        };
        let workers = (0..4)
            .map(|_| -> Worker<&'static str, u64> { Box::new(work) })
            .collect();
        let pool = Pool::start("many", workers, 1000).unwrap();
        let items: Vec<&'static str> = (0..100)
            .map(|number| &*Box::leak(format!("{}{number}", ["x", "lone", "y"][number % 3]).into_boxed_str()))
            .collect();
        let answers: Vec<_> = (0..3).map(|_| pool.submit(items.clone()).unwrap()).collect();
        for answer in answers {
            assert_eq!(
                answer.blocking_recv().unwrap().unwrap(),
                (0..100).collect::<Vec<_>>()
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
        assert_eq!(bench.begun.recv(), Ok(vec!["waiting"; 4]));
        let _now_fits = bench.queue("now fits", 4);
        bench.run();
    }

    #[test]
    fn a_cancelled_job_does_not_run_and_frees_its_room() {
        let (bench, _first) = Bench::occupied(8);
        let abandoned = bench.queue("same", 8);
        drop(abandoned);
        let wanted = bench.queue("same", 8);
        assert_eq!(bench.run(), [vec!["same"; 4], vec!["same"; 4]]);
        assert!(wanted.blocking_recv().unwrap().is_ok());
    }

    #[test]
    fn a_job_that_is_cancelled_while_it_runs_is_not_finished() {
        let (bench, _first) = Bench::occupied(100);
        let long = bench.queue("long", 12);
        bench.go.send(()).unwrap();
        assert_eq!(bench.begun.recv(), Ok(vec!["long"; 4]));
        drop(long);
        assert_eq!(bench.run().len(), 0, "only the piece under way is finished");
    }

    #[test]
    fn a_panic_fails_only_its_own_job() {
        let (bench, _first) = Bench::occupied(100);
        let panicking = bench.queue("panic", 2);
        let sound = bench.queue("sound", 1);
        let order = bench.run();
        assert_eq!(
            order,
            [["panic"], ["sound"]],
            "the rest of the failed job is not started"
        );
        assert_eq!(panicking.blocking_recv(), Ok(Err(SignError::Failed)));
        assert_eq!(sound.blocking_recv(), Ok(Ok(vec!["SOUND".to_owned()])));
    }

    #[test]
    fn a_panic_in_a_group_fails_only_the_job_whose_item_panics() {
        let (bench, _first) = Bench::occupied(100);
        let before = bench.queue("panic0", 1);
        let panicking = bench.queue("panic", 1);
        let after = bench.queue("panic2", 1);
        let order = bench.run();
        assert_eq!(order[0], ["panic0", "panic", "panic2"]);
        assert_eq!(order[1..], [["panic0"], ["panic"], ["panic2"]]);
        assert_eq!(before.blocking_recv(), Ok(Ok(vec!["PANIC0".to_owned()])));
        assert_eq!(panicking.blocking_recv(), Ok(Err(SignError::Failed)));
        assert_eq!(after.blocking_recv(), Ok(Ok(vec!["PANIC2".to_owned()])));
    }

    #[test]
    fn a_failure_is_answered_once() {
        let (bench, _first) = Bench::occupied(100);
        let failing = bench.pool.submit(vec!["good", "fail", "lone"]).unwrap();
        assert_eq!(bench.run(), [["good"], ["fail"]]);
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
        assert_eq!(first.blocking_recv(), Ok(Ok(vec!["LONE FIRST".to_owned()])));
        assert!(waiting.blocking_recv().is_err());
        assert!(begun.recv().is_err(), "the waiting job was not started");
    }
}
