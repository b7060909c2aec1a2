//! Threads that share a queue of jobs fairly: they work on a few items of a job (a *piece*) at a time, then on the
//! next job.
//!
//! The first piece of a job comes before the later pieces of others. So a request of one blind waits only for the
//! first pieces of earlier requests, and not for a request of a thousand blinds. So that large jobs advance too, at least
//! one piece in [`LATER_PIECE_EVERY`] is a later one. While short jobs come, one thread takes no later pieces: it waits
//! for the next short job, and leaves its processor to what else such a request needs, such as the database.
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

/// While first and later pieces wait, one piece in this many is a later one.
const LATER_PIECE_EVERY: u32 = 4;

/// How many later pieces are taken after a short job until all threads may take them again: some ten milliseconds of
/// work, so that it is still so when the next short jobs come, but a rare short job costs the large ones little.
const PIECES_AFTER_SHORT_JOB: u32 = 32;

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
    /// Jobs whose turn has not come yet.
    new: VecDeque<Queued<T, R>>,
    /// Jobs that have had a turn and have items left.
    begun: VecDeque<Queued<T, R>>,
    /// The number of new jobs that had their turn while others had begun, since one of those had it.
    new_in_a_row: u32,
    /// The most threads that may work on later pieces while short jobs come.
    later_threads_max: usize,
    /// The number of threads that work on later pieces.
    later_threads: usize,
    /// The number of later pieces since a short job had its turn while others had begun.
    later_since_short: u32,
    /// Whether a thread waits although there are later pieces.
    is_one_held_back: bool,
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
        let queue = Queue::new(workers.len());
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
        let count = items.len();
        let queued = Queued::new(items, sender);
        let mut queue = lock(&self.shared.queue);
        if queue.items + count > self.shared.items_queued_max {
            queue.forget_abandoned();
        }
        if queue.items + count > self.shared.items_queued_max {
            return Err(SignError::Busy);
        }
        queue.push(queued);
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
        let mut was_later = false;
        while let Some((turn, piece)) = self.take_piece(was_later) {
            work_on(&piece, &mut worker);
            was_later = turn == Turn::Later;
        }
    }

    /// Waits for a job and takes a piece. `None` when the pool closes. `was_later` says whether the thread has worked on
    /// a later piece until now.
    fn take_piece(&self, was_later: bool) -> Option<(Turn, Vec<Taken<T, R>>)> {
        let mut queue = lock(&self.queue);
        queue.later_threads -= usize::from(was_later);
        loop {
            if queue.closed {
                return None;
            }
            if let Some(piece) = queue.take_piece() {
                if queue.is_one_held_back && queue.has_turn() {
                    queue.is_one_held_back = false;
                    self.changed.notify_one();
                }
                return Some(piece);
            }
            queue = self.changed.wait(queue).expect(NEVER_POISONED);
        }
    }
}

impl<T, R> Queue<T, R> {
    fn new(threads: usize) -> Self {
        Self {
            new: VecDeque::new(),
            begun: VecDeque::new(),
            new_in_a_row: 0,
            later_threads_max: threads.saturating_sub(1).max(1),
            later_threads: 0,
            later_since_short: PIECES_AFTER_SHORT_JOB,
            is_one_held_back: false,
            items: 0,
            closed: false,
        }
    }
}

/// Which piece of a job is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    Later,
}

impl<T: PoolItem, R> Queue<T, R> {
    /// Takes a piece that begins with the job whose turn it is. The rest of that job goes to the end of those that have
    /// begun.
    fn take_piece(&mut self) -> Option<(Turn, Vec<Taken<T, R>>)> {
        let (turn, mut first) = self.next_job()?;
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
        let others = self.new.iter_mut().chain(&mut self.begun);
        for queued in others.take(JOBS_SEARCHED_MAX) {
            if piece.len() == size {
                break;
            }
            if let Some(group) = queued.group_of(example) {
                queued.take(group, size, &mut piece);
            }
        }
        self.items -= piece.len();
        let is_short = first.groups.is_empty();
        match turn {
            Turn::First if is_short && (self.later_threads > 0 || !self.begun.is_empty()) => {
                self.later_since_short = 0;
            }
            Turn::First => {}
            Turn::Later => {
                self.later_threads += 1;
                self.later_since_short = self.later_since_short.saturating_add(1);
            }
        }
        if !is_short {
            self.begun.push_back(first);
        }
        Some((turn, piece))
    }

    fn push(&mut self, queued: Queued<T, R>) {
        self.items += queued.items();
        self.new.push_back(queued);
    }

    /// Whether a thread that asks now may get a piece.
    fn has_turn(&self) -> bool {
        !self.new.is_empty() || !self.begun.is_empty() && self.later_may_begin()
    }

    /// Whether one more thread may work on later pieces.
    fn later_may_begin(&self) -> bool {
        self.later_since_short >= PIECES_AFTER_SHORT_JOB || self.later_threads < self.later_threads_max
    }

    /// Takes the job whose turn it is out of the queue. Discards jobs that are over.
    fn next_job(&mut self) -> Option<(Turn, Queued<T, R>)> {
        loop {
            let may_be_later = !self.begun.is_empty() && self.later_may_begin();
            let is_turn_of_later = self.new_in_a_row + 1 >= LATER_PIECE_EVERY || self.new.is_empty();
            let (turn, jobs) = if may_be_later && is_turn_of_later {
                (Turn::Later, &mut self.begun)
            } else {
                (Turn::First, &mut self.new)
            };
            let Some(queued) = jobs.pop_front() else {
                self.is_one_held_back |= !self.begun.is_empty();
                return None;
            };
            if queued.job.is_over() {
                self.items -= queued.items();
            } else if !queued.groups.is_empty() {
                self.new_in_a_row = match turn {
                    Turn::First if !self.begun.is_empty() => self.new_in_a_row + 1,
                    Turn::First | Turn::Later => 0,
                };
                return Some((turn, queued));
            }
        }
    }

    /// The number of queued items that join `example`, counted no further than `enough`.
    fn count(&self, example: &T, enough: usize) -> usize {
        let mut count = 0;
        for queued in self.new.iter().chain(&self.begun).take(JOBS_SEARCHED_MAX) {
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
        self.new.retain(|queued| !queued.job.is_over());
        self.begun.retain(|queued| !queued.job.is_over());
        self.items = self.new.iter().chain(&self.begun).map(Queued::items).sum();
    }
}

impl<T: PoolItem, R> Queued<T, R> {
    fn new(items: Vec<T>, answer: oneshot::Sender<Result<Vec<R>, SignError>>) -> Self {
        Self {
            groups: groups_of(&items),
            job: Arc::new(Job::new(items, answer)),
        }
    }

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
mod tests;
